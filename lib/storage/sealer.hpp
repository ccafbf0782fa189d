// SPDX-License-Identifier: Apache-2.0
// One sealing: replays the journal, finds out what became of each row, writes the set.
#pragma once

#include <deque>
#include <map>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "codec/codec.hpp"
#include "core/hybrid_clock.hpp"
#include "storage/returning.hpp"
#include "storage/store_impl.hpp"

namespace mycelial::storage {

class Sealer {
 public:
  explicit Sealer(StoreImpl& store);
  ~Sealer();
  /// Inside a write transaction. Nothing if the journal says nothing new.
  std::optional<core::UnitRef> run();

  /// The other use: rows found when their table was tracked.
  void baseline_row(TableIo& io, std::int64_t rowid, const core::Identity& identity,
                    std::span<const core::Value> values);
  /// The same for a row that the table showed when it was untracked.
  void returning_row(TableIo& io, std::int64_t rowid, const core::Identity& identity,
                     std::span<const core::Value> values, const Likeness& was);
  void finish_baseline();

  /// A third use: what foreign keys want, done like a client would. Kills a row that is shown.
  void remove_row(TableIo& io, const core::Identity& identity);
  /// A dead row begins anew with these values; it is placed by whoever settles it.
  void revive_row(TableIo& io, const core::Identity& identity, std::span<const core::Value> values);
  /// What a person decides about a row that is hidden: it gets these values, as of now...
  void rewrite_row(TableIo& io, const core::Identity& identity, const StoreImpl::NewValues& values);
  /// ...or is no more.
  void give_up_row(TableIo& io, const core::Identity& identity);
  /// Lists what became of a row of this set, here and at all who get the set.
  void list(const TableIo& io, core::Overruled what);
  void finish_rows();

 private:
  void begin();
  void show_cells(const TableIo& io, core::Row& row);
  struct Touched;
  struct Slot;
  struct Table;
  struct Gathered;
  class Rebuild;

  void replay(const JournalEntry& e);
  std::int64_t slot_of(Table& t, const JournalEntry& e);
  Slot& enter(Table& t, std::int64_t number);
  void bury(Table& t, Slot& slot, const JournalEntry* entry, bool by_delete);
  void match_rebuilt();
  bool is_pick(Table& t, std::size_t i, std::int64_t row);
  bool take_automatic(Table& t, std::int64_t row, std::pair<std::uint64_t, std::uint32_t>& out);
  void add_row(Table& t, const JournalEntry& entry, std::int64_t slot, core::Hlc time);
  RowRef ref_of(Table& t, std::int64_t slot) const;
  void decide_evictions(Table& t);
  void gather(Table& t);
  void describe(const Gathered& g, std::span<const core::Value> values, bool alive_before);
  void find_before(const Gathered& g);
  void unpack_before(const Gathered& g);
  bool is_unwatched(const TableIo& io, std::uint32_t column) const;
  static bool has_waiting(const TableIo& io, const core::Row& row);
  bool is_default(const TableIo& io, std::size_t position, const core::Value& value);
  const core::OwnedValue& default_of(const TableIo& io, std::size_t position);
  void write_whole_row(const TableIo& io, std::span<const core::Value> values, core::LocalWrite& w);
  void park_count(const TableIo& io, const core::Identity& identity, const core::Row& before,
                  const core::LocalWrite::Written& written);
  void write_by_policies(const TableIo& io, const core::Identity& identity, const core::Row& before,
                         std::span<const core::Value> values, core::LocalWrite& w);
  void show_by_policies(const Gathered& g, const core::Row& row, std::span<const core::Value> now);
  void seal_row(const Gathered& g);
  void list_overshadowed(const Gathered& g);
  void list_unseen(const Gathered& g, std::span<const core::Value> values);
  std::optional<core::UnitRef> publish();
  void keep(const Gathered& g, const BookRow& before, core::Row& merged, bool shown);
  void emit(TableIo& io, const core::Identity& identity, core::Row& piece);
  struct Written {
    core::Row piece, row;  ///< For the set, and what the row is with it.
  };
  Written write(const core::Row& old, const core::LocalWrite& w) const;
  void kill(TableIo& io, const core::Identity& identity, const core::Row& old);
  void kill_losers_of(TableIo& io, const core::Identity& winner);
  void rekey(const RowName& name);
  std::set<core::Identity> freed(std::uint32_t table, const std::set<RowName>& rekeyed);

  StoreImpl& s_;
  core::HybridClock clock_;
  std::uint64_t now_ = 0;
  core::Mark dot_;
  core::Origin label_ = 0;
  std::map<std::uint32_t, Table> tables_;
  std::vector<Gathered> rows_;
  std::set<std::uint32_t> touched_tables_;
  std::set<Hash> schemas_;
  codec::BodyWriter writer_;
  /// (table, position) -> the column's default value.
  std::map<std::pair<std::uint32_t, std::size_t>, std::optional<core::OwnedValue>> defaults_;
  std::map<std::uint32_t, std::set<core::Identity>> contested_;
  std::vector<core::Overruled> listed_;
  const TableIo* last_emitted_ = nullptr;
  // Of the row at hand; memory used again.
  RowEntry entry_;
  BookRow before_;
  core::Row old_, merged_;
  core::RowPiece piece_;
  core::LocalWrite local_;
  std::deque<Bytes> parts_;  // bytes of values in local_
  core::RowJoiner joiner_;
  std::vector<core::Discarded> discarded_;
  std::uint64_t last_number_ = 0;
  std::uint64_t count_ = 0;
};

}  // namespace mycelial::storage
