// SPDX-License-Identifier: Apache-2.0
// Lists of conflicts: replicas that hold the same sets come to list the same.
#include <gtest/gtest.h>

#include "world.hpp"

namespace mycelial::core::testing {
namespace {

class Lists : public ::testing::Test {
 protected:
  void list(Node& node, int entries) {
    for (int i = 0; i < entries; ++i) node.depot().listed.insert(w.random());
  }
  World w{31};
};

TEST_F(Lists, BecomeEqual) {
  Node &a = w.add("a"), &b = w.add("b");
  w.wire({&a, &b});
  a.write(100);
  list(a, 3);
  list(b, 2);
  EXPECT_TRUE(w.run(10'000, [&] { return w.converged(); })) << w.traffic();
  EXPECT_EQ(a.depot().listed.size(), 5u);
}

TEST_F(Lists, OfWhoeverAgreesFromTheStartCostNothing) {
  Node &a = w.add("a"), &b = w.add("b");
  list(a, 500);
  b.depot().listed = a.depot().listed;
  Wire& wire = w.wire({&a, &b});
  a.write(100);
  w.run(300'000);
  EXPECT_EQ(wire.kinds["compare"], 0u) << w.traffic();
}

TEST_F(Lists, SendThePartsThatDiffer) {
  Node &a = w.add("a"), &b = w.add("b");
  list(a, 2000);  // 10 bytes each
  b.depot().listed = a.depot().listed;
  list(b, 2);
  Wire& wire = w.wire({&a, &b});
  EXPECT_TRUE(w.run(10'000, [&] { return w.converged(); })) << w.traffic();
  EXPECT_LT(wire.body_bytes, 2000u) << w.traffic();
}

TEST_F(Lists, BecomeEqualThroughARelayAndSmallLossyMessages) {
  Node &a = w.add("a"), &relay = w.add("relay"), &b = w.add("b");
  WireModel radio;
  radio.tells = false;
  radio.mtu = 128;
  radio.loss = 0.3;
  w.wire({&a, &relay}, radio);
  w.wire({&relay, &b}, radio);
  list(a, 100);
  list(b, 100);
  EXPECT_TRUE(w.run(300'000, [&] { return w.converged(); })) << w.traffic();
}

TEST_F(Lists, BecomeEqualInAGroup) {
  std::vector<Node*> all;
  for (int i = 0; i < 8; ++i) all.push_back(&w.add("n" + std::to_string(i)));
  WireModel group;
  group.group = true;
  group.tells = false;
  group.loss = 0.1;
  Wire& wire = w.wire(all, group);
  for (Node* n : all) list(*n, 20);
  EXPECT_TRUE(w.run(120'000, [&] { return w.converged(); })) << w.traffic();
  EXPECT_EQ(all[0]->depot().listed.size(), 160u);
  EXPECT_LT(wire.kinds["compare"], 8u * 16) << w.traffic();
}

/// It keeps fewer entries, or calls a table otherwise.
TEST_F(Lists, ThatCannotBecomeEqualAreAskedForEverMoreSeldom) {
  Node &a = w.add("a"), &b = w.add("b");
  Wire& wire = w.wire({&a, &b});
  list(a, 10);
  b.depot().foreign = a.depot().listed;
  list(b, 10);
  w.run(60'000);
  EXPECT_EQ(a.depot().listed.size(), 20u);
  EXPECT_EQ(b.depot().listed.size(), 10u);
  wire.forget();
  w.run(3'600'000);
  EXPECT_LE(wire.kinds["compare"], 2u * 13) << w.traffic();
  EXPECT_LE(wire.kinds["digest"], 2u * 60 + 20) << w.traffic();
  list(a, 1);  // what changes is a reason
  w.run(120'000);
  EXPECT_EQ(b.depot().listed.size(), 11u);
}

TEST_F(Lists, AreSentOnWhileThePeerHoldsEverything) {
  Node &a = w.add("a"), &b = w.add("b");
  WireModel thin;
  thin.rate = 1000;
  w.wire({&a, &b}, thin);
  list(a, 3000);
  EXPECT_TRUE(w.run(90'000, [&] { return w.converged(); })) << w.traffic();
}

}  // namespace
}  // namespace mycelial::core::testing
