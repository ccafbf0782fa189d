// SPDX-License-Identifier: Apache-2.0
// The thin C++ face of SQLite: the only header that includes sqlite3.h. Errors are thrown as
// SqliteError inside lib/storage and become a Status at its edge (see guard()).
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "core/types.hpp"
#include "mycelial/status.hpp"

namespace mycelial::storage {

class StorageError : public std::runtime_error {
 public:
  StorageError(Errc code, std::string message);
  Errc code() const { return code_; }

 private:
  Errc code_;
};

class SqliteError : public StorageError {
 public:
  SqliteError(int extended, const std::string& message);
  explicit SqliteError(int extended);
  int extended() const { return extended_; }
  int primary() const { return extended_ & 0xff; }

 private:
  int extended_;
};

/// Runs f and turns what it throws into a Status.
Status guard(const std::function<void()>& f) noexcept;

class Connection;

/// A prepared statement. Column views live until the next step or reset.
class Statement {
 public:
  Statement() = default;
  Statement(Connection& db, std::string_view sql);
  ~Statement();
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&& other) noexcept;

  /// 1-based, as in SQL. Text and blobs must live until the statement is reset.
  Statement& bind(int i, std::int64_t v);
  Statement& bind(int i, int v) { return bind(i, static_cast<std::int64_t>(v)); }
  Statement& bind(int i, std::uint32_t v) { return bind(i, static_cast<std::int64_t>(v)); }
  Statement& bind(int i, std::uint64_t v) { return bind(i, static_cast<std::int64_t>(v)); }
  Statement& bind_text(int i, std::string_view v);
  Statement& bind_blob(int i, ByteView v);
  Statement& bind_null(int i);
  Statement& bind(int i, const core::Value& v);

  bool step();  ///< True: a row. Throws on error (and resets).
  void run();   ///< Steps to the end and resets.
  /// Like run(), but gives the extended result code instead of throwing (and resets).
  int try_run();
  void reset();

  int columns() const { return sqlite3_column_count(handle_); }
  std::int64_t integer(int i) const { return sqlite3_column_int64(handle_, i); }
  std::uint64_t number(int i) const { return static_cast<std::uint64_t>(integer(i)); }
  ByteView text(int i) const;
  ByteView blob(int i) const;
  bool is_null(int i) const { return sqlite3_column_type(handle_, i) == SQLITE_NULL; }
  core::Value value(int i) const;  ///< Views the statement's memory.
  explicit operator bool() const { return handle_ != nullptr; }
  sqlite3_stmt* handle() const { return handle_; }

 private:
  sqlite3_stmt* handle_ = nullptr;
};

/// Used by one thread at a time (SQLite's own locking is off).
class Connection {
 public:
  Connection() = default;
  /// flags as for sqlite3_open_v2.
  Connection(const std::string& path, int flags);
  ~Connection();
  Connection(Connection&& other) noexcept;
  Connection& operator=(Connection&& other) noexcept;

  void exec(const std::string& sql);
  /// First column of the first row; the default when there is none or it is NULL.
  std::int64_t integer(const char* sql, std::int64_t otherwise = 0);
  std::string text(const std::string& sql);
  /// A statement kept for the next time. `sql` must be a literal (the address is the key).
  Statement& cached(const char* sql);
  void forget_cached() { cached_.clear(); }
  /// Of statements that somebody had begun to read when something failed: SQLite does not get over
  /// an error of the disk, nor past a snapshot, while one is open.
  void reset_statements();
  std::int64_t changes() const { return sqlite3_changes64(handle_); }
  std::int64_t last_rowid() const { return sqlite3_last_insert_rowid(handle_); }
  bool in_transaction() const { return sqlite3_get_autocommit(handle_) == 0; }
  /// As of the last transaction; WAL for certain when it says so, for that cannot end while we are
  /// connected.
  bool is_wal();
  /// Puts what is in the WAL on the disk.
  void sync_wal();
  sqlite3* handle() const { return handle_; }

 private:
  sqlite3* handle_ = nullptr;
  std::map<const char*, Statement> cached_;
};

/// Resets a statement when a scope ends, so that no read lock or view outlives it.
class Use {
 public:
  explicit Use(Statement& s) : s_(s) {}
  Use(Connection& db, const char* literal) : s_(db.cached(literal)) {}
  ~Use() { s_.reset(); }
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;
  Statement* operator->() { return &s_; }
  Statement& operator*() { return s_; }

 private:
  Statement& s_;
};

/// BEGIN IMMEDIATE ... COMMIT; rolls back when destroyed uncommitted. Inside another transaction it
/// is a savepoint.
class Transaction {
 public:
  explicit Transaction(Connection& db, const char* begin = "BEGIN IMMEDIATE");
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void commit();

 private:
  Connection& db_;
  bool open_ = true;
  bool nested_ = false;
};

/// "name" with quotes doubled.
std::string quote_name(std::string_view name);
/// As SQLite compares names: A to Z only.
std::string lower_case(std::string_view name);
/// 'text' with quotes doubled.
std::string quote_text(std::string_view text);
/// A value as an SQL literal.
std::string to_literal(const core::Value& value);

}  // namespace mycelial::storage
