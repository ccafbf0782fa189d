// SPDX-License-Identifier: Apache-2.0
// Columns dropped through Store::alter: what they held goes to peers that have them, by any way.
#include <gtest/gtest.h>

#include "tests/storage/site.hpp"

namespace mycelial::test {
namespace {

class Alter : public testing::TestWithParam<const char*> {
 protected:
  void alter(Site& s, const std::string& sql) {
    world.clock.now += 10;
    const Status status = s.store().alter(sql);
    EXPECT_TRUE(status.ok()) << status.to_string();
  }
  void meet(Site& from, Site& to, Carry how = Carry::sets) {
    for (const auto& s : {carry(from, to, how), carry(to, from)}) {
      ASSERT_TRUE(s.ok()) << s.to_string();
    }
    for (Site* s : {&from, &to}) EXPECT_EQ(*s->store().check(), std::vector<std::string>());
  }

  World world;
};

INSTANTIATE_TEST_SUITE_P(
    All, Alter,
    testing::Values("CREATE TABLE t(k INTEGER PRIMARY KEY, a, b, c)",
                    "CREATE TABLE t(a, k TEXT PRIMARY KEY, b, c)", "CREATE TABLE t(k, a, b, c)",
                    "CREATE TABLE t(b, c, a, k INT NOT NULL PRIMARY KEY) WITHOUT ROWID"));

TEST_P(Alter, WhatADroppedColumnHeldIsInACut) {
  Site a(world, "a", GetParam()), b(world, "b", GetParam());
  for (Site* s : {&a, &b}) ASSERT_TRUE(s->store().track("t").ok());
  must(a,
       "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) INSERT INTO "
       "t(k, a, b, c) SELECT i, 'a' || i, iif(i % 3, 'b' || i, NULL), i * 0.5 FROM n");
  must(a, "UPDATE t SET a = 'new', b = x'00ff' WHERE k % 7 = 0");
  const std::string rows = a.rows("SELECT k, a, b, c FROM t ORDER BY k");
  alter(a, "ALTER TABLE t DROP COLUMN b");
  must(a, "UPDATE t SET c = 1 WHERE k = 1");
  must(a, "UPDATE t SET c = 0.5 WHERE k = 1");
  meet(a, b, Carry::cut);
  EXPECT_EQ(b.rows("SELECT k, a, b, c FROM t ORDER BY k"), rows);
  EXPECT_EQ(a.rows("SELECT k, a, c FROM t ORDER BY k"), b.rows("SELECT k, a, c FROM t ORDER BY k"));
}

TEST_P(Alter, EveryColumnButTheKeyMayGo) {
  Site a(world, "a", GetParam()), b(world, "b", GetParam());
  for (Site* s : {&a, &b}) ASSERT_TRUE(s->store().track("t").ok());
  must(a, "INSERT INTO t(k, a, b, c) VALUES(1, 'a', 'b', 'c'), (2, 'A', 'B', 'C')");
  meet(a, b);
  alter(a,
        "ALTER TABLE t DROP a; alter table main.[t] drop column \"c\"; -- and then\n"
        "ALTER TABLE t DROP COLUMN `b`;");
  must(a, "INSERT INTO t(k) VALUES(3)");
  must(b, "UPDATE t SET b = 'newer' WHERE k = 1");
  meet(a, b);
  EXPECT_EQ(a.rows("SELECT * FROM t ORDER BY 1"), "1\n2\n3");
  EXPECT_EQ(b.rows("SELECT k, a, b, c FROM t ORDER BY k"),
            "1|a|newer|c\n2|A|B|C\n3|NULL|NULL|NULL");
  alter(a, "ALTER TABLE t ADD COLUMN b; ALTER TABLE t ADD COLUMN d");
  must(a, "UPDATE t SET d = b");
  EXPECT_EQ(a.rows("SELECT k, b, d FROM t ORDER BY k"), "1|newer|newer\n2|B|B\n3|NULL|NULL");
  meet(a, b);
  EXPECT_EQ(b.rows("SELECT b FROM t ORDER BY k"), "newer\nB\nNULL");
}

TEST_P(Alter, AllOrNothing) {
  Site a(world, "a", GetParam()), b(world, "b", GetParam());
  for (Site* s : {&a, &b}) ASSERT_TRUE(s->store().track("t").ok());
  must(a, "INSERT INTO t(k, a, b, c) VALUES(1, 'a', 'b', 'c')");
  const Status status =
      a.store().alter("ALTER TABLE t DROP COLUMN a; ALTER TABLE t DROP COLUMN nothing");
  EXPECT_EQ(status.code(), Errc::schema) << status.to_string();
  must(a, "UPDATE t SET a = 'still here'");
  meet(a, b);
  EXPECT_EQ(b.rows("SELECT k, a, b, c FROM t"), "1|still here|b|c");
  EXPECT_EQ(*a.store().digest(), *b.store().digest());
}

TEST(AlterOnly, TakesAlterTable) {
  World world;
  Site a(world, "a", "CREATE TABLE t(k INTEGER PRIMARY KEY, v)");
  EXPECT_EQ(a.store().alter("ALTER TABLE t DROP COLUMN v").code(), Errc::not_found);
  ASSERT_TRUE(a.store().track("t").ok());
  for (const char* sql : {"", " ; ", "-- ALTER TABLE t DROP COLUMN v", "DROP TABLE t", "ALTER",
                          "ALTER TABLE temp.t DROP COLUMN v", "ALTER TABLE t DROP COLUMN v; VACUUM",
                          "'ALTER' TABLE t DROP COLUMN v", "ALTER TABLE t", "ALTER TABLE \"t"}) {
    EXPECT_EQ(a.store().alter(sql).code(), Errc::invalid_argument) << sql;
  }
  for (const char* sql : {"ALTER TABLE t DROP", "ALTER TABLE t DROP COLUMN", "ALTER TABLE t SHRINK",
                          "ALTER TABLE other DROP COLUMN v", "ALTER TABLE t DROP COLUMN v v"}) {
    EXPECT_EQ(a.store().alter(sql).code(), Errc::schema) << sql;
  }
  EXPECT_EQ(a.sql("UPDATE t SET v = 1"), SQLITE_OK);
}

}  // namespace
}  // namespace mycelial::test
