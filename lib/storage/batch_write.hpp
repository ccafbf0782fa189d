// SPDX-License-Identifier: Apache-2.0
// Many rows by one INSERT ... SELECT or UPDATE ... FROM, read from a virtual table over the pieces
// at hand: what a statement costs apart from its row (bind, step, halt, reset) is paid once.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "storage/sqlite.hpp"
#include "storage/table_info.hpp"

namespace mycelial::storage {

class BatchWrite {
 public:
  /// `rowid`: what the table calls it. The connection and the TableInfo must outlive this.
  BatchWrite(Connection& db, const TableInfo& table, std::string rowid);
  ~BatchWrite();
  BatchWrite(const BatchWrite&) = delete;
  BatchWrite& operator=(const BatchWrite&) = delete;

  /// The n-th cell of every row goes to the column at positions[n]; `rowids` are not used where a
  /// table has none, or they are its key. `code` is SQLite's extended result code. Gives how many
  /// rows had been inserted, from the first on, when it ended; some errors undo them.
  std::size_t insert(std::span<const std::uint32_t> positions, std::span<const core::RowPiece> rows,
                     std::span<const std::int64_t> rowids, int& code);
  /// Updates these columns of the rows at `rowids`, no two alike. Gives SQLite's extended result
  /// code; if it is an error, then some of the rows may have been updated.
  int update(std::span<const std::uint32_t> positions, std::span<const core::RowPiece> rows,
             std::span<const std::int64_t> rowids);

 private:
  struct Source;
  struct Prepared {
    Statement statement;
    std::vector<std::uint32_t> positions;
  };
  void prepare_insert(std::span<const std::uint32_t> positions);
  void prepare_update(std::span<const std::uint32_t> positions);
  int run(Prepared& prepared, std::span<const core::RowPiece> rows,
          std::span<const std::int64_t> rowids);

  Connection& db_;
  const TableInfo& table_;
  std::string rowid_, module_, declaration_;
  std::span<const core::RowPiece> rows_;
  std::span<const std::int64_t> rowids_;
  std::size_t at_ = 0;  // of rows_: the one being read
  Prepared insert_, update_;
};

}  // namespace mycelial::storage
