// SPDX-License-Identifier: Apache-2.0
// Merge policies: plain SQL at several sites, and what all of them show once they have met.
#include <gtest/gtest.h>

#include <array>
#include <map>
#include <random>

#include "tests/storage/site.hpp"

namespace mycelial::test {
namespace {

const char* const kSchema = R"sql(
CREATE TABLE t(k TEXT PRIMARY KEY, n INTEGER DEFAULT 0, r REAL, v, j TEXT);
CREATE TABLE w(k INTEGER, n INTEGER, v, PRIMARY KEY(k)) WITHOUT ROWID;
)sql";

class Policies : public testing::Test {
 protected:
  void SetUp() override {
    for (auto* s : {&a, &b, &c}) ASSERT_TRUE(s->store().track_all().ok());
  }
  void choose(const std::string& table, const std::string& column, const std::string& policy) {
    const auto status = a.store().set_policy(table, column, policy);
    ASSERT_TRUE(status.ok()) << status.to_string();
    meet();
  }
  void run(Site& site, const std::string& sql) {
    world.clock.now += 10;
    EXPECT_EQ(site.sql(sql), SQLITE_OK) << sql << ": " << sqlite3_errmsg(site.client()) << "\n"
                                        << site.rows("SELECT * FROM t");
  }
  void move(Site& from, Site& to, Carry how = Carry::sets) {
    world.clock.now += 10;
    const auto status = carry(from, to, how);
    ASSERT_TRUE(status.ok()) << status.to_string();
  }
  /// Everybody gets everything; then all must agree and be sound.
  void meet() {
    for (int i = 0; i < 2; ++i) {
      for (auto* x : {&a, &b, &c}) {
        for (auto* y : {&a, &b, &c}) {
          if (x != y) move(*x, *y);
        }
      }
    }
    const auto digest = a.store().digest();
    ASSERT_TRUE(digest.ok()) << digest.status().to_string();
    for (auto* s : {&b, &c}) EXPECT_EQ(*digest, *s->store().digest());
    for (auto* s : {&a, &b, &c}) EXPECT_EQ(*s->store().check(), std::vector<std::string>());
  }
  std::string all(const std::string& query) {
    const auto out = a.rows(query);
    EXPECT_EQ(out, b.rows(query));
    EXPECT_EQ(out, c.rows(query));
    return out;
  }

  World world;
  Site a{world, "a", kSchema}, b{world, "b", kSchema}, c{world, "c", kSchema};
};

TEST_F(Policies, CountersAddUp) {
  choose("t", "n", "counter");
  run(a, "INSERT INTO t(k, n) VALUES('x', 10)");
  meet();
  run(a, "UPDATE t SET n = n + 1");
  run(b, "UPDATE t SET n = n + 5");
  run(b, "UPDATE t SET n = n - 2");
  run(c, "UPDATE t SET n = n * 2");  // 10 more
  meet();
  EXPECT_EQ(all("SELECT n, typeof(n) FROM t"), "24|integer");
  run(a, "UPDATE t SET n = n + 1");
  move(a, b);
  run(b, "UPDATE t SET n = n + 1");
  meet();
  EXPECT_EQ(all("SELECT n FROM t"), "26");
}

TEST_F(Policies, CountersOfUpsertsAddUp) {
  choose("t", "n", "counter");
  const char* hit = "INSERT INTO t(k, n) VALUES('x', 1) ON CONFLICT DO UPDATE SET n = n + 1";
  for (auto* s : {&a, &b, &c, &a, &b, &a}) run(*s, hit);
  meet();
  EXPECT_EQ(all("SELECT n FROM t"), "6");
  run(a, "DELETE FROM t");
  run(b, hit);
  meet();
  EXPECT_EQ(all("SELECT n FROM t"), "7")
      << "an upsert that the delete had not seen carries the row";
}

TEST_F(Policies, ARowMadeAnewCountsAnew) {
  choose("t", "n", "counter");
  run(a, "INSERT INTO t(k, n) VALUES('x', 10)");
  meet();
  run(a, "DELETE FROM t");
  run(a, "INSERT INTO t(k, n) VALUES('x', 100)");
  run(b, "UPDATE t SET n = n + 1");
  meet();
  EXPECT_EQ(all("SELECT n FROM t"), "100") << "an increment dies with the life that it was made in";
}

TEST_F(Policies, CountersOverflowAsSumsModulo2To64) {
  choose("t", "n", "counter");
  run(a, "INSERT INTO t(k, n) VALUES('x', 9223372036854775800)");
  meet();
  run(a, "UPDATE t SET n = n + 5");
  run(b, "UPDATE t SET n = n + 5");
  meet();
  EXPECT_EQ(all("SELECT n FROM t"), "-9223372036854775806");
}

TEST_F(Policies, CountersOfReals) {
  choose("t", "r", "counter");
  run(a, "INSERT INTO t(k, r) VALUES('x', 0.5)");
  meet();
  run(a, "UPDATE t SET r = r + 0.1");
  run(b, "UPDATE t SET r = r + 0.2");
  run(c, "UPDATE t SET r = r + 0.3");
  meet();
  EXPECT_EQ(all("SELECT round(r, 9), typeof(r) FROM t"), "1.1|real");
}

TEST_F(Policies, ACounterThatComesLaterCountsFromWhatWasThere) {
  run(a, "INSERT INTO t(k, n) VALUES('x', 7), ('y', 1)");
  meet();
  choose("t", "n", "counter");
  run(a, "UPDATE t SET n = n + 1");
  run(b, "UPDATE t SET n = n + 1 WHERE k = 'x'");
  meet();
  EXPECT_EQ(all("SELECT k, n FROM t ORDER BY k"), "x|9\ny|2");
}

TEST_F(Policies, ACounterColumnThatIsAddedCountsFromItsDefault) {
  run(a, "INSERT INTO t(k) VALUES('x')");
  meet();
  for (auto* s : {&a, &b, &c}) run(*s, "ALTER TABLE t ADD COLUMN hits INTEGER DEFAULT 100");
  meet();
  choose("t", "hits", "counter");
  run(a, "UPDATE t SET hits = hits + 1");
  run(b, "UPDATE t SET hits = hits + 1");
  meet();
  EXPECT_EQ(all("SELECT hits FROM t"), "102");
}

TEST_F(Policies, TheGreatestAndTheLeastStay) {
  choose("t", "n", "max");
  choose("t", "v", "min");
  run(a, "INSERT INTO t(k, n, v) VALUES('x', 5, 5)");
  meet();
  run(a, "UPDATE t SET n = 3, v = 9");
  meet();
  EXPECT_EQ(all("SELECT n, v FROM t"), "5|5") << "written back where it was written";
  run(b, "UPDATE t SET n = 8, v = 4");
  run(c, "UPDATE t SET n = 7, v = 'text'");
  meet();
  EXPECT_EQ(all("SELECT n, v FROM t"), "8|4");
  run(c, "UPDATE t SET n = NULL, v = NULL");
  meet();
  EXPECT_EQ(all("SELECT n, v FROM t"), "8|4") << "NULL is nothing yet";
}

TEST_F(Policies, TheFirstWriterStays) {
  choose("t", "v", "fww");
  run(a, "INSERT INTO t(k) VALUES('x')");
  meet();
  run(b, "UPDATE t SET v = 'b' WHERE v IS NULL");
  run(c, "UPDATE t SET v = 'c' WHERE v IS NULL");
  meet();
  EXPECT_EQ(all("SELECT v FROM t"), "b");
  run(a, "UPDATE t SET v = 'a'");
  run(b, "UPDATE t SET v = 'again'");
  meet();
  EXPECT_EQ(all("SELECT v FROM t"), "b");
}

TEST_F(Policies, SetsKeepWhatAnybodyAdds) {
  choose("t", "j", "set");
  run(a, R"(INSERT INTO t(k, j) VALUES('x', '["red"]'))");
  meet();
  run(a, R"(UPDATE t SET j = '["red", "green"]')");
  run(b, R"(UPDATE t SET j = '["blue","red"]')");
  meet();
  EXPECT_EQ(all("SELECT j FROM t"), R"(["blue","green","red"])");
  run(a, R"(UPDATE t SET j = '["blue","green"]')");
  meet();
  EXPECT_EQ(all("SELECT j FROM t"), R"(["blue","green"])");
  run(b, R"(UPDATE t SET j = '["blue"]')");                // takes green out
  run(c, R"(UPDATE t SET j = '["blue","green","red"]')");  // red again
  meet();
  EXPECT_EQ(all("SELECT j FROM t"), R"(["blue","red"])");
  run(a, "UPDATE t SET j = '[]'");
  run(b, R"(UPDATE t SET j = '["blue","red","black"]')");
  meet();
  EXPECT_EQ(all("SELECT j FROM t"), R"(["black"])");
}

TEST_F(Policies, ASetWhoseElementIsPutInAgainWhileItIsTakenOutHasIt) {
  choose("t", "j", "set");
  run(a, R"(INSERT INTO t(k, j) VALUES('x', '["e"]'))");
  meet();
  run(a, "UPDATE t SET j = '[]'");
  run(a, R"(UPDATE t SET j = '["e"]')");
  (void)a.store().seal();
  run(b, "UPDATE t SET j = '[]'");
  run(c, R"(UPDATE t SET j = '["e","f"]')");
  meet();
  EXPECT_EQ(all("SELECT j FROM t"), R"(["f"])") << "a wrote in one seal what was there before";
  run(a, R"(UPDATE t SET j = '["f","e"]')");
  run(b, R"(UPDATE t SET j = '["f","e"]')");
  meet();
  run(c, R"(UPDATE t SET j = '["f"]')");
  move(c, b);
  run(b, R"(UPDATE t SET j = '["f","e"]')");
  meet();
  EXPECT_EQ(all("SELECT j FROM t"), R"(["e","f"])");
}

TEST_F(Policies, ObjectsMergeMemberByMember) {
  choose("t", "j", "json");
  run(a, R"(INSERT INTO t(k, j) VALUES('x', '{"a": 1, "b": {"c": [1, 2]}}'))");
  meet();
  EXPECT_EQ(all("SELECT j FROM t"), R"({"a":1,"b":{"c":[1,2]}})");
  run(a, "UPDATE t SET j = json_set(j, '$.a', 2)");
  run(b, "UPDATE t SET j = json_set(j, '$.z', 'new')");
  run(c, "UPDATE t SET j = json_remove(j, '$.b')");
  meet();
  EXPECT_EQ(all("SELECT j FROM t"), R"({"a":2,"z":"new"})");
  run(b, "UPDATE t SET j = NULL");
  meet();
  EXPECT_EQ(all("SELECT ifnull(j, 'NULL') FROM t"), "NULL");
}

TEST_F(Policies, ARowOfATableCanMergeWhole) {
  choose("t", "", "row");
  run(a, "INSERT INTO t(k, n, r) VALUES('x', 1, 1.0)");
  meet();
  run(a, "UPDATE t SET n = 2");
  run(b, "UPDATE t SET r = 3.0");
  meet();
  EXPECT_EQ(all("SELECT n, r FROM t"), "1|3.0") << "b wrote last, and wrote the whole row";
}

TEST_F(Policies, HoldInTablesWithoutRowids) {
  choose("w", "n", "counter");
  run(a, "INSERT INTO w VALUES(1, 10, 'x')");
  meet();
  run(a, "UPDATE w SET n = n + 1");
  run(b, "UPDATE w SET n = n + 2, v = 'b'");
  meet();
  EXPECT_EQ(all("SELECT * FROM w"), "1|13|b");
}

TEST_F(Policies, ATableCanHaveOneForAllItsColumns) {
  choose("t", "", "max");
  run(a, "INSERT INTO t(k, n, r, v) VALUES('x', 1, 2.5, 'm')");
  meet();
  run(a, "UPDATE t SET n = 9, r = 1.0");
  run(b, "UPDATE t SET n = 3, r = 7.5, v = 'a'");
  meet();
  EXPECT_EQ(all("SELECT n, r, v FROM t"), "9|7.5|m");
}

TEST_F(Policies, TravelByCutsToo) {
  choose("t", "n", "counter");
  choose("t", "j", "set");
  run(a, R"(INSERT INTO t(k, n, j) VALUES('x', 10, '["a"]'))");
  meet();
  run(a, R"(UPDATE t SET n = n + 1, j = '["a","b"]')");
  run(b, R"(UPDATE t SET n = n + 1, j = '[]')");
  move(b, a);
  Site d{world, "d", kSchema};
  ASSERT_TRUE(d.store().track_all().ok());
  move(a, d, Carry::cut);
  EXPECT_EQ(d.rows("SELECT n, j FROM t"), R"(12|["b"])");
  run(d, "UPDATE t SET n = n + 100");
  move(d, a);
  meet();
  EXPECT_EQ(all("SELECT n FROM t"), "112");
}

TEST_F(Policies, ACopiedFileListsCountsThatItsOriginalMakes) {
  choose("t", "n", "counter");
  run(a, "INSERT INTO t(k, n, v) VALUES('x', 10, 'old')");
  meet();
  run(a, "UPDATE t SET n = n + 1, v = 'new'");
  run(a, "INSERT INTO t(k, n) VALUES('y', 5)");
  Site copy{world, "copy", a.image()};
  EXPECT_NE(copy.store().site(), a.store().site());
  (void)copy.store().seal();
  EXPECT_EQ(copy.rows("SELECT n, v FROM t WHERE k = 'x'"), "10|new");
  const auto conflicts = copy.store().conflicts();
  ASSERT_TRUE(conflicts.ok());
  ASSERT_EQ(conflicts->size(), 2u);
  EXPECT_EQ((*conflicts)[0].kind, "parked");
  EXPECT_EQ((*conflicts)[0].value, "11");
  move(copy, b);
  move(b, copy);
  EXPECT_EQ(copy.rows("SELECT n FROM t WHERE k = 'y'"), "0");  // as b sees it
  EXPECT_EQ(b.rows("SELECT n FROM t WHERE k = 'y'"), "0");
  meet();
  move(a, copy);
  EXPECT_EQ(all("SELECT k, n, v FROM t ORDER BY k"), "x|11|new\ny|5|NULL");
  EXPECT_EQ(copy.rows("SELECT k, n FROM t ORDER BY k"), "x|11\ny|5");
}

/// Whatever is written and however it travels: nothing that was counted is lost or doubled, and all
/// agree. `by_cut`: now and then.
class PoliciesOfAnyHistory : public Policies, public testing::WithParamInterface<bool> {
 protected:
  /// What others may lack goes at once.
  void forget_all(Site& site) {
    for (bool more = true; more;) {
      const auto collected = site.store().collect();
      ASSERT_TRUE(collected.ok()) << collected.status().to_string();
      more = *collected;
    }
  }
  void SetUp() override {
    Policies::SetUp();
    if (!GetParam()) return;
    storage::StoreOptions options;
    options.retention_ms = 0;
    options.collect_every_ms = 0;
    options.collect_worth = 0;
    for (auto* s : {&a, &b, &c}) {
      s->close();
      s->open(options);
    }
  }
};

TEST_P(PoliciesOfAnyHistory, AddUp) {
  std::mt19937 random(7);
  const auto pick = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  for (const auto* column : {"n", "r"}) choose("t", column, "counter");
  choose("t", "v", "max");
  choose("t", "j", "set");
  choose("w", "v", "json");
  std::map<std::string, std::int64_t> wanted;
  std::map<std::string, int> greatest;
  for (int step = 0; step < 400; ++step) {
    Site& site = *std::array{&a, &b, &c}[static_cast<std::size_t>(pick(3))];
    const std::string key = std::string(1, static_cast<char>('p' + pick(4)));
    const int by = pick(9) - 4;
    switch (pick(6)) {
      case 0:
      case 1:
        run(site, "INSERT INTO t(k, n, r, v, j) VALUES('" + key + "', " + std::to_string(by) +
                      ", 0.5, " + std::to_string(step) + ", '[\"" + key +
                      "\"]') ON CONFLICT DO UPDATE SET n = n + excluded.n, r = r + 0.25, v = " +
                      std::to_string(step) + ", j = json_insert(j, '$[#]', " +
                      std::to_string(pick(5)) + ")");
        wanted[key] += by;
        greatest[key] = step;
        break;
      case 2:
        (void)site.store().seal();  // of what one set brings, max sees the last
        run(site, "UPDATE t SET n = n + " + std::to_string(by) + ", v = 0 WHERE k = '" + key + "'");
        if (site.client() && sqlite3_changes(site.client()) == 1) wanted[key] += by;
        break;
      case 3:
        run(site, "UPDATE t SET j = json_remove(j, '$[0]') WHERE k = '" + key + "'");
        run(site, "INSERT INTO w VALUES(1, 1, json_object('" + key + "', " + std::to_string(step) +
                      ")) ON CONFLICT DO UPDATE SET v = json_set(v, '$." + key + "', " +
                      std::to_string(step) + ")");
        break;
      case 4:
        if (!GetParam()) {
          (void)site.store().seal();
          break;
        }
        run(site, pick(2) == 0 ? "DELETE FROM t WHERE k = 'dies'; DELETE FROM w WHERE v = 'x'"
                               : "INSERT INTO t(k, n) VALUES('dies', 1) ON CONFLICT DO UPDATE SET "
                                 "n = n + 1");
        (void)site.store().seal();
        forget_all(site);
        break;
      default: {
        Site& to = *std::array{&a, &b, &c}[static_cast<std::size_t>(pick(3))];
        if (&to != &site) move(site, to, pick(4) == 0 ? Carry::cut : Carry::sets);
      }
    }
  }
  meet();
  for (const auto& [key, total] : wanted) {
    EXPECT_EQ(all("SELECT n, v FROM t WHERE k = '" + key + "'"),
              std::to_string(total) + "|" + std::to_string(greatest[key]));
  }
  all("SELECT j FROM t ORDER BY k");
  all("SELECT v FROM w");
}

std::string variant(const testing::TestParamInfo<bool>& forgets) {
  return forgets.param ? "Forgetting" : "Remembering";
}
INSTANTIATE_TEST_SUITE_P(, PoliciesOfAnyHistory, testing::Bool(), variant);

TEST_F(Policies, OfTwoChoicesTheLaterHoldsAndTheOtherIsNamed) {
  ASSERT_TRUE(a.store().set_policy("t", "n", "max").ok());
  world.clock.now += 1000;
  ASSERT_TRUE(b.store().set_policy("t", "n", "counter").ok());
  meet();
  for (auto* s : {&a, &b, &c}) {
    const auto policies = s->store().policies();
    ASSERT_TRUE(policies.ok());
    ASSERT_EQ(policies->size(), 1u);
    EXPECT_EQ((*policies)[0].policy, "counter");
  }
  for (auto* s : {&a, &b}) {
    const auto conflicts = s->store().conflicts();
    ASSERT_TRUE(conflicts.ok());
    ASSERT_EQ(conflicts->size(), 1u);
    EXPECT_EQ((*conflicts)[0].kind, "policy");
    EXPECT_EQ((*conflicts)[0].value, "max");
    EXPECT_EQ((*conflicts)[0].winner, "counter");
  }
}

TEST_F(Policies, ARefusalNamesTheReason) {
  const auto refused = [&](const std::string& table, const std::string& column,
                           const std::string& policy) {
    return a.store().set_policy(table, column, policy).to_string();
  };
  EXPECT_NE(refused("t", "k", "max").find("key"), std::string::npos);
  EXPECT_NE(refused("t", "j", "counter").find("numeric"), std::string::npos);
  EXPECT_NE(refused("t", "n", "biggest").find("there is no merge policy"), std::string::npos);
  EXPECT_NE(refused("t", "nope", "max").find("has no column"), std::string::npos);
  EXPECT_NE(refused("nope", "n", "max").find("not tracked"), std::string::npos);
  EXPECT_NE(refused("t", "n", "row").find("there is no merge policy"), std::string::npos);
}

}  // namespace
}  // namespace mycelial::test
