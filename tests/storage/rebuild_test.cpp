// SPDX-License-Identifier: Apache-2.0
// Tables that migration tools make anew: create, copy, drop, rename. SQLite drops the triggers with
// the old table, and the copy has other rowids.
#include <gtest/gtest.h>

#include "tests/storage/site.hpp"

namespace mycelial::test {
namespace {

struct Shape {
  const char* before;
  const char* after;  // of the table "new"
  const char* name;
};

std::string name_of(const testing::TestParamInfo<Shape>& shape) {
  return shape.param.name;
}

class Rebuild : public testing::TestWithParam<Shape> {
 protected:
  Rebuild() {
    for (Site* s : {&a, &b}) {
      must(*s, "CREATE TABLE other(k PRIMARY KEY)");
      for (const char* t : {"t", "other"}) EXPECT_TRUE(s->store().track(t).ok());
    }
    must(a, "INSERT INTO t(k, v, w) VALUES(3, 'one', 1), (5, 'two', 2), (8, 'three', 3)");
    must(b, "INSERT INTO t(k, v, w) VALUES(11, 'four', 4), (12, 'five', 5)");
    must(a, "INSERT INTO t(v, w) VALUES('six', 6)");
    both();
    must(a, "DELETE FROM t WHERE v = 'two'");
    both();
  }
  void both() { exchange(a, b); }
  bool keyless() { return std::string(GetParam().name) == "Keyless"; }
  /// The steps of a rebuild, as the documentation of ALTER TABLE has them.
  std::string steps(const std::string& columns = "k, v, w", const std::string& from = "FROM t") {
    return std::string(GetParam().after) + "; INSERT INTO new(" + columns + ") SELECT " + columns +
           " " + from + "; DROP TABLE t; ALTER TABLE new RENAME TO t";
  }
  void rebuild(Site& s) { must(s, "BEGIN; " + steps() + "; COMMIT"); }
  void expect_both(const std::string& rows) {
    both();
    EXPECT_EQ(a.rows("SELECT v, w FROM t ORDER BY v"), rows) << "on a";
    EXPECT_EQ(b.rows("SELECT v, w FROM t ORDER BY v"), rows) << "on b";
    for (Site* s : {&a, &b}) {
      EXPECT_EQ(*s->store().check(), std::vector<std::string>());
      EXPECT_EQ(s->store().status()->hidden_rows, 0u);
    }
  }

  World world;
  Site a{world, "a", GetParam().before}, b{world, "b", GetParam().before};
};

INSTANTIATE_TEST_SUITE_P(
    All, Rebuild,
    testing::Values(
        Shape{"CREATE TABLE t(k INTEGER PRIMARY KEY, v, w)",
              "CREATE TABLE new(k INTEGER PRIMARY KEY, v, w TEXT, x DEFAULT 'd')", "IntegerKey"},
        Shape{"CREATE TABLE t(k INTEGER PRIMARY KEY AUTOINCREMENT, v UNIQUE, w)",
              "CREATE TABLE new(k INTEGER PRIMARY KEY AUTOINCREMENT, v UNIQUE, w TEXT, x)",
              "AutoincrementAndUnique"},
        Shape{"CREATE TABLE t(k TEXT PRIMARY KEY, v, w)",
              "CREATE TABLE new(x, k TEXT PRIMARY KEY, w TEXT, v)", "TextKey"},
        Shape{"CREATE TABLE t(k, v, w)", "CREATE TABLE new(k, v, w TEXT, x NOT NULL DEFAULT 7)",
              "Keyless"},
        Shape{"CREATE TABLE t(k DEFAULT 0 PRIMARY KEY, v, w) WITHOUT ROWID",
              "CREATE TABLE new(k DEFAULT 0 PRIMARY KEY, v, w TEXT, x) WITHOUT ROWID",
              "WithoutRowid"}),
    name_of);

TEST_P(Rebuild, KeepsRowsAndWhatWasWrittenBeforeIt) {
  must(a, "UPDATE t SET w = 10 WHERE v = 'one'; DELETE FROM t WHERE v = 'four'");
  must(a, "INSERT INTO t(k, v, w) VALUES(20, 'seven', 7)");
  rebuild(a);
  must(a, "UPDATE t SET w = w WHERE 0");
  expect_both("five|5\none|10\nseven|7\nsix|6\nthree|3");
  must(a, "UPDATE t SET w = 30 WHERE v = 'three'; DELETE FROM t WHERE v = 'one'");
  must(b, "UPDATE t SET w = 50 WHERE v = 'five'; DELETE FROM t WHERE v = 'six'");
  expect_both("five|50\nseven|7\nthree|30");
  EXPECT_EQ(a.store().conflicts()->size(), 0u);
}

TEST_P(Rebuild, FindsWhatNobodyCaptured) {
  rebuild(a);
  must(a, "INSERT INTO t(k, v, w) VALUES(30, 'seven', 7)");
  if (!keyless()) must(a, "UPDATE t SET v = v WHERE k = 3");
  expect_both("five|5\nfour|4\none|1\nseven|7\nsix|6\nthree|3");
}

TEST_P(Rebuild, OfOneSiteAfterTheOther) {
  rebuild(a);
  must(b, "UPDATE t SET w = 50 WHERE v = 'five'");
  both();
  must(a, "UPDATE t SET w = 60 WHERE v = 'six'");
  must(b, "UPDATE t SET w = 11 WHERE v = 'one'");
  rebuild(b);
  expect_both("five|50\nfour|4\none|11\nsix|60\nthree|3");
  EXPECT_EQ(*a.store().digest(), *b.store().digest());
}

/// Whoever watches the file puts the triggers back at once, links or not.
TEST_P(Rebuild, IsNoticedWithTheCommit) {
  (void)a.store().changed_outside();
  rebuild(a);
  EXPECT_TRUE(a.store().changed_outside());
  must(a, "UPDATE t SET w = 10 WHERE v = 'one'");
  expect_both("five|5\nfour|4\none|10\nsix|6\nthree|3");
}

TEST_P(Rebuild, FillsANewColumn) {
  must(a, "BEGIN; " + std::string(GetParam().after) +
              "; INSERT INTO new(k, v, w, x) SELECT k, v, w, 'x' || w FROM t; DROP TABLE t; "
              "ALTER TABLE new RENAME TO t; COMMIT");
  both();
  must(a, "UPDATE t SET x = 'set' WHERE v = 'one'");
  both();
  world.clock.now += 100000;  // b makes the same change late: that overrules nobody
  must(b, "BEGIN; " + std::string(GetParam().after) +
              "; INSERT INTO new(k, v, w, x) SELECT k, v, w, 'x' || w FROM t; DROP TABLE t; "
              "ALTER TABLE new RENAME TO t; COMMIT");
  both();
  for (Site* s : {&a, &b}) {
    EXPECT_EQ(s->rows("SELECT v, x FROM t ORDER BY v"),
              "five|x5\nfour|x4\none|set\nsix|x6\nthree|x3");
  }
  EXPECT_EQ(*a.store().digest(), *b.store().digest());
}

TEST_P(Rebuild, WithoutAColumn) {
  must(a, "UPDATE t SET v = 'eins' WHERE v = 'one'");
  rebuild(a);
  both();
  std::string sql = GetParam().before;
  sql.replace(sql.find(", w"), 3, "");
  sql.replace(sql.find(" t("), 3, " new(");
  must(a, "BEGIN; " + sql + "; INSERT INTO new(k, v) SELECT k, v FROM t; DROP TABLE t; " +
              "ALTER TABLE new RENAME TO t; COMMIT");
  must(b, "UPDATE t SET w = 50, v = 'funf' WHERE v = 'five'");
  both();
  EXPECT_EQ(a.rows("SELECT v FROM t ORDER BY v"), "eins\nfour\nfunf\nsix\nthree");
  EXPECT_EQ(b.rows("SELECT v, w FROM t ORDER BY v"), "eins|1\nfour|4\nfunf|50\nsix|6\nthree|3");
  EXPECT_EQ(*a.store().check(), std::vector<std::string>());
}

TEST_P(Rebuild, InStepsThatAreNoTransaction) {
  must(a, "UPDATE t SET w = 10 WHERE v = 'one'");
  must(a, std::string(GetParam().after) + "; INSERT INTO new(k, v, w) SELECT k, v, w FROM t");
  ASSERT_TRUE(a.store().seal().ok());
  must(a, "UPDATE t SET w = 11 WHERE v = 'one'; UPDATE new SET w = 11 WHERE v = 'one'");
  must(a, "DROP TABLE t; INSERT INTO other VALUES(1)");
  EXPECT_EQ(a.store().seal().status().code(), Errc::busy);  // it may come back
  must(a, "ALTER TABLE new RENAME TO t");
  expect_both("five|5\nfour|4\none|11\nsix|6\nthree|3");
  EXPECT_EQ(b.rows("SELECT * FROM other"), "1");
}

TEST_P(Rebuild, ThatRenamesTheOldTableFirst) {
  must(a, "UPDATE t SET w = 10 WHERE v = 'one'");
  std::string sql = GetParam().after;
  sql.replace(sql.find(" new("), 5, " t(");
  must(a, "BEGIN; ALTER TABLE t RENAME TO old; " + sql +
              "; INSERT INTO t(k, v, w) SELECT k, v, w FROM old; DROP TABLE old; COMMIT");
  expect_both("five|5\nfour|4\none|10\nsix|6\nthree|3");
}

TEST_P(Rebuild, OfRowsInAnotherOrder) {
  if (keyless()) return;  // only their order tells
  must(a, "BEGIN; " + steps("k, v, w", "FROM t WHERE v <> 'three' ORDER BY v DESC") + "; COMMIT");
  both();
  EXPECT_EQ(a.rows("SELECT v, w FROM t ORDER BY v"), "five|5\nfour|4\none|1\nsix|6");
  must(b, "UPDATE t SET w = 50 WHERE v = 'five'");
  must(a, "UPDATE t SET w = 10 WHERE v = 'one'; DELETE FROM t WHERE v = 'six'");
  both();
  EXPECT_EQ(a.rows("SELECT v, w FROM t ORDER BY v"), "five|50\nfour|4\none|10");
  EXPECT_EQ(b.rows("SELECT v, w FROM t WHERE v <> 'three' ORDER BY v"), "five|50\nfour|4\none|10");
  EXPECT_EQ(*a.store().check(), std::vector<std::string>());
  const auto left = b.rows("SELECT count(*) FROM t WHERE v = 'three'");
  // A text key that is gone cannot be told to peers: that is said.
  EXPECT_EQ(a.store().take_notes().empty(), left == "0");
  EXPECT_EQ(left, std::string(GetParam().name) == "TextKey" ? "1" : "0");
}

TEST_P(Rebuild, OfFewerRowsWithoutAKey) {
  if (!keyless()) return;
  for (Site* s : {&a, &b}) {
    must(*s, "BEGIN; " + steps("k, v, w", "FROM t WHERE v <> 'three'") + "; COMMIT");
  }
  expect_both("five|5\nfour|4\none|1\nsix|6");
  must(b, "UPDATE t SET w = 50 WHERE v = 'five'");
  expect_both("five|50\nfour|4\none|1\nsix|6");
}

TEST_P(Rebuild, IsNotWhatADropIs) {
  must(a, "UPDATE t SET w = 10 WHERE v = 'one'; DROP TABLE t; INSERT INTO other VALUES(1)");
  EXPECT_EQ(a.store().seal().status().code(), Errc::busy);
  world.clock.now += 10000;
  both();
  EXPECT_EQ(b.rows("SELECT * FROM other"), "1");
  EXPECT_EQ(b.rows("SELECT count(*) FROM t"), "5");
  EXPECT_EQ(a.store().status()->tables.size(), 1u);
  must(b, "INSERT INTO t(k, v) VALUES(40, 'new')");
  both();
  EXPECT_EQ(a.store().status()->parked_rows, 1u);
}

TEST_P(Rebuild, IsNotADropAndATableOfThatName) {
  const auto sql = a.rows("SELECT sql FROM sqlite_schema WHERE name = 't'");
  must(a, "DROP TABLE t; " + sql + "; INSERT INTO other VALUES(1)");
  both();
  EXPECT_EQ(b.rows("SELECT * FROM other"), "1");
  EXPECT_EQ(b.rows("SELECT count(*) FROM t"), "5");
  EXPECT_EQ(a.store().status()->tables.size(), 1u);
  EXPECT_EQ(a.rows("SELECT count(*) FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 't'"),
            "0");
}

}  // namespace
}  // namespace mycelial::test
