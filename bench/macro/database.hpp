// SPDX-License-Identifier: Apache-2.0
// Plain SQLite as an application uses it, and the tables and rows that are measured.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <string>

namespace mycelial::bench {

/// WAL, synchronous = NORMAL. Errors end the program: a measurement that failed says nothing.
class Database {
 public:
  explicit Database(const std::string& path);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  void exec(const std::string& sql);
  std::int64_t integer(const std::string& sql);
  void checkpoint() { exec("PRAGMA wal_checkpoint(TRUNCATE)"); }
  sqlite3_stmt* prepare(const std::string& sql);
  sqlite3* handle() { return db_; }
  std::string path() const { return sqlite3_db_filename(db_, "main"); }

 private:
  sqlite3* db_ = nullptr;
};

enum class Kind { integer_key, automatic_key, text_key, composite_key, without_rowid, keyless };
const char* name_of(Kind kind);

/// wide: 8 columns; else the key and one value. indexed: two indexes besides the key.
struct Shape {
  Kind kind = Kind::integer_key;
  bool wide = true;
  bool indexed = false;
  bool policies = false;  ///< One of the columns that updates write is a counter, one a maximum.
  bool blob = false;      ///< The one value of a narrow row is a blob of 1 KiB.
};
std::string create_sql(Shape shape);  ///< Table `t`.

/// Statements over table `t`. Row `i` has values that follow from `i` alone. `as_text`: each is
/// parsed anew, as shells and many libraries do; else they are prepared once.
class Writer {
 public:
  Writer(Database& db, Shape shape, bool as_text = false);
  ~Writer();
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  void insert(std::int64_t i);
  /// Two of eight columns (or the only value); `salt` makes the new values differ.
  void update(std::int64_t i, std::int64_t salt);
  void erase(std::int64_t i);
  void read(std::int64_t i);  ///< By the key.
  /// Calls one of them for rows first .. first + count, `batch` rows a transaction.
  enum class Op { insert, update, erase, read };
  void run(Op op, std::int64_t first, std::int64_t count, std::int64_t batch, std::int64_t salt);

 private:
  int bind_key(sqlite3_stmt* s, int at, std::int64_t i);
  void bind_value(sqlite3_stmt* s, int at, std::uint64_t seed);
  void step(sqlite3_stmt* s);

  Database& db_;
  Shape shape_;
  bool as_text_;
  sqlite3_stmt *insert_, *update_, *erase_, *read_, *begin_, *commit_;
};

}  // namespace mycelial::bench
