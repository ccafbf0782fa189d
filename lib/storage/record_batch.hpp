// SPDX-License-Identifier: Apache-2.0
// Bookkeeping of many new rows of a WITHOUT ROWID table, written to mycelial_row by one statement.
#pragma once

#include "storage/batch_write.hpp"
#include "storage/row_state.hpp"

namespace mycelial::storage {

class RecordBatch {
 public:
  explicit RecordBatch(Connection& db);

  void clear() { size_ = 0; }
  /// A row that is shown. `identity` must live until insert().
  void add(std::uint32_t table, ByteView identity, const RowState& state);
  /// Gives how many, from the first on, had no record yet and have one now; the next one had.
  std::size_t insert();

 private:
  Connection& db_;
  TableInfo info_;
  BatchWrite batch_;
  std::vector<core::RowPiece> rows_;
  std::vector<Bytes> data_;
  std::size_t size_ = 0;
};

/// RowState as mycelial_row keeps it.
void encode_record(const RowState& state, Bytes& out);

}  // namespace mycelial::storage
