// SPDX-License-Identifier: Apache-2.0
// Rows that were there when their table was tracked: written by nobody, the same on every copy of
// an image, and overruled by whatever was written under tracking.
#include <gtest/gtest.h>

#include "tests/storage/fleet.hpp"

namespace mycelial::test {
namespace {

struct Shape {
  const char* name;
  const char* sql;
};

std::string name_of(const testing::TestParamInfo<Shape>& shape) {
  return shape.param.name;
}

const char* const kRows =
    "INSERT INTO t(k, v) VALUES(1, 'one'), (2, 'two'), (3, 'three'), (4, NULL)";

class Baseline : public testing::TestWithParam<Shape> {
 protected:
  bool keyless() const { return std::string(GetParam().name) == "Keyless"; }
  FleetOptions image(const std::string& rows = kRows) const {
    return {.before_track = rows, .pragmas = ""};
  }
  void meet(Fleet& fleet) {
    fleet.meet();
    ASSERT_EQ(fleet.trouble(), "");
  }
};

INSTANTIATE_TEST_SUITE_P(
    All, Baseline,
    testing::Values(Shape{"IntegerKey", "CREATE TABLE t(k INTEGER PRIMARY KEY, v);"},
                    Shape{"TextKey", "CREATE TABLE t(k TEXT PRIMARY KEY, v);"},
                    Shape{"Keyless", "CREATE TABLE t(k, v);"},
                    Shape{"WithoutRowid", "CREATE TABLE t(k PRIMARY KEY, v) WITHOUT ROWID;"},
                    Shape{"Unique", "CREATE TABLE t(k INTEGER PRIMARY KEY, v UNIQUE);"}),
    name_of);

TEST_P(Baseline, OfOneImageIsOneSetOfRows) {
  Fleet fleet(4, GetParam().sql, image());
  meet(fleet);
  EXPECT_EQ(fleet[3].rows("SELECT k, v FROM t ORDER BY k"), "1|one\n2|two\n3|three\n4|NULL");
}

TEST_P(Baseline, WithEqualRowsKeepsEachOfThem) {
  if (!keyless()) return;  // a key makes them one
  Fleet fleet(3, GetParam().sql,
              image("INSERT INTO t VALUES(1, 'same'), (1, 'same'), (1, 'same')"));
  meet(fleet);
  EXPECT_EQ(fleet[1].rows("SELECT count(*) FROM t"), "3");
  fleet.sql(0, "DELETE FROM t WHERE rowid = 2");
  meet(fleet);
  EXPECT_EQ(fleet[2].rows("SELECT count(*) FROM t"), "2");
}

TEST_P(Baseline, CanBeUpdatedAndDeletedAnywhere) {
  Fleet fleet(3, GetParam().sql, image());
  fleet.sql(0, "UPDATE t SET v = 'uno' WHERE k = 1; DELETE FROM t WHERE k = 2");
  fleet.sql(1, "UPDATE t SET v = 'tres' WHERE k = 3");
  fleet.sql(2, "DELETE FROM t WHERE k = 4");
  meet(fleet);
  EXPECT_EQ(fleet[0].rows("SELECT k, v FROM t ORDER BY k"), "1|uno\n3|tres");
}

/// A device with the old image that is switched on late brings nothing back.
TEST_P(Baseline, OfAStaleImageOverrulesNothing) {
  Fleet fleet(2, GetParam().sql, image());
  fleet.sql(0, "UPDATE t SET v = 'uno' WHERE k = 1; DELETE FROM t WHERE k = 2");
  meet(fleet);
  fleet.world.clock.now += 1'000'000;
  Site late(fleet.world, "late", GetParam().sql);
  ASSERT_EQ(late.sql(kRows), SQLITE_OK);
  ASSERT_TRUE(late.store().track("t").ok());
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(carry(late, fleet[0]).ok());
    ASSERT_TRUE(carry(fleet[0], late, i == 0 ? Carry::cut : Carry::sets).ok());
  }
  EXPECT_EQ(late.rows("SELECT k, v FROM t ORDER BY k"), "1|uno\n3|three\n4|NULL");
  EXPECT_EQ(late.dump("t"), fleet[0].dump("t"));
  EXPECT_EQ(*late.store().check(), std::vector<std::string>());
}

/// Columns of one image that were changed before tracking: ties go by value, on all sites alike.
TEST_P(Baseline, OfImagesThatDifferConverges) {
  if (keyless()) return;  // rows that differ are other rows
  Fleet fleet(3, GetParam().sql, {});
  Site x(fleet.world, "x", GetParam().sql), y(fleet.world, "y", GetParam().sql);
  ASSERT_EQ(x.sql("INSERT INTO t(k, v) VALUES(1, 'apple'), (2, 'pear')"), SQLITE_OK);
  ASSERT_EQ(y.sql("INSERT INTO t(k, v) VALUES(1, 'plum'), (3, 'fig')"), SQLITE_OK);
  for (Site* s : {&x, &y}) ASSERT_TRUE(s->store().track("t").ok());
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(carry(x, y).ok());
    ASSERT_TRUE(carry(y, x).ok());
  }
  EXPECT_EQ(x.dump("t"), y.dump("t"));
  EXPECT_EQ(x.rows("SELECT k FROM t ORDER BY k"), "1\n2\n3");
  ASSERT_EQ(x.sql("UPDATE t SET v = 'quince' WHERE k = 1"), SQLITE_OK);
  ASSERT_TRUE(carry(x, y).ok());
  EXPECT_EQ(y.rows("SELECT v FROM t WHERE k = 1"), "quince");
}

/// Peers' rows came first, and the table with rows of its own is tracked afterwards.
TEST_P(Baseline, MeetsRowsThatWereParked) {
  World world;
  Site x(world, "x", GetParam().sql), y(world, "y", GetParam().sql);
  ASSERT_EQ(y.sql("CREATE TABLE other(k); "), SQLITE_OK);
  ASSERT_TRUE(x.store().track("t").ok());
  ASSERT_TRUE(y.store().track("other").ok());
  ASSERT_EQ(
      x.sql("INSERT INTO t(k, v) VALUES(1, 'theirs'), (2, 'gone'); DELETE FROM t WHERE k = 2"),
      SQLITE_OK);
  ASSERT_TRUE(carry(x, y).ok());
  ASSERT_EQ(y.sql("INSERT INTO t(k, v) VALUES(1, 'ours'), (5, 'five')"), SQLITE_OK);
  ASSERT_TRUE(y.store().track("t").ok());
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(carry(y, x).ok());
    ASSERT_TRUE(carry(x, y).ok());
  }
  EXPECT_EQ(x.rows("SELECT k, v FROM t ORDER BY k, v"),
            keyless() ? "1|ours\n1|theirs\n5|five" : "1|theirs\n5|five");
  EXPECT_EQ(x.dump("t"), y.dump("t"));
  EXPECT_EQ(y.store().status()->parked_rows, 0u);
}

}  // namespace
}  // namespace mycelial::test
