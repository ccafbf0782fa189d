// SPDX-License-Identifier: Apache-2.0
// A table that is untracked on one site and tracked again, while the rest of the fleet goes on.
#include <gtest/gtest.h>

#include "tests/storage/site.hpp"

namespace mycelial::test {
namespace {

class Retrack : public testing::TestWithParam<const char*> {
 protected:
  Retrack() {
    must(a, "PRAGMA journal_mode = WAL");  // nothing for untrack to restore
    for (Site* s : {&a, &b}) EXPECT_TRUE(s->store().track("t").ok());
    must(a, "INSERT INTO t(k, v, w) VALUES(1, 'one', 1), (2, 'two', 2)");
    must(b, "INSERT INTO t(k, v, w) VALUES(5, 'five', 5), (6, 'six', NULL)");
    must(a, "INSERT INTO t(v) VALUES('picked')");
    both();
    must(a, "DELETE FROM t WHERE k = 2");
  }
  void both() { exchange(a, b); }
  void untrack() { ASSERT_TRUE(a.store().untrack("t").ok()); }
  void track() {
    world.clock.now += 10;
    const auto status = a.store().track("t");
    ASSERT_TRUE(status.ok()) << status.to_string();
  }
  void expect_all(const std::string& rows) {
    both();
    EXPECT_EQ(a.rows("SELECT v, w FROM t ORDER BY v"), rows) << "on a";
    EXPECT_EQ(b.rows("SELECT v, w FROM t ORDER BY v"), rows) << "on b";
    EXPECT_EQ(*a.store().digest(), *b.store().digest());
    for (Site* s : {&a, &b}) {
      EXPECT_EQ(*s->store().check(), std::vector<std::string>());
      EXPECT_EQ(s->store().status()->parked_rows, 0u);
      EXPECT_EQ(s->store().status()->hidden_rows, 0u);
    }
  }

  World world;
  Site a{world, "a", GetParam()}, b{world, "b", GetParam()};
};

INSTANTIATE_TEST_SUITE_P(
    All, Retrack,
    testing::Values("CREATE TABLE t(k INTEGER PRIMARY KEY, v, w INTEGER)",
                    "CREATE TABLE t(k TEXT PRIMARY KEY, v, w INTEGER)",
                    "CREATE TABLE t(k, v, w INTEGER)",
                    "CREATE TABLE t(k INT DEFAULT 0 PRIMARY KEY, v, w INTEGER) WITHOUT ROWID",
                    "CREATE TABLE t(k INTEGER PRIMARY KEY, v UNIQUE, w INTEGER)"));

TEST_P(Retrack, DoublesNoRow) {
  for (int i = 0; i < 3; ++i) {
    untrack();
    if (i == 1) both();
    track();
  }
  must(b, "UPDATE t SET w = 50 WHERE v = 'five'");
  must(a, "UPDATE t SET w = 10 WHERE v = 'one'; DELETE FROM t WHERE v = 'six'");
  expect_all("five|50\none|10\npicked|NULL");
}

TEST_P(Retrack, BringsWhatPeersDidMeanwhile) {
  untrack();
  must(b, "UPDATE t SET w = 50 WHERE v = 'five'; DELETE FROM t WHERE v = 'one'");
  must(b, "INSERT INTO t(k, v) VALUES(9, 'nine')");
  both();
  EXPECT_EQ(a.rows("SELECT count(*) FROM t WHERE w = 50 OR v = 'nine'"), "0");
  track();
  expect_all("five|50\nnine|NULL\npicked|NULL\nsix|NULL");
}

TEST_P(Retrack, SendsWhatWasWrittenMeanwhile) {
  untrack();
  must(a, "UPDATE t SET w = 11 WHERE v = 'one'; INSERT INTO t(k, v) VALUES(9, 'nine')");
  must(b, "UPDATE t SET v = 'uno' WHERE v = 'one'");
  track();
  expect_all("five|5\nnine|NULL\npicked|NULL\nsix|NULL\nuno|11");
}

/// That a row is missing says nothing: the table may have been made anew.
TEST_P(Retrack, BringsBackRowsThatWereDeletedMeanwhile) {
  untrack();
  must(a, "DELETE FROM t WHERE v IN ('one', 'five')");
  track();
  expect_all("five|5\none|1\npicked|NULL\nsix|NULL");
  untrack();
  const auto sql = a.rows("SELECT sql FROM sqlite_schema WHERE name = 't'");
  must(a, "DROP TABLE t; " + sql);
  track();
  expect_all("five|5\none|1\npicked|NULL\nsix|NULL");
}

TEST_P(Retrack, KnowsRowsWhoseColumnsWereChanged) {
  untrack();
  std::string sql = GetParam();
  sql.replace(sql.find("w INTEGER"), 9, "w TEXT, x");
  sql.replace(sql.find(" t("), 3, " new(");
  must(a, sql + "; INSERT INTO new(k, v, w, x) SELECT k, v, w, 'x' || w FROM t ORDER BY v DESC");
  must(a, "DROP TABLE t; ALTER TABLE new RENAME TO t");
  track();
  both();
  EXPECT_EQ(a.rows("SELECT v, w, x FROM t ORDER BY v"),
            "five|5|x5\none|1|x1\npicked|NULL|NULL\nsix|NULL|NULL");
  EXPECT_EQ(b.rows("SELECT v, w FROM t ORDER BY v"), "five|5\none|1\npicked|NULL\nsix|NULL");
  must(b, "UPDATE t SET w = 51 WHERE v = 'five'; ALTER TABLE t ADD COLUMN x");
  both();
  EXPECT_EQ(a.rows("SELECT w FROM t WHERE v = 'five'"), "51");
  EXPECT_EQ(b.rows("SELECT x FROM t ORDER BY v"), "x5\nx1\nNULL\nNULL");
}

TEST_P(Retrack, GoesOnPassingRowsToOthers) {
  untrack();
  Site c{world, "c", GetParam()};
  ASSERT_TRUE(c.store().track("t").ok());
  const auto status = carry(a, c, Carry::cut);
  ASSERT_TRUE(status.ok()) << status.to_string();
  EXPECT_EQ(c.rows("SELECT v, w FROM t ORDER BY v"), "five|5\none|1\npicked|NULL\nsix|NULL");
}

TEST_P(Retrack, OfEveryTableLeavesNothing) {
  untrack();
  track();
  const auto status = a.store().untrack_all();
  ASSERT_TRUE(status.ok()) << status.to_string();
  EXPECT_EQ(a.rows("SELECT count(*) FROM sqlite_schema WHERE name LIKE 'mycelial%'"), "0");
}

}  // namespace
}  // namespace mycelial::test
