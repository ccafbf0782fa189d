// SPDX-License-Identifier: Apache-2.0
#include "storage/sqlite_bugs.hpp"

#include <gtest/gtest.h>

#include <filesystem>

#include "tests/storage/site.hpp"

namespace mycelial::test {
namespace {

TEST(SqliteBugs, AreKnownByVersion) {
  for (const int bad : {3007000, 3040001, 3044005, 3045000, 3050006, 3051000, 3051002}) {
    EXPECT_NE(storage::known_bug(bad).find("WAL-reset"), std::string::npos) << bad;
  }
  for (const int good : {3006023, 3044006, 3044999, 3050007, 3051003, 3053000, 4000000}) {
    EXPECT_EQ(storage::known_bug(good), "") << good;
  }
  EXPECT_NE(storage::known_bug(3040001).find("SQLite 3.40.1 "), std::string::npos);
}

TEST(SqliteBugs, AreToldByStatus) {
  World world;
  Site a(world, "a", "CREATE TABLE t(k INTEGER PRIMARY KEY, v)");
  EXPECT_EQ(a.store().status()->sqlite_warning, storage::known_bug(sqlite3_libversion_number()));
}

TEST(SqliteBugs, TheApplicationCheckpointsNotTheEngine) {
  World world;
  const std::string schema = "CREATE TABLE t(k INTEGER PRIMARY KEY, v)";
  Site a(world, "a", schema), b(world, "b", schema);
  for (Site* s : {&a, &b}) ASSERT_TRUE(s->store().track("t").ok());
  const auto fill = [&](int from) {
    const std::string n = std::to_string(from);
    EXPECT_EQ(a.sql("WITH RECURSIVE n(i) AS (SELECT " + n +
                    " UNION ALL SELECT i + 1 FROM n WHERE "
                    "i < " +
                    n + " + 999) INSERT INTO t SELECT i, randomblob(6000) FROM n"),
              SQLITE_OK);
    ASSERT_TRUE(carry(a, b).ok());
  };
  // 2000 pages: the file does not grow yet, the WAL does.
  const auto before = std::filesystem::file_size(b.path());
  fill(1);
  EXPECT_EQ(std::filesystem::file_size(b.path()), before);
  EXPECT_GT(std::filesystem::file_size(b.path() + "-wal"), 6'000'000u);
  for (int i = 1; i < 4; ++i) fill(i * 1000 + 1);
  EXPECT_GT(std::filesystem::file_size(b.path()), 12'000'000u);  // nobody else did it
}

}  // namespace
}  // namespace mycelial::test
