// SPDX-License-Identifier: Apache-2.0
// Which inserts had their INTEGER PRIMARY KEY picked by SQLite: those of two sites are two rows,
// while a number that the application gave names one row everywhere.
#include <gtest/gtest.h>

#include "tests/storage/site.hpp"

namespace mycelial::test {
namespace {

class AutomaticKey : public testing::Test {
 protected:
  void start(const std::string& schema) {
    for (Site* s : {&a, &b}) {
      ASSERT_EQ(s->sql(schema), SQLITE_OK) << sqlite3_errmsg(s->client());
      ASSERT_TRUE(s->store().track("t").ok());
    }
  }
  void expect_both(const std::string& query, const std::string& rows) {
    for (int i = 0; i < 3; ++i) {
      world.clock.now += 10;
      for (const auto& s : {carry(a, b), carry(b, a)}) ASSERT_TRUE(s.ok()) << s.to_string();
    }
    EXPECT_EQ(a.rows(query), rows) << "on a";
    EXPECT_EQ(b.rows(query), rows) << "on b";
    EXPECT_EQ(*a.store().digest(), *b.store().digest());
    for (Site* s : {&a, &b}) EXPECT_EQ(*s->store().check(), std::vector<std::string>());
  }

  World world;
  Site a{world, "a", ""}, b{world, "b", ""};
};

/// The row with the given number is one row on both sites.
TEST_F(AutomaticKey, OfAnIgnoredInsertIsNotThatOfTheNext) {
  for (const std::string key : {"INTEGER PRIMARY KEY", "INTEGER PRIMARY KEY AUTOINCREMENT"}) {
    for (Site* s : {&a, &b}) {
      (void)s->store().untrack_all();
      must(*s, "DROP TABLE IF EXISTS t");
    }
    start("CREATE TABLE t(id " + key + ", name UNIQUE, n NOT NULL DEFAULT 0 CHECK(n < 9))");
    for (Site* s : {&a, &b}) {
      must(*s, "INSERT INTO t VALUES(70, 'x', 1)");
      for (const char* ignored : {"(name) VALUES('x')", "(n) VALUES(NULL)"}) {
        must(*s, std::string("INSERT OR IGNORE INTO t") + ignored);
        must(*s, std::string("INSERT INTO t(id, n) VALUES(") +
                     (ignored[2] == 'a' ? "50, 2)" : "60, 3)"));
      }
    }
    expect_both("SELECT id, n FROM t WHERE id IN (50, 60)", "50|2\n60|3");
  }
}

TEST_F(AutomaticKey, OfATriggerThatInsertsIntoItsOwnTable) {
  for (const std::string when : {"AFTER", "BEFORE"}) {
    for (const bool first : {false, true}) {  // before or after our triggers
      for (Site* s : {&a, &b}) {
        (void)s->store().untrack_all();
        must(*s, "DROP TABLE IF EXISTS t");
      }
      const std::string trigger = "CREATE TRIGGER twin " + when +
                                  " INSERT ON t WHEN NEW.v = 'outer' BEGIN "
                                  "INSERT INTO t(v) VALUES('inner'); END";
      start("CREATE TABLE t(id INTEGER PRIMARY KEY, v);" + (first ? trigger : ""));
      for (Site* s : {&a, &b}) {
        if (!first) must(*s, trigger);
        must(*s, "INSERT INTO t(v) VALUES('outer'), ('outer')");
      }
      expect_both("SELECT v, count(*), count(DISTINCT id) FROM t GROUP BY v ORDER BY v",
                  "inner|4|4\nouter|4|4");
    }
  }
}

/// The trigger gives a number of its own; only the outer row's is picked.
TEST_F(AutomaticKey, NextToOneThatATriggerGives) {
  start(
      "CREATE TABLE t(id INTEGER PRIMARY KEY, v);"
      "CREATE TRIGGER summary BEFORE INSERT ON t WHEN NEW.v <> 'sum' BEGIN "
      "INSERT OR IGNORE INTO t VALUES(-9, 'sum'); INSERT OR IGNORE INTO t VALUES(500, 'sum'); END");
  for (Site* s : {&a, &b}) must(*s, "INSERT INTO t(v) VALUES('row'), ('row')");
  expect_both("SELECT v, count(*) FROM t GROUP BY v ORDER BY v", "row|4\nsum|2");
}

TEST_F(AutomaticKey, MinusOneIsANumberLikeAnother) {
  start("CREATE TABLE t(id INTEGER PRIMARY KEY, v)");
  for (Site* s : {&a, &b}) {
    must(*s,
         "INSERT OR IGNORE INTO t VALUES(-1, 'minus one'); INSERT OR IGNORE INTO t VALUES(-1, "
         "'again')");
    must(*s, "INSERT INTO t VALUES(40, 'given')");
    must(*s, "INSERT INTO t(v) VALUES('picked')");
  }
  expect_both("SELECT v, count(*) FROM t GROUP BY v ORDER BY v", "given|1\nminus one|1\npicked|2");
}

TEST_F(AutomaticKey, IsRecognisedAfterDeletesAndReplacements) {
  start("CREATE TABLE t(id INTEGER PRIMARY KEY, v UNIQUE)");
  for (Site* s : {&a, &b}) {
    const auto tag = s == &a ? std::string("a") : std::string("b");
    must(*s, "INSERT INTO t(v) VALUES('1" + tag + "'), ('2" + tag + "'), ('3" + tag + "')");
    must(*s, "DELETE FROM t WHERE id = 3; INSERT INTO t(v) VALUES('4" + tag + "')");
    must(*s, "REPLACE INTO t(v) VALUES('4" + tag + "'), ('2" + tag + "')");
    must(*s, "DELETE FROM t WHERE v LIKE '1%'; INSERT INTO t(v) VALUES('5" + tag + "')");
    must(*s,
         "DELETE FROM t WHERE v LIKE '5%' OR v LIKE '2%'; INSERT INTO t(v) VALUES('6" + tag + "')");
  }
  expect_both("SELECT v FROM t ORDER BY v", "4a\n4b\n6a\n6b");
}

TEST_F(AutomaticKey, BeyondTheGreatestNumber) {
  start("CREATE TABLE t(id INTEGER PRIMARY KEY, v)");
  for (Site* s : {&a, &b}) {
    must(*s, "INSERT OR IGNORE INTO t VALUES(9223372036854775807, 'last')");
    must(*s, "INSERT INTO t(v) VALUES('picked')");
  }
  expect_both("SELECT v, count(*) FROM t GROUP BY v ORDER BY v", "last|1\npicked|2");
}

}  // namespace
}  // namespace mycelial::test
