// SPDX-License-Identifier: Apache-2.0
#include "tests/invisible/client.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "base/bytes.hpp"

namespace mycelial::invisible {
namespace {

std::string literal(sqlite3_stmt* s, int i) {
  const auto bytes = [&](const void* p) {
    return std::string(static_cast<const char*>(p),
                       static_cast<std::size_t>(sqlite3_column_bytes(s, i)));
  };
  switch (sqlite3_column_type(s, i)) {
    case SQLITE_INTEGER:
      return std::to_string(sqlite3_column_int64(s, i));
    case SQLITE_FLOAT:
      return fmt::format("{:#}", sqlite3_column_double(s, i));
    case SQLITE_TEXT:
      return "'" + bytes(sqlite3_column_text(s, i)) + "'";
    case SQLITE_BLOB:
      return "x'" + to_hex(bytes(sqlite3_column_blob(s, i))) + "'";
    default:
      return "NULL";
  }
}

std::string joined(const std::vector<std::string>& values) {
  std::string out;
  for (const auto& v : values) out += (out.empty() ? "" : "|") + v;
  return out;
}

}  // namespace

Client::Client(const std::string& path) {
  if (sqlite3_open(path.c_str(), &db_) != SQLITE_OK)
    throw std::runtime_error("cannot open " + path);
  sqlite3_extended_result_codes(db_, 1);
  sqlite3_busy_timeout(db_, 5000);
  (void)run("PRAGMA synchronous = OFF");
  (void)run("PRAGMA journal_mode = WAL");
}

Client::~Client() {
  sqlite3_close(db_);
}

std::string Client::run(const std::string& sql) {
  std::string out;
  sqlite3_stmt* s = nullptr;
  int rc = sqlite3_prepare_v2(db_, sql.c_str(), -1, &s, nullptr);
  if (rc == SQLITE_OK) {
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
      std::vector<std::string> values;
      for (int i = 0; i < sqlite3_column_count(s); ++i) values.push_back(literal(s, i));
      out += joined(values) + "\n";
    }
  }
  if (rc != SQLITE_DONE && rc != SQLITE_OK) out += fmt::format("{} {}\n", rc, sqlite3_errmsg(db_));
  sqlite3_finalize(s);
  return out + fmt::format("code {}, changes {}, last rowid {}{}", rc, sqlite3_changes(db_),
                           sqlite3_last_insert_rowid(db_),
                           in_transaction() ? ", in a transaction" : "");
}

Client::Rows Client::query(const std::string& sql, bool as_literal) {
  Rows out;
  sqlite3_stmt* s = nullptr;
  if (sqlite3_prepare_v2(db_, sql.c_str(), -1, &s, nullptr) != SQLITE_OK) {
    return {{"error", sqlite3_errmsg(db_)}};
  }
  while (sqlite3_step(s) == SQLITE_ROW) {
    auto& row = out.emplace_back();
    for (int i = 0; i < sqlite3_column_count(s); ++i) {
      const auto* text = as_literal ? nullptr : sqlite3_column_text(s, i);
      row.push_back(as_literal ? literal(s, i)
                               : std::string(text ? reinterpret_cast<const char*>(text) : ""));
    }
  }
  sqlite3_finalize(s);
  return out;
}

Client::Rows Client::rows(const std::string& sql) {
  return query(sql, true);
}

Client::Rows Client::texts(const std::string& sql) {
  return query(sql, false);
}

std::string Client::dump() {
  std::string out;
  std::vector<std::string> lines;
  for (const auto& row : texts("SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE "
                               "name NOT LIKE 'mycelial%' AND name NOT LIKE 'sqlite_%'")) {
    lines.push_back(joined(row) + "\n");
  }
  std::sort(lines.begin(), lines.end());
  for (const auto& line : lines) out += line;
  for (const auto& table :
       texts("SELECT name, wr FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND "
             "name NOT LIKE 'mycelial%' AND name NOT LIKE 'sqlite_s%' ORDER BY 1")) {
    lines.clear();
    for (const auto& row : rows(fmt::format("SELECT {}* FROM {}", table[1] == "1" ? "" : "rowid, ",
                                            quoted(table[0])))) {
      lines.push_back("  " + joined(row) + "\n");
    }
    std::sort(lines.begin(), lines.end());
    for (const auto& line : lines) out += table[0] + line;
  }
  if (texts("SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_sequence'").empty()) return out;
  for (const auto& row :
       texts("SELECT * FROM sqlite_sequence WHERE name NOT LIKE 'mycelial%' ORDER BY name")) {
    out += "sequence " + joined(row) + "\n";
  }
  return out;
}

std::string quoted(const std::string& name) {
  return "\"" + name + "\"";
}

}  // namespace mycelial::invisible
