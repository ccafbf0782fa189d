// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/ledger.hpp"

#include <algorithm>

#include "tests/sim/marks.hpp"

namespace mycelial::sim {
namespace {

const std::string& cell(const Table& table, const Row& row, const std::string& column) {
  const auto at = std::find(table.columns.begin(), table.columns.end(), column);
  return row[static_cast<std::size_t>(at - table.columns.begin())];
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

const Transaction& Ledger::committed(Moment when, const Images& before, const Images& after,
                                     bool moved) {
  Transaction t{transactions_.size() + 1, std::move(when), {}, {}, false};
  for (const auto& [name, now] : after) {
    const Table& table = table_named(name);
    const Image& then = before.at(name);
    for (const auto& [key, row] : then) {
      const auto still = now.find(key);
      if (moved && still != now.end()) doubt(name, key);
      compare(table, key, &row, still == now.end() ? nullptr : &still->second, t);
    }
    for (const auto& [key, row] : now) {
      if (!then.contains(key)) compare(table, key, nullptr, &row, t);
    }
  }
  transactions_.push_back(std::move(t));
  return transactions_.back();
}

void Ledger::copied(const Moment& then, std::uint64_t transactions, const File& file) {
  copied_nonce_[file] = then.nonce;
  const bool unserved = !sites_.contains(then.file());
  for (Transaction& t : transactions_) {
    const auto& c = t.copies;
    const bool own =
        t.when.file() == then.file() && t.when.site == then.site && t.when.own() == then.own();
    const bool inherited = unserved && std::find(c.begin(), c.end(), then.file()) != c.end();
    if ((own || inherited) && !t.lost && t.number <= transactions) t.copies.push_back(file);
  }
}

void Ledger::observed(const Moment& now) {
  const auto copied = copied_nonce_.find(now.file());  // nobody has looked yet whether it is a copy
  if (copied != copied_nonce_.end() && copied->second == now.nonce) return;
  auto& sites = sites_[now.file()];
  if (!sites.empty() && sites.back() == now.site) return;
  if (!sites.empty()) mark(Mark::new_site_taken);
  sites.push_back(now.site);
}

std::vector<Dot> Ledger::dots(const Transaction& t, const Seen& all) const {
  std::vector<Dot> out;
  const auto add = [&](const std::string& site, std::uint64_t seq, const File& file) {
    const auto at = all.find(site);
    const bool there = at != all.end() && at->second >= seq;
    if (there) out.push_back({site, seq, file});
    return there;
  };
  const auto sealed_in = [&](const File& file) {
    const auto sites = sites_.find(file);
    if (sites == sites_.end()) return;
    const auto end = ends_.find(file);
    const bool unsealed =
        end != ends_.end() && end->second.site == t.when.site && end->second.own() <= t.when.own();
    if (unsealed) return;  // when the file was replaced
    auto at = std::find(sites->second.begin(), sites->second.end(), t.when.site);
    const bool served = at != sites->second.end();
    if (served && add(t.when.site, t.when.own() + 1, file)) return;
    at = served ? std::next(at) : sites->second.begin();
    if (at != sites->second.end()) add(*at, 1, file);
  };
  if (!t.lost) sealed_in(t.when.file());
  for (const File& file : t.copies) sealed_in(file);
  return out;
}

/// What it wrote since may be lost, if it had told nobody.
void Ledger::rolled_back(const std::string& node, std::uint64_t transactions) {
  for (Write& w : writes_) {
    if (w.node == node && w.transaction > transactions) w.captured = false;
  }
}

std::uint64_t Ledger::lost_power(const Moment& now) {
  const File file = now.file();
  auto& sites = sites_[file];
  const auto site = std::find(sites.begin(), sites.end(), now.site);
  if (site != sites.end()) sites.erase(std::next(site), sites.end());
  std::uint64_t broken = 0;
  for (Transaction& t : transactions_) {
    if (t.when.file() != file || !t.when.captured || t.lost || t.when.journal <= now.journal)
      continue;
    if (t.number <= safe_[file] && broken == 0) broken = t.number;
    t.lost = true;
    unwrite(t);
  }
  return broken;
}

void Ledger::unwrite(const Transaction& t) {
  for (Write& w : writes_) {
    std::erase(w.overwritten_by, t.number);
    if (w.transaction != t.number) continue;
    w.captured = false;
    const auto& same = by_value_[w.value];
    const bool never = std::all_of(same.begin(), same.end(), [&](std::size_t i) {
      return transactions_[writes_[i].transaction - 1].lost;
    });
    if (never) known_.erase(w.table + "." + w.column + "=" + w.value);
  }
}

void Ledger::buried(const Transaction& t, const std::string& table,
                    const std::set<std::string>& values) {
  for (const auto& value : values) {
    const auto found = by_value_.find(value);
    if (found == by_value_.end()) continue;
    for (const std::size_t i : found->second) {
      if (writes_[i].table == table) writes_[i].overwritten_by.push_back(t.number);
    }
  }
}

void Ledger::compare(const Table& table, const std::string& key, const Row* before,
                     const Row* after, Transaction& t) {
  if (before && after && *before == *after) return;
  const std::string old_life = before ? (*before)[life_column(table)] : "";
  const std::string life = after ? (*after)[life_column(table)] : "";
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
  if (before && reborn) overwrote_unseen(table, key, t);
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    if (!reborn && (*before)[i] == (*after)[i]) continue;
    if (before) overwrote(table, table.columns[i], key, (*before)[i], t);
    if (after) wrote(table, table.columns[i], key, (*after)[i], t);
  }
}

void Ledger::wrote(const Table& table, const std::string& column, const std::string& key,
                   const std::string& value, const Transaction& t) {
  known_.insert(table.name + "." + column + "=" + value);
  if (value == "NULL" || !is_tracked(table, column)) return;
  by_value_[value].push_back(writes_.size());
  writes_.push_back({value, table.name, column, key, t.when.node, t.number, {}, t.when.captured});
}

/// Who ends a row ends what it holds in columns that are not there yet, too.
void Ledger::overwrote_unseen(const Table& table, const std::string& key, const Transaction& t) {
  if (table.late.empty()) return;
  const auto is_late = [&](const std::string& column) {
    return std::ranges::any_of(table.late, [&](const auto& l) { return column_in(l) == column; });
  };
  for (Write& w : writes_) {
    const bool place = table.automatic || table.key.empty() || w.key == key;
    if (w.table == table.name && place && is_late(w.column)) w.overwritten_by.push_back(t.number);
  }
}

void Ledger::overwrote(const Table& table, const std::string& column, const std::string& key,
                       const std::string& value, const Transaction& t) {
  const auto found = by_value_.find(value);
  if (found == by_value_.end()) return;
  for (const std::size_t i : found->second) {
    Write& w = writes_[i];
    const bool place = table.automatic || table.key.empty() || w.key == key;
    if (w.table == table.name && w.column == column && place) w.overwritten_by.push_back(t.number);
  }
}

}  // namespace mycelial::sim
