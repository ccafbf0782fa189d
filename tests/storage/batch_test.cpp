// SPDX-License-Identifier: Apache-2.0
// Many rows of one set, of which some cannot simply be inserted or updated: the others are, all the
// same.
#include <gtest/gtest.h>

#include "tests/storage/site.hpp"

namespace mycelial::test {
namespace {

const char* const kThousand =
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) ";

class Batch : public testing::Test {
 protected:
  void open(const std::string& schema_of_a, const std::string& schema_of_b) {
    a = std::make_unique<Site>(world, "a", schema_of_a);
    b = std::make_unique<Site>(world, "b", schema_of_b);
    for (auto* s : {a.get(), b.get()}) {
      const auto tracked = s->store().track_all();
      ASSERT_TRUE(tracked.ok()) << tracked.status().to_string();
      for (const auto& t : *tracked) ASSERT_TRUE(t.tracked) << t.name << ": " << t.reason;
    }
  }
  void sql(Site& s, const std::string& text) {
    ASSERT_EQ(s.sql(text), SQLITE_OK) << sqlite3_errmsg(s.client());
  }
  void meet() {
    for (int i = 0; i < 2; ++i) {
      for (const auto how : {Carry::sets, Carry::cut}) {
        world.clock.now += 10;
        ASSERT_TRUE(carry(*a, *b, how).ok());
        ASSERT_TRUE(carry(*b, *a, how).ok());
      }
    }
    for (auto* s : {a.get(), b.get()}) EXPECT_EQ(*s->store().check(), std::vector<std::string>());
  }
  void expect_equal(const std::string& table) {
    EXPECT_EQ(a->dump(table), b->dump(table));
    EXPECT_EQ(*a->store().digest(), *b->store().digest());
  }

  World world;
  std::unique_ptr<Site> a, b;
};

TEST_F(Batch, GoesAroundRowsThatAnotherUniqueValueHides) {
  const std::string schema = "CREATE TABLE t(k TEXT PRIMARY KEY, label INTEGER UNIQUE, v)";
  open(schema, schema);
  sql(*a, std::string(kThousand) + "INSERT INTO t SELECT 'k' || i, i, i * 2 FROM n");
  ASSERT_TRUE(a->store().seal().ok());
  world.clock.now += 1000;
  sql(*b,
      "INSERT INTO t VALUES('b1', 1, 0), ('b500', 500, 0), ('b501', 501, 0), ('b1000', 1000, 0)");
  meet();
  expect_equal("t");
  EXPECT_EQ(b->rows("SELECT count(*), sum(k LIKE 'b%') FROM t"), "1000|4");
  EXPECT_EQ(b->store().conflicts()->size(), 4u);
}

TEST_F(Batch, JoinsRowsThatAreThereAlready) {
  const std::string schema = "CREATE TABLE t(k INTEGER PRIMARY KEY, v, w)";
  open(schema, schema);
  sql(*b, "INSERT INTO t VALUES(3, 'early', 1), (777, 'early', 1)");
  ASSERT_TRUE(b->store().seal().ok());
  world.clock.now += 1000;
  sql(*a, std::string(kThousand) + "INSERT INTO t SELECT i, 'late', 2 FROM n");
  meet();
  expect_equal("t");
  EXPECT_EQ(b->rows("SELECT count(*), sum(v = 'late') FROM t"), "1000|1000");
}

TEST_F(Batch, HidesOnlyTheRowsThatAStricterTableRefuses) {
  open("CREATE TABLE t(v, w)", "CREATE TABLE t(v INTEGER, w ANY) STRICT");
  sql(*a, std::string(kThousand) +
              "INSERT INTO t SELECT CASE WHEN i % 400 = 0 THEN 'text' ELSE i END, i FROM n");
  meet();
  EXPECT_EQ(b->rows("SELECT count(*), sum(w) FROM t"), "998|499300");
  EXPECT_EQ(b->store().conflicts()->size(), 2u);
}

TEST_F(Batch, HidesOnlyTheRowsThatACheckRefuses) {
  open("CREATE TABLE t(k INTEGER PRIMARY KEY, v)",
       "CREATE TABLE t(k INTEGER PRIMARY KEY, v CHECK(v <> 10), w AS (v + 1) STORED)");
  sql(*a, std::string(kThousand) + "INSERT INTO t SELECT i, i % 500 FROM n");
  meet();
  EXPECT_EQ(b->rows("SELECT count(*), sum(w - v) FROM t"), "998|998");
}

TEST_F(Batch, HidesOnlyTheUpdatedRowsThatACheckRefuses) {
  open("CREATE TABLE t(k INTEGER PRIMARY KEY, v, w)",
       "CREATE TABLE t(k INTEGER PRIMARY KEY, v CHECK(v <> 1000), w)");
  sql(*a, std::string(kThousand) + "INSERT INTO t SELECT i, 0, 0 FROM n");
  meet();
  sql(*a, "UPDATE t SET v = k % 500 * 2, w = k WHERE k <> 77");
  sql(*a, "UPDATE t SET v = 1000 WHERE k IN (250, 251, 900)");
  meet();
  EXPECT_EQ(b->rows("SELECT count(*), sum(w = k), sum(v = k % 500 * 2) FROM t"), "997|996|996");
  EXPECT_EQ(b->store().conflicts()->size(), 3u);
  sql(*a, "UPDATE t SET v = 1 WHERE v = 1000");
  meet();
  expect_equal("t");
}

TEST_F(Batch, UpdatesRowsThatOthersUpdatedAlike) {
  const std::string schema = "CREATE TABLE t(k TEXT PRIMARY KEY, v, w)";
  open(schema, schema);
  sql(*a, std::string(kThousand) + "INSERT INTO t SELECT 'k' || i, 0, 0 FROM n");
  meet();
  sql(*b, "UPDATE t SET v = 'early' WHERE k IN ('k3', 'k700')");
  ASSERT_TRUE(b->store().seal().ok());
  world.clock.now += 1000;
  sql(*a, "UPDATE t SET v = 'late', w = 1");
  ASSERT_TRUE(a->store().seal().ok());
  world.clock.now += 1000;
  sql(*b, "UPDATE t SET v = 'latest' WHERE k = 'k9'; DELETE FROM t WHERE k = 'k10'");
  meet();
  expect_equal("t");
  EXPECT_EQ(b->rows("SELECT count(*), sum(v = 'late'), sum(v = 'latest'), sum(w) FROM t"),
            "999|998|1|999");
  EXPECT_GE(b->store().conflicts()->size(), 3u);  // of k3, k700 and k9
}

TEST_F(Batch, UpdatesColumnsOfAnyName) {
  const std::string schema =
      "CREATE TABLE piece(c1, number, target, \"c0\", rowid, \"a \"\"b\" REAL)";
  open(schema, schema);
  sql(*a, std::string(kThousand) + "INSERT INTO piece SELECT i, i, i, i, i, i FROM n");
  meet();
  sql(*a,
      "UPDATE piece SET c1 = -c1, number = 'n' || number, c0 = x'00ff', rowid = NULL, "
      "\"a \"\"b\" = 0.5");
  meet();
  expect_equal("piece");
  EXPECT_EQ(b->rows("SELECT sum(c1), sum(number = 'n' || target), sum(c0 = x'00ff'), "
                    "count(rowid), sum(\"a \"\"b\") FROM piece"),
            "-500500|1000|1000|0|500.0");
}

TEST_F(Batch, UpdatesLargeValuesAmongSmallOnes) {
  const std::string schema = "CREATE TABLE t(v)";
  open(schema, schema);
  sql(*a, std::string(kThousand) + "INSERT INTO t SELECT i FROM n");
  meet();
  sql(*a, "UPDATE t SET v = CASE WHEN v % 300 = 0 THEN zeroblob(100000 + v) ELSE 'x' || v END");
  meet();
  expect_equal("t");
  EXPECT_EQ(b->rows("SELECT count(*), sum(length(v) > 100000) FROM t"), "1000|3");
}

TEST_F(Batch, LeavesRowidsToSqliteWhereTheLastIsTaken) {
  const std::string schema = "CREATE TABLE t(v)";
  open(schema, schema);
  sql(*b, "INSERT INTO t(rowid, v) VALUES(9223372036854775807, 'last')");
  sql(*a, std::string(kThousand) + "INSERT INTO t SELECT i FROM n");
  meet();
  expect_equal("t");
  EXPECT_EQ(b->rows("SELECT count(*) FROM t"), "1001");
}

TEST_F(Batch, KeepsEqualRowsWithoutAKeyApart) {
  const std::string schema = "CREATE TABLE t(v)";
  open(schema, schema);
  sql(*a, std::string(kThousand) + "INSERT INTO t SELECT 'same' FROM n");
  sql(*b, std::string(kThousand) + "INSERT INTO t SELECT 'same' FROM n");
  meet();
  expect_equal("t");
  EXPECT_EQ(b->rows("SELECT count(*) FROM t"), "2000");
}

}  // namespace
}  // namespace mycelial::test
