// SPDX-License-Identifier: Apache-2.0
#include "macro/database.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace mycelial::bench {
namespace {

[[noreturn]] void fail(sqlite3* db, const std::string& doing) {
  std::fprintf(stderr, "%s: %s\n", doing.c_str(), sqlite3_errmsg(db));
  std::exit(1);
}

std::uint64_t mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
  x = (x ^ x >> 27) * 0x94d049bb133111eb;
  return x ^ x >> 31;
}

/// Text of fixed form, made without the cost of printf.
struct Text {
  char data[24];
  int size = 0;
};
Text hex_text(char first, std::uint64_t v, int digits) {
  Text out;
  out.data[out.size++] = first;
  for (int i = digits - 1; i >= 0; --i) out.data[out.size++] = "0123456789abcdef"[v >> 4 * i & 15];
  return out;
}
Text time_text(std::int64_t i) {  // one row every 100 ms
  Text out;
  std::memcpy(out.data, "2026-11-24 00:00:00.0", 21);
  out.size = 21;
  const auto put = [&](int at, std::int64_t v) {
    out.data[at] = static_cast<char>('0' + v / 10 % 10);
    out.data[at + 1] = static_cast<char>('0' + v % 10);
  };
  put(8, 1 + i / 864000 % 28);
  put(11, i / 36000 % 24);
  put(14, i / 600 % 60);
  put(17, i / 10 % 60);
  out.data[20] = static_cast<char>('0' + i % 10);
  return out;
}
void bind(sqlite3_stmt* s, int at, const Text& t) {
  sqlite3_bind_text(s, at, t.data, t.size, SQLITE_TRANSIENT);
}
double degrees(std::uint64_t v) {  // seven digits, as a receiver gives them
  return static_cast<double>(v % 900000000) / 1e7;
}

}  // namespace

Database::Database(const std::string& path) {
  if (sqlite3_open(path.c_str(), &db_) != SQLITE_OK) fail(db_, path);
  exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
  sqlite3_busy_timeout(db_, 10000);
}
Database::~Database() {
  sqlite3_close_v2(db_);
}
void Database::exec(const std::string& sql) {
  if (sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) fail(db_, sql);
}
std::int64_t Database::integer(const std::string& sql) {
  sqlite3_stmt* s = prepare(sql);
  const auto out = sqlite3_step(s) == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
  sqlite3_finalize(s);
  return out;
}
sqlite3_stmt* Database::prepare(const std::string& sql) {
  sqlite3_stmt* s = nullptr;
  if (sqlite3_prepare_v3(db_, sql.c_str(), -1, SQLITE_PREPARE_PERSISTENT, &s, nullptr) !=
      SQLITE_OK) {
    fail(db_, sql);
  }
  return s;
}

const char* name_of(Kind kind) {
  switch (kind) {
    case Kind::integer_key:
      return "integer key";
    case Kind::automatic_key:
      return "automatic key";
    case Kind::text_key:
      return "text key";
    case Kind::composite_key:
      return "composite key";
    case Kind::without_rowid:
      return "without rowid";
    case Kind::keyless:
      return "no key";
  }
  return "";
}

std::string create_sql(Shape shape) {
  const bool composite = shape.kind == Kind::composite_key || shape.kind == Kind::without_rowid;
  const bool text = shape.kind == Kind::text_key;
  const bool rowid = shape.kind == Kind::integer_key || shape.kind == Kind::automatic_key;
  std::string sql = "CREATE TABLE t(id ";
  sql += text ? "TEXT PRIMARY KEY" : rowid ? "INTEGER PRIMARY KEY" : "INTEGER";
  sql += composite ? ", part TEXT" : shape.wide ? ", name TEXT" : "";
  sql += shape.blob ? ", latitude BLOB" : ", latitude REAL";
  if (shape.wide) {
    sql += ", longitude REAL, altitude INTEGER, speed REAL, battery INTEGER, seen TEXT";
  }
  if (composite) sql += ", PRIMARY KEY(id, part)";
  sql += ")";
  if (shape.kind == Kind::without_rowid) sql += " WITHOUT ROWID";
  if (shape.indexed) sql += "; CREATE INDEX by_name ON t(name); CREATE INDEX by_time ON t(seen)";
  return sql;
}

Writer::Writer(Database& db, Shape shape, bool as_text)
    : db_(db), shape_(shape), as_text_(as_text) {
  const bool composite = shape.kind == Kind::composite_key || shape.kind == Kind::without_rowid;
  std::string insert = "INSERT INTO t VALUES(?1, ?2";
  const int columns = shape.wide ? 8 : composite ? 3 : 2;
  for (int i = 3; i <= columns; ++i) insert += ", ?" + std::to_string(i);
  insert_ = db.prepare(insert + ")");
  const std::string where = composite                     ? " WHERE id = ?1 AND part = ?2"
                            : shape.kind == Kind::keyless ? " WHERE rowid = ?1"
                                                          : " WHERE id = ?1";
  update_ = db.prepare(std::string("UPDATE t SET latitude = ?3") +
                       (shape.wide ? ", longitude = ?4" : "") + where);
  erase_ = db.prepare("DELETE FROM t" + where);
  read_ = db.prepare("SELECT * FROM t" + where);
  begin_ = db.prepare("BEGIN");
  commit_ = db.prepare("COMMIT");
}
Writer::~Writer() {
  for (auto* s : {insert_, update_, erase_, read_, begin_, commit_}) sqlite3_finalize(s);
}

void Writer::step(sqlite3_stmt* s) {
  if (as_text_) {
    char* sql = sqlite3_expanded_sql(s);
    db_.exec(sql);
    return sqlite3_free(sql);
  }
  if (sqlite3_step(s) != SQLITE_DONE) fail(db_.handle(), sqlite3_sql(s));
  sqlite3_reset(s);
}

/// The key as it names the row; gives the next parameter's number.
int Writer::bind_key(sqlite3_stmt* s, int at, std::int64_t i) {
  switch (shape_.kind) {
    case Kind::text_key:
      bind(s, at, hex_text('k', mix(static_cast<std::uint64_t>(i)), 15));
      return at + 1;
    case Kind::composite_key:
    case Kind::without_rowid:
      sqlite3_bind_int64(s, at, i / 16);
      bind(s, at + 1, hex_text('p', static_cast<std::uint64_t>(i % 16), 3));
      return at + 2;
    default:
      sqlite3_bind_int64(s, at, i);
      return at + 1;
  }
}

void Writer::bind_value(sqlite3_stmt* s, int at, std::uint64_t seed) {
  if (!shape_.blob) {
    sqlite3_bind_double(s, at, degrees(seed));
    return;
  }
  std::uint64_t bytes[128];
  for (auto& word : bytes) word = seed = mix(seed);
  sqlite3_bind_blob(s, at, bytes, sizeof bytes, SQLITE_TRANSIENT);
}

void Writer::insert(std::int64_t i) {
  const auto r = mix(static_cast<std::uint64_t>(i) ^ 0x5555);
  const bool composite = shape_.kind == Kind::composite_key || shape_.kind == Kind::without_rowid;
  int at = 1;
  if (shape_.kind == Kind::automatic_key) {
    sqlite3_bind_null(insert_, at++);
  } else if (shape_.kind == Kind::keyless) {
    sqlite3_bind_int64(insert_, at++, i % 50);
  } else {
    at = bind_key(insert_, at, i);
  }
  if (shape_.wide && !composite) bind(insert_, at++, hex_text('n', r & 0xffff, 9));
  bind_value(insert_, at++, r);
  if (shape_.wide) {
    sqlite3_bind_double(insert_, at++, degrees(mix(r)));
    sqlite3_bind_int64(insert_, at++, static_cast<std::int64_t>(r >> 40 & 0xfff));
    sqlite3_bind_double(insert_, at++, static_cast<double>(r >> 20 & 0x3ff) / 10);
    sqlite3_bind_int64(insert_, at++, static_cast<std::int64_t>(r >> 52 & 63) + 30);
    bind(insert_, at++, time_text(i));
  }
  step(insert_);
}

void Writer::update(std::int64_t i, std::int64_t salt) {
  const auto r = mix(static_cast<std::uint64_t>(i * 31 + salt));
  bind_key(update_, 1, i);
  bind_value(update_, 3, r);
  if (shape_.wide) sqlite3_bind_double(update_, 4, degrees(mix(r)));
  step(update_);
}

void Writer::erase(std::int64_t i) {
  bind_key(erase_, 1, i);
  step(erase_);
}

void Writer::read(std::int64_t i) {
  bind_key(read_, 1, i);
  while (sqlite3_step(read_) == SQLITE_ROW) {
  }
  sqlite3_reset(read_);
}

void Writer::run(Op op, std::int64_t first, std::int64_t count, std::int64_t batch,
                 std::int64_t salt) {
  for (std::int64_t n = 0; n < count; ++n) {
    if (batch > 1 && n % batch == 0) step(begin_);
    const std::int64_t i = first + n;
    if (op == Op::insert) insert(i);
    if (op == Op::update) update(i, salt);
    if (op == Op::erase) erase(i);
    if (op == Op::read) read(i);
    if (batch > 1 && (n % batch == batch - 1 || n == count - 1)) step(commit_);
  }
}

}  // namespace mycelial::bench
