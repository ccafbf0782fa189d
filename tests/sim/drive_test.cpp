// SPDX-License-Identifier: Apache-2.0
// The store on a drive that is full, broken, or loses power.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <string>

#include "storage/store.hpp"
#include "tests/sim/disk.hpp"
#include "tests/sim/sql.hpp"
#include "tests/sim/vfs.hpp"
#include "tests/sim/world.hpp"

namespace mycelial::sim {
namespace {

class DriveTest : public testing::Test {
 protected:
  DriveTest() {
    install_vfs();
    seed_vfs(1);
    std::string pattern = testing::TempDir() + "/mycelial-drive-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    program_.clock = &world_;
    program_.drive = &drive_;
  }
  ~DriveTest() override {
    disk().clear(folder_);
    std::filesystem::remove_all(folder_);
  }

  std::string file(const std::string& name) const { return folder_ + "/" + name; }
  std::unique_ptr<storage::Store> open(const std::string& name, Program* program = nullptr) {
    const Running as(program);
    storage::StoreOptions options;
    options.clock = &world_;
    options.entropy = &world_;
    auto store = storage::Store::open(file(name), options);
    EXPECT_TRUE(store.ok()) << store.status().to_string();
    return store.ok() ? std::move(*store) : nullptr;
  }
  void sql(const std::string& name, const std::string& statements) {
    Connection db(file(name), nullptr);
    ASSERT_EQ(db.run(statements), 0) << db.error();
  }
  std::unique_ptr<storage::Store> tracked(const std::string& name, Program* program = nullptr) {
    sql(name, "CREATE TABLE t(id TEXT PRIMARY KEY, v TEXT)");
    auto store = open(name, program);
    const Running as(program);
    EXPECT_TRUE(store->track("t").ok());
    return store;
  }
  /// As if a peer had sent it.
  void stage(storage::Store& from, storage::Store& to) {
    for (const auto& [stream, tip] : from.have()) {
      const auto units = from.tail(stream, 1, tip.seq);
      ASSERT_TRUE(units);
      for (const auto& unit : *units) {
        const auto bytes = from.read(unit, 0, unit.size);
        ASSERT_TRUE(bytes.ok());
        ASSERT_TRUE(to.stage(unit, 0, *bytes).ok());
      }
    }
  }

  World world_;
  Drive drive_;
  Program program_;
  std::string folder_;
};

/// Whichever write fails.
TEST_F(DriveTest, WhatWasRolledBackIsNotHeld) {
  auto a = tracked("a.db"), b = tracked("b.db", &program_);
  sql("a.db", "INSERT INTO t VALUES('k', 'v')");
  int failures = 0;
  for (std::uint64_t spared = 0; spared < 30; ++spared) {
    sql("a.db", "UPDATE t SET v = v || 'x'");
    ASSERT_TRUE(a->seal().ok());
    stage(*a, *b);
    const Running as(&program_);
    const auto before = b->have();
    drive_.trouble = Drive::Trouble::full;
    drive_.spared = spared;
    if (!b->apply_staged().ok()) {
      ++failures;
      EXPECT_EQ(b->have(), before) << spared;
    }
    drive_.trouble = Drive::Trouble::none;
    ASSERT_TRUE(b->apply_staged().ok());
    EXPECT_EQ(b->have(), a->have());
    EXPECT_EQ(*b->digest(), *a->digest());
  }
  EXPECT_GT(failures, 5);
}

TEST_F(DriveTest, ANumberThatWasRolledBackIsNotSaidToBeHeld) {
  auto a = tracked("a.db", &program_);
  sql("a.db", "INSERT INTO t VALUES('k', 'v')");
  int failures = 0;
  for (std::uint64_t spared = 0; spared < 30; ++spared) {
    sql("a.db", "UPDATE t SET v = v || 'x'");
    const Running as(&program_);
    const auto before = a->have();
    drive_.trouble = Drive::Trouble::full;
    drive_.spared = spared;
    if (!a->seal().ok()) {
      ++failures;
      EXPECT_EQ(a->have(), before) << spared;
    }
    drive_.trouble = Drive::Trouble::none;
    ASSERT_TRUE(a->seal().ok());
    EXPECT_EQ(a->have().at({a->site(), 0, 0}).seq, spared + 1);
  }
  EXPECT_GT(failures, 5);
}

/// Whichever read fails: the store is what it was, and who it was.
TEST_F(DriveTest, ReadsThatFailLeaveTheIdentityAlone) {
  auto a = tracked("a.db", &program_);
  sql("a.db", "INSERT INTO t VALUES('k', 'v')");
  const Running as(&program_);
  ASSERT_TRUE(a->seal().ok());
  const auto site = a->site();
  int failures = 0;
  for (std::uint64_t spared = 0; spared < 30; ++spared) {
    sql("a.db", "UPDATE t SET v = v || 'x'");
    const auto before = a->have();
    drive_.trouble = Drive::Trouble::read;
    drive_.spared = spared;
    if (!a->seal().ok()) {
      ++failures;
      EXPECT_EQ(a->have(), before) << spared;
    }
    drive_.trouble = Drive::Trouble::none;
    ASSERT_TRUE(a->seal().ok());
    EXPECT_EQ(a->site(), site) << spared;
    EXPECT_EQ(a->have().at({site, 0, 0}).seq, spared + 2);
  }
  EXPECT_GT(failures, 5);
}

/// Deleting a rollback journal commits; a journal that came back with the power would take the
/// commit back.
TEST_F(DriveTest, ASealedSetOutlivesTheLossOfPowerWithoutWal) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const std::string name = std::to_string(seed) + ".db";
    tracked(name);
    sql(name, "PRAGMA journal_mode = DELETE");
    sql(name, "INSERT INTO t VALUES('k', 'v')");
    program_ = {};
    auto store = open(name, &program_);
    const Running as(&program_);
    ASSERT_TRUE(store->seal().ok());
    const auto have = store->have();
    EXPECT_EQ(have.size(), 1u);
    program_.dead = true;
    store = nullptr;
    Random random(seed);
    disk().lose_power(file(name), random);
    EXPECT_EQ(open(name)->have(), have) << seed;
  }
}

}  // namespace
}  // namespace mycelial::sim
