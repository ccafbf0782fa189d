// SPDX-License-Identifier: Apache-2.0
#include "random_world.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace mycelial::core::testing {
namespace {

TEST(RandomWorld, ConvergesAndIsQuiet) {
  std::uint64_t worst = 0;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    const Outcome o = random_world(seed);
    EXPECT_EQ(o.complaint, "") << "seed " << seed;
    worst = std::max(worst, o.converged_after_ms);
  }
  std::printf("the slowest world needed %llu s after it was healed\n",
              static_cast<unsigned long long>(worst / 1000));
}

TEST(RandomWorld, EqualSeedsGiveEqualTraces) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    EXPECT_EQ(random_world(seed).trace, random_world(seed).trace) << "seed " << seed;
  }
}

}  // namespace
}  // namespace mycelial::core::testing
