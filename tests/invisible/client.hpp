// SPDX-License-Identifier: Apache-2.0
// A program that knows SQLite and nothing else, and what it can see.
#pragma once

#include <sqlite3.h>

#include <string>
#include <vector>

namespace mycelial::invisible {

class Client {
 public:
  explicit Client(const std::string& path);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// Runs one statement. What it gave: rows, extended result code and message, changes(),
  /// last_insert_rowid(), and whether a transaction is open.
  std::string run(const std::string& sql);
  /// Rows with a value for each column, as SQL literals would show them.
  using Rows = std::vector<std::vector<std::string>>;
  Rows rows(const std::string& sql);
  /// Rows whose values are text as it is.
  Rows texts(const std::string& sql);
  /// The schema and every row of the application's tables, with rowids.
  std::string dump();
  void forget_last_rowid() { sqlite3_set_last_insert_rowid(db_, 0); }
  bool in_transaction() const { return sqlite3_get_autocommit(db_) == 0; }

 private:
  Rows query(const std::string& sql, bool literal);

  sqlite3* db_ = nullptr;
};

std::string quoted(const std::string& name);

}  // namespace mycelial::invisible
