// SPDX-License-Identifier: Apache-2.0
// The engine on one thread, in virtual time, with a store in memory.
#include "engine/engine.hpp"

#include <gtest/gtest.h>

#include "tests/engine/fake_store.hpp"
#include "tests/sim/network.hpp"

namespace mycelial::engine {
namespace {

using sim::World;

struct Peer {
  FakeStore* store = nullptr;
  std::shared_ptr<Engine> engine;
};

class EngineTest : public ::testing::Test {
 protected:
  Peer open(bool exclusive = true) {
    Engine::Setup setup;
    setup.path = "/nowhere";
    setup.options.environment = world_.environment();
    setup.options.watch = false;
    setup.options.exclusive = exclusive;
    setup.options.receive_bytes_per_second_max = receive_max_;
    setup.publish_peers = false;
    auto store = std::make_unique<FakeStore>(world_);
    Peer peer;
    peer.store = store.get();
    peer.engine = Engine::over(std::move(setup), std::move(store));
    const Status added = peer.engine->add_transport(net_.transport());
    EXPECT_EQ(added.ok(), exclusive);
    return peer;
  }
  /// Two engines and a link between them.
  std::pair<Peer, Peer> pair() {
    Peer a = open(), b = open();
    EXPECT_TRUE(a.engine->listen("sim://a").ok());
    EXPECT_TRUE(b.engine->connect("sim://a").ok());
    return {a, b};
  }
  static std::string last_error(const Peer& peer) { return peer.engine->status()->last_error; }

  std::uint64_t receive_max_ = 0;
  World world_;
  sim::Network net_{world_};
};

TEST_F(EngineTest, ALinkThatBringsMuchIsReadSlowly) {
  receive_max_ = 1000;
  auto [a, b] = pair();
  world_.run(5000);
  const auto before = net_.consumed;
  a.store->write(std::string(30'000, 'x'));
  world_.run(5000);
  EXPECT_EQ(b.store->lines.size(), 1u);
  EXPECT_LT(net_.consumed - before, 8000u);
  world_.run(60'000);
  EXPECT_EQ(net_.consumed, net_.delivered);
}

TEST_F(EngineTest, WritesTravelBothWays) {
  auto [a, b] = pair();
  a.store->write("from a");
  b.store->write("from b");
  world_.run(5000);
  const std::set<std::string> all{"from a", "from b"};
  EXPECT_EQ(a.store->lines, all);
  EXPECT_EQ(b.store->lines, all);
  EXPECT_TRUE(a.engine->in_sync());
  EXPECT_TRUE(b.engine->in_sync());
  ASSERT_EQ(a.engine->status()->peers.size(), 1u);
  EXPECT_TRUE(a.engine->status()->peers[0].connected);
  EXPECT_EQ(a.engine->status()->peers[0].site, b.store->site().hex());
  EXPECT_EQ(last_error(a), "");
}

TEST_F(EngineTest, APokedCommitIsSealedAfterTheDebounce) {
  auto [a, b] = pair();
  world_.run(5000);
  const int seals = a.store->seals;
  a.store->write("x");
  a.engine->poke();
  EXPECT_EQ(a.store->seals, seals) << "writes gather first";
  world_.run(3);
  EXPECT_EQ(a.store->seals, seals + 1);
  world_.run(100);
  EXPECT_EQ(b.store->lines.count("x"), 1u);
}

TEST_F(EngineTest, NothingHappensWhenIdle) {
  auto [a, b] = pair();
  a.store->write("x");
  world_.run(10'000);
  const int seals = a.store->seals + b.store->seals, looks = a.store->looks;
  world_.run(10'000);
  EXPECT_EQ(a.store->seals + b.store->seals, seals);
  EXPECT_LE(a.store->looks - looks, 11) << "one look a second";
}

TEST_F(EngineTest, AnIdleNodeHardlyWakesUp) {
  const std::string path = ::testing::TempDir() + "mycelial_engine_idle.db";
  const auto serve = [&](const std::string& file) {
    Engine::Setup setup;
    setup.path = file;
    setup.options.environment = world_.environment();
    setup.options.watch = false;
    auto engine = Engine::over(std::move(setup), std::make_unique<FakeStore>(world_));
    EXPECT_TRUE(engine->add_transport(net_.transport()).ok());
    return engine;
  };
  const auto a = serve(path + "a"), b = serve(path + "b");
  ASSERT_TRUE(a->listen("sim://a").ok());
  ASSERT_TRUE(b->connect("sim://a").ok());
  world_.run(120'000);
  EXPECT_EQ(read_serving(path + "b").peers.size(), 1u) << "others see the peers";
  EXPECT_LT(world_.run(60'000), 200u) << "two nodes, each with a look a second";
}

TEST_F(EngineTest, WithoutALinkOnlyALargeJournalIsSealed) {
  Peer a = open();
  a.store->write("x");
  world_.run(10'000);
  EXPECT_EQ(a.store->seals, 0);
  for (int i = 0; i < 10'001; ++i) a.store->write(std::to_string(i));
  world_.run(10'000);
  EXPECT_EQ(a.store->seals, 1);
}

TEST_F(EngineTest, CreditIsGivenBack) {
  auto [a, b] = pair();
  for (int i = 0; i < 100; ++i) a.store->write(std::string(1000, 'x') + std::to_string(i));
  world_.run(10'000);
  EXPECT_EQ(b.store->lines.size(), 100u);
  EXPECT_GT(net_.delivered, 100'000u);
  EXPECT_EQ(net_.consumed, net_.delivered);
}

TEST_F(EngineTest, ABusyDatabaseIsTriedAgainAndNamed) {
  auto [a, b] = pair();
  world_.run(5000);
  b.store->fail_apply = Status(Errc::busy, "database is locked");
  a.store->fail_seal = Status(Errc::busy, "database is locked");
  a.store->write("x");
  world_.run(10'000);
  EXPECT_NE(last_error(a).find("database is locked"), std::string::npos);
  EXPECT_LT(a.store->seals, 40) << "with back-off";
  a.store->fail_seal = {};
  world_.run(10'000);
  EXPECT_EQ(last_error(a), "");
  EXPECT_NE(last_error(b).find("database is locked"), std::string::npos);
  EXPECT_EQ(b.store->lines.size(), 0u);
  const int applies = b.store->applies;
  world_.run(60'000);
  EXPECT_LT(b.store->applies - applies, 60) << "with back-off";
  EXPECT_GT(b.store->applies - applies, 3);
  b.store->fail_apply = {};
  world_.run(30'000);
  EXPECT_EQ(b.store->lines.size(), 1u);
  EXPECT_EQ(last_error(b), "");
  EXPECT_TRUE(a.engine->in_sync());
}

TEST_F(EngineTest, AnOpenTransactionGoesFirst) {
  auto [a, b] = pair();
  world_.run(5000);
  a.store->used = b.store->used = true;
  a.store->write("x");
  a.engine->poke();
  world_.run(100);
  EXPECT_EQ(a.engine->status()->journal_entries, 1u) << "not sealed";
  a.store->used = false;
  world_.run(100);
  EXPECT_EQ(a.engine->status()->journal_entries, 0u);
  EXPECT_EQ(b.store->lines.size(), 0u) << "arrived, not applied";
  b.store->used = false;
  world_.run(2);
  EXPECT_EQ(b.store->lines.size(), 1u);
  EXPECT_EQ(a.engine->status()->collisions + b.engine->status()->collisions, 0u);
  EXPECT_EQ(last_error(b), "") << "waiting is no failure";
}

TEST_F(EngineTest, ATransactionThatNeverEndsIsOvertakenAndCounted) {
  auto [a, b] = pair();
  world_.run(5000);
  a.store->used = b.store->used = true;
  a.store->write("x");
  world_.run(2000);
  EXPECT_EQ(b.store->lines.size(), 1u);
  EXPECT_EQ(a.engine->status()->collisions, 1u);
  EXPECT_EQ(b.engine->status()->collisions, 1u);
}

TEST_F(EngineTest, WhatArrivesMeanwhileIsAppliedTogether) {
  auto [a, b] = pair();
  world_.run(5000);
  b.store->used = true;
  for (int i = 0; i < 10; ++i) {
    a.store->write(std::to_string(i));
    a.engine->poke();
    world_.run(10);
  }
  const int applies = b.store->applies;
  b.store->used = false;
  world_.run(5);
  EXPECT_EQ(b.store->lines.size(), 10u);
  EXPECT_EQ(b.store->applies, applies + 1);
}

TEST_F(EngineTest, ASetThatLeavesTheTailWhileItIsSentIsNoError) {
  auto [a, b] = pair();
  world_.run(5000);
  a.store->fail_read = Status(Errc::not_found, "the unit has left the tail");
  a.store->write("x");
  world_.run(2000);
  EXPECT_EQ(last_error(a), "");
  EXPECT_EQ(b.store->lines.size(), 0u);
  a.store->fail_read = Status(Errc::io, "no such disk");
  world_.run(30'000);
  EXPECT_NE(last_error(a).find("no such disk"), std::string::npos);
  a.store->fail_read = {};
  world_.run(30'000);
  EXPECT_EQ(last_error(a), "");
  EXPECT_EQ(b.store->lines.size(), 1u);
}

TEST_F(EngineTest, WhatFailedForAPeerThatHasGoneIsForgotten) {
  auto [a, b] = pair();
  world_.run(5000);
  a.store->fail_read = Status(Errc::io, "no such disk");
  a.store->write("x");
  world_.run(5000);
  EXPECT_NE(last_error(a).find("no such disk"), std::string::npos);
  net_.cut(true);
  world_.run(120'000);
  EXPECT_EQ(last_error(a), "");
}

TEST_F(EngineTest, AnInternalErrorStopsSyncingAndSaysWhy) {
  auto [a, b] = pair();
  world_.run(5000);
  a.store->fail_seal = Status(Errc::internal, "two plus two is five");
  a.store->write("x");
  world_.run(5000);
  EXPECT_NE(last_error(a).find("two plus two is five"), std::string::npos);
  EXPECT_EQ(a.engine->connect("sim://b").code(), Errc::internal);
  EXPECT_EQ(a.engine->seal().code(), Errc::internal);
  const auto peers = b.engine->status()->peers;
  ASSERT_EQ(peers.size(), 1u);
  EXPECT_FALSE(peers[0].connected);
  EXPECT_TRUE(a.engine->digest().ok()) << "the file stays readable";
}

TEST_F(EngineTest, NonsenseClosesTheLinkWithAReason) {
  auto [a, b] = pair();
  world_.run(1000);
  bool once = true;
  net_.meddle = [&](std::string& bytes) {
    if (std::exchange(once, false)) bytes = "\xff\xff\xff nonsense";
    return true;
  };
  a.store->write("x");
  world_.run(30'000);
  EXPECT_FALSE(once);
  EXPECT_EQ(b.store->lines.size(), 1u) << "the next link works";
  bool named = false;
  for (const Peer& peer : {a, b}) {
    const auto status = peer.engine->status();
    for (const std::string& note : status->notes) {
      named = named || note.find("was closed: corrupt") != std::string::npos;
    }
  }
  EXPECT_TRUE(named);
}

TEST_F(EngineTest, ALinkToItselfIsDropped) {
  Peer a = open();
  ASSERT_TRUE(a.engine->listen("sim://a").ok());
  ASSERT_TRUE(a.engine->connect("sim://a").ok());
  world_.run(1000);
  const auto status = a.engine->status();
  ASSERT_FALSE(status->notes.empty());
  EXPECT_NE(status->notes[0].find("leads back"), std::string::npos);
}

TEST_F(EngineTest, LinksComeBack) {
  auto [a, b] = pair();
  world_.run(1000);
  net_.cut(true);
  a.store->write("meanwhile");
  world_.run(10'000);
  EXPECT_EQ(b.store->lines.size(), 0u);
  ASSERT_EQ(b.engine->status()->peers.size(), 1u);
  EXPECT_FALSE(b.engine->status()->peers[0].connected);
  EXPECT_NE(b.engine->status()->peers[0].last_error, "");
  net_.cut(false);
  world_.run(10'000);
  EXPECT_EQ(b.store->lines.size(), 1u);
}

TEST_F(EngineTest, SyncEndsWhenBothHoldTheUnion) {
  Peer a = open(), b = open();
  ASSERT_TRUE(a.engine->listen("sim://a").ok());
  a.store->write("from a");
  b.store->write("from b");
  std::vector<Status> results;
  b.engine->sync("sim://a", 10'000, {}, [&](const Status& status) { results.push_back(status); });
  world_.run(10'000);
  ASSERT_EQ(results.size(), 1u);
  EXPECT_TRUE(results[0].ok()) << results[0].to_string();
  EXPECT_EQ(a.store->lines.size(), 2u);
  EXPECT_EQ(b.store->lines.size(), 2u);
}

TEST_F(EngineTest, SyncWithNobodyFailsAtOnce) {
  Peer a = open();
  std::vector<Status> results;
  a.engine->sync("sim://nobody", 60'000, {}, [&](const Status& s) { results.push_back(s); });
  world_.run(100);
  ASSERT_EQ(results.size(), 1u);
  EXPECT_EQ(results[0].code(), Errc::io);
  a.engine->sync("nonsense", 60'000, {}, [&](const Status& s) { results.push_back(s); });
  a.engine->sync("odd://x", 60'000, {}, [&](const Status& s) { results.push_back(s); });
  world_.run(1);
  ASSERT_EQ(results.size(), 3u);
  EXPECT_EQ(results[1].code(), Errc::invalid_argument);
  EXPECT_EQ(results[2].code(), Errc::unsupported);
}

TEST_F(EngineTest, SyncGivesUpAtItsDeadline) {
  Peer a = open(), b = open();
  ASSERT_TRUE(a.engine->listen("sim://a").ok());
  a.store->write("x");
  b.store->fail_apply = Status(Errc::busy, "database is locked");
  std::vector<Status> results;
  b.engine->sync("sim://a", 3000, {}, [&](const Status& s) { results.push_back(s); });
  world_.run(2900);
  EXPECT_TRUE(results.empty());
  world_.run(1000);
  ASSERT_EQ(results.size(), 1u);
  EXPECT_EQ(results[0].code(), Errc::canceled);
  EXPECT_NE(results[0].message().find("database is locked"), std::string_view::npos);
}

TEST_F(EngineTest, ClosingEndsEverythingOnce) {
  auto [a, b] = pair();
  world_.run(1000);
  std::vector<Status> results;
  a.engine->sync("sim://b", 60'000, {}, [&](const Status& s) { results.push_back(s); });
  a.engine->close();
  a.engine->close();
  ASSERT_EQ(results.size(), 1u);
  EXPECT_EQ(results[0].code(), Errc::closed);
  EXPECT_EQ(a.engine->track("t").code(), Errc::closed);
  EXPECT_EQ(a.engine->status().status().code(), Errc::closed);
  world_.run(5000);
  EXPECT_FALSE(b.engine->status()->peers[0].connected);
}

TEST_F(EngineTest, ChangesAreTold) {
  auto [a, b] = pair();
  std::uint64_t rows = 0;
  b.engine->on_change([&](const ChangeEvent& event) {
    rows += event.rows;
    EXPECT_EQ(event.tables, std::vector<std::string>{"t"});
    throw std::runtime_error("the host's bug");
  });
  a.store->write("x");
  a.store->write("y");
  world_.run(5000);
  EXPECT_EQ(rows, 2u);
  EXPECT_TRUE(b.engine->in_sync());
}

TEST_F(EngineTest, WithoutItsLinksItOnlyLooks) {
  Peer a = open(false);
  EXPECT_EQ(a.engine->connect("sim://a").code(), Errc::unsupported);
  EXPECT_EQ(a.engine->listen("sim://a").status().code(), Errc::unsupported);
  EXPECT_TRUE(a.engine->track("t").ok());
  a.store->write("x");
  EXPECT_TRUE(a.engine->seal().ok());
  EXPECT_EQ(a.store->seals, 1);
}

TEST_F(EngineTest, TheSameSeedGivesTheSameRun) {
  std::size_t counts[2];
  for (std::size_t& count : counts) {
    World world;
    sim::Network net(world);
    const auto open_in = [&] {
      Engine::Setup setup;
      setup.options.environment = world.environment();
      setup.options.watch = false;
      setup.publish_peers = false;
      return Engine::over(setup, std::make_unique<FakeStore>(world));
    };
    const auto a = open_in(), b = open_in();
    ASSERT_TRUE(a->add_transport(net.transport()).ok());
    ASSERT_TRUE(b->add_transport(net.transport()).ok());
    ASSERT_TRUE(a->listen("sim://a").ok());
    ASSERT_TRUE(b->connect("sim://a").ok());
    count = world.run(20'000) * 1'000'000 + net.messages;
    a->close();
    b->close();
  }
  EXPECT_EQ(counts[0], counts[1]);
}

}  // namespace
}  // namespace mycelial::engine
