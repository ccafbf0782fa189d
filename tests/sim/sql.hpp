// SPDX-License-Identifier: Apache-2.0
// A plain SQLite connection, as an application has one, and what it reads: values as SQL literals
// (type and bytes are in the text), rows by key.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/sim/schema.hpp"
#include "tests/sim/vfs.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace mycelial::sim {

using Row = std::vector<std::string>;  ///< Literals, in the order of Table::columns.

/// A table as somebody saw it, by key, or by rowid where there is none.
using Image = std::map<std::string, Row>;

class Connection {
 public:
  Connection(const std::string& path, Program* program);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// SQLite's extended result code.
  int run(const std::string& sql);
  /// Rows of literals; `code` gets the result code if given, else a failure throws.
  std::vector<Row> rows(const std::string& sql, int* code = nullptr);
  /// The same, but as texts, not as literals.
  std::vector<Row> texts(const std::string& sql, int* code);
  /// Two columns of bytes.
  std::vector<std::pair<std::string, std::string>> blobs(const std::string& sql);
  /// A column that is not there yet is all NULL.
  Image image(const Table& table, int* code = nullptr);
  bool has_column(const Table& table, const std::string& column, int* code);
  std::string error() const;
  bool in_transaction() const;
  sqlite3* handle() const { return db_; }

 private:
  sqlite3_stmt* prepared(const std::string& sql);
  Program* program_;
  sqlite3* db_ = nullptr;
  std::map<std::string, sqlite3_stmt*> prepared_;
};

/// Literals in a list of "column = literal, ...". The workload's hold neither blanks nor commas.
std::set<std::string> literals_in(const std::string& text);

/// Rows without their rowids, sorted: what must be equal on every node.
std::vector<std::string> contents(const Image& image);

}  // namespace mycelial::sim
