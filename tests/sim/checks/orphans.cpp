// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "tests/sim/checks/checks.hpp"

namespace mycelial::sim {

void check_orphans(Context& c, const Nodes& nodes) {
  for (const auto& node : nodes) {
    for (const Row& orphan : node->client().reader().rows("PRAGMA foreign_key_check")) {
      c.fail(fmt::format("{}: row {} of {} refers to a row of {} that is not there", node->name(),
                         orphan[1], orphan[0], orphan[2]));
    }
  }
}

}  // namespace mycelial::sim
