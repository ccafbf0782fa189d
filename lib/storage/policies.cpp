// SPDX-License-Identifier: Apache-2.0
#include "storage/policies.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace mycelial::storage {
namespace {

using Kind = core::Policy::Kind;

bool exists(Connection& db) {
  return db.integer("SELECT count(*) FROM sqlite_schema WHERE name = 'mycelial_policy'") != 0;
}

/// -1: the whole table; below: the foreign keys of column -2 - n.
std::int64_t stored(const PolicyChoice& choice) {
  if (choice.column == kWholeTable) return -1;
  const auto column = static_cast<std::int64_t>(choice.column);
  return choice.of_references ? -2 - column : column;
}

PolicyChoice choice_of(Statement& s) {
  const auto column = s.integer(0);
  const bool of_references = column < -1;
  return {
      column == -1 ? kWholeTable : static_cast<std::uint32_t>(of_references ? -2 - column : column),
      std::string(s.text(1)), s.number(2), s.number(3), of_references};
}

bool is_key(const TableInfo& table, std::size_t position) {
  return std::ranges::find(table.key, position) != table.key.end();
}

bool holds_numbers(const ColumnInfo& column) {
  return column.affinity != Affinity::text;
}

/// Whether a policy of the whole table is one for this column, too.
bool suits(const TableInfo& table, std::size_t position, Kind kind) {
  return !is_key(table, position) &&
         (kind != Kind::counter || holds_numbers(table.columns[position]));
}

std::string names_of(const Mergers& mergers) {
  std::string out = "lww, fww, max, min, counter, set, json";
  for (const auto& [name, merger] : mergers) out += ", " + name;
  return out;
}

}  // namespace

std::vector<PolicyChoice> policy_choices(Connection& db, std::uint32_t table) {
  std::vector<PolicyChoice> out;
  if (!exists(db)) return out;
  Use s(db, "SELECT col, name, at, seen FROM mycelial_policy WHERE tbl = ?1 ORDER BY col");
  s->bind(1, table);
  while (s->step()) out.push_back(choice_of(*s));
  return out;
}

std::optional<PolicyChoice> policy_choice(Connection& db, std::uint32_t table, std::uint32_t column,
                                          bool of_references) {
  for (auto& choice : policy_choices(db, table)) {
    if (choice.column == column && choice.of_references == of_references) return choice;
  }
  return {};
}

std::uint32_t policy_index(const PolicyChoice& choice, std::uint32_t place, std::uint32_t columns) {
  if (choice.column == kWholeTable) return columns;
  return choice.of_references ? columns + 1 + place : place;
}

PolicyPlace policy_place(std::uint32_t index, std::uint32_t columns) {
  if (index == columns) return {};
  if (index < columns) return {index, false};
  return {index - columns - 1, true};
}

bool choose_policy(Connection& db, std::uint32_t table, const PolicyChoice& choice) {
  db.exec(
      "CREATE TABLE IF NOT EXISTS mycelial_policy(tbl INTEGER, col INTEGER, name TEXT, at INTEGER, "
      "seen INTEGER, PRIMARY KEY(tbl, col)) WITHOUT ROWID");
  Use put(db,
          "INSERT INTO mycelial_policy VALUES(?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE SET "
          "name = ?3, at = ?4, seen = ?5 WHERE (?4, ?3) > (at, name)");
  put->bind(1, table).bind(2, stored(choice)).bind_text(3, choice.name);
  put->bind(4, choice.at_ms).bind(5, choice.seen_ms).run();
  const bool chosen = db.changes() > 0;
  if (chosen) {
    db.exec(
        "INSERT INTO mycelial_meta VALUES('policies', 1) ON CONFLICT DO UPDATE SET value = value + "
        "1");
  }
  return chosen;
}

void move_policies(Connection& db, std::uint32_t from, std::uint32_t to,
                   const std::vector<std::uint32_t>& places) {
  for (auto& choice : policy_choices(db, from)) {
    if (choice.column != kWholeTable) choice.column = places.at(choice.column);
    choose_policy(db, to, choice);
  }
  if (!exists(db)) return;
  Use(db, "DELETE FROM mycelial_policy WHERE tbl = ?1")->bind(1, from).run();
}

std::string policy_refusal(const TableInfo& table, std::optional<std::size_t> position,
                           const std::string& name, const Mergers& mergers) {
  const auto kind = core::policy_named(name);
  const std::string& in = table.name;
  if (!position && name == kRowAtomic) return {};
  if (!kind && !mergers.contains(name)) {
    return fmt::format("there is no merge policy \"{}\"; there are {}{}", name, names_of(mergers),
                       position ? "" : ", row");
  }
  if (!position) return {};
  const auto& column = table.columns[*position];
  if (is_key(table, *position)) {
    return fmt::format("{}.{} is in the key, which names the row: it has no policy", in,
                       column.name);
  }
  if (kind == Kind::counter && !holds_numbers(column)) {
    return fmt::format("{}.{} holds text: a counter needs a column of a numeric type", in,
                       column.name);
  }
  return {};
}

TablePolicies table_policies(Connection& db, const TableInfo& table, const Mergers& mergers) {
  TablePolicies out;
  out.choices = policy_choices(db, table.id);
  std::vector<core::Policy> columns(table.columns.size());
  const auto give = [&](const std::string& name, bool whole, std::uint32_t id) {
    const auto kind = core::policy_named(name);
    const auto merger = mergers.find(name);
    if (!kind && merger == mergers.end()) return out.unknown.push_back(name);
    const core::Policy policy{kind.value_or(Kind::custom), kind ? nullptr : merger->second.get()};
    for (std::size_t i = 0; i < columns.size(); ++i) {
      const bool meant =
          whole ? suits(table, i, policy.kind) : table.columns[i].id == id && !is_key(table, i);
      if (meant) columns[i] = policy;
    }
  };
  for (const auto& choice : out.choices) {
    if (choice.column != kWholeTable) continue;
    out.atomic = choice.name == kRowAtomic;
    if (!out.atomic) give(choice.name, true, 0);
  }
  for (const auto& choice : out.choices) {
    if (choice.column != kWholeTable && !choice.of_references) {
      give(choice.name, false, choice.column);
    }
  }
  const bool any = std::ranges::any_of(columns, [](const auto& p) { return p.kind != Kind::lww; });
  if (any) out.columns = std::move(columns);
  return out;
}

}  // namespace mycelial::storage
