// SPDX-License-Identifier: Apache-2.0
// The first half of sealing: the journal tells, entry by entry, which rows began, ended and were
// written. What a table holds now decides what an entry cannot tell.
#include <limits>
#include <unordered_map>

#include "storage/touched.hpp"

namespace mycelial::storage {

std::int64_t Sealer::slot_of(Table& t, const JournalEntry& e) {
  if (t.io->has_rowid()) return e.row;
  const auto id = key_identity(t.io->info(), e.key);
  if (!id) return -1;
  return t.slot_of(*id);
}

/// The slot, with the row that the book knows there.
Sealer::Slot& Sealer::enter(Table& t, std::int64_t number) {
  const auto [it, added] = t.slots.try_emplace(number);
  if (!added) return it->second;
  Touched found;
  if (t.io->has_rowid()) {
    if (!s_.segments_->find(t.io->info().id, number, entry_)) return it->second;
    found.hidden = entry_.hidden;
    found.old_state = entry_.state;
    found.witness = entry_.witness;
    if (found.hidden) found.identity = s_.wire_identity(*found.hidden);
  } else {
    found.identity = t.slot_keys[static_cast<std::size_t>(number)];
    const auto row = s_.find_row(t.io->info().id, t.io, found.identity);
    if (!row.shown()) return it->second;
  }
  found.old_rowid = found.slot = number;
  it->second.occupant = static_cast<int>(t.touched.size());
  t.touched.push_back(std::move(found));
  return it->second;
}

/// The row in the slot is no more. `entry`'s key, if it has one, is the key it had.
void Sealer::bury(Table& t, Slot& slot, const JournalEntry* entry, bool by_delete) {
  if (slot.occupant < 0) return;
  auto& row = t.touched[static_cast<std::size_t>(slot.occupant)];
  t.buried = true;
  row.fresh = true;
  row.removed |= by_delete;
  row.slot.reset();
  if (row.identity.empty() && entry && !entry->key.empty()) {
    row.identity = key_identity(t.io->info(), entry->key).value_or(core::Identity());
  }
  if (row.identity.empty() && t.io->info().kind == TableKind::integer_key && row.old_rowid) {
    const core::Value key = core::Value::of(*row.old_rowid);
    row.identity = *key_identity(t.io->info(), {&key, 1});
  }
  slot.occupant = -1;
}

/// Whether SQLite can have picked the row's number for the insert whose entry is the i-th of
/// `automatic`: it is the greatest one and one more. Of the inserts around it, i may have happened
/// and not be journaled yet.
bool Sealer::is_pick(Table& t, std::size_t i, std::int64_t row) {
  const auto before = [&](std::int64_t number) -> const Touched* {
    const Slot& slot = enter(t, number);
    // What was in the way of another row may be gone.
    if (slot.occupant < 0 || slot.in_the_way) return nullptr;
    const auto& found = t.touched[static_cast<std::size_t>(slot.occupant)];
    return found.is_new && found.inserted > t.automatic[i].number ? nullptr : &found;
  };
  constexpr auto kMax = std::numeric_limits<std::int64_t>::max();
  if (row == kMax || enter(t, kMax).occupant >= 0) return true;  // then SQLite tries any number
  if (before(row + 1)) return false;
  if (t.io->info().autoincrement) return row > t.automatic[i].greatest;
  const auto gap = static_cast<std::int64_t>(i) + 1;
  if (row > 0 && row <= gap) return true;
  for (std::int64_t d = 1; d <= gap; ++d) {
    if (row >= std::numeric_limits<std::int64_t>::min() + d && enter(t, row - d).occupant >= 0) {
      return true;
    }
  }
  return false;
}

/// The entry that said that SQLite would pick this number, if one did. An insert that was ignored
/// leaves such an entry, and the next one may have a number of its own.
bool Sealer::take_automatic(Table& t, std::int64_t row,
                            std::pair<std::uint64_t, std::uint32_t>& out) {
  for (std::size_t i = t.automatic.size(); i-- > 0;) {
    if (row != -1 && !is_pick(t, i, row)) continue;
    out = {t.automatic[i].number, t.automatic[i].random};
    t.automatic.resize(i);
    return row != -1;
  }
  return false;
}

/// A row begins in the slot.
void Sealer::add_row(Table& t, const JournalEntry& e, std::int64_t slot, core::Hlc time) {
  Touched row;
  row.is_new = row.fresh = true;
  row.slot = slot;
  row.last = time;
  row.inserted = e.number;
  if (t.greatest) t.greatest = std::max(*t.greatest, slot);
  std::pair<std::uint64_t, std::uint32_t> own{e.number, e.random};
  const bool automatic = e.op == Op::insert && take_automatic(t, e.row, own);
  if (automatic || t.io->info().kind == TableKind::keyless) {
    row.hidden = LocalIdentity{label_, own.first, own.second};
    row.identity = s_.wire_identity(*row.hidden);
  } else {
    row.number = own.first;
    row.random = own.second;
  }
  t.touched.push_back(std::move(row));
}

void Sealer::replay(const JournalEntry& e) {
  last_number_ = e.number;
  const core::Hlc time = clock_.stamp_write(e.ms, now_);
  TableIo* io = s_.table(e.table);
  if (!io) return;
  auto& t = tables_[e.table];
  t.io = io;
  if (e.op == Op::automatic) {
    if (!t.greatest) t.greatest = s_.segments_->last(e.table).value_or(0);
    t.automatic.push_back({e.number, e.random, *t.greatest});
    if (Slot& taken = enter(t, -1); taken.occupant >= 0) taken = {taken.occupant, true, t.done};
    return;
  }
  const std::int64_t number = slot_of(t, e);
  if (number < 0 && !io->has_rowid()) return;
  Slot& slot = enter(t, number);
  switch (e.op) {
    case Op::insert:
    case Op::rekey:
      bury(t, slot, &e, false);
      add_row(t, e, number, time);
      slot = {static_cast<int>(t.touched.size()) - 1, false, 0};
      if (s_.rebuilt_.contains(e.table)) t.inserts.insert(t.done);
      ++t.done;
      break;
    case Op::update: {
      const bool intended = slot.in_the_way && slot.intent == t.done;
      ++t.done;
      if (slot.occupant < 0) return;
      auto& row = t.touched[static_cast<std::size_t>(slot.occupant)];
      row.upsert |= intended;
      slot.in_the_way = false;
      row.wrote(e.mask, io->column_ids(), time);
      if (!s_.unwatched_.empty() && !s_.rebuilt_.contains(e.table))
        row.wrote(s_.unwatched_[e.table], io->column_ids(), time);
      break;
    }
    case Op::remove:
      slot.in_the_way = false;
      if (slot.occupant >= 0) t.touched[static_cast<std::size_t>(slot.occupant)].last = time;
      bury(t, slot, &e, true);
      ++t.done;
      break;
    case Op::in_the_way:
      slot = {slot.occupant, true, t.done};
      if (slot.occupant >= 0) {
        auto& row = t.touched[static_cast<std::size_t>(slot.occupant)];
        row.last = std::max(row.last, time);
        if (row.identity.empty() && !row.is_new && !e.key.empty()) {
          row.identity = key_identity(io->info(), e.key).value_or(core::Identity());
        }
      }
      break;
    case Op::automatic:
      break;
  }
}

RowRef Sealer::ref_of(Table& t, std::int64_t slot) const {
  if (t.io->has_rowid()) return {slot, {}};
  return {0, t.slot_keys[static_cast<std::size_t>(slot)]};
}

/// Rows that an insert found in its way and that are gone now were replaced.
void Sealer::decide_evictions(Table& t) {
  for (auto& [number, slot] : t.slots) {
    if (!slot.in_the_way || slot.occupant < 0) continue;
    const auto values = t.io->read(ref_of(t, number));
    auto& row = t.touched[static_cast<std::size_t>(slot.occupant)];
    const bool same =
        values && (row.identity.empty() || row.hidden || t.io->key_of(*values) == row.identity);
    t.io->release();
    if (!same) bury(t, slot, nullptr, false);
  }
}

/// Brings together what happened to one identity: its old life in one slot, its new in another.
void Sealer::gather(Table& t) {
  std::unordered_map<core::Identity, std::size_t> by_identity;
  for (auto& row : t.touched) {
    if (row.slot && row.identity.empty()) {
      const auto values = t.io->read(ref_of(t, *row.slot));
      if (values) row.identity = t.io->key_of(*values).value_or(core::Identity());
      t.io->release();
      if (row.identity.empty()) {
        if (!values) continue;
        if (row.number == 0) continue;
        row.hidden = LocalIdentity{label_, row.number, row.random};
        row.identity = s_.wire_identity(*row.hidden);
      }
    }
    if (row.identity.empty()) continue;
    if (row.hidden && row.is_new) {  // nobody else can have this identity
      if (row.slot) rows_.push_back({t.io, &row});
      continue;
    }
    if (!t.buried) {
      rows_.push_back({t.io, &row});
      continue;
    }
    const auto [it, added] = by_identity.try_emplace(row.identity, rows_.size());
    if (added) {
      rows_.push_back({t.io, &row});
      continue;
    }
    auto& known = *rows_[it->second].what;
    known.fresh |= row.fresh;
    known.removed |= row.removed;
    known.upsert |= row.upsert;
    known.last = std::max(known.last, row.last);
    if (row.old_rowid) {
      known.old_rowid = row.old_rowid;
      known.old_state = row.old_state;
    }
    if (row.slot) {
      known.slot = row.slot;
      known.columns = row.columns;
    }
  }
}

}  // namespace mycelial::storage
