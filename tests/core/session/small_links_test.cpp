// SPDX-License-Identifier: Apache-2.0
// Links whose messages are as small as they may be: everything is said in pieces that fit (the
// world complains of a message that does not).
#include <gtest/gtest.h>

#include "world.hpp"

namespace mycelial::core::testing {
namespace {

WireModel small(std::size_t mtu) {
  WireModel out;
  out.mtu = mtu;
  out.rate = 10'000;
  out.tells = false;
  return out;
}

/// One set each of so many sites.
void write_many(Node& node, int sites) {
  for (int i = 0; i < sites; ++i) {
    node.depot().become_new_site();
    node.write(100);
  }
}

class SmallLinks : public ::testing::TestWithParam<std::size_t> {
 protected:
  void TearDown() override {
    EXPECT_EQ(w.oracle.violations, std::vector<std::string>());
    for (const auto& n : w.nodes) EXPECT_EQ(n->reasons, std::vector<std::string>());
  }
  World w{12};
};

TEST_P(SmallLinks, CarryTheSetsOfManySites) {
  Node &a = w.add("a"), &b = w.add("b");
  write_many(a, 150);
  write_many(b, 150);
  w.wire({&a, &b}, small(GetParam()));
  EXPECT_TRUE(w.run(600'000, [&] { return w.converged(); })) << w.traffic();
  a.write(100);  // names all that it has seen: a unit of many fragments
  b.write(100);
  EXPECT_TRUE(w.run(60'000, [&] { return w.converged(); })) << w.traffic();
}

TEST_P(SmallLinks, CarryThemThroughALossyGroup) {
  std::vector<Node*> all;
  for (int i = 0; i < 4; ++i) all.push_back(&w.add("n" + std::to_string(i)));
  for (auto* n : all) write_many(*n, 20);
  WireModel radio = small(GetParam());
  radio.group = true;
  radio.loss = radio.dup = 0.1;
  radio.jitter = 500;
  w.wire(all, radio);
  EXPECT_TRUE(w.run(1'200'000, [&] { return w.converged(); })) << w.traffic();
}

TEST_P(SmallLinks, ResumeWhatWasBegun) {
  Node &a = w.add("a"), &b = w.add("b");
  const UnitRef unit = a.write(100'000);
  WireModel radio = small(GetParam());
  radio.loss = 0.05;
  Wire& wire = w.wire({&a, &b}, radio);
  for (int i = 1; i <= 5; ++i) {
    w.at(10'000 * i, [&] {
      wire.set_up(false);
      b.crash();
      b.start();
    });
    w.at(10'000 * i + 5000, [&] { wire.set_up(true); });
  }
  EXPECT_TRUE(w.run(600'000, [&] { return w.converged(); })) << w.traffic();
  EXPECT_LT(wire.body_bytes, 4 * unit.size);
}

TEST_P(SmallLinks, CarryACutThatBuildsOnManyTips) {
  MapDepot::Limits little;
  little.tail_bytes = 2000;
  Node &a = w.add("a", little), &late = w.add("late", little);
  write_many(a, 100);
  write_many(late, 50);
  w.wire({&a, &late}, small(GetParam()));
  EXPECT_TRUE(w.run(600'000, [&] { return w.converged(); })) << w.traffic();
  EXPECT_GE(late.depot().cuts_applied(), 1u);
}

/// Messages come twice, and late: whether the cut is applied at once or a little later, its pieces
/// do not begin it anew.
TEST_P(SmallLinks, ACutThatIsAppliedIsNotBegunAgain) {
  for (const bool hesitates : {false, true}) {
    World two{14};
    MapDepot::Limits little;
    little.tail_bytes = 2000;
    Node &one = two.add("one", little), &other = two.add("other");
    other.depot().hesitates = hesitates;
    for (int i = 0; i < 20; ++i) one.write(300);
    WireModel echoes = small(GetParam());
    echoes.dup = 0.7;
    echoes.jitter = 800;
    two.wire({&one, &other}, echoes);
    EXPECT_TRUE(two.run(600'000, [&] { return two.converged(); })) << two.traffic();
    EXPECT_GE(other.depot().cuts_applied(), 1u);
    two.run(2000);
    EXPECT_EQ(other.depot().staged().size(), 0u) << hesitates;
  }
}

INSTANTIATE_TEST_SUITE_P(Mtu, SmallLinks, ::testing::Values(kMessageBytesMin, 150, 200));

TEST(SmallLinks, TooSmallOnesAreRefusedByName) {
  World w(13);
  Node &a = w.add("a"), &b = w.add("b");
  a.write(100);
  Wire& wire = w.wire({&a, &b}, small(kMessageBytesMin - 1));
  w.run(10'000);
  EXPECT_EQ(wire.messages, 0u);
  ASSERT_FALSE(a.reasons.empty());
  EXPECT_EQ(a.reasons[0],
            "the link takes messages of 127 bytes at most, but mycelial needs 128; let the "
            "transport cut and join them");
}

}  // namespace
}  // namespace mycelial::core::testing
