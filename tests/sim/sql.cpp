// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/sql.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "storage/sqlite.hpp"

namespace mycelial::sim {
namespace {

std::string literal(sqlite3_stmt* s, int i) {
  switch (sqlite3_column_type(s, i)) {
    case SQLITE_INTEGER:
      return std::to_string(sqlite3_column_int64(s, i));
    case SQLITE_FLOAT:
      return storage::to_literal(core::Value::of_real(sqlite3_column_double(s, i)));
    case SQLITE_NULL:
      return "NULL";
    default: {
      const bool text = sqlite3_column_type(s, i) == SQLITE_TEXT;
      const auto* data = static_cast<const char*>(sqlite3_column_blob(s, i));
      const ByteView bytes(data ? data : "", static_cast<std::size_t>(sqlite3_column_bytes(s, i)));
      return storage::to_literal(text ? core::Value::text(bytes) : core::Value::blob(bytes));
    }
  }
}

std::string joined(const std::vector<std::string>& parts) {
  std::string out;
  for (const auto& part : parts) out += (out.empty() ? "" : ", ") + part;
  return out;
}

}  // namespace

Connection::Connection(const std::string& path, Program* program) : program_(program) {
  const Running as(program);
  if (sqlite3_open(path.c_str(), &db_) != SQLITE_OK)
    throw std::runtime_error("cannot open " + path);
  sqlite3_extended_result_codes(db_, 1);
}

Connection::~Connection() {
  const Running as(program_);
  for (const auto& [sql, s] : prepared_) sqlite3_finalize(s);
  sqlite3_close(db_);
}

int Connection::run(const std::string& sql) {
  const Running as(program_);
  return sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr);
}

sqlite3_stmt* Connection::prepared(const std::string& sql) {
  sqlite3_stmt*& s = prepared_[sql];
  if (s == nullptr) sqlite3_prepare_v2(db_, sql.c_str(), -1, &s, nullptr);
  return s;
}

std::vector<Row> Connection::rows(const std::string& sql, int* code) {
  const Running as(program_);
  std::vector<Row> out;
  sqlite3_stmt* const s = prepared(sql);
  int rc = s ? sqlite3_step(s) : sqlite3_extended_errcode(db_);
  for (; rc == SQLITE_ROW; rc = sqlite3_step(s)) {
    Row row;
    for (int i = 0; i < sqlite3_column_count(s); ++i) row.push_back(literal(s, i));
    out.push_back(std::move(row));
  }
  const std::string why = rc == SQLITE_DONE ? "" : error();
  sqlite3_reset(s);
  if (code) *code = rc == SQLITE_DONE ? SQLITE_OK : rc;
  if (!code && rc != SQLITE_DONE) throw std::runtime_error(why + " (" + sql + ")");
  return out;
}

std::vector<Row> Connection::texts(const std::string& sql, int* code) {
  const Running as(program_);
  std::vector<Row> out;
  sqlite3_stmt* const s = prepared(sql);
  int rc = s ? sqlite3_step(s) : sqlite3_extended_errcode(db_);
  for (; rc == SQLITE_ROW; rc = sqlite3_step(s)) {
    auto& row = out.emplace_back();
    for (int i = 0; i < sqlite3_column_count(s); ++i) {
      row.emplace_back(reinterpret_cast<const char*>(sqlite3_column_text(s, i)));
    }
  }
  sqlite3_reset(s);
  if (rc != SQLITE_DONE) *code = rc;
  return out;
}

std::vector<std::pair<std::string, std::string>> Connection::blobs(const std::string& sql) {
  const Running as(program_);
  std::vector<std::pair<std::string, std::string>> out;
  sqlite3_stmt* const s = prepared(sql);
  while (sqlite3_step(s) == SQLITE_ROW) {
    const auto bytes = [&](int i) {
      const auto* data = static_cast<const char*>(sqlite3_column_blob(s, i));
      return std::string(data ? data : "", static_cast<std::size_t>(sqlite3_column_bytes(s, i)));
    };
    out.emplace_back(bytes(0), bytes(1));
  }
  sqlite3_reset(s);
  return out;
}

bool Connection::has_column(const Table& table, const std::string& column, int* code) {
  return !rows(
              "SELECT 1 FROM pragma_table_info('" + table.name + "') WHERE name = '" + column + "'",
              code)
              .empty();
}

Image Connection::image(const Table& table, int* code) {
  const std::string key = table.key.empty() ? "rowid" : joined(table.key);
  std::vector<std::string> columns = table.columns;
  for (const auto& late : table.late) {
    const auto name = column_in(late);
    const bool there = has_column(table, name, code);
    if (code && *code != SQLITE_OK) return {};
    if (!there) std::ranges::replace(columns, name, std::string("NULL"));
  }
  const std::size_t keys = std::max<std::size_t>(1, table.key.size());
  Image out;
  for (Row& row : rows("SELECT " + key + ", " + joined(columns) + " FROM " + table.name, code)) {
    const auto end = row.begin() + static_cast<std::ptrdiff_t>(keys);
    std::string name = joined({row.begin(), end});
    row.erase(row.begin(), end);
    out.emplace(std::move(name), std::move(row));
  }
  return out;
}

std::string Connection::error() const {
  return sqlite3_errmsg(db_);
}
bool Connection::in_transaction() const {
  return sqlite3_get_autocommit(db_) == 0;
}

std::set<std::string> literals_in(const std::string& text) {
  std::set<std::string> out;
  std::string word;
  for (const char ch : text + ' ') {
    if (ch != ' ' && ch != ',') {
      word += ch;
    } else if (!word.empty()) {
      out.insert(std::exchange(word, {}));
    }
  }
  return out;
}

std::vector<std::string> contents(const Image& image) {
  std::vector<std::string> out;
  for (const auto& [key, row] : image) out.push_back(joined(row));
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace mycelial::sim
