// SPDX-License-Identifier: Apache-2.0
// Many rows by one INSERT ... SELECT, read from a virtual table over the pieces at hand: what a
// statement costs apart from its row (bind, step, halt, reset) is paid once.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "storage/sqlite.hpp"
#include "storage/table_info.hpp"

namespace mycelial::storage {

class BatchInsert {
 public:
  /// `rowid`: what the table calls it. The connection and the TableInfo must outlive this.
  BatchInsert(Connection& db, const TableInfo& table, std::string rowid);
  ~BatchInsert();
  BatchInsert(const BatchInsert&) = delete;
  BatchInsert& operator=(const BatchInsert&) = delete;

  /// The n-th cell of every row goes to the column at positions[n]; where a table has rowids that
  /// are not its key, they are `first_rowid` and the numbers after it. `code` is SQLite's extended
  /// result code. Gives how many rows had been inserted, from the first on, when it ended; some
  /// errors undo them.
  std::size_t run(std::span<const std::uint32_t> positions, std::span<const core::RowPiece> rows,
                  std::int64_t first_rowid, int& code);

 private:
  struct Source;
  void prepare(std::span<const std::uint32_t> positions);

  Connection& db_;
  const TableInfo& table_;
  std::string rowid_, module_, declaration_;
  std::span<const core::RowPiece> rows_;
  std::size_t inserted_ = 0;  // of rows_
  std::int64_t first_rowid_ = 0;
  Statement statement_;
  std::vector<std::uint32_t> positions_;  // of statement_
};

}  // namespace mycelial::storage
