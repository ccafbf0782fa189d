// SPDX-License-Identifier: Apache-2.0
// Files that rotted: bits flipped, sectors lost or written elsewhere, an end that is missing, and
// bookkeeping that says something else. Whatever is asked of such a file is done or refused in
// words, and what comes of it leaves a peer's file sound.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/storage/fleet.hpp"

namespace mycelial::test {
namespace {

const char* const kSchema =
    "CREATE TABLE log(a, b TEXT);"
    "CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT UNIQUE, v);"
    "CREATE TABLE part(k TEXT, n INTEGER, v, PRIMARY KEY(k, n)) WITHOUT ROWID;"
    "CREATE TABLE tally(id TEXT PRIMARY KEY, n INTEGER, s TEXT);";

/// Two sites with rows of both, hidden ones, deaths, overruled values, sets kept, a journal.
class Whole {
 public:
  Whole() {
    EXPECT_TRUE(fleet[0].store().set_policy("tally", "n", "counter").ok());
    EXPECT_TRUE(fleet[0].store().set_policy("tally", "s", "set").ok());
    fleet.exchange();
    for (std::size_t i = 0; i < 2; ++i) {
      const std::string tag(1, static_cast<char>('a' + i));
      fleet.sql(i,
                "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 60) "
                "INSERT INTO log SELECT n, '" +
                    tag + "' || n FROM c");
      for (int n = 0; n < 12; ++n) {
        const auto number = std::to_string(n);
        fleet.sql(i, "INSERT INTO item(name, v) VALUES('" + number + "', '" + tag + "')");
        fleet.sql(i, "INSERT INTO part VALUES('" + tag + "', " + number + ", 1)");
        fleet.sql(i, "INSERT OR REPLACE INTO part VALUES('both', " + number + ", '" + tag + "')");
      }
      fleet.sql(i, "INSERT INTO tally VALUES('t', 1, '[\"" + tag + "\"]')");
    }
    fleet.exchange();
    for (std::size_t i = 0; i < 2; ++i) {
      const std::string who = std::to_string(i);
      fleet.sql(i, "UPDATE item SET v = v || " + who + " WHERE id % 3 = " + who);
      fleet.sql(i, "UPDATE part SET v = " + who +
                       " WHERE k = 'both'; DELETE FROM log WHERE a % 7 "
                       "= " +
                       who + "; UPDATE tally SET n = n + 1");
    }
    fleet.seal(0);
    fleet.seal(1);
    fleet.send(1, 0);
    fleet.sql(0,
              "INSERT INTO log VALUES('unsealed', 1); UPDATE item SET v = 'u' WHERE id = 2; "
              "DELETE FROM part WHERE n = 3");
    image = fleet.snapshot(0).image.bytes;
    peer = fleet.snapshot(1).image.bytes;
  }

  Fleet fleet{2, kSchema};
  std::string image, peer;
};

Whole& whole() {
  static Whole one;
  return one;
}

/// A file and whoever works with it.
class File {
 public:
  File(World& world, const std::string& bytes) : world_(world) {
    std::string pattern = (std::filesystem::temp_directory_path() / "mycelial-XXXXXX").string();
    EXPECT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    path = folder_ + "/file.db";
    std::ofstream(path, std::ios::binary) << bytes;
  }
  ~File() {
    store.reset();
    std::filesystem::remove_all(folder_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  Status open() {
    storage::StoreOptions options;
    options.clock = &world_.clock;
    options.entropy = &world_.entropy;
    options.synchronous_full = false;
    options.retention_ms = 0;
    options.collect_every_ms = 0;
    options.collect_worth = 0;
    auto opened = storage::Store::open(path, options);
    if (!opened.ok()) return opened.status();
    store = std::move(*opened);
    return {};
  }

  std::string path;
  std::unique_ptr<storage::Store> store;

 private:
  World& world_;
  std::string folder_;
};

Status stage_all(storage::Store& from, storage::Store& to, const core::UnitRef& unit) {
  const auto bytes = from.read(unit, 0, unit.size);
  if (!bytes.ok()) return bytes.status();
  return to.stage(unit, 0, *bytes);
}

/// What `to` lacks, as sets and as a cut; refusals are fine.
std::vector<Status> give(storage::Store& from, storage::Store& to) {
  std::vector<Status> said;
  const std::vector<std::pair<core::Stream, core::Tip>> tips(to.have().begin(), to.have().end());
  for (const auto& [stream, tip] : core::Have(from.have())) {
    const auto it = to.have().find(stream);
    const auto next = it == to.have().end() ? 1 : it->second.seq + 1;
    if (next > tip.seq) continue;
    if (const auto units = from.tail(stream, next, tip.seq)) {
      for (const auto& unit : *units) said.push_back(stage_all(from, to, unit));
    }
  }
  const auto cut = from.cut(tips, {});
  said.push_back(cut.ok() ? stage_all(from, to, *cut) : cut.status());
  for (int i = 0; i < 100; ++i) {
    const auto applied = to.apply_staged();
    said.push_back(applied.status());
    if (!applied.ok()) break;
    for (const auto& [unit, why] : applied->rejected) said.push_back(why);
    if (!applied->more) break;
  }
  return said;
}

/// Everything that may be asked of the file, and an exchange with a sound peer.
void ask_everything(World& world, File& file, const std::string& peer_bytes) {
  std::vector<Status> said{file.open()};
  if (said[0].ok()) {
    auto& store = *file.store;
    File peer(world, peer_bytes);
    ASSERT_TRUE(peer.open().ok());
    said.push_back(store.status().status());
    said.push_back(store.check().status());
    said.push_back(store.conflicts().status());
    said.push_back(store.digest().status());
    said.push_back(store.describe_members().status());
    said.push_back(store.policies().status());
    said.push_back(store.seal().status());
    (void)store.list();
    (void)store.list_parts(64, 0);
    said.push_back(store.list_unit(std::vector<std::uint32_t>(8), 0).status());
    for (auto& s : give(store, *peer.store)) said.push_back(std::move(s));
    for (auto& s : give(*peer.store, store)) said.push_back(std::move(s));
    said.push_back(store.collect().status());
    said.push_back(store.alter("ALTER TABLE item ADD COLUMN more"));
    said.push_back(store.untrack_all());
    const auto wrong = peer.store->check();
    ASSERT_TRUE(wrong.ok()) << wrong.status().to_string();
    EXPECT_EQ(*wrong, std::vector<std::string>());
  }
  for (const auto& s : said) {
    EXPECT_TRUE(s.ok() || !s.message().empty());
  }
}

constexpr std::size_t kSector = 512;

std::size_t any_sector(const std::string& bytes, std::mt19937& random) {
  return random() % (bytes.size() / kSector) * kSector;
}

void flip_bits(std::string& bytes, std::mt19937& random) {
  for (auto n = 1 + random() % 8; n > 0; --n)
    bytes[random() % bytes.size()] ^= static_cast<char>(1u << random() % 8);
}
void lose_a_sector(std::string& bytes, std::mt19937& random) {
  bytes.replace(any_sector(bytes, random), kSector, kSector, '\0');
}
void write_a_sector_elsewhere(std::string& bytes, std::mt19937& random) {
  const auto from = any_sector(bytes, random), to = any_sector(bytes, random);
  bytes.replace(to, kSector, std::string(bytes, from, kSector));
}
void lose_the_end(std::string& bytes, std::mt19937& random) {
  bytes.resize(any_sector(bytes, random));
}

struct Damage {
  const char* name;
  void (*harm)(std::string&, std::mt19937&);
};

void PrintTo(const Damage& damage, std::ostream* to) {
  *to << damage.name;
}

class Rot : public testing::TestWithParam<Damage> {};

TEST_P(Rot, IsRefusedInWordsAndSpreadsNoDamage) {
  for (unsigned seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    std::string bytes = whole().image;
    GetParam().harm(bytes, random);
    File file(whole().fleet.world, bytes);
    ask_everything(whole().fleet.world, file, whole().peer);
    if (HasFatalFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(All, Rot,
                         testing::Values(Damage{"Bits", flip_bits}, Damage{"Sector", lose_a_sector},
                                         Damage{"Misdirected", write_a_sector_elsewhere},
                                         Damage{"End", lose_the_end}),
                         [](const auto& given) { return std::string(given.param.name); });

/// One value of the bookkeeping becomes another one.
std::string falsify(File& file, std::mt19937& random) {
  sqlite3* db = nullptr;
  sqlite3_open(file.path.c_str(), &db);
  std::vector<std::string> cells;
  const auto collect = [](void* to, int, char** values, char**) {
    static_cast<std::vector<std::string>*>(to)->emplace_back(values[0]);
    return 0;
  };
  sqlite3_exec(db,
               "SELECT format('UPDATE %s SET \"%w\" = ', m.name, c.name) FROM sqlite_schema m, "
               "pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name LIKE 'mycelial%'",
               collect, &cells, nullptr);
  static const char* const kValues[] = {
      "NULL", "-1",     "0",     "9223372036854775807", "zeroblob(3)",
      "x''",  "'text'", "1e300", "zeroblob(70000)",     "randomblob(40)"};
  const auto& cell = cells[random() % cells.size()];
  const std::string column = cell.substr(cell.find('"'), cell.rfind('"') + 1 - cell.find('"'));
  std::string value = kValues[random() % std::size(kValues)];
  if (random() % 3 != 0) {  // one byte of it, or its end
    const auto at = std::to_string(random() % 60);
    value = random() % 2 ? "CAST(substr(" + column + ", 1, " + at + ") AS BLOB)"
                         : "CAST(substr(" + column + ", 1, " + at + ") || CAST(x'" +
                               std::to_string(10 + random() % 89) + "' AS TEXT) || substr(" +
                               column + ", " + at + " + 2) AS BLOB)";
  }
  const std::string table = cell.substr(7, cell.find(' ', 7) - 7);
  const std::string sql = "UPDATE OR IGNORE " + cell.substr(7) + value +
                          " WHERE rowid = (SELECT "
                          "rowid FROM " +
                          table + " ORDER BY random() LIMIT 1)";
  const std::string keyless = "UPDATE OR IGNORE " + cell.substr(7) + value;
  if (sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK)
    sqlite3_exec(db, keyless.c_str(), nullptr, nullptr, nullptr);
  sqlite3_close(db);
  return sql;
}

TEST(RotOfBooks, IsRefusedInWordsAndSpreadsNoDamage) {
  for (unsigned seed = 1; seed <= 300; ++seed) {
    std::mt19937 random(seed);
    File file(whole().fleet.world, whole().image);
    const auto sql = falsify(file, random);
    SCOPED_TRACE(std::to_string(seed) + ": " + sql);
    ask_everything(whole().fleet.world, file, whole().peer);
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace mycelial::test
