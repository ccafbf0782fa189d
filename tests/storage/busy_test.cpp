// SPDX-License-Identifier: Apache-2.0
// The engine is a guest: whom a write would hit, whom it did hit, and when it is on the disk.
#include <gtest/gtest.h>

#include "tests/storage/site.hpp"

namespace mycelial::test {
namespace {

const char* const kSchema = "CREATE TABLE t(k INTEGER PRIMARY KEY, v);";

/// Another connection of the application.
class Client {
 public:
  explicit Client(const std::string& path) { EXPECT_EQ(sqlite3_open(path.c_str(), &db_), 0); }
  ~Client() { sqlite3_close(db_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  int sql(const char* text) {
    const int rc = sqlite3_exec(db_, text, nullptr, nullptr, nullptr);
    return rc == SQLITE_OK ? rc : sqlite3_extended_errcode(db_);
  }

 private:
  sqlite3* db_ = nullptr;
};

class Busy : public testing::Test {
 protected:
  Busy() {
    EXPECT_TRUE(site.store().track_all().ok());
    EXPECT_TRUE(other.store().track_all().ok());
    EXPECT_EQ(site.sql("INSERT INTO t VALUES(1, 'one')"), SQLITE_OK);
    EXPECT_TRUE(site.store().seal().ok());
  }
  World world;
  Site site{world, "a", kSchema}, other{world, "b", kSchema};
  Client client{site.path()};
};

TEST_F(Busy, WhoReadsTheNewestSnapshotIsSeen) {
  EXPECT_FALSE(site.store().in_use());
  ASSERT_EQ(client.sql("BEGIN"), SQLITE_OK);
  EXPECT_FALSE(site.store().in_use()) << "nothing is read yet";
  ASSERT_EQ(client.sql("SELECT * FROM t"), SQLITE_OK);
  EXPECT_TRUE(site.store().in_use());
  ASSERT_EQ(client.sql("INSERT INTO t VALUES(2, 'two')"), SQLITE_OK);
  EXPECT_TRUE(site.store().in_use()) << "who writes has read";
  ASSERT_EQ(client.sql("COMMIT"), SQLITE_OK);
  EXPECT_FALSE(site.store().in_use());
}

TEST_F(Busy, WhoReadsAnOlderSnapshotHasNothingToLose) {
  ASSERT_EQ(client.sql("BEGIN; SELECT * FROM t"), SQLITE_OK);
  ASSERT_EQ(site.sql("INSERT INTO t VALUES(2, 'two')"), SQLITE_OK);
  EXPECT_FALSE(site.store().in_use());
  Client late{site.path()};
  ASSERT_EQ(late.sql("BEGIN; SELECT * FROM t"), SQLITE_OK);
  EXPECT_TRUE(site.store().in_use());
}

TEST_F(Busy, AReaderOfACheckpointedFileIsSeen) {
  ASSERT_EQ(site.sql("PRAGMA wal_checkpoint(TRUNCATE)"), SQLITE_OK);
  EXPECT_FALSE(site.store().in_use());
  ASSERT_EQ(client.sql("BEGIN; SELECT * FROM t"), SQLITE_OK);
  EXPECT_TRUE(site.store().in_use());
  ASSERT_EQ(site.sql("INSERT INTO t VALUES(2, 'two')"), SQLITE_OK);
  EXPECT_FALSE(site.store().in_use());
}

TEST_F(Busy, LookingDisturbsNobody) {
  ASSERT_EQ(client.sql("BEGIN; SELECT * FROM t"), SQLITE_OK);
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(site.store().in_use());
  EXPECT_EQ(client.sql("INSERT INTO t VALUES(2, 'two'); COMMIT"), SQLITE_OK);
}

TEST_F(Busy, AWriteThatOvertakesATransactionIsCounted) {
  ASSERT_EQ(site.sql("INSERT INTO t VALUES(2, 'two')"), SQLITE_OK);
  ASSERT_TRUE(site.store().seal().ok());
  ASSERT_EQ(site.store().collisions(), 0u);
  ASSERT_EQ(site.sql("INSERT INTO t VALUES(3, 'three')"), SQLITE_OK);
  ASSERT_EQ(client.sql("BEGIN; SELECT * FROM t"), SQLITE_OK);
  ASSERT_TRUE(site.store().seal().ok());
  EXPECT_EQ(site.store().collisions(), 1u);
  EXPECT_EQ(client.sql("INSERT INTO t VALUES(4, 'four')"), SQLITE_BUSY_SNAPSHOT);
  ASSERT_EQ(other.sql("INSERT INTO t VALUES(5, 'five')"), SQLITE_OK);
  ASSERT_TRUE(carry(other, site).ok());
  EXPECT_EQ(site.store().collisions(), 1u) << "its snapshot was old already";
}

TEST_F(Busy, WithoutAWalNobodyIsSeen) {
  site.close();
  ASSERT_EQ(site.sql("PRAGMA journal_mode = DELETE"), SQLITE_OK);
  site.open();
  ASSERT_EQ(client.sql("BEGIN; SELECT * FROM t"), SQLITE_OK);
  EXPECT_FALSE(site.store().in_use());
}

/// Counts what happens to WALs below SQLite.
struct Disk {
  static inline int unsynced = 0;
  static inline bool broken = false;
  static inline const sqlite3_io_methods* real = nullptr;

  static int write(sqlite3_file* f, const void* from, int size, sqlite3_int64 at) {
    ++unsynced;
    return real->xWrite(f, from, size, at);
  }
  static int sync(sqlite3_file* f, int flags) {
    if (broken) return SQLITE_IOERR_FSYNC;
    unsynced = 0;
    return real->xSync(f, flags);
  }
  static int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* f, int flags, int* out) {
    const int rc = default_vfs->xOpen(vfs, name, f, flags, out);
    if (rc != SQLITE_OK || (flags & SQLITE_OPEN_WAL) == 0) return rc;
    static sqlite3_io_methods methods;
    real = f->pMethods;
    methods = *real;
    methods.xWrite = write;
    methods.xSync = sync;
    f->pMethods = &methods;
    return rc;
  }
  static inline sqlite3_vfs* default_vfs = nullptr;
  static inline sqlite3_vfs own{};
};

class OnDisk : public testing::Test {
 protected:
  OnDisk() {
    Disk::default_vfs = sqlite3_vfs_find(nullptr);
    Disk::own = *Disk::default_vfs;
    Disk::own.zName = "counting";
    Disk::own.xOpen = Disk::open;
    Disk::broken = false;
    sqlite3_vfs_register(&Disk::own, 1);
  }
  ~OnDisk() override { sqlite3_vfs_unregister(&Disk::own); }
};

TEST_F(OnDisk, NothingIsGivenOutBeforeItIsOnTheDisk) {
  World world;
  Site site{world, "a", kSchema};
  ASSERT_TRUE(site.store().track_all().ok());
  site.close();
  site.open({}, true);
  ASSERT_EQ(site.sql("INSERT INTO t VALUES(1, 'one')"), SQLITE_OK);
  ASSERT_GT(Disk::unsynced, 0);
  const auto sealed = site.store().seal();
  ASSERT_TRUE(sealed.ok());
  EXPECT_EQ(sealed->size(), 1u);
  EXPECT_EQ(Disk::unsynced, 0);
}

TEST_F(OnDisk, ASetThatMayNotBeOnTheDiskIsGivenOutWhenItIs) {
  World world;
  Site site{world, "a", kSchema};
  ASSERT_TRUE(site.store().track_all().ok());
  site.close();
  site.open({}, true);
  ASSERT_EQ(site.sql("INSERT INTO t VALUES(1, 'one')"), SQLITE_OK);
  Disk::broken = true;
  EXPECT_EQ(site.store().seal().status().code(), Errc::io);
  Disk::broken = false;
  ASSERT_EQ(site.sql("INSERT INTO t VALUES(2, 'two')"), SQLITE_OK);
  const auto sealed = site.store().seal();
  ASSERT_TRUE(sealed.ok()) << sealed.status().to_string();
  EXPECT_EQ(sealed->size(), 2u);
  EXPECT_EQ(Disk::unsynced, 0);
}

/// Sets of `from`, with what they say.
std::vector<core::UnitRef> sets_of(Site& from) {
  const core::Stream stream{from.store().site()};
  return *from.store().tail(stream, 1, from.store().have().at(stream).seq);
}

Status stage(Site& from, Site& to, core::UnitRef unit, std::uint64_t claimed) {
  const auto bytes = from.store().read(unit, 0, unit.size);
  unit.first = unit.last = claimed;
  return bytes.ok() ? to.store().stage(unit, 0, *bytes) : bytes.status();
}

TEST_F(Busy, ABacklogAppliesWhenItsBeginningComes) {
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(other.sql("INSERT INTO t(v) VALUES(" + std::to_string(i) + ")"), SQLITE_OK);
    ASSERT_TRUE(other.store().seal().ok());
  }
  const auto sets = sets_of(other);
  for (std::size_t i = sets.size(); i-- > 1;) {
    ASSERT_TRUE(stage(other, site, sets[i], sets[i].first).ok());
    const auto none = site.store().apply_staged();
    ASSERT_TRUE(none.ok());
    EXPECT_TRUE(none->units.empty() && !none->more);
  }
  ASSERT_TRUE(stage(other, site, sets[0], 1).ok());
  const auto all = site.store().apply_staged();
  ASSERT_TRUE(all.ok());
  ASSERT_EQ(all->units.size(), sets.size());
  for (std::size_t i = 0; i < sets.size(); ++i) EXPECT_EQ(all->units[i].id, sets[i].id);
}

TEST_F(Busy, AUnitThatIsWholeIsNotWrittenOver) {
  ASSERT_EQ(other.sql("INSERT INTO t(v) VALUES(1)"), SQLITE_OK);
  ASSERT_TRUE(other.store().seal().ok());
  const auto unit = sets_of(other)[0];
  ASSERT_TRUE(stage(other, site, unit, 1).ok());
  ASSERT_TRUE(site.store().stage(unit, 0, std::string(unit.size, 'x')).ok());
  const auto applied = site.store().apply_staged();
  ASSERT_TRUE(applied.ok());
  EXPECT_EQ(applied->units.size(), 1u);
  EXPECT_TRUE(applied->rejected.empty());
}

}  // namespace
}  // namespace mycelial::test
