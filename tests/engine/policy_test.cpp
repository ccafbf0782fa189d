// SPDX-License-Identifier: Apache-2.0
// Merge policies of a program's own, on real files, and the kit that checks them.
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <filesystem>
#include <stdexcept>

#include "mycelial/mycelial.hpp"
#include "mycelial/testing/policy_kit.hpp"

namespace mycelial {
namespace {

using testing::PolicyKit;

/// The longest text wins; of equally long ones the one that sorts last.
class Longest final : public MergePolicy {
 public:
  std::string name() const override { return "longest"; }
  SqlValue merge(const PolicyVersion& a, const PolicyVersion& b) const override {
    const auto key = [](const PolicyVersion& v) {
      return std::tuple(v.value.type, v.value.bytes.size(), v.value.bytes, v.value.integer,
                        v.value.real);
    };
    return key(a) < key(b) ? b.value : a.value;
  }
};

class Throws final : public MergePolicy {
 public:
  std::string name() const override { return "throws"; }
  SqlValue merge(const PolicyVersion&, const PolicyVersion&) const override {
    throw std::runtime_error("out of ideas");
  }
};

class Lambda final : public MergePolicy {
 public:
  using Function = SqlValue (*)(const PolicyVersion&, const PolicyVersion&);
  explicit Lambda(Function f) : f_(f) {}
  std::string name() const override { return "lambda"; }
  SqlValue merge(const PolicyVersion& a, const PolicyVersion& b) const override { return f_(a, b); }

 private:
  Function f_;
};

PolicyKit::Options integers() {
  PolicyKit::Options options;
  for (int i = -3; i <= 3; ++i) options.values.push_back(SqlValue::of(i));
  options.only_values = true;
  return options;
}

TEST(PolicyKit, PassesALawfulPolicy) {
  EXPECT_EQ(PolicyKit(Longest()).run(), "");
}

TEST(PolicyKit, ShrinksWhatBreaksAssociativity) {
  const Lambda average(+[](const PolicyVersion& a, const PolicyVersion& b) {
    return SqlValue::of((a.value.integer + b.value.integer) / 2);
  });
  const std::string found = PolicyKit(average, integers()).run();
  EXPECT_EQ(found.substr(0, found.find(" is")), "associativity") << found;
  EXPECT_NE(found.find("a = "), std::string::npos);
  EXPECT_NE(found.find(" = 0 ("), std::string::npos) << "not shrunk: " << found;
}

TEST(PolicyKit, NamesTheLawThatIsBroken) {
  const Lambda sum(+[](const PolicyVersion& a, const PolicyVersion& b) {
    return SqlValue::of(a.value.integer + b.value.integer);
  });
  EXPECT_EQ(PolicyKit(sum, integers()).run().find("idempotence"), 0u);
  const Lambda first(+[](const PolicyVersion& a, const PolicyVersion&) { return a.value; });
  EXPECT_EQ(PolicyKit(first, integers()).run().find("commutativity"), 0u);
  const Lambda moody(+[](const PolicyVersion&, const PolicyVersion&) {
    static int n = 0;
    return SqlValue::of(++n);
  });
  EXPECT_EQ(PolicyKit(moody, integers()).run().find("determinism"), 0u);
  EXPECT_NE(PolicyKit(Throws()).run().find("out of ideas"), std::string::npos);
}

class OwnPolicy : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
    folder_ = std::filesystem::path(::testing::TempDir()) /
              (std::string("mycelial_policy_") + info->name());
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  void run(const std::string& file, const std::string& sql) const {
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open(path(file).c_str(), &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 10'000);
    EXPECT_EQ(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
        << sqlite3_errmsg(db);
    sqlite3_close(db);
  }
  std::string ask(const std::string& file, const std::string& sql) const {
    sqlite3* db = nullptr;
    EXPECT_EQ(sqlite3_open(path(file).c_str(), &db), SQLITE_OK);
    std::string out;
    const auto add = [](void* to, int, char** values, char**) {
      *static_cast<std::string*>(to) += values[0] == nullptr ? "NULL" : values[0];
      return 0;
    };
    EXPECT_EQ(sqlite3_exec(db, sql.c_str(), add, &out, nullptr), SQLITE_OK);
    sqlite3_close(db);
    return out;
  }
  std::unique_ptr<Replica> open(const std::string& file,
                                std::vector<std::shared_ptr<const MergePolicy>> policies) {
    run(file, "CREATE TABLE IF NOT EXISTS t(k INTEGER PRIMARY KEY, v TEXT)");
    ReplicaOptions options;
    options.policies = std::move(policies);
    auto replica = Replica::open(path(file), options);
    EXPECT_TRUE(replica.ok()) << replica.status().to_string();
    if (!replica.ok()) return nullptr;
    EXPECT_TRUE((*replica)->track("t").ok());
    return std::move(replica).value();
  }
  static void sync(Replica& a, Replica& b) {
    const auto bound = a.listen("tcp://127.0.0.1:0");
    ASSERT_TRUE(bound.ok());
    const Status status = b.sync(*bound, 30'000);
    EXPECT_TRUE(status.ok()) << status.to_string();
  }
  std::filesystem::path folder_;
};

TEST_F(OwnPolicy, MergesWhatTwoSitesWrote) {
  const auto longest = std::make_shared<Longest>();
  auto a = open("a.db", {longest}), b = open("b.db", {longest});
  ASSERT_TRUE(a && b);
  ASSERT_TRUE(a->set_policy("t", "v", "longest").ok());
  run("a.db", "INSERT INTO t VALUES(1, 'first')");
  sync(*a, *b);
  run("a.db", "UPDATE t SET v = 'much longer'");
  run("b.db", "UPDATE t SET v = 'short'");
  sync(*a, *b);
  EXPECT_EQ(ask("a.db", "SELECT v FROM t"), "much longer");
  EXPECT_EQ(ask("b.db", "SELECT v FROM t"), "much longer");
  EXPECT_EQ(*a->digest(), *b->digest());
}

TEST_F(OwnPolicy, AProgramWithoutItPassesItOnAndOneWithItShowsIt) {
  const auto longest = std::make_shared<Longest>();
  auto a = open("a.db", {longest}), b = open("b.db", {});
  ASSERT_TRUE(a && b);
  ASSERT_TRUE(a->set_policy("t", "v", "longest").ok());
  run("a.db", "INSERT INTO t VALUES(1, 'a long text')");
  sync(*a, *b);
  run("b.db", "UPDATE t SET v = 'short'");
  sync(*a, *b);
  EXPECT_EQ(ask("a.db", "SELECT v FROM t"), "a long text");
  EXPECT_EQ(ask("b.db", "SELECT v FROM t"), "short") << "the last write";
  const auto policies = b->policies();
  ASSERT_TRUE(policies.ok());
  ASSERT_EQ(policies->size(), 1u);
  EXPECT_FALSE((*policies)[0].known);
  const auto status = b->status();
  ASSERT_TRUE(status.ok());
  std::string notes;
  for (const auto& note : status->notes) notes += note;
  EXPECT_NE(notes.find("has no merge policy \"longest\""), std::string::npos) << notes;
  b.reset();
  b = open("b.db", {longest});
  EXPECT_EQ(ask("b.db", "SELECT v FROM t"), "a long text");
}

TEST_F(OwnPolicy, OneThatThrowsStopsTheReplicaAndNothingIsLost) {
  auto a = open("a.db", {std::make_shared<Throws>()});
  auto b = open("b.db", {std::make_shared<Throws>()});
  ASSERT_TRUE(a && b);
  ASSERT_TRUE(a->set_policy("t", "v", "throws").ok());
  run("a.db", "INSERT INTO t VALUES(1, 'one')");
  sync(*a, *b);
  run("b.db", "UPDATE t SET v = 'two'");
  const Status sealed = b->seal();
  EXPECT_EQ(sealed.code(), Errc::internal) << sealed.to_string();
  EXPECT_NE(sealed.to_string().find("out of ideas"), std::string::npos) << sealed.to_string();
  EXPECT_EQ(ask("b.db", "SELECT v FROM t"), "two");
  EXPECT_FALSE(b->status()->last_error.empty());
  EXPECT_GT(b->status()->journal_entries, 0u);
}

TEST_F(OwnPolicy, BadNamesAreRefused) {
  class Named final : public MergePolicy {
   public:
    explicit Named(std::string name) : name_(std::move(name)) {}
    std::string name() const override { return name_; }
    SqlValue merge(const PolicyVersion& a, const PolicyVersion&) const override { return a.value; }

   private:
    std::string name_;
  };
  run("a.db", "CREATE TABLE t(v)");
  for (const char* name : {"", "max", "row", "delete", "With Blanks"}) {
    ReplicaOptions options;
    options.policies = {std::make_shared<Named>(name)};
    EXPECT_EQ(Replica::open(path("a.db"), options).status().code(), Errc::invalid_argument) << name;
  }
}

}  // namespace
}  // namespace mycelial
