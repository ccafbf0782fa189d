// SPDX-License-Identifier: Apache-2.0
// Plain SQL on several files, change sets carried between them: the files end with the same rows.
#include <gtest/gtest.h>

#include "tests/storage/site.hpp"

namespace mycelial::test {
namespace {

const char* const kSchema = R"sql(
CREATE TABLE log(a, b);
CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT, n INTEGER DEFAULT 7);
CREATE TABLE person(email TEXT COLLATE NOCASE PRIMARY KEY, name TEXT, age INTEGER);
CREATE TABLE part(a INTEGER, b TEXT, v, PRIMARY KEY(a, b)) WITHOUT ROWID;
CREATE TABLE word(k TEXT PRIMARY KEY, label TEXT UNIQUE, v);
CREATE TABLE tag(id INTEGER PRIMARY KEY, label TEXT UNIQUE, v);
)sql";

class Sync : public testing::Test {
 protected:
  void SetUp() override {
    for (auto* s : {&a, &b, &c}) {
      const auto tracked = s->store().track_all();
      ASSERT_TRUE(tracked.ok()) << tracked.status().to_string();
      for (const auto& t : *tracked) ASSERT_TRUE(t.tracked) << t.name << ": " << t.reason;
    }
  }
  void move(Site& from, Site& to, Carry how = Carry::sets) {
    world.clock.now += 10;
    const auto status = carry(from, to, how);
    ASSERT_TRUE(status.ok()) << status.to_string();
  }
  void meet(Site& x, Site& y) {
    move(x, y);
    move(y, x);
  }
  void everybody() {
    for (int i = 0; i < 3; ++i) {
      meet(a, b);
      meet(b, c);
      meet(a, c);
    }
    const auto digest = a.store().digest();
    ASSERT_TRUE(digest.ok()) << digest.status().to_string();
    EXPECT_EQ(*digest, *b.store().digest());
    EXPECT_EQ(*digest, *c.store().digest());
    for (auto* s : {&a, &b, &c}) {
      const auto wrong = s->store().check();
      ASSERT_TRUE(wrong.ok()) << wrong.status().to_string();
      EXPECT_EQ(*wrong, std::vector<std::string>());
    }
  }

  World world;
  Site a{world, "a", kSchema}, b{world, "b", kSchema}, c{world, "c", kSchema};
};

TEST_F(Sync, CarriesRowsOfEveryKindOfTable) {
  EXPECT_EQ(a.sql("INSERT INTO log VALUES(1, 'x'), (1, 'x'), (NULL, x'00ff')"), SQLITE_OK);
  EXPECT_EQ(a.sql("INSERT INTO item(name) VALUES('auto'); INSERT INTO item VALUES(9, 'nine', 1)"),
            SQLITE_OK);
  EXPECT_EQ(b.sql("INSERT INTO person VALUES('Bob@x', 'Bob', 3)"), SQLITE_OK);
  EXPECT_EQ(c.sql("INSERT INTO part VALUES(1, 'p', 2.5), (2, 'q', -9223372036854775808)"),
            SQLITE_OK);
  everybody();
  EXPECT_EQ(c.rows("SELECT count(*) FROM log"), "3");
  EXPECT_EQ(b.rows("SELECT name, n FROM item ORDER BY id"), "auto|7\nnine|1");
  EXPECT_EQ(a.rows("SELECT b, v FROM part ORDER BY a"), "p|2.5\nq|-9223372036854775808");
}

TEST_F(Sync, UpdatesOfDifferentColumnsBothStay) {
  a.sql("INSERT INTO item VALUES(1, 'x', 1); INSERT INTO person VALUES('bob', 'B', 1)");
  everybody();
  a.sql("UPDATE item SET name = 'y'; UPDATE person SET age = 5");
  b.sql("UPDATE item SET n = 2; UPDATE person SET email = 'BOB'");
  everybody();
  EXPECT_EQ(c.rows("SELECT * FROM item"), "1|y|2");
  EXPECT_EQ(c.rows("SELECT * FROM person"), "BOB|B|5");
}

TEST_F(Sync, DeletesAndReturnsOnlyByInsert) {
  a.sql(
      "INSERT INTO item VALUES(1, 'x', 1); INSERT INTO log VALUES(1, 2); INSERT INTO part "
      "VALUES(1,'a',1)");
  everybody();
  a.sql("DELETE FROM item; DELETE FROM log; DELETE FROM part");
  b.sql("UPDATE item SET n = 5; UPDATE log SET b = 3; UPDATE part SET v = 2");
  everybody();
  EXPECT_EQ(c.rows("SELECT count(*) FROM item") + c.rows("SELECT count(*) FROM log"), "00");
  EXPECT_GE(c.store().conflicts()->size() + a.store().conflicts()->size(), 3u);
  b.sql("INSERT INTO item VALUES(1, 'again', 1); INSERT INTO part VALUES(1,'a',9)");
  everybody();
  EXPECT_EQ(a.rows("SELECT * FROM item"), "1|again|1");
  EXPECT_EQ(a.rows("SELECT * FROM part"), "1|a|9");
}

TEST_F(Sync, ACutTellsWhatItsMakerSawOverruled) {
  a.sql("INSERT INTO item VALUES(1, 'x', 1)");
  meet(a, b);
  a.sql("UPDATE item SET name = 'loses'");
  ASSERT_TRUE(a.store().seal().ok());
  world.clock.now += 1000;
  b.sql("UPDATE item SET name = 'wins'");
  meet(a, b);
  ASSERT_EQ(b.store().conflicts()->size(), 1u);
  move(b, c, Carry::cut);
  const auto listed = *c.store().conflicts();
  ASSERT_EQ(listed.size(), 1u);
  EXPECT_EQ(listed[0].value + " " + listed[0].winner, "'loses' 'wins'");
  EXPECT_EQ(listed[0].since, b.store().conflicts()->at(0).since);
  move(b, c, Carry::cut);
  EXPECT_EQ(c.store().conflicts()->size(), 1u);
}

TEST_F(Sync, UpsertOutlivesADeleteThatHadNotSeenIt) {
  a.sql("INSERT INTO item VALUES(1, 'x', 1)");
  everybody();
  a.sql("DELETE FROM item");
  b.sql("INSERT INTO item VALUES(1, 'u', 3) ON CONFLICT DO UPDATE SET n = 3");
  everybody();
  EXPECT_EQ(c.rows("SELECT * FROM item"), "1|x|3");
}

TEST_F(Sync, AnUpsertThatMeetsTwoRowsIsOneOfTheRowThatItUpdates) {
  a.sql("INSERT INTO word VALUES('k', 'same', 1), ('m', 'other', 2)");
  everybody();
  a.sql("INSERT INTO word VALUES('k', 'other', 3) ON CONFLICT(k) DO UPDATE SET v = excluded.v");
  a.sql("UPDATE word SET v = 4 WHERE k = 'm'");
  b.sql("DELETE FROM word");
  everybody();
  EXPECT_EQ(c.rows("SELECT * FROM word"), "k|same|3");
}

TEST_F(Sync, KeyChangesSwapsAndReplace) {
  a.sql(
      "INSERT INTO person VALUES('a', 'A', 1), ('b', 'B', 2); INSERT INTO item "
      "VALUES(1,'1',1),(2,'2',2)");
  everybody();
  a.sql(
      "BEGIN; UPDATE person SET email = 't' WHERE email = 'a'; UPDATE person SET email = 'a' WHERE "
      "email = 'b'; UPDATE person SET email = 'b' WHERE email = 't'; COMMIT");
  b.sql("UPDATE item SET id = 10 WHERE id = 1; REPLACE INTO item VALUES(2, 'two', 22)");
  everybody();
  EXPECT_EQ(c.rows("SELECT email, name FROM person ORDER BY email"), "a|B\nb|A");
  EXPECT_EQ(c.rows("SELECT * FROM item ORDER BY id"), "2|two|22\n10|1|1");
}

TEST_F(Sync, AutomaticKeysOfTwoSitesAreTwoRows) {
  a.sql("INSERT INTO item(name) VALUES('from a'), ('also a')");
  b.sql("INSERT INTO item(name) VALUES('from b')");
  c.sql("INSERT INTO item(name) VALUES('from c')");
  everybody();
  everybody();
  EXPECT_EQ(a.rows("SELECT name FROM item ORDER BY name"), "also a\nfrom a\nfrom b\nfrom c");
}

TEST_F(Sync, UniqueLoserIsHiddenListedAndReturns) {
  a.sql("INSERT INTO tag VALUES(1, 'same', 'a')");
  world.clock.now += 1000;
  b.sql("INSERT INTO tag VALUES(2, 'same', 'b')");
  everybody();
  EXPECT_EQ(c.rows("SELECT count(*) FROM tag"), "1");
  ASSERT_EQ(c.store().conflicts()->size(), 1u);
  EXPECT_EQ(c.store().conflicts()->front().kind, "hidden");
  a.sql("UPDATE tag SET label = 'other'");
  everybody();
  EXPECT_EQ(c.rows("SELECT count(*) FROM tag"), "2");
}

TEST_F(Sync, ALoserOfAKeyAndOfAUniqueValueIsNotReKeyedForEver) {
  a.sql("INSERT INTO tag(label, v) VALUES('same', 'a')");
  world.clock.now += 1000;
  b.sql("INSERT INTO tag(label, v) VALUES('same', 'b')");
  everybody();
  everybody();
  const auto sets = a.store().status()->sets_held;
  everybody();
  EXPECT_EQ(a.store().status()->sets_held, sets) << "nobody wrote, so nobody seals";
  EXPECT_EQ(a.rows("SELECT count(*) FROM tag"), "1");
  EXPECT_EQ(a.store().status()->hidden_rows, 1u);
}

TEST_F(Sync, TheLoserOfTwoInsertsOfOneKeyIsListed) {
  a.sql("INSERT INTO person VALUES('x@y', 'first', 1)");
  world.clock.now += 1000;
  b.sql("INSERT INTO person VALUES('x@y', 'second', 2)");
  everybody();
  EXPECT_EQ(c.rows("SELECT * FROM person"), "x@y|second|2");
  std::string listed;
  const auto conflicts = c.store().conflicts();
  ASSERT_TRUE(conflicts.ok()) << conflicts.status().to_string();
  for (const auto& conflict : *conflicts) listed += conflict.value + " ";
  EXPECT_EQ(listed, "1 'first' ");
  // By then everybody had seen the loser: overwriting the row again is no news.
  c.sql("UPDATE person SET name = 'third'; DELETE FROM person");
  everybody();
  EXPECT_EQ(
      a.store().conflicts()->size() + b.store().conflicts()->size() + c.store().conflicts()->size(),
      3 * 2u);
}

TEST_F(Sync, ACutListsTheLosersThatAnUpsertCarries) {
  a.sql("INSERT INTO person VALUES('x@y', 'first', 1)");
  move(a, b);
  b.sql("INSERT INTO person VALUES('x@y', 'no', 2) ON CONFLICT DO UPDATE SET age = 2");
  ASSERT_TRUE(b.store().seal().ok());
  world.clock.now += 1000;
  c.sql("INSERT INTO person VALUES('x@y', 'second', 3)");
  move(b, c, Carry::cut);
  EXPECT_EQ(c.rows("SELECT * FROM person"), "x@y|second|3");
  std::string listed;
  const auto conflicts = c.store().conflicts();
  ASSERT_TRUE(conflicts.ok()) << conflicts.status().to_string();
  for (const auto& conflict : *conflicts) listed += conflict.value + " ";
  EXPECT_EQ(listed, "2 'first' ");
}

TEST_F(Sync, AnInsertOverAHiddenRowListsWhatItReplaces) {
  a.sql("INSERT INTO word VALUES('k', 'same', 'old')");
  world.clock.now += 1000;
  b.sql("INSERT INTO word VALUES('m', 'same', 'b')");
  everybody();
  ASSERT_EQ(c.rows("SELECT k FROM word"), "m");
  EXPECT_EQ(c.sql("INSERT INTO word VALUES('k', 'another', 'new')"), SQLITE_OK);
  everybody();
  EXPECT_EQ(a.rows("SELECT * FROM word ORDER BY k"), "k|another|new\nm|same|b");
  std::string listed;
  const auto conflicts = c.store().conflicts();
  ASSERT_TRUE(conflicts.ok()) << conflicts.status().to_string();
  for (const auto& conflict : *conflicts) listed += conflict.kind + " " + conflict.value + "; ";
  EXPECT_EQ(listed, "superseded 'same'; superseded 'old'; ");
}

TEST_F(Sync, ACutBringsTheSameAsTheSets) {
  a.sql(
      "INSERT INTO item VALUES(1, 'x', 1), (2, 'y', 2); INSERT INTO log VALUES(1, 1), (2, 2); "
      "INSERT INTO part VALUES(1, 'a', 1)");
  move(a, b);
  a.sql("DELETE FROM item WHERE id = 1; UPDATE log SET b = 9 WHERE a = 2; UPDATE part SET v = 4");
  b.sql("INSERT INTO log VALUES(3, 3)");
  move(b, a);
  move(a, c, Carry::cut);
  move(a, b, Carry::cut);
  EXPECT_EQ(*a.store().digest(), *c.store().digest());
  EXPECT_EQ(*a.store().digest(), *b.store().digest());
  everybody();
}

TEST_F(Sync, ACutMadeAgainIsTheSameAndStaysReadable) {
  std::string id;
  for (int i = 0; i < 9; ++i) {
    a.sql("INSERT INTO log VALUES(1, 1)");
    for (int again = 0; again < 2; ++again) {
      const auto cut = a.store().cut({}, {});
      ASSERT_TRUE(cut.ok()) << cut.status().to_string();
      if (again == 1) {
        EXPECT_EQ(cut->id.hex(), id);
      }
      id = cut->id.hex();
      EXPECT_TRUE(a.store().read(*cut, 0, cut->size).ok());
    }
  }
}

TEST_F(Sync, RandomHistoriesConverge) {
  for (unsigned seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    const auto pick = [&](unsigned n) { return random() % n; };
    Site* sites[] = {&a, &b, &c};
    for (int step = 0; step < 120; ++step) {
      Site& s = *sites[pick(3)];
      const auto k = std::to_string(pick(6)), v = std::to_string(seed * 1000 + step);
      const std::string statements[] = {
          "INSERT INTO log VALUES(" + k + ", " + v + ")",
          "UPDATE log SET b = " + v + " WHERE a = " + k,
          "DELETE FROM log WHERE rowid = (SELECT min(rowid) FROM log WHERE a = " + k + ")",
          "INSERT INTO item(name) VALUES('" + v + "')",
          "INSERT OR REPLACE INTO item VALUES(" + k + ", '" + v + "', 1)",
          "INSERT OR IGNORE INTO item VALUES(" + k + ", '" + v + "', 1)",
          "UPDATE OR REPLACE item SET id = " + k + " WHERE id = " + std::to_string(pick(6)),
          "UPDATE item SET n = " + v + " WHERE id = " + k,
          "DELETE FROM item WHERE id = " + k,
          "INSERT INTO person VALUES('p" + k + "', 'x', 1) ON CONFLICT DO UPDATE SET age = " + v,
          "DELETE FROM person WHERE email = 'P" + k + "'",
          "UPDATE OR IGNORE person SET email = 'P" + k + "' WHERE email = 'p" +
              std::to_string(pick(6)) + "'",
          "INSERT OR REPLACE INTO part VALUES(" + k + ", 'x', " + v + ")",
          "UPDATE OR REPLACE part SET a = " + k + " WHERE a = " + std::to_string(pick(6)),
          "DELETE FROM part WHERE a = " + k,
          "INSERT OR REPLACE INTO tag VALUES(" + k + ", 'l" + std::to_string(pick(4)) + "', " + v +
              ")",
          "UPDATE OR IGNORE tag SET label = 'l" + std::to_string(pick(4)) + "' WHERE id = " + k,
          "DELETE FROM tag WHERE id = " + k,
      };
      world.clock.now += pick(5);
      s.sql(statements[pick(std::size(statements))]);
      if (pick(6) == 0) {
        Site& to = *sites[pick(3)];
        if (&to != &s) move(s, to, pick(4) == 0 ? Carry::cut : Carry::sets);
        if (HasFatalFailure()) return;
      }
    }
    everybody();
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace mycelial::test
