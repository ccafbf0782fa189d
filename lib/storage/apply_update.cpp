// SPDX-License-Identifier: Apache-2.0
// Updates of shown rows by somebody who knew all of them: the usual case, without unpacking rows,
// many at once.
#include <algorithm>
#include <numeric>

#include "storage/applier.hpp"

namespace mycelial::storage {
namespace {

/// UPDATE ... FROM copies the values of a batch: large ones are better written one by one.
std::size_t bytes_in(const core::Row& piece) {
  return std::accumulate(piece.cells.begin(), piece.cells.end(), std::size_t{0},
                         [](std::size_t sum, const auto& c) { return sum + c.value.bytes.size(); });
}

bool are_distinct(std::span<const std::int64_t> rowids) {
  const auto descent = std::ranges::adjacent_find(rowids, std::ranges::greater_equal());
  if (descent == rowids.end()) return true;
  std::vector<std::int64_t> sorted(rowids.begin(), rowids.end());
  std::ranges::sort(sorted);
  return std::ranges::adjacent_find(sorted) == sorted.end();
}

}  // namespace

/// Whether the row that before_ tells becomes `state` by this piece, and that is all there is to
/// it. Columns under UNIQUE, and so keys, are not for here: they move rows and hide them.
bool Applier::is_overwrite(const Target& t, const core::Row& piece, RowState& state) {
  if (!t.io || t.io->has_policies() || !before_.shown() || joins_own_ || !theirs_.empty())
    return false;
  const auto& unique = t.io->unique_columns();
  return t.io->overwriter().join(before_.state, piece, seen_, state) &&
         std::ranges::none_of(piece.cells, [&](const auto& cell) {
           return cell.value.type == core::Value::Type::part ||
                  std::ranges::binary_search(unique, cell.column);
         });
}

/// Joins a piece with the row that before_ tells. False: nothing done, it takes a join like any
/// other.
bool Applier::overwrite(Target& t, const core::Identity& identity, const core::Row& piece) {
  if (!is_overwrite(t, piece, s_.state_)) return false;
  values_.resize(t.io->column_ids().size());
  changed_.clear();
  for (const auto& cell : piece.cells) {
    const auto position = *t.io->position_of(cell.column);
    values_[position] = cell.value;
    changed_.push_back(position);
  }
  std::ranges::sort(changed_);
  const RowRef ref{before_.rowid, identity};
  if (t.io->update(ref, changed_, values_) != SQLITE_OK) return false;
  s_.put_shown(*t.io, before_.rowid, identity);
  ++s_.changes_.rows;
  t.changed = true;
  return true;
}

/// Whether the piece updates a row, and can do so together with those in the batch.
bool Applier::joins_updates(const Target& t, const core::RowPiece& piece) {
  constexpr std::size_t kBytesMax = 1024;
  const auto place = batch_.rows().size();
  const bool fits = place == 0 ? t.io->takes_batch_of_updates()
                               : batch_.updates && has_columns_of_batch(piece.row);
  if (!fits || bytes_in(piece.row) > kBytesMax) return false;
  s_.find_row(t.id, t.io, piece.identity, before_);
  if (!is_overwrite(t, piece.row, batch_.states[place])) return false;
  if (place == 0) {
    batch_.updates = true;
    batch_.positions.clear();
    for (const auto& c : piece.row.cells) batch_.positions.push_back(*t.io->position_of(c.column));
    batch_.rowids.clear();
  }
  batch_.rowids.push_back(before_.rowid);
  return true;
}

void Applier::update_batch(Target& t) {
  const auto rows = batch_.rows();
  const bool done = rows.size() >= Batch::kWorthwhile && are_distinct(batch_.rowids) &&
                    t.io->update(batch_.positions, rows, batch_.rowids);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (!done) {  // those that have their values already get them again
      join(t, rows[i].identity, rows[i].row);
      continue;
    }
    std::swap(s_.state_, batch_.states[i]);
    s_.put_shown(*t.io, batch_.rowids[i], rows[i].identity);
    ++s_.changes_.rows;
  }
  t.changed |= done;
}

}  // namespace mycelial::storage
