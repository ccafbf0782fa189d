// SPDX-License-Identifier: Apache-2.0
// Weeks of writing and deleting, with a member that is dark all the time: what is kept stays within
// bounds, and who was dark comes back.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "engine/engine.hpp"
#include "tests/sim/disk.hpp"
#include "tests/sim/network.hpp"
#include "tests/sim/node.hpp"
#include "tests/sim/sql.hpp"
#include "tests/sim/vfs.hpp"

namespace mycelial::sim {
namespace {

constexpr std::uint64_t kHourMs = 3'600'000;
constexpr std::uint64_t kRunsMs = 30'000;  // of each hour; then the wall clock jumps to the next
constexpr int kRows = 1500;                // that live, about

class Soak : public testing::Test {
 protected:
  struct Member {
    std::string name, path;
    std::shared_ptr<engine::Engine> engine;
    std::unique_ptr<Connection> client;
  };

  Soak() : clock_(world_), network_(world_, 1) {
    install_vfs();
    seed_vfs(1);
    std::string pattern = testing::TempDir() + "/mycelial-soak-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }
  ~Soak() override {
    network_.cut(true);
    for (auto& m : members_) stop(m);
    members_.clear();
    disk().clear(folder_);
    std::filesystem::remove_all(folder_);
  }

  Member& add(const std::string& name, const std::string& peer) {
    members_.push_back({name, folder_ + "/" + name + ".db", nullptr, nullptr});
    Member& m = members_.back();
    m.client = std::make_unique<Connection>(m.path, nullptr);
    EXPECT_EQ(m.client->run("CREATE TABLE t(k TEXT PRIMARY KEY, v); "
                            "CREATE TABLE n(id INTEGER PRIMARY KEY, v)"),
              0);
    if (!peer.empty()) network_.set_medium(name, peer, Medium());
    peers_.emplace_back(name, peer);
    start(m);
    return m;
  }
  void start(Member& m) {
    engine::Engine::Setup setup;
    setup.path = m.path;
    setup.options.environment = {&clock_, &world_, &world_};
    setup.options.watch = false;
    setup.publish_peers = false;
    auto opened = engine::Engine::open(std::move(setup));
    ASSERT_TRUE(opened.ok()) << opened.status().to_string();
    m.engine = *opened;
    ASSERT_TRUE(m.engine->track_all().ok());
    ASSERT_TRUE(m.engine->add_transport(network_.transport(m.name)).ok());
    ASSERT_TRUE(m.engine->listen("sim://" + m.name).ok());
    for (const auto& [name, peer] : peers_) {
      if (name == m.name && !peer.empty()) {
        ASSERT_TRUE(m.engine->connect("sim://" + peer).ok());
      }
    }
  }
  void stop(Member& m) {
    if (!m.engine) return;
    m.engine->close();
    m.engine.reset();
  }
  Member& member(const std::string& name) {
    return *std::find_if(members_.begin(), members_.end(),
                         [&](const auto& m) { return m.name == name; });
  }
  std::uint64_t count(Member& m, const std::string& what) {
    return std::stoull(m.client->rows("SELECT count(*) FROM " + what)[0][0]);
  }
  /// An hour: as many rows go as come.
  void work(Member& m, int hour) {
    const std::string tag = "'" + m.name + std::to_string(hour) + "-' || i";
    const std::string some = "WITH c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 40) ";
    ASSERT_EQ(m.client->run(some + "INSERT INTO t SELECT " + tag + ", i FROM c"), 0);
    ASSERT_EQ(m.client->run(some + "INSERT INTO n(v) SELECT " + tag + " FROM c"), 0);
    for (const char* table : {"t", "n"}) {
      ASSERT_EQ(m.client->run(std::string("DELETE FROM ") + table +
                              " WHERE rowid IN (SELECT rowid FROM " + table +
                              " ORDER BY rowid LIMIT max(0, (SELECT count(*) FROM " + table +
                              ") - " + std::to_string(kRows) + "))"),
                0);
    }
    ASSERT_EQ(
        m.client->run("UPDATE t SET v = v + 1 WHERE rowid % 37 = " + std::to_string(hour % 37)), 0);
  }
  void pass_hour() {
    world_.run(kRunsMs);
    clock_.offset_ms += static_cast<std::int64_t>(kHourMs - kRunsMs);
  }

  World world_;
  NodeClock clock_;
  Network network_;
  std::string folder_;
  std::list<Member> members_;
  std::vector<std::pair<std::string, std::string>> peers_;
};

TEST_F(Soak, WhatIsKeptStaysWithinBounds) {
  const char* const days = std::getenv("MYCELIAL_SOAK_DAYS");
  const int hours = 24 * (days ? std::atoi(days) : 2);
  Member &a = add("a", ""), &b = add("b", "a"), &c = add("c", "b"), &dark = add("dark", "a");
  work(dark, 0);
  pass_hour();
  stop(dark);
  ASSERT_EQ(dark.client->run("UPDATE t SET v = 'from the dark' WHERE k = 'dark0-7'"), 0);
  ASSERT_EQ(dark.client->run("INSERT INTO t VALUES('alone', 'from the dark')"), 0);
  std::uint64_t most = 0;
  double worst = 0;
  for (int hour = 1; hour <= hours; ++hour) {
    for (Member* m : {&a, &b, &c}) work(*m, hour);
    pass_hour();
    const auto dead = count(a, "mycelial_row WHERE status = 1");
    const auto live = count(a, "t") + count(a, "n");
    most = std::max(most, dead);
    if (live > 0) worst = std::max(worst, static_cast<double>(dead) / static_cast<double>(live));
  }
  std::printf("%d hours: at most %llu deaths kept, %.2f times the rows\n", hours,
              static_cast<unsigned long long>(most), worst);
  EXPECT_LT(most, 2 * 10'000u);
  start(dark);
  for (int second = 0; second < 120; ++second) world_.run(1000);
  for (Member* m : {&b, &c, &dark}) EXPECT_EQ(*m->engine->digest(), *a.engine->digest()) << m->name;
  EXPECT_EQ(count(a, "t WHERE k = 'alone'"), 1u);
  EXPECT_EQ(count(dark, "t WHERE k LIKE 'dark0-%'"), 0u);  // deleted meanwhile
  for (Member* m : {&a, &b, &c, &dark}) EXPECT_EQ(*m->engine->check(), std::vector<std::string>());
}

}  // namespace
}  // namespace mycelial::sim
