// SPDX-License-Identifier: Apache-2.0
#include "storage/record_batch.hpp"

namespace mycelial::storage {
namespace {

/// Columns in the order of the cells that add() makes.
TableInfo record_table() {
  TableInfo out;
  out.name = "mycelial_row";
  out.kind = TableKind::without_rowid;
  for (const char* name : {"tbl", "ident", "data", "status", "at"}) {
    out.columns.push_back({.name = name});
  }
  return out;
}

constexpr std::uint32_t kPositions[] = {0, 1, 2, 3, 4};

}  // namespace

RecordBatch::RecordBatch(Connection& db) : db_(db), info_(record_table()), batch_(db, info_, {}) {}

void RecordBatch::add(std::uint32_t table, ByteView identity, const RowState& state) {
  if (size_ == rows_.size()) {
    rows_.emplace_back();
    data_.emplace_back();
  }
  auto& data = data_[size_];
  encode_record(state, data);
  auto& cells = rows_[size_++].row.cells;
  cells = {{0, 0, core::Value::of(table)},
           {1, 0, core::Value::blob(identity)},
           {2, 0, core::Value::blob({})},
           {3, 0, core::Value::of(0)},
           {4, 0, core::Value::of(0)}};
}

std::size_t RecordBatch::insert() {
  for (std::size_t i = 0; i < size_; ++i) {  // now that they stay where they are
    rows_[i].row.cells[2].value = core::Value::blob(data_[i]);
  }
  int code = SQLITE_OK;
  const auto inserted = batch_.insert(kPositions, std::span(rows_).first(size_), {}, code);
  if (code != SQLITE_OK && (code & 0xff) != SQLITE_CONSTRAINT) {
    throw SqliteError(code, sqlite3_errmsg(db_.handle()));
  }
  return inserted;
}

}  // namespace mycelial::storage
