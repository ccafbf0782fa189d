// SPDX-License-Identifier: Apache-2.0
// Files that cannot be opened, and bookkeeping that is damaged: a typed error, never a crash.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/storage/site.hpp"

namespace mycelial::test {
namespace {

const char* const kSchema =
    "CREATE TABLE t(k INTEGER PRIMARY KEY, v UNIQUE); CREATE TABLE log(a);"
    "CREATE TABLE w(k PRIMARY KEY, v) WITHOUT ROWID;";

Result<std::unique_ptr<storage::Store>> open(World& world, const std::string& path,
                                             bool exclusive = true) {
  storage::StoreOptions options;
  options.clock = &world.clock;
  options.entropy = &world.entropy;
  options.synchronous_full = false;
  options.busy_timeout_ms = 50;
  options.exclusive = exclusive;
  return storage::Store::open(path, options);
}

class Open : public testing::Test {
 protected:
  World world;
  Site site{world, "a", kSchema};
  std::string beside(const std::string& name) {
    return std::filesystem::path(site.path()).parent_path() / name;
  }
};

TEST_F(Open, MissingFileIsNotMade) {
  const auto store = open(world, beside("missing.db"));
  EXPECT_EQ(store.status().code(), Errc::not_found) << store.status().to_string();
  EXPECT_NE(store.status().message().find("missing.db"), std::string_view::npos);
  EXPECT_FALSE(std::filesystem::exists(beside("missing.db")));
}

TEST_F(Open, AFolderIsNotADatabase) {
  const auto store = open(world, std::filesystem::path(site.path()).parent_path());
  EXPECT_FALSE(store.ok());
  EXPECT_NE(store.status().code(), Errc::internal) << store.status().to_string();
}

TEST_F(Open, AnotherKindOfFileIsCorrupt) {
  std::ofstream(beside("text")) << std::string(5000, 'x');
  const auto store = open(world, beside("text"));
  EXPECT_EQ(store.status().code(), Errc::corrupt) << store.status().to_string();
}

TEST_F(Open, AnEmptyFileIsAnEmptyDatabase) {
  std::ofstream(beside("empty")) << "";
  const auto store = open(world, beside("empty"));
  ASSERT_TRUE(store.ok()) << store.status().to_string();
  EXPECT_EQ((*store)->track("t").code(), Errc::not_found);
}

TEST_F(Open, ATruncatedFileIsCorrupt) {
  ASSERT_TRUE(site.store().track_all().ok());
  site.sql("INSERT INTO log VALUES(zeroblob(100000))");
  auto image = site.image();
  image.bytes.resize(image.bytes.size() / 2);
  std::ofstream(beside("half"), std::ios::binary) << image.bytes;
  const auto store = open(world, beside("half"));
  if (store.ok()) {
    (void)(*store)->seal();
    const auto wrong = (*store)->check();
    EXPECT_TRUE(!wrong.ok() || !wrong->empty());
  } else {
    EXPECT_EQ(store.status().code(), Errc::corrupt) << store.status().to_string();
  }
}

TEST_F(Open, ASecondHolderIsBusyByName) {
  const auto store = open(world, site.path());
  EXPECT_EQ(store.status().code(), Errc::busy) << store.status().to_string();
  EXPECT_NE(store.status().message().find(std::to_string(getpid())), std::string_view::npos);
  const auto looking = open(world, site.path(), false);
  EXPECT_TRUE(looking.ok()) << looking.status().to_string();
}

TEST_F(Open, ALockedFileIsOpenedAndTheFirstWriteIsBusy) {
  ASSERT_TRUE(site.store().track_all().ok());
  site.close();
  ASSERT_EQ(site.sql("BEGIN IMMEDIATE; INSERT INTO log VALUES(1)"), SQLITE_OK);
  const auto store = open(world, site.path());
  ASSERT_TRUE(store.ok()) << store.status().to_string();
  EXPECT_EQ((*store)->untrack("t").code(), Errc::busy);
  ASSERT_EQ(site.sql("COMMIT"), SQLITE_OK);
  const auto sealed = (*store)->seal();
  ASSERT_TRUE(sealed.ok()) << sealed.status().to_string();
  EXPECT_EQ(sealed->size(), 1u);
}

TEST_F(Open, ANewerFormatIsRefusedByName) {
  ASSERT_TRUE(site.store().track_all().ok());
  site.close();
  ASSERT_EQ(site.sql("UPDATE mycelial_meta SET value = 99 WHERE key = 'format'"), SQLITE_OK);
  const auto store = open(world, site.path());
  EXPECT_EQ(store.status().code(), Errc::version) << store.status().to_string();
  EXPECT_NE(store.status().message().find("99"), std::string_view::npos);
}

TEST_F(Open, AReadOnlyFileSaysSo) {
  if (::geteuid() == 0) {  // root may write anything: let SQLite itself refuse
    sqlite3* db = nullptr;
    const std::string uri = "file:" + site.path() + "?mode=ro";
    EXPECT_EQ(sqlite3_open_v2(uri.c_str(), &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, nullptr),
              SQLITE_OK);
    EXPECT_EQ(sqlite3_db_readonly(db, "main"), 1);
    sqlite3_close(db);
    return;
  }
  site.close();
  ASSERT_EQ(::chmod(site.path().c_str(), 0444), 0);
  const auto store = open(world, site.path());
  EXPECT_EQ(store.status().code(), Errc::io) << store.status().to_string();
}

/// Flips bytes of one column of the bookkeeping; whatever is asked gives an answer or an error.
class Damage : public Open, public testing::WithParamInterface<const char*> {
 protected:
  void use(storage::Store& store) {
    (void)store.seal();
    (void)store.status();
    (void)store.conflicts();
    (void)store.digest();
    (void)store.check();
    (void)store.cut({}, {});
    (void)store.track_all();
    (void)store.apply_staged();
  }
  Site other{world, "b", kSchema};
};

TEST_P(Damage, GivesErrorsAndNoCrash) {
  const std::string column = GetParam();  // table.column
  const auto dot = column.find('.');
  const std::string table = column.substr(0, dot), name = column.substr(dot + 1);
  ASSERT_TRUE(site.store().track_all().ok());
  ASSERT_TRUE(other.store().track_all().ok());
  const char* const writes =
      "INSERT INTO t(v) VALUES('x'), ('y'); INSERT INTO log VALUES(1), (2), (2); INSERT INTO w "
      "VALUES(1, 1), (2, 2); DELETE FROM w WHERE k = 1; UPDATE log SET a = 5 WHERE a = 1";
  ASSERT_EQ(site.sql(writes), SQLITE_OK);
  ASSERT_EQ(other.sql(writes), SQLITE_OK);
  ASSERT_TRUE(carry(site, other).ok());
  ASSERT_TRUE(carry(other, site).ok());
  ASSERT_EQ(other.sql("UPDATE t SET v = v || 'z'; DELETE FROM log; UPDATE w SET v = 9"), SQLITE_OK);
  ASSERT_EQ(site.sql("UPDATE t SET v = v || 'q'; INSERT INTO log VALUES(8)"), SQLITE_OK);
  site.close();
  const auto image = site.image();
  for (unsigned seed = 0; seed < 25; ++seed) {
    SCOPED_TRACE(seed);
    Site copy(world, "copy", image);
    copy.close();
    std::mt19937 random(seed);
    std::string harm = "UPDATE " + table + " SET " + name + " = ";
    switch (random() % 5) {
      case 0:
        harm += "CAST(substr(" + name + ", 1, length(" + name + ") / 2) AS BLOB)";
        break;
      case 1:
        harm += "randomblob(abs(random()) % 40)";
        break;
      case 2:
        harm += "NULL";
        break;
      case 3:
        harm += std::to_string(random()) + " * " + std::to_string(random());
        break;
      default:
        harm += "CAST(substr(" + name + ", 1, 3) || x'ffffffffffffffffff' || substr(" + name +
                ", 5) AS BLOB)";
    }
    if (copy.sql(harm) != SQLITE_OK) continue;  // a constraint of ours
    auto store = open(world, copy.path());
    if (!store.ok()) {
      EXPECT_NE(store.status().code(), Errc::internal) << harm << store.status().to_string();
      continue;
    }
    use(**store);
    const auto sealed = other.store().seal();
    ASSERT_TRUE(sealed.ok());
    for (const auto& [stream, tip] : other.store().have()) {
      const auto units = other.store().tail(stream, 1, tip.seq);
      if (!units) continue;
      for (const auto& unit : *units) {
        const auto bytes = other.store().read(unit, 0, unit.size);
        (void)(*store)->stage(unit, 0, *bytes);
      }
    }
    use(**store);
    (void)(*store)->untrack_all();
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, Damage,
    testing::Values("mycelial_segment.data", "mycelial_segment.first", "mycelial_ident.data",
                    "mycelial_row.data", "mycelial_row.ident", "mycelial_row.status",
                    "mycelial_meta.value", "mycelial_stream.site", "mycelial_stream.id",
                    "mycelial_stream.seq", "mycelial_stream.hash", "mycelial_set.data",
                    "mycelial_schema.record", "mycelial_schema.hash", "mycelial_journal.what",
                    "mycelial_journal.mask", "mycelial_journal.row", "mycelial_context.seq",
                    "mycelial_column.id", "mycelial_column.name", "mycelial_table.id",
                    "mycelial_table.name", "mycelial_claim.value"));

TEST_F(Open, StreamsOutOfOrderAreCorrupt) {
  ASSERT_TRUE(site.store().track_all().ok());
  site.sql("INSERT INTO log VALUES(1)");
  ASSERT_TRUE(site.store().seal().ok());
  site.close();
  ASSERT_EQ(site.sql("UPDATE mycelial_stream SET id = 4611686018427387904 WHERE id > 0"),
            SQLITE_OK);
  EXPECT_EQ(open(world, site.path()).status().code(), Errc::corrupt);
}

TEST_F(Open, MissingBookkeepingTablesAreAnError) {
  for (const char* table : {"segment", "row", "stream", "set", "schema", "context", "ident",
                            "claim", "conflict", "table", "column", "journal"}) {
    SCOPED_TRACE(table);
    Site s(world, "s", kSchema);
    ASSERT_TRUE(s.store().track_all().ok());
    s.sql("INSERT INTO log VALUES(1)");
    s.close();
    ASSERT_EQ(s.sql(std::string("DROP TABLE mycelial_") + table), SQLITE_OK);
    auto store = open(world, s.path());
    if (!store.ok()) continue;
    (void)(*store)->seal();
    (void)(*store)->check();
    (void)(*store)->digest();
    (void)(*store)->conflicts();
    (void)(*store)->cut({}, {});
    (void)(*store)->untrack_all();
  }
}

}  // namespace
}  // namespace mycelial::test
