// SPDX-License-Identifier: Apache-2.0
// One applying: joins the rows of a unit into the tables, inside one transaction.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "codec/codec.hpp"
#include "storage/store_impl.hpp"

namespace mycelial::storage {

class Applier {
 public:
  Applier(StoreImpl& store, const core::Header& header);
  void run(ByteView body);

  /// Without a unit: shows what peers sent for columns that the table lacked until now.
  explicit Applier(StoreImpl& store);
  void reveal(TableIo& io, const ColumnMoves& moved);
  /// Without a unit: what was known of one table belongs to another one.
  void adopt(const TableMove& move);
  /// Without a unit: shows every row by the policies of now.
  void show_by_policies(TableIo& io);

 private:
  struct Target {  ///< The table that the rows of a block belong to.
    std::uint32_t id = 0;
    TableIo* io = nullptr;               // null: not tracked here, rows are parked
    std::vector<std::uint32_t> columns;  // schema index -> stable column id
    std::vector<std::string> names;
    bool changed = false;
  };
  /// Fresh rows, or updates, of one table and the same columns, to be written by one statement.
  class Batch {
   public:
    static constexpr std::size_t kWorthwhile = 4;
    void begin() {
      rows_.resize(kRows);
      states.resize(kRows);
      size_ = 0;
    }
    core::RowPiece& next() { return rows_[size_]; }  ///< A piece to read into.
    void keep() { ++size_; }                         ///< It belongs to the batch.
    bool is_full() const { return size_ == kRows - 1; }
    std::span<core::RowPiece> rows() { return {rows_.data(), size_}; }

    std::vector<std::uint32_t> positions;  ///< Where cells go, in the order of the cells.
    std::optional<LocalIdentity> last;     ///< Of the last row, if its identity is hidden.
    std::vector<std::int64_t> rowids;
    bool updates = false;
    std::vector<RowState> states;  ///< Of updated rows, once they are.

   private:
    static constexpr std::size_t kRows = 257;
    std::vector<core::RowPiece> rows_;
    std::size_t size_ = 0;
  };
  void learn(const core::Schema& schema);
  void learn_policies(const core::Schema& schema);
  Target& target(const Hash& schema_hash);
  void apply_block(codec::BlockReader& block);
  void translate(core::Row& row, const std::vector<core::Origin>& origins, const Target& t);
  void join(Target& t, const core::Identity& identity, core::Row& piece);
  void bury(const Target& t, const core::RowPiece& piece);
  bool is_fresh(const core::Row& piece) const;
  bool is_known(const Target& t, const core::Identity& identity);
  bool joins_batch(const Target& t, const core::RowPiece& piece);
  bool begins_batch(const Target& t, const core::Row& piece);
  void insert_batch(Target& t);
  bool has_columns_of_batch(const core::Row& piece);
  bool insert_fresh(Target& t, const core::Identity& identity, core::Row& piece);
  std::size_t insert_into_rowid_table(Target& t, std::span<core::RowPiece> rows);
  std::size_t insert_into_keyed_table(Target& t, std::span<core::RowPiece> rows);
  const core::Row& book_of(const Target& t, const core::Row& piece);
  void keep_fresh(Target& t, const core::Identity& identity, std::int64_t rowid,
                  const core::Row& piece);
  bool is_overwrite(const Target& t, const core::Row& piece, RowState& state);
  bool overwrite(Target& t, const core::Identity& identity, const core::Row& piece);
  bool joins_updates(const Target& t, const core::RowPiece& piece);
  void write_batch(Target& t);
  void update_batch(Target& t);
  bool has_rows();
  void list(std::uint32_t table, const core::Identity& identity);
  bool is_listed(std::uint32_t table, const core::Identity& identity) const;
  void drop_unlisted();
  bool is_hiding(const TableIo& io, const ColumnMoves& moved, core::Row& row);
  void note_vanished(const Target& t, const core::Identity& identity,
                     std::span<const core::Value> values);
  void vanish(const Target& t, const core::Identity& identity, const BookRow& before,
              const core::Row& merged);
  bool gather_values(const Target& t, const core::Row& merged);
  void gather_by_policy(const Target& t, const core::Identity& identity, const BookRow& before,
                        const core::Row& merged);
  void show(const Target& t, const core::Identity& identity, const BookRow& before,
            core::Row& merged);
  bool keeps_key(const Target& t, const core::Identity& identity, const RowRef& ref);
  bool loses_column(const Target& t, const core::Row& merged) const;
  void take_out(const Target& t, const core::Identity& identity, const BookRow& before,
                core::Row& merged);
  void update_shown(const Target& t, const core::Identity& identity, const BookRow& before,
                    core::Row& merged);
  void keep_shown(const Target& t, const core::Identity& identity, std::int64_t rowid,
                  core::Row& merged);
  void add_overruled();
  void list_discarded(const Target& t, const core::Identity& identity, const BookRow& before,
                      const core::Row& merged);
  bool held(const core::Mark& dot) const;  ///< Before this unit.
  bool author_saw(const core::Mark& dot) const;
  core::Value keep(core::Value value);
  void contest(const Target& t, std::set<core::Identity> rows);

  StoreImpl& s_;
  const core::Header& header_;
  core::Origin origin_ = 0;
  std::vector<std::uint64_t> seen_;    // by Origin: what the author had seen
  std::vector<std::uint64_t> theirs_;  // by Origin: what a cut covers; empty for sets
  std::map<Hash, Target> targets_;
  std::map<std::uint32_t, std::set<core::Identity>> contested_;
  bool keeps_list_ = false;   // a full cut, and there are rows that it may not list
  std::vector<Hash> listed_;  // its rows
  core::Hlc newest_ = 0;
  bool joins_own_ = false;  // both sides are ours: neither says by silence that a birth is dead
  // Of the row at hand; memory used again.
  core::RowJoiner joiner_;
  BookRow before_;
  RowEntry entry_;
  core::Row old_, merged_, booked_;
  std::vector<core::Discarded> discarded_;
  std::vector<core::Value> values_;     // by position, those that changed
  std::vector<std::uint32_t> changed_;  // positions
  Batch batch_;
  std::deque<Bytes> kept_;  // bytes of values that the table is about to lose
};

}  // namespace mycelial::storage
