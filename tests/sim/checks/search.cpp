// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "tests/sim/checks/checks.hpp"

namespace mycelial::sim {

void check_search(Context& c, const Nodes& nodes) {
  for (const auto& node : nodes) {
    Connection& db = node->client().reader();
    for (const Table& t : tables()) {
      if (t.search.empty()) continue;
      const auto found =
          db.rows(fmt::format("SELECT k, a FROM {} ORDER BY k, typeof(a), a", t.search));
      const auto there =
          db.rows(fmt::format("SELECT {} AS k, {} AS a FROM {} ORDER BY k, typeof(a), a",
                              search_key(t, ""), t.values[0], t.name));
      if (found != there) {
        c.fail(fmt::format("{}: {} has {} rows, and {} finds {}", node->name(), t.name,
                           there.size(), t.search, found.size()));
      }
    }
  }
}

}  // namespace mycelial::sim
