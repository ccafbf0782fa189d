// SPDX-License-Identifier: Apache-2.0
// Histories: random ones, and all small ones. Each gives the first complaint, or nothing.
#pragma once

#include <cstdint>
#include <string>

#include "history.hpp"

namespace mycelial::core::testing {

/// One random history of 2..5 sites: statements, seals, exchanges of every kind, collection,
/// copies of files; then everybody exchanges until all hold everything.
std::string random_history(std::uint64_t seed, Fault fault = Fault::none);

struct Extent {
  int sites = 3;
  int statements = 4;
  int images = 0;         ///< Sites that found key 1 in the table when they tracked it.
  bool skewed = false;    ///< Site 1's clock is an hour ahead, site 2's an hour behind.
  int bridges_every = 1;  ///< Of how many histories one is also checked with folds and cuts.
};
struct Coverage {
  std::uint64_t histories = 0, deliveries = 0;
  std::string complaint;
};
/// Every history of that many statements by that many sites (but those that differ only in the
/// order of concurrent statements), every order of delivery.
Coverage exhaust(const Extent& extent, Fault fault = Fault::none);

}  // namespace mycelial::core::testing
