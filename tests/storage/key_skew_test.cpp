// SPDX-License-Identifier: Apache-2.0
// Two sites that key one table differently. Such rows cannot be found under their identity on the
// other site: they are kept and listed there, not shown under another name.
#include <gtest/gtest.h>

#include "tests/storage/site.hpp"

namespace mycelial::test {
namespace {

struct Skew {
  const char* author;
  const char* reader;
  const char* name;
};

class KeySkew : public testing::TestWithParam<Skew> {};

TEST_P(KeySkew, RowsThatDoNotFitAreListed) {
  World world;
  Site a(world, "a", GetParam().author);
  Site b(world, "b", GetParam().reader);
  ASSERT_TRUE(a.store().track("t").ok());
  ASSERT_TRUE(b.store().track("t").ok());
  ASSERT_EQ(a.sql("INSERT INTO t VALUES('Ann', 1), ('bob', 2)"), SQLITE_OK);
  ASSERT_TRUE(carry(a, b).ok());
  ASSERT_EQ(a.sql("UPDATE t SET v = 3; DELETE FROM t WHERE k = 'bob'"), SQLITE_OK);
  ASSERT_EQ(b.sql("INSERT INTO t VALUES('own', 9)"), SQLITE_OK);
  ASSERT_TRUE(carry(a, b).ok());
  ASSERT_TRUE(carry(b, a).ok());

  for (Site* site : {&a, &b}) {
    const auto problems = site->store().check();
    ASSERT_TRUE(problems.ok());
    EXPECT_EQ(*problems, std::vector<std::string>{});
  }
  EXPECT_EQ(b.rows("SELECT k FROM t WHERE k <> 'own'"), "");
  const auto conflicts = b.store().conflicts();
  ASSERT_TRUE(conflicts.ok());
  EXPECT_FALSE(conflicts->empty());
}

INSTANTIATE_TEST_SUITE_P(All, KeySkew,
                         testing::Values(Skew{"CREATE TABLE t(k TEXT PRIMARY KEY, v)",
                                              "CREATE TABLE t(k TEXT, v)", "KeyAndNone"},
                                         Skew{"CREATE TABLE t(k TEXT PRIMARY KEY, v)",
                                              "CREATE TABLE t(k TEXT, v PRIMARY KEY)",
                                              "OtherColumn"},
                                         Skew{"CREATE TABLE t(k TEXT, v)",
                                              "CREATE TABLE t(k TEXT PRIMARY KEY, v) WITHOUT ROWID",
                                              "NoneAndWithoutRowid"}),
                         [](const auto& skew) { return skew.param.name; });

TEST(KeySkew, RowsOfAnotherCollationThatFitAreShown) {
  World world;
  Site a(world, "a", "CREATE TABLE t(k TEXT COLLATE NOCASE PRIMARY KEY, v)");
  Site b(world, "b", "CREATE TABLE t(k TEXT PRIMARY KEY, v)");
  ASSERT_TRUE(a.store().track("t").ok());
  ASSERT_TRUE(b.store().track("t").ok());
  ASSERT_EQ(a.sql("INSERT INTO t VALUES('ann', 1), ('Bob', 2)"), SQLITE_OK);
  ASSERT_TRUE(carry(a, b).ok());
  EXPECT_EQ(b.rows("SELECT k, v FROM t"), "ann|1");
  // A new spelling that the identity does not cover takes the row out again.
  ASSERT_EQ(a.sql("UPDATE t SET k = 'ANN' WHERE k = 'ann'"), SQLITE_OK);
  ASSERT_TRUE(carry(a, b).ok());
  EXPECT_EQ(b.rows("SELECT k, v FROM t"), "");
  ASSERT_EQ(a.sql("UPDATE t SET k = 'ann', v = 5 WHERE k = 'ann'"), SQLITE_OK);
  ASSERT_TRUE(carry(a, b).ok());
  EXPECT_EQ(b.rows("SELECT k, v FROM t"), "ann|5");
  const auto problems = b.store().check();
  ASSERT_TRUE(problems.ok());
  EXPECT_EQ(*problems, std::vector<std::string>{});
}

}  // namespace
}  // namespace mycelial::test
