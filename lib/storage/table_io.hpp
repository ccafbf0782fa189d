// SPDX-License-Identifier: Apache-2.0
// Reads and writes rows of one application table, on our own connection, where capture triggers
// never fire.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "storage/app_triggers.hpp"
#include "storage/batch_write.hpp"
#include "storage/identity.hpp"
#include "storage/overwriter.hpp"
#include "storage/policies.hpp"
#include "storage/references.hpp"
#include "storage/row_state.hpp"
#include "storage/sqlite.hpp"
#include "storage/table_info.hpp"

namespace mycelial::storage {

/// Where a row is: by rowid, or by key in a WITHOUT ROWID table.
struct RowRef {
  std::int64_t rowid = 0;
  ByteView key;  ///< Identity; used by WITHOUT ROWID tables only.
};

class TableIo {
 public:
  TableIo(Connection& db, AppTriggers& triggers, TableInfo info);

  const TableInfo& info() const { return info_; }
  const core::Schema& schema() const { return schema_; }
  const Hash& schema_hash() const { return hash_; }
  /// Stable ids of the columns, by position.
  const std::vector<std::uint32_t>& column_ids() const { return ids_; }
  /// The same, as bookkeeping needs them.
  const ColumnSet& columns() const { return columns_; }
  /// For its rows.
  Overwriter& overwriter() { return overwriter_; }
  std::optional<std::uint32_t> position_of(std::uint32_t column_id) const {
    if (column_id >= positions_.size() || positions_[column_id] == kNowhere) return std::nullopt;
    return positions_[column_id];
  }
  /// Merge policies, as they are chosen now.
  void set_policies(TablePolicies policies);
  const TablePolicies& policies() const { return policies_; }
  /// Some column has another policy than last-writer-wins.
  bool has_policies() const { return !policies_.columns.empty(); }
  const core::Policy& policy_of(std::uint32_t position) const {
    return has_policies() ? policies_.columns[position] : kLastWriterWins;
  }
  /// Whether the column shows something else than the last write.
  bool merges_by_policy(const core::Row& row, std::uint32_t position) const;
  /// Whether the table holds the value of row.cells[i], so that the book need not.
  bool holds(const core::Row& row, std::size_t i, const core::Ranks& ranks) const;
  bool has_rowid() const { return info_.kind != TableKind::without_rowid; }

  /// The row's values by position, or nothing. They live until the next read() or release().
  std::optional<std::span<const core::Value>> read(const RowRef& ref);
  void release() { select_.reset(); }
  /// The rowid (0 for WITHOUT ROWID) that a row with this key identity has, or (an INTEGER PRIMARY
  /// KEY) would have.
  std::optional<std::int64_t> find_key(ByteView identity);
  /// The identity that these values give a row; nothing if it has a hidden one.
  std::optional<core::Identity> key_of(std::span<const core::Value> values) const;
  /// Whether a row of these values would be found under this identity. If not, another site keys
  /// the table otherwise (or lies): the row must not be shown here.
  bool fits(ByteView identity, std::span<const core::Value> values);

  /// Result codes are SQLite's extended ones; constraint failures are for the caller to judge,
  /// anything else throws.
  int insert(std::span<const std::uint32_t> positions, std::span<const core::Value> values,
             std::int64_t* rowid);
  /// Whether rows that have a value for these columns, in this order, can be inserted many at once.
  bool takes_batch(std::span<const std::uint32_t> positions);
  /// Inserts rows, and gives how many, from the first on: the next one cannot be. Their rowids are
  /// beyond all others where they are free to choose.
  std::size_t insert(std::span<const std::uint32_t> positions, std::span<const core::RowPiece> rows,
                     std::vector<std::int64_t>& rowids);
  int update(const RowRef& ref, std::span<const std::uint32_t> positions,
             std::span<const core::Value> values);
  /// Whether rows can be updated many at once.
  bool takes_batch_of_updates();
  /// Gives the rows at `rowids`, no two alike, these values. False: some row cannot be; those that
  /// can may have been.
  bool update(std::span<const std::uint32_t> positions, std::span<const core::RowPiece> rows,
              std::span<const std::int64_t> rowids);
  void remove(const RowRef& ref);
  /// The shown row that holds the same values in unique index i (i == the number of indexes: the
  /// key), as rowid, or as identity in a WITHOUT ROWID table.
  struct Holder {
    std::int64_t rowid = 0;
    core::Identity key;
  };
  std::optional<Holder> holder(std::size_t index, std::span<const core::Value> values);
  /// The shown rows that have these values in these columns, compared by these collations; at most
  /// `limit`.
  std::vector<Holder> rows_with(std::span<const std::uint32_t> positions,
                                std::span<const std::string> collations,
                                std::span<const core::Value> values, std::int64_t limit);
  /// Those that refer to a row of the parent that is not there.
  std::vector<Holder> rows_without_parent(const Reference& key, std::int64_t limit);
  /// Values of unique index i in canonical form; empty when one is NULL (NULLs never conflict), or
  /// the index would not hold the row.
  Bytes claim_of(std::size_t index, std::span<const core::Value> values);
  /// What a column shows that nobody wrote; NULL if that is not the same for every row.
  core::Value default_of(std::size_t position);
  /// Number of unique indexes, and the key as one more.
  std::size_t indexes() const { return info_.uniques.size() + (info_.key.empty() ? 0 : 1); }
  /// Stable ids of the columns in any of them.
  const std::vector<std::uint32_t>& unique_columns() const { return unique_; }
  std::int64_t max_rowid();

 private:
  static constexpr std::uint32_t kNowhere = ~std::uint32_t{0};
  static constexpr core::Policy kLastWriterWins{};
  std::string where() const;
  std::string names_of_holder() const;
  Holder holder_at(Statement& s) const;
  bool can_name_rowid() const;
  int bind_ref(Statement& s, int at, const RowRef& ref);
  int judge(int rc);
  /// The values that a row has in a unique index; none: it takes no place there.
  std::span<const core::Value> terms_of(std::size_t index, std::span<const core::Value> values);
  Collation collation_in(std::size_t index, std::size_t term) const;
  std::string match_of(std::size_t index) const;
  void load_defaults();
  template <class Bind>
  int write(Statement& s, Bind&& bind);

  Connection& db_;
  AppTriggers& triggers_;
  TableInfo info_;
  core::Schema schema_;
  Hash hash_;
  std::vector<std::uint32_t> ids_;
  ColumnSet columns_;
  TablePolicies policies_;
  Overwriter overwriter_{columns_};
  std::vector<std::uint32_t> unique_;     // stable ids of the columns under UNIQUE, sorted
  std::vector<std::uint32_t> positions_;  // by stable id; kNowhere where this table lacks it
  std::string rowid_name_;
  const char* or_abort_ = "";  // overrides ON CONFLICT clauses of the table, where it has any
  Statement select_, delete_, find_, max_;
  /// Statements by the columns that they write; most rows write the same as the row before.
  class ByColumns {
   public:
    Statement& of(std::span<const std::uint32_t> positions);

   private:
    std::map<std::vector<std::uint32_t>, Statement> statements_;
    std::vector<std::uint32_t> last_positions_;
    Statement* last_ = nullptr;
  };
  ByColumns updates_, inserts_;
  std::unique_ptr<BatchWrite> batch_;
  std::map<std::size_t, Statement> holders_, evaluations_;  // by index
  std::vector<core::Value> terms_;                          // of the row at hand
  std::vector<Bytes> term_bytes_;                           // that terms_ views
  std::vector<std::pair<core::Value, Bytes>> defaults_;     // by position; empty: not loaded
  std::vector<core::Value> row_;
  Bytes key_;  // of the row at hand; memory used again
};

}  // namespace mycelial::storage
