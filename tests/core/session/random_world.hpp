// SPDX-License-Identifier: Apache-2.0
// A random fleet on random links, with everything that can happen to it for a minute. Then it must
// converge, and be quiet.
#pragma once

#include <cstdint>
#include <string>

namespace mycelial::core::testing {

struct Outcome {
  std::string complaint;
  std::uint64_t converged_after_ms = 0;
  std::uint64_t trace = 0;  ///< Hash of all that was sent: equal seeds, equal traces.
};
Outcome random_world(std::uint64_t seed);

}  // namespace mycelial::core::testing
