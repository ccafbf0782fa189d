// SPDX-License-Identifier: Apache-2.0
// Decisions about conflicts: what they may be, and that nothing a peer lists is run as SQL.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/storage/site.hpp"

namespace mycelial::test {
namespace {

using Kind = Resolution::Kind;

class Resolve : public testing::Test {
 protected:
  Resolve() {
    for (Site* s : {&a, &b}) EXPECT_TRUE(s->store().track_all().ok());
  }
  void both() { exchange(a, b); }
  /// Two sites write to the same cell; `value` loses.
  void overrule(const std::string& value) {
    must(a, "INSERT OR IGNORE INTO t VALUES(1, 0, 0)");
    both();
    must(a, "UPDATE t SET v = " + value);
    must(b, "UPDATE t SET v = 'wins " + std::to_string(++rounds) + "'");
    both();
  }
  std::vector<Conflict> listed(Site& s) { return s.store().conflicts().value(); }
  Status resolve(Site& s, const std::string& id, Kind kind) {
    world.clock.now += 10;
    return s.store().resolve(id, {kind, {}, {}});
  }

  World world;
  int rounds = 0;
  static constexpr const char* kSchema =
      "CREATE TABLE t(k INTEGER PRIMARY KEY, v, n INTEGER CHECK(n < 10));"
      "CREATE TABLE w(k TEXT, l TEXT COLLATE NOCASE, v, PRIMARY KEY(l, k)) WITHOUT ROWID;"
      "CREATE TABLE p(k TEXT PRIMARY KEY, u UNIQUE, v)";
  Site a{world, "a", kSchema}, b{world, "b", kSchema};
};

TEST_F(Resolve, AnyValueIsRestored) {
  for (const char* value : {"7", "-9223372036854775808", "0.1", "-1e300", "9e999", "NULL",
                            "'it''s'", "''", "x''", "x'00ff27'", "char(0, 39, 1040)"}) {
    overrule(value);
    const auto all = listed(b);
    ASSERT_EQ(all.size(), 1u) << value;
    EXPECT_TRUE(resolve(b, all[0].id, Kind::restore).ok()) << value;
    both();
    for (Site* s : {&a, &b}) {
      EXPECT_TRUE(listed(*s).empty()) << value;
      const std::string same =
          std::string("SELECT v IS ") + value + " AND typeof(v) = typeof(" + value + ") FROM t";
      EXPECT_EQ(s->rows(same), "1") << value;
    }
  }
}

TEST_F(Resolve, ARowWithoutRowidIsFoundByItsKey) {
  must(a, "INSERT INTO w VALUES('k', 'L', 0), ('k', 'M', 0)");
  both();
  must(a, "UPDATE w SET v = 'a' WHERE l = 'L'");
  must(b, "UPDATE w SET v = 'b' WHERE l = 'L'");
  both();
  ASSERT_EQ(listed(a).size(), 1u);
  EXPECT_TRUE(resolve(a, listed(a)[0].id, Kind::restore).ok());
  both();
  EXPECT_EQ(b.rows("SELECT l, v FROM w ORDER BY l"), "L|a\nM|0");
}

TEST_F(Resolve, WhatIsDismissedStaysAway) {
  overrule("'lost'");
  const auto id = listed(a).at(0).id;
  EXPECT_EQ(listed(b).at(0).id, id);
  Site c(world, "c", kSchema);
  ASSERT_TRUE(c.store().track_all().ok());
  ASSERT_TRUE(carry(b, c, Carry::cut).ok());  // lists it as well
  EXPECT_EQ(listed(c).at(0).id, id);
  EXPECT_TRUE(resolve(a, id.substr(0, 5), Kind::dismiss).ok());
  ASSERT_TRUE(carry(a, c).ok());
  EXPECT_TRUE(listed(c).empty());
  ASSERT_TRUE(carry(b, c, Carry::cut).ok());  // b has not heard of it
  EXPECT_TRUE(listed(c).empty());
  both();
  EXPECT_TRUE(listed(b).empty());
  EXPECT_EQ(a.store().status()->superseded, 0u);
  EXPECT_EQ(resolve(a, id, Kind::dismiss).code(), Errc::not_found);
  overrule("'lost'");  // once more: another write
  EXPECT_EQ(listed(a).size(), 1u);
  EXPECT_EQ(listed(b).size(), 1u);
}

TEST_F(Resolve, AConstraintThatForbidsAValueIsNamed) {
  must(a, "INSERT INTO t VALUES(1, 0, 0)");
  both();
  must(a, "UPDATE t SET n = 9");
  must(b, "UPDATE t SET n = 1");
  both();
  must(b, "CREATE TRIGGER never BEFORE UPDATE ON t BEGIN SELECT raise(ABORT, 'not now'); END");
  const auto id = listed(b).at(0).id;
  const Status status = resolve(b, id, Kind::restore);
  EXPECT_EQ(status.code(), Errc::schema);
  EXPECT_NE(status.message().find("not now"), std::string::npos) << status.to_string();
  EXPECT_EQ(listed(b).at(0).id, id);
  EXPECT_EQ(b.rows("SELECT n FROM t"), "1");
  must(b, "DROP TRIGGER never");
  EXPECT_TRUE(resolve(b, id, Kind::restore).ok());
  both();
  EXPECT_EQ(a.rows("SELECT n FROM t"), "9");
}

TEST_F(Resolve, RowsThatMergeWholeStayWhole) {
  ASSERT_TRUE(a.store().set_policy("p", "", "row").ok());
  both();
  must(a, "INSERT INTO p VALUES('x', 1, 'of a')");
  must(b, "INSERT INTO p VALUES('y', 1, 'of b')");
  both();
  const auto id = listed(a).at(0).id;
  EXPECT_EQ(a.rows("SELECT * FROM p"), "y|1|of b");
  world.clock.now += 10;
  EXPECT_TRUE(a.store().resolve(id, {Kind::change, "v", "'changed'"}).code() == Errc::schema);
  EXPECT_TRUE(a.store().resolve(id, {Kind::change, "u", "2"}).ok());
  EXPECT_TRUE(resolve(b, id, Kind::restore).ok());  // at the same time, and later
  both();
  for (Site* s : {&a, &b}) EXPECT_EQ(s->rows("SELECT * FROM p"), "x|1|of a");
  ASSERT_EQ(listed(a).size(), 2u);
  EXPECT_EQ(listed(b).size(), 2u);
}

TEST_F(Resolve, WrongIdsAreNamed) {
  EXPECT_EQ(resolve(a, "", Kind::dismiss).code(), Errc::not_found);
  EXPECT_EQ(resolve(a, "abc", Kind::dismiss).code(), Errc::not_found);
  for (int k = 1; k <= 20; ++k) {
    must(a, "INSERT INTO t VALUES(" + std::to_string(k) + ", 0, 0)");
  }
  both();
  must(a, "UPDATE t SET v = 'a'");
  must(b, "UPDATE t SET v = 'b'");
  both();
  const auto all = listed(a);
  ASSERT_EQ(all.size(), 20u);
  const auto first = all[0].id.substr(0, 1);
  const auto same = std::ranges::find_if(all.begin() + 1, all.end(),
                                         [&](const auto& c) { return all[0].id[0] == c.id[0]; });
  if (same != all.end()) {
    EXPECT_EQ(resolve(a, first, Kind::dismiss).code(), Errc::invalid_argument);
  }
  EXPECT_EQ(a.store().resolve(all[0].id, {Kind::change, "v", "1"}).code(), Errc::invalid_argument);
  EXPECT_EQ(listed(a).size(), 20u);
}

}  // namespace
}  // namespace mycelial::test
