// SPDX-License-Identifier: Apache-2.0
// Laws of the session protocol: how much is said, and when.
#include <gtest/gtest.h>

#include "world.hpp"

namespace mycelial::core::testing {
namespace {

enum class Shape { mesh, line, ring, star, group };

struct Spread {
  double body = 0, all = 0;            // bytes sent / (bytes of the sets x receivers)
  std::uint64_t median = 0, last = 0;  // ms until the last node had a set
};

void connect(World& w, Shape shape, const WireModel& model) {
  std::vector<Node*> all;
  for (const auto& n : w.nodes) all.push_back(n.get());
  const auto n = all.size();
  if (shape == Shape::group) {
    WireModel group = model;
    group.group = true;
    group.tells = false;
    w.wire(all, group);
    return;
  }
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = i + 1; j < n; ++j) {
      const bool neighbours = j == i + 1;
      if (shape == Shape::mesh || (shape == Shape::star && i == 0) ||
          (shape == Shape::line && neighbours) ||
          (shape == Shape::ring && (neighbours || (i == 0 && j == n - 1)))) {
        w.wire({all[i], all[j]}, model);
      }
    }
  }
}

/// A set of 1000 bytes a second, by anybody.
Spread spread(Shape shape, int nodes, WireModel model = {}, int sets = 40) {
  World w(5);
  for (int i = 0; i < nodes; ++i) w.add("n" + std::to_string(i));
  connect(w, shape, model);
  w.run(40'000);
  w.forget_traffic();
  std::uint64_t ideal = 0;
  for (int i = 0; i < sets; ++i) {
    w.run(1000);
    ideal += w.nodes[w.below(nodes)]->write(1000).size;
  }
  EXPECT_TRUE(w.run(100'000, [&] { return w.converged(); }));
  w.run(60'000);
  EXPECT_EQ(w.oracle.violations, std::vector<std::string>());
  if (shape != Shape::group) ideal *= static_cast<std::uint64_t>(nodes - 1);
  std::vector<std::uint64_t> lags;
  for (const auto& [set, birth] : w.oracle.sets) lags.push_back(w.lag(set));
  std::sort(lags.begin(), lags.end());
  const Spread out{static_cast<double>(w.body_bytes()) / static_cast<double>(ideal),
                   static_cast<double>(w.bytes()) / static_cast<double>(ideal),
                   lags[lags.size() / 2], lags.back()};
  std::printf("%2d nodes: body x%.2f, all x%.2f, last node after %llu ms (median), %llu ms; %s\n",
              nodes, out.body, out.all, static_cast<unsigned long long>(out.median),
              static_cast<unsigned long long>(out.last), w.traffic().c_str());
  return out;
}

TEST(Spread, AMeshSendsEachSetOnceToEachNode) {
  for (const int nodes : {3, 10, 30}) {
    const Spread s = spread(Shape::mesh, nodes);
    EXPECT_LT(s.body, 1.15);
    EXPECT_LT(s.median, 100u);
  }
}

TEST(Spread, ARelayPassesOnAtOnce) {
  for (const auto shape : {Shape::line, Shape::ring, Shape::star}) {
    const Spread s = spread(shape, 10);
    EXPECT_LT(s.body, 1.15);
    EXPECT_LT(s.last, 500u);
  }
}

/// Whoever gets a set twice by the one link that brings it goes on to get the next ones by it.
TEST(Spread, ADoubledSetDoesNotCutOffWhoeverBringsIt) {
  World w(7);
  Node &a = w.add("a"), &b = w.add("b"), &c = w.add("c");
  WireModel doubling;
  doubling.dup = 1;
  w.wire({&a, &b});
  w.wire({&b, &c}, doubling);
  w.run(10'000);
  for (int i = 0; i < 20; ++i) {
    const UnitRef set = a.write(1000);
    EXPECT_TRUE(w.run(5000, [&] { return w.converged(); }));
    EXPECT_LT(w.lag(set.id), 200u) << i;
  }
}

TEST(Spread, AGroupHearsEachSetOnce) {
  for (const int nodes : {3, 10, 30}) EXPECT_LT(spread(Shape::group, nodes).body, 1.1);
}

TEST(Spread, RepairIsBounded) {
  WireModel lossy;
  lossy.tells = false;
  lossy.loss = 0.1;
  EXPECT_LT(spread(Shape::mesh, 10, lossy).body, 2);
  lossy.loss = 0.3;
  EXPECT_LT(spread(Shape::group, 10, lossy).body, 6);
}

/// However it is cut into messages, and in not many more of them than are needed.
TEST(Spread, ASoundLinkCarriesEachByteOnce) {
  for (const std::size_t mtu : {200, 1500, 60'000}) {
    World w(6);
    Node &a = w.add("a"), &b = w.add("b");
    WireModel model;
    model.mtu = mtu;
    Wire& wire = w.wire({&a, &b}, model);
    std::uint64_t bytes = 0;
    for (const std::size_t body : {10, 5000, 100'000}) {
      bytes += a.write(body).size;
      EXPECT_TRUE(w.run(60'000, [&] { return w.converged(); }));
    }
    EXPECT_EQ(wire.body_bytes, bytes) << mtu;
    EXPECT_LT(wire.messages, 14 + bytes / (mtu - 70)) << mtu;
  }
}

/// A cut of 5 s every 10 s; the receiver restarts. What has come is not sent again.
std::uint64_t sent_again(bool tells) {
  World w(2);
  Node &a = w.add("a"), &b = w.add("b");
  WireModel slow;
  slow.rate = 10'000;
  slow.tells = tells;
  Wire& wire = w.wire({&a, &b}, slow);
  const UnitRef unit = a.write(300'000);
  for (int i = 1; i <= 5; ++i) {
    w.at(10'000 * i, [&] {
      wire.set_up(false);
      b.crash();
      b.start();
    });
    w.at(10'000 * i + 5000, [&] { wire.set_up(true); });
  }
  EXPECT_TRUE(w.run(200'000, [&] { return w.converged(); }));
  return wire.body_bytes - unit.size;
}

TEST(Resume, ACutCostsAFragmentOrTwo) {
  const auto bytes = sent_again(true);
  std::printf("%llu bytes sent again over 5 cuts\n", static_cast<unsigned long long>(bytes));
  EXPECT_LT(bytes, 6u * 2 * 1500);
}

TEST(Resume, ALinkThatDoesNotTellLosesNoMoreThanWasSentIntoIt) {
  EXPECT_LT(sent_again(false), 5u * 5 * 10'000 + 6u * 2 * 1500);
}

/// Members that agree say one digest for all of them, once a minute.
TEST(Quiet, AnIdleGroupSaysOneDigestForAll) {
  World w(6);
  std::vector<Node*> all;
  for (int i = 0; i < 20; ++i) all.push_back(&w.add("n" + std::to_string(i)));
  WireModel group;
  group.group = true;
  group.tells = false;
  Wire& wire = w.wire(all, group);
  all[0]->write(100);
  w.run(300'000);
  ASSERT_TRUE(w.converged());
  wire.forget();
  w.run(600'000);
  EXPECT_LT(wire.kinds["digest"], 60u);
  EXPECT_LE(wire.kinds["gossip"], 20u * 2) << w.traffic();  // a round takes two
  EXPECT_EQ(wire.kinds.size(), 2u) << w.traffic();          // and nothing else
}

TEST(Quiet, AnIdlePairSaysADigestAMinute) {
  World w(6);
  Wire& wire = w.wire({&w.add("a"), &w.add("b")});
  w.nodes[0]->write(100);
  w.run(300'000);
  ASSERT_TRUE(w.converged());
  wire.forget();
  w.run(600'000);
  EXPECT_LE(wire.messages, 30u) << w.traffic();
  EXPECT_LE(wire.kinds["gossip"], 2u) << w.traffic();  // what members hold, every ten minutes
  EXPECT_EQ(wire.kinds.size(), 2u) << w.traffic();
}

TEST(Agreement, IsKnownToBothAsSoonAsASetIsAcknowledged) {
  World w(6);
  Node &a = w.add("a"), &b = w.add("b");
  w.wire({&a, &b});
  for (Node* author : {&a, &b, &a}) {
    author->write(100);
    w.run(1000);
    for (Node* n : {&a, &b}) {
      const auto peers = n->exchange().peers();
      ASSERT_EQ(peers.size(), 1u);
      EXPECT_TRUE(n->exchange().in_sync(peers[0].link)) << n->name();
      EXPECT_EQ(peers[0].they_lack_sets + peers[0].we_lack_sets, 0u) << n->name();
    }
  }
}

/// Hundreds of streams: a write does not make anybody state all of them.
TEST(Quiet, AWriteInALargeFleetIsNotAReasonToStateEverything) {
  World w(7);
  std::vector<Node*> all;
  for (int i = 0; i < 3; ++i) all.push_back(&w.add("n" + std::to_string(i)));
  for (int i = 0; i < 300; ++i) {
    all[0]->depot().become_new_site();
    all[0]->write(50);
  }
  connect(w, Shape::mesh, {});
  ASSERT_TRUE(w.run(100'000, [&] { return w.converged(); }));
  for (auto* n : all) n->write(1000);  // its first set names all that it had seen
  w.run(200'000);
  w.forget_traffic();
  for (int i = 0; i < 20; ++i) {
    w.run(1000);
    all[w.below(3)]->write(1000);
  }
  w.run(10'000);
  EXPECT_TRUE(w.converged());
  EXPECT_LT(w.bytes(), 3u * 20 * 1200) << w.traffic();
}

TEST(Relay, ALateJoinerBehindARelayGetsACut) {
  World w(8);
  MapDepot::Limits small;
  small.tail_bytes = 5000;
  Node &a = w.add("a", small), &relay = w.add("relay", small);
  w.wire({&a, &relay});
  for (int i = 0; i < 50; ++i) {
    a.write(1000);
    w.run(500);
  }
  ASSERT_TRUE(w.converged());
  Node& late = w.add("late", small);
  WireModel thin;
  thin.rate = 2000;
  w.wire({&relay, &late}, thin);
  a.write(1000);
  EXPECT_TRUE(w.run(120'000, [&] { return w.converged(); }));
  EXPECT_EQ(relay.depot().cuts_made(), 1u);
  EXPECT_EQ(late.depot().cuts_applied(), 1u);
  EXPECT_EQ(w.oracle.violations, std::vector<std::string>());
}

TEST(Relay, ACutIsResumed) {
  World w(9);
  MapDepot::Limits small;
  small.tail_bytes = 5000;
  Node &a = w.add("a", small), &late = w.add("late", small);
  for (int i = 0; i < 400; ++i) a.write(1000);
  WireModel thin;
  thin.rate = 10'000;
  Wire& wire = w.wire({&a, &late}, thin);
  for (int i = 1; i <= 3; ++i) {
    w.at(5000 * i, [&] {
      wire.set_up(false);
      late.crash();
      late.start();
    });
    w.at(5000 * i + 2000, [&] { wire.set_up(true); });
  }
  EXPECT_TRUE(w.run(200'000, [&] { return w.converged(); }));
  EXPECT_EQ(a.depot().cuts_made(), 1u);
  EXPECT_LT(wire.body_bytes, 230'000u);
}

/// It says so within a minute; the rest of a long cut would keep a slow link busy for longer.
TEST(Relay, WhoHasGotEverythingElsewhereIsSentNoMore) {
  World w(9);
  MapDepot::Limits small;
  small.tail_bytes = 5000;
  Node &a = w.add("a", small), &whole = w.add("whole"), &late = w.add("late");
  w.wire({&a, &whole});
  for (int i = 0; i < 400; ++i) a.write(1000);
  ASSERT_TRUE(w.run(60'000, [&] { return a.depot().have() == whole.depot().have(); }));
  WireModel thin;
  thin.rate = 2000;
  thin.tells = false;
  Wire& wire = w.wire({&a, &late}, thin);
  w.run(10'000);
  w.wire({&whole, &late});
  wire.block(a, late);
  ASSERT_TRUE(w.run(60'000, [&] { return w.converged(); }));
  wire.unblock();
  w.run(60'000);
  wire.forget();
  w.run(60'000);
  EXPECT_EQ(wire.kinds["frag"], 0u) << w.traffic();
}

/// One end was restarted and the other does not know: its old link leads nowhere, a new one comes.
TEST(HalfOpen, ADeadLinkHoldsNothingUp) {
  World w(10);
  Node &a = w.add("a"), &b = w.add("b");
  WireModel silent;
  silent.tells = false;
  Wire& old = w.wire({&a, &b}, silent);
  w.run(5000);
  a.write(2000);
  w.run(5000);
  ASSERT_TRUE(w.converged());
  old.set_up(false);  // nobody is told
  b.crash();
  b.start();
  w.wire({&a, &b}, silent);
  a.write(2000);
  b.write(2000);
  EXPECT_TRUE(w.run(5000, [&] { return w.converged(); }));
}

TEST(HalfOpen, WhatAPeerThatWentSilentWasAskedForIsAskedOfAnother) {
  World w(11);
  Node &a = w.add("a"), &b = w.add("b"), &c = w.add("c");
  WireModel silent;
  silent.tells = false;
  Wire& ab = w.wire({&a, &b}, silent);
  w.wire({&a, &c}, silent);
  a.write(500'000);
  ASSERT_TRUE(w.run(30'000, [&] { return w.converged(); }));
  Node& late = w.add("late");
  WireModel slow = silent;
  slow.rate = 100'000;
  Wire& first = w.wire({&b, &late}, slow);
  w.run(2000);
  first.set_up(false);  // in the middle of it
  ab.set_up(false);
  w.wire({&c, &late}, slow);
  EXPECT_TRUE(w.run(20'000, [&] { return w.converged(); }));
}

}  // namespace
}  // namespace mycelial::core::testing
