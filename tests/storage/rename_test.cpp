// SPDX-License-Identifier: Apache-2.0
// ALTER TABLE ... RENAME by clients that know nothing of mycelial, on one site after the other.
#include <gtest/gtest.h>

#include "tests/storage/site.hpp"

namespace mycelial::test {
namespace {

class Rename : public testing::TestWithParam<const char*> {
 protected:
  void send(Site& from, Site& to, Carry how = Carry::sets) {
    world.clock.now += 10;
    const auto status = carry(from, to, how);
    ASSERT_TRUE(status.ok()) << status.to_string();
  }
  void both() {
    for (int i = 0; i < 2; ++i) send(a, b), send(b, a);
  }
  void expect_sound() {
    for (Site* s : {&a, &b}) {
      EXPECT_EQ(*s->store().check(), std::vector<std::string>());
      EXPECT_EQ(s->store().status()->parked_rows, 0u);
      EXPECT_EQ(s->store().conflicts()->size(), 0u);
    }
  }
  void track_both() {
    for (Site* s : {&a, &b}) ASSERT_TRUE(s->store().track("t").ok());
  }

  World world;
  Site a{world, "a", GetParam()}, b{world, "b", GetParam()};
};

INSTANTIATE_TEST_SUITE_P(All, Rename,
                         testing::Values("CREATE TABLE t(k INTEGER PRIMARY KEY, v)",
                                         "CREATE TABLE t(k TEXT PRIMARY KEY, v)",
                                         "CREATE TABLE t(k, v)",
                                         "CREATE TABLE t(k PRIMARY KEY, v) WITHOUT ROWID",
                                         "CREATE TABLE t(k INTEGER PRIMARY KEY, v UNIQUE)"));

TEST_P(Rename, KeepsWhatWasWrittenBeforeAndAfterIt) {
  track_both();
  must(a, "INSERT INTO t VALUES(1, 'sealed'), (2, 'dies')");
  both();
  must(a, "INSERT INTO t VALUES(3, 'before'); DELETE FROM t WHERE k = 2");
  must(a, "ALTER TABLE t RENAME TO u");
  must(a, "INSERT INTO u VALUES(4, 'after'); UPDATE u SET v = 'changed' WHERE k = 1");
  both();
  EXPECT_EQ(b.rows("SELECT k, v FROM t ORDER BY k"), "1|changed\n3|before\n4|after");
  EXPECT_EQ(a.dump("u"), b.dump("t"));
  EXPECT_EQ(a.store().status()->tables.at(0).name, "u");
  must(b, "UPDATE t SET v = 'from b' WHERE k = 3; INSERT INTO t VALUES(5, 'b')");
  both();
  EXPECT_EQ(a.rows("SELECT k, v FROM u ORDER BY k"), "1|changed\n3|from b\n4|after\n5|b");
  must(b, "ALTER TABLE t RENAME TO u; DELETE FROM u WHERE k = 4");
  both();
  EXPECT_EQ(a.dump("u"), b.dump("u"));
  EXPECT_EQ(a.rows("SELECT count(*) FROM u"), "3");
  EXPECT_EQ(*a.store().digest(), *b.store().digest());
  expect_sound();
}

TEST_P(Rename, SeveralTimesBeforeAnybodyLooks) {
  track_both();
  must(a, "INSERT INTO t VALUES(1, 'one')");
  both();
  must(a, "ALTER TABLE t RENAME TO u; INSERT INTO u VALUES(2, 'two')");
  must(a, "ALTER TABLE u RENAME TO \"the w\"; UPDATE \"the w\" SET v = 'uno' WHERE k = 1");
  must(b, "ALTER TABLE t RENAME TO x; INSERT INTO x VALUES(3, 'three')");
  both();
  EXPECT_EQ(b.rows("SELECT k, v FROM x ORDER BY k"), "1|uno\n2|two\n3|three");
  EXPECT_EQ(a.dump("the w"), b.dump("x"));
  must(a, "ALTER TABLE \"the w\" RENAME TO t; DELETE FROM t WHERE k = 1");
  must(b, "ALTER TABLE x RENAME TO t");
  both();
  EXPECT_EQ(a.dump("t"), b.dump("t"));
  EXPECT_EQ(a.rows("SELECT k FROM t ORDER BY k"), "2\n3");
  expect_sound();
}

TEST_P(Rename, ByClientsThatLeaveTriggersAsTheyAre) {
  track_both();
  must(a, "INSERT INTO t VALUES(1, 'one')");
  both();
  must(a, "UPDATE t SET v = 'uno'; PRAGMA legacy_alter_table = ON; ALTER TABLE t RENAME TO u");
  ASSERT_TRUE(a.store().seal().ok());             // the triggers fit again
  EXPECT_EQ(a.rows("SELECT * FROM u"), "1|uno");  // the client reads the schema again
  must(a, "INSERT INTO u VALUES(2, 'two')");
  both();
  EXPECT_EQ(b.rows("SELECT k, v FROM t ORDER BY k"), "1|uno\n2|two");
  expect_sound();
}

/// A table that takes the old name is another one: peers would mix them up.
TEST_P(Rename, LeavesTheOldNameTaken) {
  track_both();
  must(a, "INSERT INTO t VALUES(1, 'one')");
  both();
  must(a, "ALTER TABLE t RENAME TO old; CREATE TABLE t(k, v); INSERT INTO t VALUES(9, 'new')");
  must(a, "INSERT INTO old VALUES(2, 'two')");
  both();
  EXPECT_EQ(b.rows("SELECT k, v FROM t ORDER BY k"), "1|one\n2|two");
  const auto refused = a.store().track("t");
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(std::string(refused.message()).find("old"), std::string::npos);
  EXPECT_EQ(a.rows("SELECT * FROM t"), "9|new");
  expect_sound();
}

TEST_P(Rename, OfTwoTablesThatExchangeTheirNames) {
  for (Site* s : {&a, &b}) {
    must(*s, "CREATE TABLE other(k PRIMARY KEY, v)");
    for (const char* t : {"t", "other"}) ASSERT_TRUE(s->store().track(t).ok());
  }
  must(a, "INSERT INTO t VALUES(1, 't'); INSERT INTO other VALUES(1, 'other')");
  both();
  const char* exchange =
      "ALTER TABLE t RENAME TO x; ALTER TABLE other RENAME TO t; ALTER TABLE x RENAME TO other";
  must(a, exchange);
  must(a, "UPDATE other SET v = 'was t'; UPDATE t SET v = 'was other'");
  both();
  EXPECT_EQ(b.rows("SELECT v FROM t"), "was t");
  EXPECT_EQ(b.rows("SELECT v FROM other"), "was other");
  must(b, exchange);
  must(b, "INSERT INTO other VALUES(2, 'of b')");
  both();
  EXPECT_EQ(a.rows("SELECT v FROM other ORDER BY k"), "was t\nof b");
  EXPECT_EQ(a.dump("t"), b.dump("t"));
  expect_sound();
}

/// A device that was made when the new name was in use, and gets what was written before.
TEST_P(Rename, IsUnderstoodByASiteThatNeverHadTheOldName) {
  std::string schema = GetParam();
  schema.replace(schema.find(" t("), 3, " u(");
  for (const auto how : {Carry::sets, Carry::cut}) {
    Site c(world, "c", schema);
    ASSERT_TRUE(c.store().track("u").ok());
    if (how == Carry::sets) {
      track_both();
      must(a, "INSERT INTO t VALUES(1, 'one'), (2, 'two'); UPDATE t SET v = 'uno' WHERE k = 1");
      both();
      send(b, c);
      EXPECT_EQ(c.rows("SELECT count(*) FROM u"), "0");
      must(a, "ALTER TABLE t RENAME TO u; UPDATE u SET v = 'dos' WHERE k = 2");
      must(c, "INSERT INTO u VALUES(3, 'three')");
    }
    send(a, c, how);
    EXPECT_EQ(c.rows("SELECT k, v FROM u WHERE k < 3 ORDER BY k"), "1|uno\n2|dos");
    send(c, a);
    EXPECT_EQ(c.dump("u"), a.dump("u"));
    EXPECT_EQ(c.store().status()->parked_rows, 0u);
    EXPECT_EQ(*c.store().check(), std::vector<std::string>());
  }
}

/// What the triggers compare follows RENAME COLUMN; names alone would say that nothing happened.
TEST_P(Rename, OfColumnsThatExchangeTheirNames) {
  for (Site* s : {&a, &b}) must(*s, "ALTER TABLE t ADD COLUMN \"odd \"\" || ',' || (OLD.\"");
  track_both();
  const std::string odd = "\"odd \"\" || ',' || (OLD.\"";
  must(a, "INSERT INTO t VALUES(1, 'v', 'odd')");
  both();
  must(a, "UPDATE t SET v = 'V'");
  const auto exchange = "ALTER TABLE t RENAME COLUMN v TO x; ALTER TABLE t RENAME COLUMN " + odd +
                        " TO v; ALTER TABLE t RENAME COLUMN x TO " + odd;
  must(a, exchange);
  must(a, "UPDATE t SET v = 'ODD'");  // once called odd
  ASSERT_TRUE(a.store().seal().ok());
  EXPECT_EQ(a.rows("SELECT * FROM t"), "1|V|ODD");
  must(b, exchange);
  both();
  EXPECT_EQ(b.rows("SELECT * FROM t"), "1|V|ODD");
  must(a,
       "ALTER TABLE t RENAME COLUMN v TO w; ALTER TABLE t ADD COLUMN v; UPDATE t SET w = 'new', v "
       "= 'v'");
  must(b, "ALTER TABLE t RENAME COLUMN v TO w; ALTER TABLE t ADD COLUMN v");
  both();
  EXPECT_EQ(b.rows("SELECT * FROM t"), "1|V|new|v");
  expect_sound();
}

TEST_P(Rename, OfColumnsAndTheirTableTogether) {
  track_both();
  must(a, "INSERT INTO t VALUES(1, 'one'), (2, 'two')");
  both();
  must(a, "UPDATE t SET v = 'uno' WHERE k = 1; ALTER TABLE t RENAME COLUMN v TO w");
  must(a, "ALTER TABLE t ADD COLUMN x; ALTER TABLE t RENAME TO u");
  must(a, "UPDATE u SET w = 'dos' WHERE k = 2");
  both();
  must(b, "ALTER TABLE t RENAME COLUMN v TO w; ALTER TABLE t RENAME TO u");
  must(b, "UPDATE u SET w = 'of b' WHERE k = 1");
  both();
  EXPECT_EQ(a.rows("SELECT k, w, x FROM u ORDER BY k"), "1|of b|NULL\n2|dos|NULL");
  EXPECT_EQ(b.rows("SELECT k, w FROM u ORDER BY k"), "1|of b\n2|dos");
}

}  // namespace
}  // namespace mycelial::test
