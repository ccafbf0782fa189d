// SPDX-License-Identifier: Apache-2.0
// The laws of merging over more histories than a quick run has time for.
#include <gtest/gtest.h>

#include "driver.hpp"

namespace mycelial::core::testing {
namespace {

void expect_lawful(const Extent& extent, std::uint64_t histories_at_least) {
  const Coverage c = exhaust(extent);
  EXPECT_EQ(c.complaint, "");
  EXPECT_GE(c.histories, histories_at_least);
}

TEST(ManySmallHistories, FourStatements) {
  expect_lawful({.sites = 3, .statements = 4}, 6'000);
}
TEST(ManySmallHistories, FourStatementsOverOneImage) {
  expect_lawful({.sites = 3, .statements = 4, .images = 1, .bridges_every = 16}, 50'000);
}
TEST(ManySmallHistories, FourStatementsOverImages) {
  expect_lawful({.sites = 3, .statements = 4, .images = 3, .bridges_every = 16}, 20'000);
}
TEST(ManySmallHistories, FourStatementsWithWrongClocks) {
  expect_lawful({.sites = 3, .statements = 4, .skewed = true}, 15'000);
}
TEST(ManySmallHistories, FiveStatementsOfTwoSites) {
  expect_lawful({.sites = 2, .statements = 5, .bridges_every = 4}, 15'000);
}

TEST(ManyRandomHistories, Laws) {
  for (std::uint64_t seed = 10'000; seed < 40'000; ++seed) {
    ASSERT_EQ(random_history(seed), "") << "seed " << seed;
  }
}

}  // namespace
}  // namespace mycelial::core::testing
