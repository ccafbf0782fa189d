// SPDX-License-Identifier: Apache-2.0
// What sealing knows of rows while it replays the journal.
#pragma once

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "storage/sealer.hpp"

namespace mycelial::storage {

/// The time of values that a rebuilt table has in columns that are new: any write wins.
constexpr core::Hlc kByNobody = 1;

/// What became of one row between two seals, while the journal is replayed slot by slot. A slot is
/// a rowid, or a number that stands for a key in a WITHOUT ROWID table.
struct Sealer::Touched {
  core::Identity identity;  // empty until known
  std::optional<LocalIdentity> hidden;
  std::uint64_t inserted = 0;  // the journal's number of its insert
  std::uint64_t number = 0;    // the same where that may name it, and that entry's random number:
  std::uint32_t random = 0;    // its identity if its key turns out to have a NULL
  std::optional<std::int64_t> old_rowid;  // its place when the replay began...
  RowState old_state;                     // ...and what the book said then
  std::uint32_t witness = 0;              // of its key, if the book knows no more of that
  std::optional<std::int64_t> slot;       // its place now; none once it died
  bool is_new = false, fresh = false, removed = false, upsert = false;
  core::Hlc last = 0;
  std::vector<std::pair<std::uint32_t, core::Hlc>> columns;

  void wrote(const ColumnMask& mask, std::span<const std::uint32_t> ids, core::Hlc time) {
    last = time;
    for (const auto id : ids) {
      if (!mask.test(id)) continue;
      const auto it = std::find_if(columns.begin(), columns.end(),
                                   [&](const auto& c) { return c.first == id; });
      if (it == columns.end()) {
        columns.emplace_back(id, time);
      } else {
        it->second = time;
      }
    }
  }
};

struct Sealer::Slot {
  int occupant = -1;         // index into `touched`
  bool in_the_way = false;   // an insert found it holding what it wanted; not decided yet
  std::uint64_t intent = 0;  // which insert: see Table::done
};

struct Sealer::Table {
  TableIo* io = nullptr;
  std::vector<Touched> touched;
  std::unordered_map<std::int64_t, Slot> slots;
  std::unordered_map<core::Identity, std::int64_t> key_slots;  // WITHOUT ROWID
  std::vector<core::Identity> slot_keys;
  /// Inserts whose key SQLite was about to pick. The last one is the innermost: triggers of the
  /// application may insert into their own table.
  struct Automatic {
    std::uint64_t number = 0;  // of its entry
    std::uint32_t random = 0;
    std::int64_t greatest = 0;  // number of a row until then
  };
  std::vector<Automatic> automatic;
  std::optional<std::int64_t> greatest;
  std::uint64_t done = 0;  // inserts and the like so far: what is in the way is so for the next one
  bool buried = false;     // some row was: its identity may be back in another slot
  bool rebuilt = false;    // places are those of the new table: rebuild.cpp
  std::unordered_set<std::uint64_t> inserts;  // which of `done` were; only if it was rebuilt

  /// WITHOUT ROWID: the number that stands for a key.
  std::int64_t slot_of(const core::Identity& identity) {
    const auto [it, added] =
        key_slots.try_emplace(identity, static_cast<std::int64_t>(slot_keys.size()));
    if (added) slot_keys.push_back(identity);
    return it->second;
  }
};

struct Sealer::Gathered {
  TableIo* io;
  Touched* what;
};

}  // namespace mycelial::storage
