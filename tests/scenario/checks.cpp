// SPDX-License-Identifier: Apache-2.0
#include "tests/scenario/checks.hpp"

#include <algorithm>

namespace mycelial::scenario {
namespace {

using Tables = std::map<std::string, Contents>;

std::vector<std::string> rows_of(const Contents& table, const std::vector<std::string>& columns) {
  std::vector<std::string> out;
  for (const auto& row : table.rows) {
    std::string line;
    for (const auto& c : columns) line += (line.empty() ? "" : "|") + row.at(c);
    out.push_back(line);
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::string only_in(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  std::vector<std::string> out;
  std::set_difference(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(out));
  return out.empty() ? "nothing more" : out[0];
}

std::string difference(Site& a, Site& b, const std::set<std::string>& may_differ) {
  const Tables one = a.tracked_tables(), other = b.tracked_tables();
  bool same_schema = one.size() == other.size();
  for (const auto& [name, table] : one) {
    const auto found = other.find(name);
    if (found == other.end()) {
      same_schema = false;
      continue;
    }
    same_schema = same_schema && found->second.columns == table.columns;
    if (may_differ.contains(name)) {
      same_schema = false;
      continue;
    }
    std::vector<std::string> columns;
    std::set_intersection(table.columns.begin(), table.columns.end(), found->second.columns.begin(),
                          found->second.columns.end(), std::back_inserter(columns));
    const auto x = rows_of(table, columns), y = rows_of(found->second, columns);
    if (x == y) continue;
    return "table " + name + " differs: " + a.name() + " has " + only_in(x, y) + ", " + b.name() +
           " has " + only_in(y, x);
  }
  const auto digest = [](engine::Engine& e) { return e.digest(); };
  const auto x = a.on_engine(digest), y = b.on_engine(digest);
  if (!x.ok() || !y.ok()) return (x.ok() ? y : x).status().to_string();
  if (same_schema && *x != *y) return a.name() + " and " + b.name() + " have different digests";
  return {};
}

std::set<std::string> values_of(const Tables& tables) {
  std::set<std::string> out;
  for (const auto& [name, table] : tables) {
    for (const auto& row : table.rows) {
      for (const auto& [column, value] : row) {
        if (value != "NULL") out.insert(value);
      }
    }
  }
  return out;
}

/// What came with ALTER TABLE is a default, which nobody wrote.
void leave_out_new_columns(const Tables& before, Tables& after) {
  for (const auto& [name, was] : before) {
    const auto table = after.find(name);
    if (table == after.end()) continue;
    const auto is_new = [&](const auto& cell) {
      return std::ranges::find(was.columns, cell.first) == was.columns.end();
    };
    for (auto& row : table->second.rows) std::erase_if(row, is_new);
  }
}

/// The lines of `mycelial conflicts`, but for what only this site lacks.
struct Listed {
  std::string site;
  std::set<std::string> lines;
};

Listed listed(Site& site, const std::set<std::string>& may_differ) {
  Listed out{site.name(), {}};
  const auto conflicts = site.on_engine([](engine::Engine& e) { return e.conflicts(); });
  if (!conflicts.ok()) out.lines.insert(conflicts.status().to_string());
  for (const auto& c : conflicts.ok() ? *conflicts : std::vector<Conflict>()) {
    if (c.kind == "parked" || may_differ.contains(c.table)) continue;
    out.lines.insert(describe(c) + " since " + c.since + ", " + c.id);
  }
  return out;
}

std::string surplus(const Listed& a, const Listed& b) {
  for (const auto& line : a.lines) {
    if (!b.lines.contains(line)) return a.site + " lists, and " + b.site + " does not: " + line;
  }
  return {};
}

}  // namespace

std::string describe(const Conflict& c) {
  std::string out = c.kind + " " + c.table + "[" + c.row + "]";
  if (!c.column.empty()) out += "." + c.column;
  out += ": " + c.value;
  if (!c.winner.empty()) out += "; shown: " + c.winner;
  return out + " (" + c.rule + ")";
}

std::string unequal_lists(const std::vector<Site*>& group,
                          const std::set<std::string>& may_differ) {
  const auto first = listed(*group[0], may_differ);
  for (Site* site : group) {
    const auto other = listed(*site, may_differ);
    for (const auto& out : {surplus(first, other), surplus(other, first)}) {
      if (!out.empty()) return out;
    }
  }
  return {};
}

std::string difference(const std::vector<Site*>& group, const std::set<std::string>& may_differ) {
  for (Site* site : group) {
    const std::string out = difference(*group[0], *site, may_differ);
    if (!out.empty()) return out;
  }
  return {};
}

std::string unsound(Site& site) {
  const auto wrong = site.on_engine([](engine::Engine& e) { return e.check(); });
  if (!wrong.ok()) return site.name() + ": check: " + wrong.status().to_string();
  std::string out;
  for (const auto& w : *wrong) out += (out.empty() ? "" : "; ") + w;
  return out.empty() ? "" : site.name() + " is not sound: " + out;
}

void Losses::before(Site& site) {
  before_ = site.tracked_tables();
}

/// A value that the SQL removed was overwritten by somebody who could see it.
void Losses::after(Site& site, int line, const std::set<std::string>& may_differ) {
  auto tables = site.tracked_tables();
  for (const auto& name : may_differ) tables.erase(name);
  leave_out_new_columns(before_, tables);
  const auto was = values_of(before_), now = values_of(tables);
  std::erase_if(written_,
                [&](const Written& w) { return was.contains(w.value) && !now.contains(w.value); });
  for (const auto& value : now) {
    if (!was.contains(value)) written_.push_back({value, site.name(), line});
  }
}

void Losses::forget(const Site& site) {
  std::erase_if(written_, [&](const Written& w) { return w.site == site.name(); });
}

std::string Losses::find(const std::vector<Site*>& group) {
  std::string listed;
  std::set<std::string> elsewhere;  // where somebody dropped a column, one site's word must do
  for (Site* site : group) {
    const auto conflicts = site->on_engine([](engine::Engine& e) { return e.conflicts(); });
    if (!conflicts.ok()) return conflicts.status().to_string();
    for (const auto& c : *conflicts) {
      listed += c.value + "\n";
      if (c.kind != "parked" || !c.row.empty()) continue;
      for (Site* each : group) elsewhere.merge(values_of(each->tracked_tables()));
    }
  }
  for (Site* site : group) {
    const auto shown = values_of(site->tracked_tables());
    for (const auto& w : written_) {
      const auto is_here = [&](const Site* s) { return s->name() == w.site; };
      if (std::none_of(group.begin(), group.end(), is_here)) continue;
      if (shown.contains(w.value) || elsewhere.contains(w.value)) continue;
      if (listed.find(w.value) != std::string::npos) continue;
      return w.value + ", which " + w.site + " wrote in line " + std::to_string(w.line) +
             ", is lost: " + site->name() + " does not show it, and nobody lists it";
    }
  }
  for (const Site* site : group) forget(*site);
  return {};
}

}  // namespace mycelial::scenario
