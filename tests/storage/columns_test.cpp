// SPDX-License-Identifier: Apache-2.0
// Columns that come, go, are renamed, or exist on one side only.
#include <gtest/gtest.h>

#include "tests/storage/site.hpp"

namespace mycelial::test {
namespace {

/// Sites that change their schemas; what both have must be equal.
class Columns : public testing::TestWithParam<const char*> {
 protected:
  Columns() {
    for (Site* s : {&a, &b, &c}) {
      EXPECT_TRUE(s->store().track_all().ok());
    }
  }
  void send(Site& from, Site& to, Carry how = Carry::sets) {
    world.clock.now += 10;
    const auto status = carry(from, to, how);
    ASSERT_TRUE(status.ok()) << status.to_string();
  }
  void meet() {
    for (int i = 0; i < 2; ++i) {
      for (Site* x : {&a, &b, &c}) {
        for (Site* y : {&a, &b, &c}) {
          if (x != y) send(*x, *y);
        }
      }
    }
  }
  void expect_all(const std::string& query, const std::string& rows) {
    EXPECT_EQ(a.rows(query), rows) << "on a";
    EXPECT_EQ(b.rows(query), rows) << "on b";
    EXPECT_EQ(c.rows(query), rows) << "on c";
  }
  void expect_equal() {
    meet();
    EXPECT_EQ(a.dump("t"), b.dump("t"));
    EXPECT_EQ(a.dump("t"), c.dump("t"));
    EXPECT_EQ(*a.store().digest(), *b.store().digest());
    EXPECT_EQ(*a.store().digest(), *c.store().digest());
    for (Site* s : {&a, &b, &c}) {
      EXPECT_EQ(*s->store().check(), std::vector<std::string>());
      const auto conflicts = s->store().conflicts();
      for (const auto& listed : *conflicts) EXPECT_NE(listed.kind, "hidden");
    }
  }

  World world;
  Site a{world, "a", GetParam()}, b{world, "b", GetParam()}, c{world, "c", GetParam()};
};

INSTANTIATE_TEST_SUITE_P(All, Columns,
                         testing::Values("CREATE TABLE t(k INTEGER PRIMARY KEY, v, w)",
                                         "CREATE TABLE t(k TEXT PRIMARY KEY, v, w)",
                                         "CREATE TABLE t(k, v, w)",
                                         "CREATE TABLE t(k PRIMARY KEY, v, w) WITHOUT ROWID"));

TEST_P(Columns, AddedEverywhere) {
  must(a, "INSERT INTO t VALUES(1, 'v', 'w')");
  meet();
  for (Site* s : {&a, &b, &c}) must(*s, "ALTER TABLE t ADD COLUMN x DEFAULT 'd'");
  must(b, "UPDATE t SET x = 'set'");
  expect_equal();
  expect_all("SELECT x FROM t", "set");
}

TEST_P(Columns, WrittenBeforeAnybodyNoticedThatTheyCame) {
  must(a, "INSERT INTO t VALUES(1, 'v', 'w'), (2, 'v', 'w')");
  for (Site* s : {&a, &b, &c}) must(*s, "ALTER TABLE t ADD COLUMN x");
  meet();
  must(a, "ALTER TABLE t ADD COLUMN y");
  must(a, "UPDATE t SET y = 'y' WHERE k = 1");
  must(a, "UPDATE t SET y = 'y', v = 'V' WHERE k = 2");
  must(a, "INSERT INTO t(k, y) VALUES(3, 'y')");
  for (Site* s : {&b, &c}) must(*s, "ALTER TABLE t ADD COLUMN y");
  expect_equal();
  expect_all("SELECT k, v, y FROM t ORDER BY k", "1|v|y\n2|V|y\n3|NULL|y");
}

TEST_P(Columns, AddedAndWrittenInOneTransaction) {
  must(a, "INSERT INTO t VALUES(1, 'v', 'w')");
  meet();
  must(a, "BEGIN; UPDATE t SET v = 'V'; ALTER TABLE t ADD COLUMN x; UPDATE t SET x = 'x'; COMMIT");
  for (Site* s : {&b, &c}) must(*s, "ALTER TABLE t ADD COLUMN x");
  expect_equal();
  expect_all("SELECT v, x FROM t", "V|x");
}

/// A column that nobody has written to yields to whoever writes, however old the write is.
TEST_P(Columns, ThatNobodyWroteYieldToAnyWrite) {
  must(a, "INSERT INTO t VALUES(1, 'v', 'w')");
  meet();
  for (Site* s : {&a, &b, &c}) must(*s, "ALTER TABLE t ADD COLUMN x DEFAULT 'd'");
  must(b, "UPDATE t SET x = 'set'");
  ASSERT_TRUE(b.store().seal().ok());
  world.clock.now += 1000;
  must(a, "UPDATE t SET v = 'V', w = 'W'");  // later, most of the row, but not x
  expect_equal();
  expect_all("SELECT v, w, x FROM t", "V|W|set");
}

TEST_P(Columns, ThatOneSideLacksAreKeptAndAppear) {
  must(a, "ALTER TABLE t ADD COLUMN x");
  must(a, "INSERT INTO t VALUES(1, 'v', 'w', 'x'), (2, 'v', 'w', 'x')");
  must(b, "INSERT INTO t VALUES(3, 'v', 'w')");
  meet();
  EXPECT_EQ(b.rows("SELECT k, v, w FROM t ORDER BY k"), "1|v|w\n2|v|w\n3|v|w");
  must(a, "UPDATE t SET x = 'later' WHERE k = 2");
  must(b, "UPDATE t SET v = 'V' WHERE k = 2");
  meet();
  EXPECT_EQ(a.rows("SELECT v, x FROM t WHERE k = 2"), "V|later");
  must(b, "ALTER TABLE t ADD COLUMN x");
  must(b, "UPDATE t SET w = 'W' WHERE k = 1");
  must(c, "ALTER TABLE t ADD COLUMN x");
  must(c, "UPDATE t SET w = 'W' WHERE k = 3");
  expect_equal();
  expect_all("SELECT k, v, w, x FROM t ORDER BY k", "1|v|W|x\n2|V|w|later\n3|v|W|NULL");
}

TEST_P(Columns, ThatOneSideLacksAreListed) {
  must(a, "ALTER TABLE t ADD COLUMN x; ALTER TABLE t ADD COLUMN y");
  must(a, "INSERT INTO t(k, v, x) VALUES(1, 'v', 'it''s'), (2, 'v', NULL)");
  meet();
  EXPECT_EQ(a.store().conflicts()->size(), 0u);
  auto listed = *b.store().conflicts();
  std::erase_if(listed, [](const Conflict& one) { return one.value == "NULL"; });
  ASSERT_EQ(listed.size(), 1u);
  EXPECT_EQ(listed[0].table + "." + listed[0].column + ": " + listed[0].kind, "t.x: parked");
  EXPECT_EQ(listed[0].value, "'it''s'");
  EXPECT_FALSE(listed[0].row.empty());
  must(b, "ALTER TABLE t ADD COLUMN x; ALTER TABLE t ADD COLUMN y; UPDATE t SET w = 'w'");
  meet();
  EXPECT_EQ(b.store().conflicts()->size(), 0u);
}

TEST_P(Columns, ThatAnUpsertDidNotKnowStay) {
  if (a.rows("SELECT count(*) FROM pragma_table_info('t') WHERE pk") == "0") return;
  must(a, "ALTER TABLE t ADD COLUMN x");
  must(a, "INSERT INTO t VALUES(1, 'v', 'w', 'x')");
  meet();
  must(b, "INSERT INTO t VALUES(1, 'V', 'W') ON CONFLICT DO UPDATE SET v = 'V'");
  meet();
  EXPECT_EQ(a.rows("SELECT * FROM t"), "1|V|w|x");
  for (Site* s : {&b, &c}) must(*s, "ALTER TABLE t ADD COLUMN x; UPDATE t SET w = 'W'");
  expect_equal();
  expect_all("SELECT * FROM t", "1|V|W|x");
}

/// The old row is gone with all its columns, also those that the new one's author did not have.
TEST_P(Columns, ThatANewLifeDidNotKnowGetTheirDefault) {
  must(a, "ALTER TABLE t ADD COLUMN x DEFAULT 'd'");
  must(a, "INSERT INTO t VALUES(1, 'v', 'w', 'x')");
  meet();
  must(b, "DELETE FROM t; INSERT INTO t VALUES(1, 'new', 'life')");
  meet();
  EXPECT_EQ(a.rows("SELECT * FROM t"), "1|new|life|d");
  for (Site* s : {&b, &c}) must(*s, "ALTER TABLE t ADD COLUMN x DEFAULT 'd'; UPDATE t SET w = 'W'");
  expect_equal();
  expect_all("SELECT * FROM t", "1|new|W|d");
}

TEST_P(Columns, OfRowsThatACutBrings) {
  must(a, "ALTER TABLE t ADD COLUMN x DEFAULT 'd'");
  must(a, "INSERT INTO t VALUES(1, 'v', 'w', 'x')");
  must(b, "INSERT INTO t VALUES(2, 'v', 'w')");
  send(a, b);
  send(b, a);
  send(b, c, Carry::cut);  // b lacks x, but has it parked
  must(c, "ALTER TABLE t ADD COLUMN x DEFAULT 'd'; UPDATE t SET w = 'W'");
  must(b, "ALTER TABLE t ADD COLUMN x DEFAULT 'd'; UPDATE t SET v = 'V'");
  expect_equal();
  expect_all("SELECT * FROM t ORDER BY k", "1|V|W|x\n2|V|W|d");
}

TEST_P(Columns, DroppedByUntrackingFirst) {
  must(a, "INSERT INTO t VALUES(1, 'v', 'w')");
  meet();
  EXPECT_NE(a.sql("ALTER TABLE t DROP COLUMN w"), SQLITE_OK);
  EXPECT_NE(std::string(sqlite3_errmsg(a.client())).find("mycelial alter"), std::string::npos);
  for (Site* s : {&a, &b, &c}) {
    ASSERT_TRUE(s->store().untrack("t").ok());
    must(*s, "ALTER TABLE t DROP COLUMN w");
    ASSERT_TRUE(s->store().track("t").ok());
  }
  must(b, "UPDATE t SET v = 'V'");
  expect_equal();
  expect_all("SELECT * FROM t", "1|V");
}

TEST_P(Columns, InAnotherOrderOnOneSide) {
  must(a, "INSERT INTO t VALUES(1, 'v', 'w')");
  for (Site* s : {&a, &b}) must(*s, "ALTER TABLE t ADD COLUMN x; ALTER TABLE t ADD COLUMN y");
  must(c, "ALTER TABLE t ADD COLUMN y; ALTER TABLE t ADD COLUMN x");
  must(a, "UPDATE t SET x = 'x'");
  must(c, "INSERT INTO t(k, x, y) VALUES(2, 'x2', 'y2')");
  meet();
  expect_all("SELECT k, x, y FROM t ORDER BY k", "1|x|NULL\n2|x2|y2");
}

TEST_P(Columns, SpelledInAnotherCase) {
  must(a, "ALTER TABLE t ADD COLUMN Extra");
  must(b, "ALTER TABLE t ADD COLUMN extra");
  must(c, "ALTER TABLE t ADD COLUMN EXTRA");
  must(a, "INSERT INTO t(k, extra) VALUES(1, 'x')");
  must(b, "INSERT INTO t(k, extra) VALUES(2, 'y')");
  meet();
  expect_all("SELECT k, extra FROM t ORDER BY k", "1|x\n2|y");
  EXPECT_EQ(*a.store().digest(), *b.store().digest());
}

TEST_P(Columns, RenamedOneSiteAfterTheOther) {
  must(a, "INSERT INTO t VALUES(1, 'v', 'w'), (2, 'v', 'w'), (3, 'v', 'w')");
  meet();
  must(a, "ALTER TABLE t RENAME COLUMN v TO n");
  must(a, "UPDATE t SET n = 'renamed' WHERE k = 1");
  must(b, "UPDATE t SET v = 'old name' WHERE k = 2");
  meet();
  EXPECT_EQ(a.rows("SELECT k, n FROM t ORDER BY k"), "1|renamed\n2|old name\n3|v");
  must(b, "ALTER TABLE t RENAME COLUMN v TO n; UPDATE t SET n = 'b' WHERE k = 3");
  must(c, "ALTER TABLE t RENAME COLUMN v TO n");
  expect_equal();
  expect_all("SELECT k, n, w FROM t ORDER BY k", "1|renamed|w\n2|old name|w\n3|b|w");
}

TEST_P(Columns, RenamedKeyColumn) {
  must(a, "INSERT INTO t VALUES(1, 'v', 'w')");
  meet();
  for (Site* s : {&a, &b, &c}) must(*s, "ALTER TABLE t RENAME COLUMN k TO id");
  must(a, "UPDATE t SET v = 'V'; INSERT INTO t VALUES(2, 'v', 'w')");
  must(b, "UPDATE t SET w = 'W' WHERE id = 1");
  expect_equal();
  expect_all("SELECT * FROM t ORDER BY id", "1|V|W\n2|v|w");
}

}  // namespace
}  // namespace mycelial::test
