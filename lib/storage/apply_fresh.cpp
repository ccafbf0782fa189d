// SPDX-License-Identifier: Apache-2.0
// Rows that nobody has heard of: the usual case, inserted without looking first, many at once.
#include <algorithm>

#include "storage/applier.hpp"

namespace mycelial::storage {

/// A whole new life: a birth that we have not seen, and one write that carries everything.
bool Applier::is_fresh(const core::Row& piece) const {
  if (!piece.killers.empty() || piece.births.size() != 1 || piece.writes.size() != 1 ||
      piece.writes[0].targets != piece.births) {
    return false;
  }
  const auto birth = piece.births[0];
  const auto covered = s_.meta_.covered();
  return birth.origin != 0 && birth.seq > covered[birth.origin] &&
         std::ranges::none_of(piece.dead, [&](const core::Mark& dead) {
           return dead.origin == birth.origin && dead.seq >= birth.seq;
         });
}

/// Whether the book has this row, as far as the table's own key index does not tell.
bool Applier::is_known(const Target& t, const core::Identity& identity) {
  if (!is_key_identity(identity)) {
    const auto local = s_.local_identity(identity);
    if (local && s_.segments_->find(t.id, *local, entry_)) return true;
  }
  s_.find_record(t.id, identity, before_);
  return before_.place != BookRow::Place::none;
}

/// The first row of a batch says which columns all have.
bool Applier::begins_batch(const Target& t, const core::Row& piece) {
  batch_.positions.clear();
  batch_.last.reset();
  for (const auto& cell : piece.cells) {
    const auto position = t.io->position_of(cell.column);
    const bool again = &cell != piece.cells.data() && (&cell - 1)->column == cell.column;
    if (!position || again) return false;
    batch_.positions.push_back(*position);
  }
  return t.io->takes_batch(batch_.positions);
}

/// Whether the piece can be inserted together with those in the batch.
bool Applier::joins_batch(const Target& t, const core::RowPiece& piece) {
  if (!t.io || !is_fresh(piece.row)) return false;
  const auto rows = batch_.rows();
  if (rows.empty()) {
    if (!begins_batch(t, piece.row)) return false;
  } else if (!std::ranges::equal(rows[0].row.cells, piece.row.cells, {}, &core::Cell::column,
                                 &core::Cell::column)) {
    return false;
  }
  values_.resize(t.io->column_ids().size());
  for (std::size_t i = 0; i < piece.row.cells.size(); ++i) {
    values_[batch_.positions[i]] = piece.row.cells[i].value;
  }
  const auto& info = t.io->info();
  if (info.kind == TableKind::integer_key &&
      values_[info.key[0]].type != core::Value::Type::integer) {
    return false;
  }
  if (!t.io->fits(piece.identity, values_) || is_known(t, piece.identity)) return false;
  if (const auto local = s_.local_identity(piece.identity)) {
    if (batch_.last && *local <= *batch_.last) return false;  // perhaps one of the batch
    batch_.last = local;
  }
  return true;
}

/// Inserts what has been gathered. A row that cannot be is joined like any other.
void Applier::insert_batch(Target& t) {
  constexpr std::size_t kWorthwhile = 4;
  for (auto left = batch_.rows(); !left.empty();) {
    std::size_t done = 0;
    if (left.size() >= kWorthwhile) done = t.io->insert(batch_.positions, left, batch_.rowids);
    for (std::size_t i = 0; i < done; ++i) {
      keep_fresh(t, left[i].identity, batch_.rowids[i], left[i].row);
    }
    if (done < left.size()) {
      join(t, left[done].identity, left[done].row);
      ++done;
    }
    left = left.subspan(done);
  }
  batch_.begin();
}

bool Applier::insert_fresh(Target& t, const core::Identity& identity, core::Row& piece) {
  if (!t.io || !t.io->has_rowid() || is_known(t, identity)) return false;
  gather_values(t, piece);
  std::int64_t rowid = 0;
  if (!t.io->fits(identity, values_)) return false;
  if (t.io->insert(changed_, values_, &rowid) != SQLITE_OK) return false;
  keep_fresh(t, identity, rowid, piece);
  return true;
}

/// The book of a row just inserted. As a join would say it: whatever else we hold of the origins
/// that the piece speaks of, the row is not of it.
void Applier::keep_fresh(Target& t, const core::Identity& identity, std::int64_t rowid,
                         core::Row& piece) {
  const auto covered = s_.meta_.covered();
  const auto origin = piece.births[0].origin;
  const auto place = std::ranges::lower_bound(piece.dead, origin, {}, &core::Mark::origin);
  const bool listed = place != piece.dead.end() && place->origin == origin;
  if (!listed && covered[origin] > 0) piece.dead.insert(place, {origin, covered[origin]});
  for (auto& dead : piece.dead) dead.seq = std::max(dead.seq, covered[dead.origin]);
  if (piece.cells.size() == t.io->column_ids().size()) {
    piece.cells.clear();  // all in the table: said in fewer words
    s_.put_shown(*t.io, rowid, identity, piece);
  } else {
    keep_shown(t, identity, rowid, piece);
  }
  ++s_.changes_.rows;
  t.changed = true;
}

}  // namespace mycelial::storage
