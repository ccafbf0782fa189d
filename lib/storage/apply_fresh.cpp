// SPDX-License-Identifier: Apache-2.0
// Rows that nobody has heard of: the usual case, inserted without looking first, many at once.
#include <algorithm>

#include "core/policy/part.hpp"
#include "storage/applier.hpp"

namespace mycelial::storage {

/// A whole new life: a birth that we have not seen, and one write that carries everything.
bool Applier::is_fresh(const core::Row& piece) const {
  if (!piece.killers.empty() || piece.births.size() != 1 || piece.writes.size() != 1 ||
      piece.writes[0].targets != piece.births) {
    return false;
  }
  if (core::has_parts(piece)) return false;
  const auto birth = piece.births[0];
  const auto covered = s_.meta_.covered();
  return birth.origin != 0 && birth.seq > covered[birth.origin] &&
         std::ranges::none_of(piece.dead, [&](const core::Mark& dead) {
           return dead.origin == birth.origin && dead.seq >= birth.seq;
         });
}

/// Whether the book has this row, as far as nothing else will tell.
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
  batch_.updates = false;
  for (const auto& cell : piece.cells) {
    const auto position = t.io->position_of(cell.column);
    const bool again = &cell != piece.cells.data() && (&cell - 1)->column == cell.column;
    if (!position || again) return false;
    batch_.positions.push_back(*position);
  }
  return t.io->takes_batch(batch_.positions);
}

bool Applier::has_columns_of_batch(const core::Row& piece) {
  return std::ranges::equal(batch_.rows()[0].row.cells, piece.cells, {}, &core::Cell::column,
                            &core::Cell::column);
}

/// Whether the piece can be written together with those in the batch.
bool Applier::joins_batch(const Target& t, const core::RowPiece& piece) {
  if (!t.io || t.io->has_policies()) return false;
  if (!is_fresh(piece.row)) return joins_updates(t, piece);
  if (batch_.rows().empty()) {
    if (!begins_batch(t, piece.row)) return false;
  } else if (batch_.updates || !has_columns_of_batch(piece.row)) {
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
  if (!t.io->fits(piece.identity, values_)) return false;
  // Of tables without rowids insertion tells, but for graves.
  if ((t.io->has_rowid() || s_.has_graves(t.id)) && is_known(t, piece.identity)) return false;
  if (const auto local = s_.local_identity(piece.identity)) {
    if (batch_.last && *local <= *batch_.last) return false;  // perhaps one of the batch
    batch_.last = local;
  }
  return true;
}

/// Writes what has been gathered. A row that cannot be is joined like any other.
void Applier::write_batch(Target& t) {
  if (batch_.updates) {
    update_batch(t);
  } else {
    insert_batch(t);
  }
  batch_.begin();
}

void Applier::insert_batch(Target& t) {
  for (auto left = batch_.rows(); !left.empty();) {
    std::size_t done = 0;
    if (left.size() >= Batch::kWorthwhile) {
      done =
          t.io->has_rowid() ? insert_into_rowid_table(t, left) : insert_into_keyed_table(t, left);
    }
    if (done < left.size()) {
      join(t, left[done].identity, left[done].row);
      ++done;
    }
    left = left.subspan(done);
  }
}

/// Gives how many, from the first on, are in the table and in the book now.
std::size_t Applier::insert_into_rowid_table(Target& t, std::span<core::RowPiece> rows) {
  const auto done = t.io->insert(batch_.positions, rows, batch_.rowids);
  for (std::size_t i = 0; i < done; ++i) {
    keep_fresh(t, rows[i].identity, batch_.rowids[i], rows[i].row);
  }
  return done;
}

/// The same for a table without rowids. The book goes first: it tells which rows are known.
std::size_t Applier::insert_into_keyed_table(Target& t, std::span<core::RowPiece> rows) {
  auto& records = s_.new_records();
  RowState state;
  for (const auto& row : rows) {
    pack_row(book_of(t, row.row), t.io->columns(), state);
    records.add(t.id, row.identity, state);
  }
  const auto booked = s_.put_new_records(records, t.id);
  if (booked == 0) return 0;
  const auto done = t.io->insert(batch_.positions, rows.first(booked), batch_.rowids);
  for (auto i = done; i < booked; ++i) s_.erase_record(t.id, rows[i].identity);
  s_.changes_.rows += done;
  t.changed |= done > 0;
  return done;
}

bool Applier::insert_fresh(Target& t, const core::Identity& identity, core::Row& piece) {
  if (!t.io || t.io->has_policies() || is_known(t, identity)) return false;
  gather_values(t, piece);
  std::int64_t rowid = 0;
  if (!t.io->fits(identity, values_)) return false;
  if (t.io->insert(changed_, values_, &rowid) != SQLITE_OK) return false;
  keep_fresh(t, identity, rowid, piece);
  return true;
}

/// The book of a row that the table shows as the piece says. As a join would say it: whatever else
/// we hold of the origins that the piece speaks of, the row is not of it.
const core::Row& Applier::book_of(const Target& t, const core::Row& piece) {
  booked_.births = piece.births;
  booked_.dead = piece.dead;
  booked_.writes = piece.writes;
  const auto covered = s_.meta_.covered();
  const auto origin = piece.births[0].origin;
  auto& dead = booked_.dead;
  const auto place = std::ranges::lower_bound(dead, origin, {}, &core::Mark::origin);
  const bool listed = place != dead.end() && place->origin == origin;
  if (!listed && covered[origin] > 0) dead.insert(place, {origin, covered[origin]});
  for (auto& d : dead) d.seq = std::max(d.seq, covered[d.origin]);
  booked_.cells.clear();
  const auto is_here = [&](const auto& cell) { return t.io->position_of(cell.column).has_value(); };
  const bool whole =
      piece.cells.size() == t.io->column_ids().size() && std::ranges::all_of(piece.cells, is_here);
  if (whole) return booked_;  // said in fewer words
  for (const auto& cell : piece.cells) {
    const auto value = is_here(cell) ? core::Value::in_table() : cell.value;
    booked_.cells.push_back({cell.column, cell.write, value});
  }
  return booked_;
}

void Applier::keep_fresh(Target& t, const core::Identity& identity, std::int64_t rowid,
                         const core::Row& piece) {
  s_.put_shown(*t.io, rowid, identity, book_of(t, piece));
  ++s_.changes_.rows;
  t.changed = true;
}

}  // namespace mycelial::storage
