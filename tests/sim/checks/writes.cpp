// SPDX-License-Identifier: Apache-2.0
// Accounts: every acknowledged write is visible, or overwritten by somebody who had seen it, or
// listed by everybody, as superseded or with the row that is hidden or parked. Nothing else is left
// over.
#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <vector>

#include "tests/sim/checks/checks.hpp"
#include "tests/sim/marks.hpp"

namespace mycelial::sim {
namespace {

void mark_listed(const std::string& kind) {
  if (kind == "hidden") mark(Mark::listed_hidden);
  if (kind == "superseded") mark(Mark::listed_superseded);
  if (kind == "deleted") mark(Mark::listed_deleted);
  if (kind == "restored") mark(Mark::listed_restored);
  if (kind == "orphan") mark(Mark::listed_orphan);
}

}  // namespace

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
        mark_listed(conflict.kind);
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
    if (!w.captured) continue;
    const bool is_visible = visible.contains(w.value);
    if (is_visible || !w.overwritten_by.empty() || std::ranges::all_of(listed, lists_it)) {
      mark(is_visible                  ? Mark::write_visible
           : !w.overwritten_by.empty() ? Mark::write_overwritten
                                       : Mark::write_listed);
      continue;
    }
    c.fail(
        fmt::format("lost: {} wrote {} to {}.{} (row {}, transaction {}): it is neither visible "
                    "nor listed everywhere, and nobody who had seen it overwrote it",
                    w.node, w.value, w.table, w.column, w.key, w.transaction));
    return;
  }
}

}  // namespace mycelial::sim
