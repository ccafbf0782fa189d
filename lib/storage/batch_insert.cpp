// SPDX-License-Identifier: Apache-2.0
#include "storage/batch_insert.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace mycelial::storage {

/// The virtual table, as SQLite calls it. Columns are the cells in order, then the rowid.
struct BatchInsert::Source {
  struct Table : sqlite3_vtab {
    BatchInsert* owner;
  };
  struct Cursor : sqlite3_vtab_cursor {
    BatchInsert* owner;
  };

  static int connect(sqlite3* db, void* owner, int, const char* const*, sqlite3_vtab** out,
                     char**) noexcept {
    auto* self = static_cast<BatchInsert*>(owner);
    const int rc = sqlite3_declare_vtab(db, self->declaration_.c_str());
    if (rc == SQLITE_OK) *out = new (std::nothrow) Table{{}, self};
    return rc != SQLITE_OK || *out ? rc : SQLITE_NOMEM;
  }
  static int disconnect(sqlite3_vtab* table) noexcept {
    delete static_cast<Table*>(table);
    return SQLITE_OK;
  }
  static int best_index(sqlite3_vtab*, sqlite3_index_info*) noexcept { return SQLITE_OK; }
  static int open(sqlite3_vtab* table, sqlite3_vtab_cursor** out) noexcept {
    *out = new (std::nothrow) Cursor{{}, static_cast<Table*>(table)->owner};
    return *out ? SQLITE_OK : SQLITE_NOMEM;
  }
  static int close(sqlite3_vtab_cursor* cursor) noexcept {
    delete static_cast<Cursor*>(cursor);
    return SQLITE_OK;
  }
  static BatchInsert& of(sqlite3_vtab_cursor* cursor) {
    return *static_cast<Cursor*>(cursor)->owner;
  }
  static int filter(sqlite3_vtab_cursor* cursor, int, const char*, int, sqlite3_value**) noexcept {
    of(cursor).inserted_ = 0;
    return SQLITE_OK;
  }
  static int next(sqlite3_vtab_cursor* cursor) noexcept {
    ++of(cursor).inserted_;
    return SQLITE_OK;
  }
  static int eof(sqlite3_vtab_cursor* cursor) noexcept {
    return of(cursor).inserted_ >= of(cursor).rows_.size() ? 1 : 0;
  }
  static int column(sqlite3_vtab_cursor* cursor, sqlite3_context* out, int n) noexcept {
    const auto& owner = of(cursor);
    const auto& cells = owner.rows_[owner.inserted_].row.cells;
    if (static_cast<std::size_t>(n) < cells.size()) {
      give(out, cells[static_cast<std::size_t>(n)].value);
    } else {
      sqlite3_result_int64(out, owner.first_rowid_ + static_cast<std::int64_t>(owner.inserted_));
    }
    return SQLITE_OK;
  }
  static int rowid(sqlite3_vtab_cursor* cursor, sqlite3_int64* out) noexcept {
    *out = static_cast<sqlite3_int64>(of(cursor).inserted_);
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
        return sqlite3_result_null(out);
    }
  }
};

BatchInsert::BatchInsert(Connection& db, const TableInfo& table, std::string rowid)
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

BatchInsert::~BatchInsert() {
  statement_ = {};
  sqlite3_create_module_v2(db_.handle(), module_.c_str(), nullptr, nullptr, nullptr);
}

void BatchInsert::prepare(std::span<const std::uint32_t> positions) {
  if (statement_ && std::ranges::equal(positions, positions_)) return;
  std::string names, cells;
  for (std::size_t i = 0; i < positions.size(); ++i) {
    names += quote_name(table_.columns[positions[i]].name) + ", ";
    cells += fmt::format("c{}, ", i);
  }
  const bool chosen = table_.kind == TableKind::rowid_key || table_.kind == TableKind::keyless;
  if (!chosen) {
    names.resize(names.size() - 2);
    cells.resize(cells.size() - 2);
  } else {
    names += rowid_;
    cells += "number";
  }
  // OR FAIL keeps the rows before one that fails, and does without a journal of the statement,
  // which would copy every page of an index that rows of random keys touch.
  statement_ = {};
  statement_ = Statement(db_, fmt::format("INSERT OR FAIL INTO {}({}) SELECT {} FROM {}",
                                          quote_name(table_.name), names, cells, module_));
  positions_.assign(positions.begin(), positions.end());
}

std::size_t BatchInsert::run(std::span<const std::uint32_t> positions,
                             std::span<const core::RowPiece> rows, std::int64_t first_rowid,
                             int& code) {
  prepare(positions);
  rows_ = rows;
  inserted_ = 0;
  first_rowid_ = first_rowid;
  code = statement_.try_run();
  rows_ = {};
  return inserted_;
}

}  // namespace mycelial::storage
