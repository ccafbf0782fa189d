// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <random>

#include "base/limits.hpp"
#include "core/hybrid_clock.hpp"

namespace mycelial::core {
namespace {

constexpr std::uint64_t kNow = 1'700'000'000'000;

TEST(HybridClock, StampsAWriteWithTheTimeItWasMade) {
  HybridClock clock(0);
  EXPECT_EQ(clock.stamp_write(kNow - 7'200'000, kNow), hlc_from_ms(kNow - 7'200'000));
}

TEST(HybridClock, WritesOfOneMomentAreInOrder) {
  HybridClock clock(0);
  const Hlc first = clock.stamp_write(kNow, kNow);
  EXPECT_EQ(clock.stamp_write(kNow, kNow), first + 1);
  EXPECT_EQ(clock.stamp_write(kNow, kNow), first + 2);
}

TEST(HybridClock, AWriteOfTheFutureIsOfNow) {
  HybridClock clock(0);
  EXPECT_EQ(clock.stamp_write(kNow + 86'400'000, kNow), hlc_from_ms(kNow));
}

TEST(HybridClock, NeverGoesBack) {
  HybridClock clock(hlc_from_ms(kNow));
  EXPECT_EQ(clock.stamp_write(kNow - 1000, kNow - 1000), hlc_from_ms(kNow) + 1);
  clock.observe(hlc_from_ms(5), kNow - 1000);
  EXPECT_EQ(clock.state(), hlc_from_ms(kNow) + 1);
}

TEST(HybridClock, FollowsAStampWithinTheBound) {
  HybridClock clock(0);
  const Hlc remote = hlc_from_ms(kNow + kClockBoundMs - 1) + 77;
  clock.observe(remote, kNow);
  EXPECT_EQ(clock.state(), remote);
  EXPECT_EQ(clock.stamp_write(kNow, kNow), remote + 1);
}

TEST(HybridClock, FollowsNoStampBeyondTheBound) {
  HybridClock clock(0);
  clock.observe(kHlcMax, kNow);
  EXPECT_EQ(clock.state(), hlc_from_ms(kNow + kClockBoundMs));
  clock.observe(hlc_from_ms(kNow + kClockBoundMs) + 1, kNow);
  EXPECT_EQ(clock.state(), hlc_from_ms(kNow + kClockBoundMs));
}

TEST(HybridClock, StopsAtTheGreatestStamp) {
  HybridClock clock(kHlcMax - 1);
  EXPECT_EQ(clock.stamp_write(kNow, kNow), kHlcMax);
  EXPECT_EQ(clock.stamp_write(kNow, kNow), kHlcMax);
  clock.observe(kHlcMax, kNow);
  EXPECT_EQ(clock.state(), kHlcMax);
}

TEST(HybridClock, AWallClockThatLiesCannotOverflowIt) {
  HybridClock clock(0);
  const auto absurd = ~std::uint64_t{0};
  EXPECT_LE(clock.stamp_write(absurd, absurd), kHlcMax);
  clock.observe(kHlcMax, absurd);
  EXPECT_LE(clock.state(), kHlcMax);
}

TEST(HybridClock, WhateverHappensItGrowsAndStaysNearEveryClockItSaw) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    std::mt19937_64 rng(seed);
    HybridClock clock(0);
    std::uint64_t latest = 0;
    for (int i = 0; i < 200; ++i) {
      const std::uint64_t now = kNow + rng() % 1'000'000;
      latest = std::max(latest, now);
      const Hlc before = clock.state();
      if (rng() % 2) {
        const Hlc stamp = clock.stamp_write(kNow + rng() % 10'000'000, now);
        ASSERT_GT(stamp, before) << "seed " << seed;
      } else {
        clock.observe(rng() >> 1, now);
        ASSERT_GE(clock.state(), before) << "seed " << seed;
      }
      ASSERT_LE(hlc_ms(clock.state()), latest + kClockBoundMs) << "seed " << seed;
    }
  }
}

}  // namespace
}  // namespace mycelial::core
