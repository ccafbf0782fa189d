// SPDX-License-Identifier: Apache-2.0
// How many overruled values stay listed.
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <algorithm>
#include <filesystem>

#include "mycelial/mycelial.hpp"

namespace mycelial {
namespace {

class ConflictsMax : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = std::filesystem::temp_directory_path() /
                 ("conflicts-" + std::to_string(::testing::UnitTest::GetInstance()->random_seed()) +
                  std::to_string(reinterpret_cast<std::uintptr_t>(this)));
    std::filesystem::create_directories(directory_);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  std::string path(const std::string& name) const { return (directory_ / name).string(); }
  void run(const std::string& name, const std::string& sql) {
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open(path(name).c_str(), &db), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
        << sqlite3_errmsg(db);
    sqlite3_close(db);
  }
  /// Both write to the same row without knowing of each other, and meet.
  void clash(int round) {
    run("a.db", "UPDATE t SET v = 'a" + std::to_string(round) + "'");
    run("b.db", "UPDATE t SET v = 'b" + std::to_string(round) + "'");
    const auto a = Replica::open(path("a.db"));
    ASSERT_TRUE(a.ok());
    const auto at = (*a)->listen("tcp://127.0.0.1:0");
    ASSERT_TRUE(at.ok());
    const auto b = Replica::open(path("b.db"), options_);
    ASSERT_TRUE(b.ok());
    ASSERT_TRUE((*b)->sync(*at, 30000).ok());
    listed_ = (*b)->conflicts().value();
  }

  std::filesystem::path directory_;
  ReplicaOptions options_;
  std::vector<Conflict> listed_;
};

TEST_F(ConflictsMax, IsKeptInTheFile) {
  for (const char* name : {"a.db", "b.db"}) {
    run(name, "CREATE TABLE t(k INTEGER PRIMARY KEY, v)");
    ASSERT_TRUE(Replica::open(path(name)).value()->track("t").ok());
  }
  run("a.db", "INSERT INTO t VALUES(1, '')");
  clash(0);
  options_.conflicts_max = 2;
  for (int round = 1; round <= 5; ++round) clash(round);
  ASSERT_EQ(listed_.size(), 2u);
  const auto of_round = [&](char round) {
    return std::ranges::any_of(listed_, [&](const auto& c) { return c.value[2] == round; });
  };
  EXPECT_TRUE(of_round('4') && of_round('5'));
  options_ = {};
  clash(6);
  EXPECT_EQ(listed_.size(), 2u);
  EXPECT_TRUE(of_round('6'));
  EXPECT_EQ(Replica::open(path("a.db")).value()->status()->conflicts_max, 10'000u);
  EXPECT_EQ(Replica::open(path("b.db")).value()->status()->conflicts_max, 2u);
}

}  // namespace
}  // namespace mycelial
