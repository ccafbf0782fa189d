// SPDX-License-Identifier: Apache-2.0
#include "net/backoff.hpp"

#include <gtest/gtest.h>

#include <set>

namespace mycelial::net {
namespace {

TEST(Backoff, DoublesUpToItsMaximum) {
  Backoff backoff(100, 1500, 7);
  for (const int whole : {100, 200, 400, 800, 1500, 1500, 1500}) {
    const auto delay = backoff.next().count();
    EXPECT_GE(delay, whole - whole / 2);
    EXPECT_LE(delay, whole);
  }
  backoff.reset();
  EXPECT_LE(backoff.next().count(), 100);
}

TEST(Backoff, SpreadsAFleet) {
  std::set<std::int64_t> delays;
  for (std::uint32_t seed = 0; seed < 200; ++seed) {
    delays.insert(Backoff(10'000, 10'000, seed).next().count());
  }
  EXPECT_GT(delays.size(), 150u);
}

TEST(Backoff, TakesOddLimits) {
  Backoff zero(0, 0, 1);
  EXPECT_EQ(zero.next().count(), 1);
  Backoff reversed(500, 10, 1);
  for (int i = 0; i < 5; ++i) {
    const auto delay = reversed.next().count();
    EXPECT_TRUE(delay >= 250 && delay <= 500) << delay;
  }
  Backoff huge(4'000'000'000u, 4'294'967'295u, 1);
  for (int i = 0; i < 5; ++i) EXPECT_GE(huge.next().count(), 2'000'000'000);
}

}  // namespace
}  // namespace mycelial::net
