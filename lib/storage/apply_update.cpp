// SPDX-License-Identifier: Apache-2.0
// Updates of shown rows by somebody who knew all of them: the usual case, without unpacking rows.
#include <algorithm>

#include "storage/applier.hpp"

namespace mycelial::storage {

/// Joins a piece with the row that before_ tells. False: nothing done, it takes a join like any
/// other. Columns under UNIQUE, and so keys, are not for here: they move rows and hide them.
bool Applier::overwrite(Target& t, const core::Identity& identity, const core::Row& piece) {
  if (!t.io || !before_.shown() || joins_own_ || !theirs_.empty()) return false;
  if (!t.io->overwriter().join(before_.state, piece, seen_, s_.state_)) return false;
  const auto& unique = t.io->unique_columns();
  values_.resize(t.io->column_ids().size());
  changed_.clear();
  for (const auto& cell : piece.cells) {
    if (std::ranges::binary_search(unique, cell.column)) return false;
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

}  // namespace mycelial::storage
