// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "random_world.hpp"

namespace mycelial::core::testing {
namespace {

TEST(ManyRandomWorlds, ConvergeAndAreQuiet) {
  for (std::uint64_t seed = 1000; seed <= 6000; ++seed) {
    const Outcome o = random_world(seed);
    ASSERT_EQ(o.complaint, "") << "seed " << seed;
  }
}

}  // namespace
}  // namespace mycelial::core::testing
