// SPDX-License-Identifier: Apache-2.0
#include "storage/batch_write.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace mycelial::storage {

/// The virtual table, as SQLite calls it. Columns are the cells in order, then the rowid.
struct BatchWrite::Source {
  struct Table : sqlite3_vtab {
    BatchWrite* owner;
  };
  struct Cursor : sqlite3_vtab_cursor {
    BatchWrite* owner;
  };

  static int connect(sqlite3* db, void* owner, int, const char* const*, sqlite3_vtab** out,
                     char**) noexcept {
    auto* self = static_cast<BatchWrite*>(owner);
    const int rc = sqlite3_declare_vtab(db, self->declaration_.c_str());
    if (rc == SQLITE_OK) *out = new (std::nothrow) Table{{}, self};
    return rc != SQLITE_OK || *out ? rc : SQLITE_NOMEM;
  }
  static int disconnect(sqlite3_vtab* table) noexcept {
    delete static_cast<Table*>(table);
    return SQLITE_OK;
  }
  static int best_index(sqlite3_vtab*, sqlite3_index_info* plan) noexcept {
    plan->estimatedRows = 1;  // it is the table's rows that are looked up, not these
    plan->estimatedCost = 1;
    return SQLITE_OK;
  }
  static int open(sqlite3_vtab* table, sqlite3_vtab_cursor** out) noexcept {
    *out = new (std::nothrow) Cursor{{}, static_cast<Table*>(table)->owner};
    return *out ? SQLITE_OK : SQLITE_NOMEM;
  }
  static int close(sqlite3_vtab_cursor* cursor) noexcept {
    delete static_cast<Cursor*>(cursor);
    return SQLITE_OK;
  }
  static BatchWrite& of(sqlite3_vtab_cursor* cursor) {
    return *static_cast<Cursor*>(cursor)->owner;
  }
  static int filter(sqlite3_vtab_cursor* cursor, int, const char*, int, sqlite3_value**) noexcept {
    of(cursor).at_ = 0;
    return SQLITE_OK;
  }
  static int next(sqlite3_vtab_cursor* cursor) noexcept {
    ++of(cursor).at_;
    return SQLITE_OK;
  }
  static int eof(sqlite3_vtab_cursor* cursor) noexcept {
    return of(cursor).at_ >= of(cursor).rows_.size() ? 1 : 0;
  }
  static int column(sqlite3_vtab_cursor* cursor, sqlite3_context* out, int n) noexcept {
    const auto& owner = of(cursor);
    const auto& cells = owner.rows_[owner.at_].row.cells;
    if (static_cast<std::size_t>(n) < cells.size()) {
      give(out, cells[static_cast<std::size_t>(n)].value);
    } else {
      sqlite3_result_int64(out, owner.rowids_[owner.at_]);
    }
    return SQLITE_OK;
  }
  static int rowid(sqlite3_vtab_cursor* cursor, sqlite3_int64* out) noexcept {
    *out = static_cast<sqlite3_int64>(of(cursor).at_);
    return SQLITE_OK;
  }
  static void give(sqlite3_context* out, const core::Value& v) noexcept {
    const char* bytes = v.bytes.data() ? v.bytes.data() : "";
    switch (v.type) {
      case core::Value::Type::integer:
        return sqlite3_result_int64(out, v.integer);
      case core::Value::Type::real:
        return sqlite3_result_double(out, v.real());
      case core::Value::Type::text:
        return sqlite3_result_text64(out, bytes, v.bytes.size(), SQLITE_STATIC, SQLITE_UTF8);
      case core::Value::Type::blob:
        return sqlite3_result_blob64(out, bytes, v.bytes.size(), SQLITE_STATIC);
      case core::Value::Type::null:
      case core::Value::Type::in_table:
      case core::Value::Type::part:  // never in a batch
        return sqlite3_result_null(out);
    }
  }
};

BatchWrite::BatchWrite(Connection& db, const TableInfo& table, std::string rowid)
    : db_(db),
      table_(table),
      rowid_(std::move(rowid)),
      module_(fmt::format("mycelial_pieces_{}", table.id)) {
  declaration_ = "CREATE TABLE pieces(";
  for (std::size_t i = 0; i < table_.columns.size(); ++i) declaration_ += fmt::format("c{}, ", i);
  declaration_ += "number)";
  static const sqlite3_module module = [] {
    sqlite3_module m{};
    m.xConnect = Source::connect;  // without xCreate: there to be selected from, under its own name
    m.xBestIndex = Source::best_index;
    m.xDisconnect = Source::disconnect;
    m.xOpen = Source::open;
    m.xClose = Source::close;
    m.xFilter = Source::filter;
    m.xNext = Source::next;
    m.xEof = Source::eof;
    m.xColumn = Source::column;
    m.xRowid = Source::rowid;
    return m;
  }();
  const int rc = sqlite3_create_module_v2(db_.handle(), module_.c_str(), &module, this, nullptr);
  if (rc != SQLITE_OK) throw SqliteError(rc);
}

BatchWrite::~BatchWrite() {
  insert_ = {};
  update_ = {};
  sqlite3_create_module_v2(db_.handle(), module_.c_str(), nullptr, nullptr, nullptr);
}

void BatchWrite::prepare_insert(std::span<const std::uint32_t> positions) {
  if (insert_.statement && std::ranges::equal(positions, insert_.positions)) return;
  insert_ = {};
  std::string names, cells;
  for (std::size_t i = 0; i < positions.size(); ++i) {
    const char* comma = i ? ", " : "";
    names += comma + quote_name(table_.columns[positions[i]].name);
    cells += fmt::format("{}c{}", comma, i);
  }
  const bool chosen = table_.kind == TableKind::rowid_key || table_.kind == TableKind::keyless;
  if (chosen) {
    names += ", " + rowid_;
    cells += ", number";
  }
  // OR FAIL keeps the rows before one that fails, and does without a journal of the statement,
  // which would copy every page of an index that rows of random keys touch.
  insert_.statement = Statement(db_, fmt::format("INSERT OR FAIL INTO {}({}) SELECT {} FROM {}",
                                                 quote_name(table_.name), names, cells, module_));
  insert_.positions.assign(positions.begin(), positions.end());
}

void BatchWrite::prepare_update(std::span<const std::uint32_t> positions) {
  if (update_.statement && std::ranges::equal(positions, update_.positions)) return;
  update_ = {};
  std::string set;
  for (std::size_t i = 0; i < positions.size(); ++i) {
    set += fmt::format("{}{} = piece.c{}", set.empty() ? "" : ", ",
                       quote_name(table_.columns[positions[i]].name), i);
  }
  update_.statement = Statement(
      db_, fmt::format("UPDATE OR FAIL {} AS target SET {} FROM {} AS piece WHERE target.{} = "
                       "piece.number",
                       quote_name(table_.name), set, module_, rowid_));
  update_.positions.assign(positions.begin(), positions.end());
}

int BatchWrite::run(Prepared& prepared, std::span<const core::RowPiece> rows,
                    std::span<const std::int64_t> rowids) {
  rows_ = rows;
  rowids_ = rowids;
  at_ = 0;
  const int code = prepared.statement.try_run();
  rows_ = {};
  rowids_ = {};
  return code;
}

std::size_t BatchWrite::insert(std::span<const std::uint32_t> positions,
                               std::span<const core::RowPiece> rows,
                               std::span<const std::int64_t> rowids, int& code) {
  prepare_insert(positions);
  code = run(insert_, rows, rowids);
  return at_;
}

int BatchWrite::update(std::span<const std::uint32_t> positions,
                       std::span<const core::RowPiece> rows, std::span<const std::int64_t> rowids) {
  prepare_update(positions);
  return run(update_, rows, rowids);
}

}  // namespace mycelial::storage
