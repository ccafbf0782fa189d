// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "tests/sim/checks/checks.hpp"

namespace mycelial::sim {
std::string first_difference(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  std::vector<std::string> left, right;
  std::set_difference(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(left));
  std::set_difference(b.begin(), b.end(), a.begin(), a.end(), std::back_inserter(right));
  return fmt::format("[{}] or [{}]", left.empty() ? "" : left[0], right.empty() ? "" : right[0]);
}

namespace {

/// A site that lacks a column shows nothing of it.
std::vector<std::string> without(const std::set<std::string>& columns, const Table& table,
                                 Image image) {
  for (auto& [key, row] : image) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (columns.contains(table.name + "." + table.columns[i])) row[i] = "-";
    }
  }
  return contents(image);
}

/// The table has the column, and the engine has seen that, and filled it in.
bool is_watched(Connection& db, const Table& table, const std::string& column) {
  int code = 0;
  return !db.rows(fmt::format("SELECT 1 FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = "
                              "'{}' AND name LIKE 'mycelial % update%' AND instr(sql, '\"{}\"')",
                              table.name, column),
                  &code)
              .empty();
}

Progress progress_of(Node& node, Connection& db) {
  Progress out;
  int code = 0;
  for (const Row& r : db.rows("SELECT hex(site), seq, hex(hash) FROM mycelial_stream WHERE seq > 0 "
                              "ORDER BY 1",
                              &code))
    out.have.push_back(r[0] + r[1] + r[2]);
  for (const Row& r : db.rows("SELECT name, hex(ident), col, kind, value, winner, rule, at FROM "
                              "mycelial_conflict JOIN mycelial_table t ON t.id = tbl",
                              &code))
    out.listed.push_back(fmt::format("{}", fmt::join(r, " ")));
  std::ranges::sort(out.listed);
  const auto journal =
      db.rows("SELECT EXISTS(SELECT 1 FROM mycelial_journal WHERE what > 0)", &code);
  out.pending = !node.client().moment().captured || journal.empty() || journal[0][0] != "0";
  return out;
}

}  // namespace

Progress progress_of(Node& node) {
  Connection& db = node.client().reader();
  db.run("BEGIN");
  auto out = progress_of(node, db);
  db.run("COMMIT");
  return out;
}

State state_of(Node& node) {
  Connection& db = node.client().reader();
  db.run("BEGIN");
  State out{progress_of(node, db), {}, {}};
  int code = 0;
  for (const Table& t : tables()) {
    out.images[t.name] = db.image(t, &code);
    for (const auto& late : t.late) {
      const auto column = column_in(late);
      if (!is_watched(db, t, column)) out.lacks.insert(t.name + "." + column);
    }
  }
  db.run("COMMIT");
  return out;
}

void check_convergence(Context& c, const Nodes& nodes) {
  std::map<std::vector<std::string>, std::pair<Node*, State>> known;
  for (const auto& node : nodes) {
    State state = state_of(*node);
    if (state.pending) continue;
    const auto have = state.have;
    const auto [it, added] = known.try_emplace(have, node.get(), std::move(state));
    if (added) continue;
    const auto& [other, theirs] = it->second;
    for (const Table& t : tables()) {
      auto lacks = theirs.lacks;
      lacks.insert(state.lacks.begin(), state.lacks.end());
      const auto a = without(lacks, t, theirs.images.at(t.name));
      const auto b = without(lacks, t, state.images.at(t.name));
      if (a == b) continue;
      c.fail(fmt::format("diverged: {} and {} hold the same sets but differ in {}: {}",
                         other->name(), node->name(), t.name, first_difference(a, b)));
      return;
    }
  }
}

}  // namespace mycelial::sim
