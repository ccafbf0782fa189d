// SPDX-License-Identifier: Apache-2.0
// The laws of merging (docs/merge.md), over all small histories and many random ones.
#include <gtest/gtest.h>

#include "driver.hpp"

namespace mycelial::core::testing {
namespace {

void expect_lawful(const Extent& extent, std::uint64_t histories_at_least) {
  const Coverage c = exhaust(extent);
  EXPECT_EQ(c.complaint, "");
  EXPECT_GE(c.histories, histories_at_least);
}

TEST(SmallHistories, ThreeStatementsOfThreeSites) {
  expect_lawful({.sites = 3, .statements = 3}, 100);
}

TEST(SmallHistories, ThreeStatementsOverImages) {
  expect_lawful({.sites = 3, .statements = 3, .images = 3}, 100);
  expect_lawful({.sites = 3, .statements = 3, .images = 1}, 100);
}

TEST(SmallHistories, ThreeStatementsWithWrongClocks) {
  expect_lawful({.sites = 3, .statements = 3, .skewed = true}, 100);
}

TEST(SmallHistories, FourStatementsOfThreeSites) {
  expect_lawful({.sites = 3, .statements = 4, .bridges_every = 8}, 100);
}

TEST(RandomHistories, Laws) {
  for (std::uint64_t seed = 1; seed <= 3000; ++seed) {
    ASSERT_EQ(random_history(seed), "") << "seed " << seed;
  }
}

}  // namespace
}  // namespace mycelial::core::testing
