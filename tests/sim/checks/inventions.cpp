// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "tests/sim/checks/checks.hpp"

namespace mycelial::sim {

void check_inventions(Context& c, Node& node) {
  for (const Table& t : tables()) {
    if (t.merges) continue;
    int code = 0;
    for (const auto& [key, row] : node.client().reader().image(t, &code)) {
      for (std::size_t i = 0; i < row.size(); ++i) {
        const bool picked = t.automatic && t.columns[i] == t.key[0];  // by the engine, re-keying
        if (picked || c.ledger.knows(t.name, t.columns[i], row[i])) continue;
        c.fail(fmt::format("invented: {} shows {} in {}.{} (row {}), which nobody committed",
                           node.name(), row[i], t.name, t.columns[i], key));
      }
    }
  }
}

}  // namespace mycelial::sim
