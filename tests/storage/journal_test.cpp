// SPDX-License-Identifier: Apache-2.0
// What the triggers must notice in rare statements, and the numbers of the journal.
#include <gtest/gtest.h>

#include "tests/storage/site.hpp"

namespace mycelial::test {
namespace {

const char* const kSchema = R"sql(
CREATE TABLE log(a, b);
CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT, n INTEGER);
CREATE TABLE person(email TEXT PRIMARY KEY, name TEXT);
CREATE TABLE tag(id INTEGER PRIMARY KEY, label TEXT UNIQUE, v);
)sql";

class Journal : public testing::Test {
 protected:
  void SetUp() override {
    for (auto* s : {&a, &b}) ASSERT_TRUE(s->store().track_all().ok());
  }
  void both() {
    for (int i = 0; i < 3; ++i) {
      world.clock.now += 10;
      for (const auto& s : {carry(a, b), carry(b, a)}) ASSERT_TRUE(s.ok()) << s.to_string();
    }
    EXPECT_EQ(*a.store().digest(), *b.store().digest());
    for (auto* s : {&a, &b}) {
      EXPECT_EQ(*s->store().check(), std::vector<std::string>());
    }
  }

  World world;
  Site a{world, "a", kSchema}, b{world, "b", kSchema};
};

TEST_F(Journal, NumbersAreNeverGivenTwice) {
  std::int64_t last = 0;
  for (int round = 0; round < 3; ++round) {
    a.sql("INSERT INTO log VALUES(1, 2), (3, 4)");
    const auto first = std::stoll(a.rows("SELECT min(jn) FROM mycelial_journal WHERE what > 0"));
    EXPECT_GT(first, last);
    last = std::stoll(a.rows("SELECT max(jn) FROM mycelial_journal"));
    EXPECT_EQ(*a.store().journal_entries(9), 2u);
    ASSERT_TRUE(a.store().seal().ok());
    EXPECT_EQ(*a.store().journal_entries(9), 0u);
    EXPECT_EQ(a.store().status()->journal_entries, 0u);
  }
}

TEST_F(Journal, RowidChangedByAnyOfItsNames) {
  a.sql(
      "INSERT INTO log VALUES(1, 'x'), (2, 'y'), (3, 'z');"
      "INSERT INTO item VALUES(1, 'x', 1), (2, 'y', 1), (3, 'z', 1);"
      "INSERT INTO person VALUES('p', 'x'), ('q', 'y'), ('r', 'z')");
  both();
  for (const char* table : {"log", "item", "person"}) {
    int from = 0;
    for (const std::string name : {"rowid", "_rowid_", "oid"}) {
      const auto t = std::string(table), to = std::to_string(++from + 100);
      EXPECT_EQ(a.sql("UPDATE " + t + " SET " + name + " = " + to +
                      " WHERE rowid = " + std::to_string(from)),
                SQLITE_OK);
      a.sql("UPDATE " + t + " SET " + (t == "log" ? "b" : "name") + " = 'new' WHERE rowid = " + to);
    }
  }
  both();
  EXPECT_EQ(b.rows("SELECT id, name FROM item"), "101|new\n102|new\n103|new");
  EXPECT_EQ(b.rows("SELECT email, name FROM person ORDER BY 1"), "p|new\nq|new\nr|new");
  EXPECT_EQ(b.rows("SELECT * FROM log ORDER BY a"), "1|new\n2|new\n3|new");
}

TEST_F(Journal, RowsReplacedThroughTheirRowid) {
  a.sql("INSERT INTO person(rowid, email, name) VALUES(1, 'p', 'x'), (2, 'q', 'y'), (3, 'r', 'z')");
  a.sql("INSERT INTO log(rowid, a) VALUES(1, 'p'), (2, 'q')");
  both();
  a.sql("REPLACE INTO person(rowid, email, name) VALUES(1, 'new', 'x')");
  a.sql("UPDATE OR REPLACE person SET rowid = 3 WHERE email = 'q'");
  a.sql("REPLACE INTO log(rowid, a) VALUES(1, 'new')");
  both();
  EXPECT_EQ(b.rows("SELECT email FROM person ORDER BY 1"), "new\nq");
  EXPECT_EQ(b.rows("SELECT a FROM log ORDER BY 1"), "new\nq");
}

TEST_F(Journal, KeyMinusOneIsAKeyLikeAnother) {
  a.sql("INSERT INTO item VALUES(-1, 'a', 1); INSERT INTO tag VALUES(-1, 'a', 1)");
  b.sql("INSERT INTO item VALUES(-1, 'b', 1); INSERT INTO tag VALUES(-1, 'b', 1)");
  both();
  EXPECT_EQ(a.rows("SELECT count(*) FROM item"), "1");
  EXPECT_EQ(a.rows("SELECT count(*) FROM tag"), "1");
  for (const std::string t : {"item", "tag"}) {
    a.sql("DELETE FROM " + t);
    const std::string set = t == "item" ? "n" : "v";
    EXPECT_EQ(b.sql("INSERT INTO " + t + " VALUES(-1, 'u', 3) ON CONFLICT(id) DO UPDATE SET " +
                    set + " = 3"),
              SQLITE_OK);
  }
  b.sql("INSERT INTO item(name) VALUES('auto')");
  both();
  EXPECT_EQ(a.rows("SELECT id, n FROM item"), "-1|3\n0|NULL");
  EXPECT_EQ(a.rows("SELECT id, v FROM tag"), "-1|3");
}

/// docs/decisions/0013-ignored-inserts.md
TEST_F(Journal, AnIgnoredInsertKeepsARowOnlyIfAnUpdateFollows) {
  const char* const ways[] = {
      "INSERT INTO person VALUES('p', 'new') ON CONFLICT DO UPDATE SET name = 'new'",
      "INSERT OR IGNORE INTO person VALUES('p', '?'); UPDATE person SET name = 'new'",
      "INSERT OR IGNORE INTO person VALUES('p', 'new')", "UPDATE person SET name = 'new'",
      "INSERT OR IGNORE INTO person VALUES('p', '?'); INSERT INTO person VALUES('q', 'other');"
      "DELETE FROM person WHERE email = 'q'; UPDATE person SET name = 'new'"};
  for (const auto* way : ways) {
    a.sql("INSERT INTO person VALUES('p', 'old')");
    both();
    EXPECT_EQ(b.sql("DELETE FROM person"), SQLITE_OK);
    EXPECT_EQ(a.sql(way), SQLITE_OK);
    both();
    const bool is_upsert = way == ways[0] || way == ways[1];
    EXPECT_EQ(a.rows("SELECT * FROM person"), is_upsert ? "p|new" : "") << way;
    EXPECT_EQ(b.rows("SELECT * FROM person"), is_upsert ? "p|new" : "") << way;
    a.sql("DELETE FROM person");
    both();
  }
}

TEST_F(Journal, ColumnsThatTriggersNameCanBeRenamed) {
  a.sql("INSERT INTO person VALUES('p', 'x'); INSERT INTO item VALUES(1, 'x', 1)");
  EXPECT_EQ(a.sql("ALTER TABLE person RENAME COLUMN email TO mail"), SQLITE_OK);
  EXPECT_EQ(a.sql("ALTER TABLE item RENAME COLUMN id TO number"), SQLITE_OK);
  EXPECT_EQ(a.sql("UPDATE person SET mail = 'q'; UPDATE item SET number = 2"), SQLITE_OK);
  EXPECT_NE(a.rows("SELECT group_concat(what & 7) FROM mycelial_journal").find("6"),
            std::string::npos);
  EXPECT_NE(a.rows("SELECT group_concat(what & 7) FROM mycelial_journal").find("3,1"),
            std::string::npos);
}

}  // namespace
}  // namespace mycelial::test
