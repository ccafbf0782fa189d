// SPDX-License-Identifier: Apache-2.0
// Differential tests: random SQL of plain clients against oracles. MYCELIAL_SEED and
// MYCELIAL_HISTORIES choose other histories than the default ones.
#include "tests/storage/history.hpp"

#include <gtest/gtest.h>

#include <cstdlib>

namespace mycelial::test {
namespace {

unsigned from_environment(const char* name, unsigned otherwise) {
  const char* text = std::getenv(name);
  return text ? static_cast<unsigned>(std::strtoul(text, nullptr, 10)) : otherwise;
}

void try_histories(const Flavour& flavour, unsigned count) {
  const unsigned first = from_environment("MYCELIAL_SEED", 1);
  const unsigned many = from_environment("MYCELIAL_HISTORIES", count);
  for (unsigned seed = first; seed < first + many; ++seed) {
    auto history = random_history(seed, flavour);
    auto trouble = play(history);
    if (trouble.empty()) continue;
    trouble = shrink(history, std::move(trouble));
    FAIL() << "seed " << seed << "\n" << describe(history) << trouble;
  }
}

TEST(History, OneSiteIsInvisible) {
  try_histories({.sites = 1, .steps = 40}, 40);
}
TEST(History, OneSiteWithTriggersIsInvisible) {
  try_histories({.sites = 1, .steps = 40, .triggers = true, .foreign_keys = true, .checks = true},
                40);
}
TEST(History, TwoSitesConverge) {
  try_histories({.sites = 2, .steps = 30}, 40);
}
TEST(History, FourSitesConverge) {
  try_histories({.sites = 4, .steps = 50, .triggers = true, .foreign_keys = true}, 12);
}
TEST(History, OneSiteWithIndexesIsInvisible) {
  try_histories({.sites = 1, .steps = 40, .indexes = true}, 40);
}
TEST(History, ThreeSitesWithIndexesConverge) {
  try_histories({.sites = 3, .steps = 40, .indexes = true}, 40);
}

/// Whatever is collected whenever: nothing comes back, nothing is lost.
TEST(History, TwoSitesThatCollectConverge) {
  try_histories({.sites = 2, .steps = 40, .collects = true}, 40);
}
TEST(History, FourSitesThatCollectConverge) {
  try_histories({.sites = 4, .steps = 60, .triggers = true, .foreign_keys = true, .collects = true},
                20);
}

}  // namespace
}  // namespace mycelial::test
