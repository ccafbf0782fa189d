// SPDX-License-Identifier: Apache-2.0
// An acknowledged write is visible, or overwritten by somebody who had seen it, or listed.
#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <vector>

#include "tests/sim/checks/checks.hpp"

namespace mycelial::sim {
void check_writes(Context& c, const Nodes& nodes) {
  std::set<std::string> visible;
  std::vector<std::set<std::string>> listed(nodes.size());  // by each of them
  int code = 0;
  for (const Table& t : tables()) {
    for (const auto& [key, row] : nodes[0]->client().reader().image(t, &code)) {
      visible.insert(row.begin(), row.end());
    }
  }
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const auto& node = nodes[i];
    node->on_engine([&](engine::Engine& e) {
      const auto conflicts = e.conflicts();
      if (!conflicts.ok()) return c.fail("conflicts: " + conflicts.status().to_string());
      for (const Conflict& conflict : *conflicts) {
        listed[i].merge(literals_in(conflict.value));
        c.note(node->name(),
               fmt::format("lists {} {} of {} {}: {} ({})", conflict.kind, conflict.column,
                           conflict.table, conflict.row, conflict.value, conflict.winner));
      }
    });
  }
  for (const Write& w : c.ledger.writes()) {
    const Table& table = table_named(w.table);
    if (table.merges || table.has_relatives) continue;
    const auto lists_it = [&](const auto& list) { return list.contains(w.value); };
    if (!w.captured || !w.overwritten_by.empty() || visible.contains(w.value) ||
        std::ranges::all_of(listed, lists_it))
      continue;
    c.fail(
        fmt::format("lost: {} wrote {} to {}.{} (row {}, transaction {}): it is neither visible "
                    "nor listed everywhere, and nobody who had seen it overwrote it",
                    w.node, w.value, w.table, w.column, w.key, w.transaction));
    return;
  }
}

}  // namespace mycelial::sim
