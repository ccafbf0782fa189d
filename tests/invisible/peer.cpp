// SPDX-License-Identifier: Apache-2.0
#include "tests/invisible/peer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace mycelial::invisible {
namespace {

Status stage(storage::Store& from, storage::Store& to, const core::UnitRef& unit) {
  const auto bytes = from.read(unit, 0, unit.size);
  return bytes.ok() ? to.stage(unit, 0, *bytes) : bytes.status();
}

Status stage_cut(storage::Store& from, storage::Store& to) {
  const std::vector<std::pair<core::Stream, core::Tip>> tips(to.have().begin(), to.have().end());
  const auto cut = from.cut(tips, {});
  return cut.ok() ? stage(from, to, *cut) : cut.status();
}

Status stage_sets(storage::Store& from, storage::Store& to) {
  for (const auto& [stream, tip] : from.have()) {
    const auto it = to.have().find(stream);
    const auto next = it == to.have().end() ? 1 : it->second.seq + 1;
    if (next > tip.seq) continue;
    const auto units = from.tail(stream, next, tip.seq);
    if (!units) return stage_cut(from, to);
    for (const auto& unit : *units) {
      if (auto s = stage(from, to, unit); !s.ok()) return s;
    }
  }
  return {};
}

std::set<std::string> tracked(storage::Store& store) {
  std::set<std::string> out;
  const auto status = store.status();
  if (!status.ok()) return out;
  for (const auto& t : status->tables) out.insert(t.name);
  return out;
}

std::vector<std::string> rows_of(Client& db, const std::string& table) {
  std::vector<std::string> out;
  for (const auto& row : db.rows("SELECT * FROM " + quoted(table))) {
    std::string line = table + ":";
    for (const auto& value : row) line += " " + value;
    out.push_back(line);
  }
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace

void copy_schema(Client& from, Client& to) {
  for (const auto& row : from.texts("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name "
                                    "NOT LIKE 'sqlite_%' ORDER BY rowid")) {
    (void)to.run(row[0]);
  }
}

Status carry(storage::Store& from, storage::Store& to, bool as_cut) {
  if (auto s = as_cut ? stage_cut(from, to) : stage_sets(from, to); !s.ok()) return s;
  for (bool more = true; more;) {
    const auto applied = to.apply_staged();
    if (!applied.ok()) return applied.status();
    for (const auto& [unit, why] : applied->rejected) return why;
    more = applied->more;
  }
  return {};
}

std::string compare_tables(Client& a, storage::Store& a_store, Client& b, storage::Store& b_store) {
  std::string out;
  const auto here = tracked(a_store), there = tracked(b_store);
  for (const auto& table : here) {
    if (!there.contains(table)) continue;
    const auto own = rows_of(a, table), peers = rows_of(b, table);
    std::vector<std::string> lost, extra;
    std::set_difference(own.begin(), own.end(), peers.begin(), peers.end(),
                        std::back_inserter(lost));
    std::set_difference(peers.begin(), peers.end(), own.begin(), own.end(),
                        std::back_inserter(extra));
    for (const auto& row : lost) out += "  only here:  " + row + "\n";
    for (const auto& row : extra) out += "  only there: " + row + "\n";
  }
  return out;
}

}  // namespace mycelial::invisible
