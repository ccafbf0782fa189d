// SPDX-License-Identifier: Apache-2.0
// The application's triggers, when rows of peers are applied.
#include "storage/app_triggers.hpp"

#include <gtest/gtest.h>

#include "tests/storage/site.hpp"

namespace mycelial::test {
namespace {

class AppTriggersTest : public ::testing::Test {
 protected:
  /// Two sites with the schema, all tables tracked but those named side_...
  void open(const std::string& schema) {
    a = std::make_unique<Site>(world, "a", schema);
    b = std::make_unique<Site>(world, "b", schema);
    for (auto* site : {a.get(), b.get()}) ASSERT_TRUE(site->store().track("t").ok());
  }
  void move() {
    world.clock.now += 10;
    for (const auto& [from, to] : {std::pair{a.get(), b.get()}, {b.get(), a.get()}}) {
      const Status status = carry(*from, *to);
      ASSERT_TRUE(status.ok()) << status.to_string();
    }
    EXPECT_EQ(*a->store().digest(), *b->store().digest());
  }
  std::vector<std::string> notes() { return b->store().status()->notes; }

  World world;
  std::unique_ptr<Site> a, b;
};

TEST_F(AppTriggersTest, KeepASearchIndexAndASum) {
  open(R"(CREATE TABLE t(id INTEGER PRIMARY KEY, text);
    CREATE VIRTUAL TABLE side_search USING fts5(text);
    CREATE TABLE side_sum(n); INSERT INTO side_sum VALUES(0);
    CREATE TABLE side_log(what);
    CREATE TRIGGER i AFTER INSERT ON t BEGIN
      INSERT INTO side_search(rowid, text) VALUES(NEW.id, NEW.text);
      UPDATE side_sum SET n = n + 1; END;
    CREATE TRIGGER u AFTER UPDATE ON t BEGIN
      UPDATE side_search SET text = NEW.text WHERE rowid = NEW.id; END;
    CREATE TRIGGER d AFTER DELETE ON t BEGIN
      DELETE FROM side_search WHERE rowid = OLD.id; UPDATE side_sum SET n = n - 1; END;
    CREATE TRIGGER nested AFTER UPDATE ON side_sum BEGIN
      INSERT INTO side_log VALUES(NEW.n); END;)");
  a->sql("INSERT INTO t VALUES(1, 'one two'), (2, 'two'), (3, 'three')");
  move();
  a->sql("UPDATE t SET text = 'four' WHERE id = 2; DELETE FROM t WHERE id = 3");
  move();
  EXPECT_EQ(b->rows("SELECT rowid FROM side_search WHERE side_search MATCH 'two'"), "1");
  EXPECT_EQ(b->rows("SELECT rowid FROM side_search WHERE side_search MATCH 'four'"), "2");
  EXPECT_EQ(b->rows("SELECT rowid FROM side_search WHERE side_search MATCH 'three'"), "");
  EXPECT_EQ(b->rows("SELECT n FROM side_sum"), "2");
  EXPECT_EQ(b->rows("SELECT count(*) FROM side_log"), "4");
  EXPECT_EQ(notes(), std::vector<std::string>());
}

TEST_F(AppTriggersTest, RefuseNothing) {
  open(R"(CREATE TABLE t(id INTEGER PRIMARY KEY, v); CREATE TABLE side_gate(open);
    CREATE TABLE side_log(v);
    CREATE TRIGGER a BEFORE INSERT ON t WHEN NOT (SELECT open FROM side_gate)
      BEGIN INSERT INTO side_log VALUES('a'); SELECT RAISE(ABORT, 'RAISE('')'); END;
    CREATE TRIGGER b BEFORE UPDATE ON t WHEN NOT (SELECT open FROM side_gate)
      BEGIN SELECT CASE WHEN 1 THEN raise ( rollback , "no" ) END; END;
    CREATE TRIGGER c AFTER DELETE ON t WHEN NOT (SELECT open FROM side_gate)
      BEGIN SELECT RAISE(FAIL, 'no') /* ) */; INSERT INTO side_log VALUES('c'); END;
    CREATE TRIGGER d BEFORE UPDATE OF v ON t WHEN NOT (SELECT open FROM side_gate)
      BEGIN SELECT RAISE(IGNORE); END;)");
  a->sql("INSERT INTO side_gate VALUES(1)");
  b->sql("INSERT INTO side_gate VALUES(0)");
  a->sql("INSERT INTO t VALUES(1, 'x'), (2, 'y'), (3, 'z')");
  move();
  a->sql("UPDATE t SET v = 'xx' WHERE id = 1; DELETE FROM t WHERE id = 2");
  move();
  EXPECT_EQ(b->rows("SELECT * FROM t"), "1|xx\n3|z");
  EXPECT_EQ(b->rows("SELECT v, count(*) FROM side_log GROUP BY v"), "a|3\nc|1");
  EXPECT_NE(b->sql("INSERT INTO t VALUES(9, 9)"), SQLITE_OK) << "the application's still refuse";
  b->sql("UPDATE t SET v = 9");
  EXPECT_EQ(b->rows("SELECT * FROM t"), "1|xx\n3|z");
}

TEST_F(AppTriggersTest, WriteNoTrackedTable) {
  open(R"(CREATE TABLE t(id INTEGER PRIMARY KEY, v); CREATE TABLE side_log(v);
    CREATE TRIGGER again AFTER INSERT ON t WHEN NEW.id < 100
      BEGIN INSERT INTO t VALUES(NEW.id + 100, 'made'); UPDATE t SET v = v || '!';
        INSERT INTO side_log VALUES(NEW.id); END;
    CREATE TRIGGER clean AFTER UPDATE ON t WHEN NEW.v = 'gone'
      BEGIN DELETE FROM "T" WHERE id = NEW.id + 100; INSERT INTO side_log VALUES('gone'); END;)");
  a->sql("INSERT INTO t VALUES(1, 'x')");
  move();
  EXPECT_EQ(b->rows("SELECT * FROM t"), "1|x!\n101|made!");
  EXPECT_EQ(b->rows("SELECT * FROM side_log"), "1");
  a->sql("UPDATE t SET v = 'gone' WHERE id = 1");
  move();
  EXPECT_EQ(b->rows("SELECT * FROM t"), "1|gone");
  EXPECT_EQ(b->rows("SELECT * FROM side_log"), "1\ngone");
  EXPECT_EQ(notes(), std::vector<std::string>());
}

TEST_F(AppTriggersTest, ThatCannotRunAreNamed) {
  open(R"(CREATE TABLE t(id INTEGER PRIMARY KEY, v); CREATE TABLE side_log(v);
    CREATE TRIGGER works AFTER INSERT ON t BEGIN INSERT INTO side_log VALUES(NEW.v); END;
    CREATE TRIGGER hosts_own AFTER INSERT ON t
      BEGIN INSERT INTO side_log VALUES(function_of_the_host(NEW.v)); END;)");
  b->sql("INSERT INTO side_log VALUES('b')");
  a->sql("DROP TRIGGER hosts_own; INSERT INTO t VALUES(1, 'x')");
  move();
  EXPECT_EQ(b->rows("SELECT * FROM side_log"), "b\nx");
  ASSERT_EQ(notes().size(), 1u);
  EXPECT_NE(notes()[0].find("trigger hosts_own"), std::string::npos);
  EXPECT_NE(notes()[0].find("no such function: function_of_the_host"), std::string::npos);
}

TEST_F(AppTriggersTest, ThatFailDoNotStopARow) {
  open(R"(CREATE TABLE t(id INTEGER PRIMARY KEY, v UNIQUE);
    CREATE TABLE side_log(v INTEGER PRIMARY KEY ON CONFLICT ROLLBACK CHECK(v < 10));
    CREATE TRIGGER log AFTER INSERT ON t BEGIN INSERT INTO side_log VALUES(NEW.id); END;)");
  a->sql("INSERT INTO t VALUES(1, 'x')");
  move();
  a->sql("DELETE FROM t WHERE id = 1; DELETE FROM side_log; INSERT INTO t VALUES(2, 'y')");
  move();
  EXPECT_EQ(b->rows("SELECT * FROM side_log"), "1\n2");
  a->sql("DROP TRIGGER log; INSERT INTO t VALUES(11, 'too large for the log')");
  move();
  EXPECT_EQ(b->rows("SELECT id FROM t"), "2\n11");
  ASSERT_EQ(notes().size(), 1u);
  EXPECT_NE(notes()[0].find("triggers of t no longer run"), std::string::npos);
  a->sql("INSERT INTO t VALUES(5, 'z')");
  b->sql("INSERT INTO t VALUES(6, 'z')");
  move();
  EXPECT_EQ(a->rows("SELECT count(*) FROM t"), "3") << "the table's own constraints judge as ever";
}

TEST_F(AppTriggersTest, ConflictClausesOfTheTableDoNotCount) {
  open("CREATE TABLE t(id INTEGER PRIMARY KEY ON CONFLICT REPLACE, v UNIQUE ON CONFLICT IGNORE)");
  a->sql("INSERT INTO t VALUES(1, 'same')");
  world.clock.now += 1000;
  b->sql("INSERT INTO t VALUES(2, 'same')");
  move();
  move();
  EXPECT_EQ(a->rows("SELECT * FROM t"), "2|same");
  for (auto* site : {a.get(), b.get()}) {
    EXPECT_EQ(site->store().status()->hidden_rows, 1u);
    EXPECT_EQ(*site->store().check(), std::vector<std::string>());
  }
}

TEST_F(AppTriggersTest, ThatOnlyWriteTrackedTablesMayCallFunctionsOfTheHost) {
  open(R"(CREATE TABLE t(id INTEGER PRIMARY KEY, v); CREATE TABLE side_log(v);
    CREATE TRIGGER both AFTER INSERT ON t BEGIN
      UPDATE t SET v = function_of_the_host(NEW.v) WHERE id = NEW.id;
      INSERT INTO side_log VALUES(NEW.v); END;)");
  a->sql("DROP TRIGGER both; INSERT INTO t VALUES(1, 'x')");
  move();
  EXPECT_EQ(b->rows("SELECT * FROM side_log"), "x");
  EXPECT_EQ(notes(), std::vector<std::string>());
}

TEST(CopiedTrigger, KnowsTextFromWords) {
  const auto copy = [](const std::string& sql) { return storage::copied_trigger(sql, "n", {"t"}); };
  EXPECT_EQ(copy("CREATE TRIGGER x AFTER INSERT ON t BEGIN DELETE FROM u; END"),
            "CREATE TEMP TRIGGER \"n\" AFTER INSERT ON t BEGIN DELETE FROM u; END");
  EXPECT_EQ(copy("CREATE TRIGGER \"a b\"AFTER INSERT ON t BEGIN SELECT raise(ABORT, 'a)''('); "
                 "DELETE FROM u; END"),
            "CREATE TEMP TRIGGER \"n\"AFTER INSERT ON t BEGIN SELECT NULL; DELETE FROM u; END");
  EXPECT_EQ(copy("CREATE TRIGGER [x] -- RAISE(\nBEFORE UPDATE ON t BEGIN INSERT OR  ROLLBACK INTO "
                 "u VALUES('RAISE(1)', \"raise\", RAISE /* ( */ (IGNORE)); END"),
            "CREATE TEMP TRIGGER \"n\" BEFORE UPDATE ON t BEGIN INSERT OR ABORT INTO u "
            "VALUES('RAISE(1)', \"raise\", NULL); END");
}

TEST(CopiedTrigger, LeavesOutWhatWritesTrackedTables) {
  const auto copy = [](const std::string& body) {
    const auto out = storage::copied_trigger(
        "CREATE TRIGGER x AFTER DELETE ON t WHEN OLD.begin BEGIN " + body + " END", "n", {"t"});
    const auto begin = out.find(" BEGIN ");
    return begin == std::string::npos ? out : out.substr(begin + 7);
  };
  for (const std::string sql : {
           "delete /* ; */ from [T] WHERE a = ';' OR b IN (SELECT raise FROM t)",
           "DELETE FROM 't'",
           "UPDATE \"t\" SET delete_me = 1",
           "UPDATE OR IGNORE t SET a = (SELECT b FROM u)",
           "INSERT INTO t(x) SELECT y FROM u",
           "INSERT OR REPLACE INTO `t` DEFAULT VALUES",
           "REPLACE INTO T VALUES(1) ",
       }) {
    EXPECT_EQ(copy(sql + "; DELETE FROM u;" + sql + ";"),
              "SELECT NULL; DELETE FROM u;SELECT NULL; END");
    EXPECT_EQ(copy(sql + "; SELECT 1;"), "") << "nothing that counts is left";
  }
  for (const std::string sql : {"DELETE FROM u WHERE x IN (SELECT x FROM t);",
                                "INSERT INTO u SELECT * FROM t;", "UPDATE u SET t = 1;"}) {
    EXPECT_EQ(copy(sql), sql + " END");
  }
}

}  // namespace
}  // namespace mycelial::test
