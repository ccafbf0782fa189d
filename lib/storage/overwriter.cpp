// SPDX-License-Identifier: Apache-2.0
#include "storage/overwriter.hpp"

#include <algorithm>

namespace mycelial::storage {
namespace {

// Names of numbers, ordered as the numbers are in the usual case: a birth, which comes first in a
// shape, is beyond what is dead, and the new write is beyond all others, which are in order.
constexpr std::uint64_t kMarks = std::uint64_t{1} << 40;

std::uint64_t name_of_mark(std::size_t number) {
  return kMarks - number;
}
std::uint64_t name_of_time(std::size_t number) {
  return number;
}
constexpr std::uint64_t kSet = kMarks + 1;
constexpr std::uint64_t kTime = kMarks + 2;

std::uint32_t number_of_mark(std::uint64_t name) {
  return static_cast<std::uint32_t>(kMarks - name);
}

/// The index that the name stands for, of `count` old numbers.
std::uint32_t number_of(std::uint64_t name, std::size_t count) {
  if (name == kSet) return static_cast<std::uint32_t>(count);
  if (name == kTime) return static_cast<std::uint32_t>(count + 1);
  return name < count ? static_cast<std::uint32_t>(name) : number_of_mark(name);
}

/// A write of nothing but cells, as its author's stamp says.
bool is_plain_write(const core::Row& piece) {
  if (!piece.births.empty() || !piece.dead.empty() || !piece.killers.empty()) return false;
  if (piece.writes.size() != 1 || piece.cells.empty()) return false;
  const auto& w = piece.writes[0];
  return w.carrier == core::Mark{w.stamp.origin, w.stamp.seq};
}

}  // namespace

bool Overwriter::join(const RowState& old, const core::Row& piece, core::Covered seen,
                      RowState& out) {
  if (!is_plain_write(piece)) return false;
  const Plan& plan = plan_for(old, piece);
  if (!plan.usual) return false;
  const auto& write = piece.writes[0];
  const auto& numbers = old.numbers;
  const auto is_target = [&](const Birth& birth, const core::Mark& target) {
    const auto seq = numbers[birth.number];
    return target == core::Mark{birth.origin, seq} &&
           seq > (birth.listed_dead ? numbers[birth.dead] : 0);
  };
  const auto is_seen = [&](const Place& stamp) {
    return stamp.origin == 0 ||
           (stamp.origin < seen.size() && numbers[stamp.number] <= seen[stamp.origin]);
  };
  const auto times = std::span(numbers).last(plan.writes);
  if (!std::ranges::equal(plan.births, write.targets, is_target) ||
      !std::ranges::all_of(plan.stamps, is_seen) ||
      std::ranges::any_of(times, [&](auto time) { return time >= write.stamp.time; })) {
    return false;
  }
  out.shape = plan.result;
  out.numbers.resize(plan.numbers.size());
  for (std::size_t i = 0; i < plan.numbers.size(); ++i) {
    const auto from = plan.numbers[i];
    out.numbers[i] = from < numbers.size()    ? numbers[from]
                     : from == numbers.size() ? write.stamp.seq
                                              : write.stamp.time;
  }
  return true;
}

const Overwriter::Plan& Overwriter::plan_for(const RowState& old, const core::Row& piece) {
  const auto fits = [&](const Plan& plan) {
    return plan.shape == old.shape && plan.author == piece.writes[0].stamp.origin &&
           std::ranges::equal(plan.columns, piece.cells, {}, {}, &core::Cell::column);
  };
  if (!plans_.empty() && fits(plans_[last_])) return plans_[last_];
  const auto known = std::ranges::find_if(plans_, fits);
  if (known != plans_.end()) {
    last_ = static_cast<std::size_t>(known - plans_.begin());
    return *known;
  }
  last_ = (last_ + 1) % kPlans;
  if (last_ >= plans_.size()) {
    last_ = plans_.size();
    plans_.emplace_back();
  }
  Plan& plan = plans_[last_] = {};
  plan.author = piece.writes[0].stamp.origin;
  for (const auto& cell : piece.cells) plan.columns.push_back(cell.column);
  plan.shape = old.shape;
  make(plan, old.numbers.size());
  return plan;
}

void Overwriter::make(Plan& plan, std::size_t count) const {
  RowState named{plan.shape, std::vector<std::uint64_t>(count)};
  for (std::size_t i = 0; i < count; ++i) named.numbers[i] = name_of_mark(i);
  core::Row row, write, joined;
  unpack_row(named, columns_, row);
  plan.writes = row.writes.size();
  for (std::size_t i = 0; i < row.writes.size(); ++i) {
    row.writes[i].stamp.time = name_of_time(count - row.writes.size() + i);
  }
  const auto is_shown = [&](auto id) { return std::ranges::binary_search(columns_.ids, id); };
  const auto again = std::ranges::adjacent_find(plan.columns);
  plan.usual =
      is_usual(row) && std::ranges::all_of(plan.columns, is_shown) && again == plan.columns.end();
  if (!plan.usual) return;
  for (const auto& m : row.births) {
    Birth birth{{m.origin, number_of_mark(m.seq)}, false, 0};
    for (const auto& dead : row.dead) {
      if (dead.origin != m.origin) continue;
      birth.listed_dead = true;
      birth.dead = number_of_mark(dead.seq);
    }
    plan.births.push_back(birth);
  }
  for (const auto& w : row.writes) {
    plan.stamps.push_back({w.stamp.origin, number_of_mark(w.stamp.seq)});
  }
  write.writes.push_back({{plan.author, kSet}, {kTime, plan.author, kSet}, row.births});
  for (const auto column : plan.columns) {
    write.cells.push_back({column, 0, core::Value::in_table()});
  }
  core::RowJoiner().join(row, write, {}, {}, core::Ranks({}), joined);
  RowState result;
  pack_row(joined, columns_, result);
  plan.result = result.shape;
  for (const auto name : result.numbers) plan.numbers.push_back(number_of(name, count));
}

/// Whether all there is of the row lives as long as the row, and is in the table if the table has a
/// place for it.
bool Overwriter::is_usual(const core::Row& row) const {
  const auto same = [](const core::Cell& a, const core::Cell& b) { return a.column == b.column; };
  return !row.births.empty() && core::alive(row) == row.births &&
         std::ranges::all_of(row.writes, [&](const auto& w) { return w.targets == row.births; }) &&
         std::ranges::adjacent_find(row.cells, same) == row.cells.end() &&
         std::ranges::all_of(row.cells, [&](const auto& c) {
           return c.value.type == core::Value::Type::in_table ||
                  !std::ranges::binary_search(columns_.ids, c.column);
         });
}

}  // namespace mycelial::storage
