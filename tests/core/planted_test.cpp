// SPDX-License-Identifier: Apache-2.0
// The laws are only worth something if they notice mistakes: each one is made on purpose, and must
// be caught.
#include <gtest/gtest.h>

#include "driver.hpp"

namespace mycelial::core::testing {
namespace {

struct Mistake {
  Fault fault;
  const char* name;
};

class Planted : public ::testing::TestWithParam<Mistake> {};

TEST_P(Planted, IsCaught) {
  for (std::uint64_t seed = 1; seed <= 3000; ++seed) {
    const std::string complaint = random_history(seed, GetParam().fault);
    if (complaint.empty()) continue;
    std::printf("seed %llu: %s\n", static_cast<unsigned long long>(seed), complaint.c_str());
    return;
  }
  FAIL() << "3000 random histories did not notice";
}

INSTANTIATE_TEST_SUITE_P(
    Faults, Planted,
    ::testing::Values(
        Mistake{Fault::ignores_have, "IgnoresHave"}, Mistake{Fault::arrival_wins, "ArrivalWins"},
        Mistake{Fault::no_gate, "NoGate"}, Mistake{Fault::fold_first, "FoldFirst"},
        Mistake{Fault::fold_any, "FoldAny"}, Mistake{Fault::thin_rebase, "ThinRebase"},
        Mistake{Fault::seal_after, "SealAfter"}, Mistake{Fault::no_bump, "NoBump"},
        Mistake{Fault::baseline_born, "BaselineBorn"}, Mistake{Fault::no_image, "NoImage"},
        Mistake{Fault::old_life, "OldLife"}, Mistake{Fault::upsert_no_birth, "UpsertNoBirth"},
        Mistake{Fault::collects_baseline, "CollectsBaseline"}, Mistake{Fault::no_floor, "NoFloor"},
        Mistake{Fault::drops_floor, "DropsFloor"}, Mistake{Fault::shared_site, "SharedSite"},
        Mistake{Fault::update_revives, "UpdateRevives"}),
    [](const auto& mistake) { return std::string(mistake.param.name); });

/// Small histories alone notice what needs no fold, no copy and no backup.
TEST(PlantedInSmallHistories, AreCaught) {
  for (const auto fault :
       {Fault::ignores_have, Fault::arrival_wins, Fault::fold_first, Fault::old_life,
        Fault::no_image, Fault::upsert_no_birth, Fault::update_revives}) {
    EXPECT_NE(exhaust({.sites = 3, .statements = 3}, fault).complaint, "")
        << "fault " << static_cast<int>(fault);
  }
  EXPECT_NE(exhaust({.sites = 3, .statements = 2, .skewed = true}, Fault::no_bump).complaint, "");
}

}  // namespace
}  // namespace mycelial::core::testing
