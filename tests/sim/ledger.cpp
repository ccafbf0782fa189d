// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/ledger.hpp"

#include <algorithm>

namespace mycelial::sim {
namespace {

const std::string& cell(const Table& table, const Row& row, const std::string& column) {
  const auto at = std::find(table.columns.begin(), table.columns.end(), column);
  return row[static_cast<std::size_t>(at - table.columns.begin())];
}

std::string life_of(const Table& table, const Row& row) {
  return table.columns.size() == 4 ? cell(table, row, "memo") : cell(table, row, "life");
}

}  // namespace

std::string Ledger::fresh(Random& random, bool any) {
  const std::uint64_t n = ++last_;
  switch (any ? random.below(5) : 0) {
    case 1:
      return std::to_string(1'000'000'000 + n);
    case 2:
      return std::to_string(2'000'000'000 + n) + ".5000000";
    case 3:
      return "x'" + std::to_string(1'000'000'000 + n) + "'";
    default: {
      const std::size_t more = random.chance(0.002) ? random.between(1000, 80'000) : 0;
      return "'t" + std::to_string(n) + std::string(more, 'x') + "'";
    }
  }
}

bool Ledger::is_tracked(const Table& table, const std::string& column) {
  const auto in = [&](const std::vector<std::string>& list) {
    return std::find(list.begin(), list.end(), column) != list.end();
  };
  return in(table.values) || column == "life" || column == "up" || column == "memo";
}

bool Ledger::knows(const std::string& table, const std::string& column,
                   const std::string& value) const {
  return value == "NULL" || known_.contains(table + "." + column + "=" + value);
}

const Transaction& Ledger::committed(const std::string& node, const Images& before,
                                     const Images& after, Seen seen, bool captured) {
  Transaction t{transactions_.size() + 1, node, std::move(seen), captured, {}};
  for (const auto& [name, now] : after) {
    const Table& table = table_named(name);
    const Image& then = before.at(name);
    for (const auto& [key, row] : then) {
      const auto still = now.find(key);
      compare(table, key, &row, still == now.end() ? nullptr : &still->second, t);
    }
    for (const auto& [key, row] : now) {
      if (!then.contains(key)) compare(table, key, nullptr, &row, t);
    }
  }
  transactions_.push_back(std::move(t));
  return transactions_.back();
}

/// What it wrote since may be lost, if it had told nobody.
void Ledger::rolled_back(const std::string& node, std::uint64_t transactions) {
  for (Write& w : writes_) {
    if (w.node == node && w.transaction > transactions) w.captured = false;
  }
}

void Ledger::buried(const std::string& table, const std::set<std::string>& values) {
  for (const auto& value : values) {
    const auto found = by_value_.find(value);
    if (found == by_value_.end()) continue;
    for (const std::size_t i : found->second) {
      if (writes_[i].table == table) writes_[i].overwritten = true;
    }
  }
}

void Ledger::compare(const Table& table, const std::string& key, const Row* before,
                     const Row* after, Transaction& t) {
  if (before && after && *before == *after) return;
  const std::string old_life = before ? life_of(table, *before) : "";
  const std::string life = after ? life_of(table, *after) : "";
  const bool account = &table == &accounts();
  const bool reborn = !before || !after || (!account && old_life != life);
  using Kind = Effect::Kind;
  if (before && reborn) t.effects.push_back({Kind::death, table.name, key, old_life});
  if (after && reborn) t.effects.push_back({Kind::birth, table.name, key, life});
  if (!reborn) {
    const bool upsert =
        table.has_upserts() && !account && cell(table, *before, "up") != cell(table, *after, "up");
    if (upsert) upserted_.insert(life);
    t.effects.push_back({upsert ? Kind::upsert : Kind::update, table.name, key, life});
  }
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    if (!reborn && (*before)[i] == (*after)[i]) continue;
    if (before) overwrote(table, table.columns[i], key, (*before)[i]);
    if (after) wrote(table, table.columns[i], key, (*after)[i], t);
  }
}

void Ledger::wrote(const Table& table, const std::string& column, const std::string& key,
                   const std::string& value, const Transaction& t) {
  known_.insert(table.name + "." + column + "=" + value);
  if (value == "NULL" || !is_tracked(table, column)) return;
  by_value_[value].push_back(writes_.size());
  writes_.push_back({value, table.name, column, key, t.node, t.number, false, t.captured});
}

void Ledger::overwrote(const Table& table, const std::string& column, const std::string& key,
                       const std::string& value) {
  const auto found = by_value_.find(value);
  if (found == by_value_.end()) return;
  for (const std::size_t i : found->second) {
    Write& w = writes_[i];
    const bool place = table.automatic || table.key.empty() || w.key == key;
    if (w.table == table.name && w.column == column && place) w.overwritten = true;
  }
}

}  // namespace mycelial::sim
