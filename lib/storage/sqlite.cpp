// SPDX-License-Identifier: Apache-2.0
#include "storage/sqlite.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <new>
#include <system_error>
#include <utility>

#include "core/policy/part.hpp"

namespace mycelial::storage {
namespace {

Errc code_of(int extended) {
  switch (extended & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return Errc::busy;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return Errc::corrupt;
    case SQLITE_CANTOPEN:
      return Errc::not_found;
    case SQLITE_NOMEM:
      return Errc::out_of_memory;
    case SQLITE_ERROR:
    case SQLITE_SCHEMA:
      return Errc::schema;
    default:
      return Errc::io;
  }
}

/// What a person can do something about, without the statement that hit it; empty: nothing known.
const char* in_words(int extended) {
  if (extended == SQLITE_IOERR_WRITE) return "disk I/O error: writing failed; a quota, a bad disk?";
  switch (extended & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return "the database is locked by another connection";
    case SQLITE_READONLY:
      return "cannot be written by this user; mycelial keeps its bookkeeping in the file: make the "
             "file and its folder writable";
    case SQLITE_FULL:
      return "the disk is full; make room, syncing goes on by itself";
    case SQLITE_NOTADB:
      return "not a database (or it is encrypted)";
    default:
      return "";
  }
}

std::string describe(sqlite3* db, int extended, std::string_view doing) {
  std::string known = in_words(extended);
  if (!known.empty()) return known;
  const int system = db && (extended & 0xff) == SQLITE_IOERR ? sqlite3_system_errno(db) : 0;
  if (system != 0)
    return fmt::format("{}: {}", sqlite3_errmsg(db), std::generic_category().message(system));
  return fmt::format("{} ({})", db ? sqlite3_errmsg(db) : sqlite3_errstr(extended), doing);
}

[[noreturn]] void fail(sqlite3* db, int rc, std::string_view doing) {
  const int extended = db ? sqlite3_extended_errcode(db) : rc;
  throw SqliteError(extended ? extended : rc, describe(db, extended ? extended : rc, doing));
}

}  // namespace

/// A name that somebody gave may hold a NUL, which would end the text.
StorageError::StorageError(Errc code, std::string message)
    : std::runtime_error((std::ranges::replace(message, '\0', '?'), message)), code_(code) {}

SqliteError::SqliteError(int extended, const std::string& message)
    : StorageError(code_of(extended), message), extended_(extended) {}
SqliteError::SqliteError(int extended) : SqliteError(extended, in_words(extended)) {}

Status guard(const std::function<void()>& f) noexcept {
  try {
    f();
    return {};
  } catch (const StorageError& e) {
    return {e.code(), e.what()};
  } catch (const std::bad_alloc&) {
    return {Errc::out_of_memory, "out of memory"};
  } catch (const std::exception& e) {
    return {Errc::internal, e.what()};
  }
}

Statement::Statement(Connection& db, std::string_view sql) {
  const int rc = sqlite3_prepare_v3(db.handle(), sql.data(), static_cast<int>(sql.size()),
                                    SQLITE_PREPARE_PERSISTENT, &handle_, nullptr);
  if (rc != SQLITE_OK) fail(db.handle(), rc, sql);
}
Statement::~Statement() {
  sqlite3_finalize(handle_);
}
Statement::Statement(Statement&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
Statement& Statement::operator=(Statement&& other) noexcept {
  std::swap(handle_, other.handle_);
  return *this;
}

Statement& Statement::bind(int i, std::int64_t v) {
  sqlite3_bind_int64(handle_, i, v);
  return *this;
}
Statement& Statement::bind_text(int i, std::string_view v) {
  sqlite3_bind_text64(handle_, i, v.data() ? v.data() : "", v.size(), SQLITE_STATIC, SQLITE_UTF8);
  return *this;
}
Statement& Statement::bind_blob(int i, ByteView v) {
  sqlite3_bind_blob64(handle_, i, v.data() ? v.data() : "", v.size(), SQLITE_STATIC);
  return *this;
}
Statement& Statement::bind_null(int i) {
  sqlite3_bind_null(handle_, i);
  return *this;
}
Statement& Statement::bind(int i, const core::Value& v) {
  switch (v.type) {
    case core::Value::Type::integer:
      return bind(i, v.integer);
    case core::Value::Type::real:
      sqlite3_bind_double(handle_, i, v.real());
      return *this;
    case core::Value::Type::text:
      return bind_text(i, v.bytes);
    case core::Value::Type::blob:
      return bind_blob(i, v.bytes);
    case core::Value::Type::part:
      return bind(i, core::plain(v));
    case core::Value::Type::null:
    case core::Value::Type::in_table:
      break;
  }
  return bind_null(i);
}

bool Statement::step() {
  const int rc = sqlite3_step(handle_);
  if (rc == SQLITE_ROW) return true;
  if (rc == SQLITE_DONE) return false;
  sqlite3* db = sqlite3_db_handle(handle_);
  const int extended = sqlite3_extended_errcode(db);
  const std::string what = describe(db, extended, sqlite3_sql(handle_));
  sqlite3_reset(handle_);
  throw SqliteError(extended, what);
}
void Statement::run() {
  Use s(*this);
  while (step()) {
  }
}
int Statement::try_run() {
  int rc = sqlite3_step(handle_);
  while (rc == SQLITE_ROW) rc = sqlite3_step(handle_);
  if (rc != SQLITE_DONE) rc = sqlite3_extended_errcode(sqlite3_db_handle(handle_));
  sqlite3_reset(handle_);
  return rc == SQLITE_DONE ? SQLITE_OK : rc;
}
void Statement::reset() {
  sqlite3_reset(handle_);
}

ByteView Statement::text(int i) const {
  const auto* p = sqlite3_column_text(handle_, i);
  return {reinterpret_cast<const char*>(p),
          static_cast<std::size_t>(sqlite3_column_bytes(handle_, i))};
}
ByteView Statement::blob(int i) const {
  const auto* p = sqlite3_column_blob(handle_, i);
  return {static_cast<const char*>(p), static_cast<std::size_t>(sqlite3_column_bytes(handle_, i))};
}
core::Value Statement::value(int i) const {
  switch (sqlite3_column_type(handle_, i)) {
    case SQLITE_INTEGER:
      return core::Value::of(integer(i));
    case SQLITE_FLOAT:
      return core::Value::of_real(sqlite3_column_double(handle_, i));
    case SQLITE_TEXT:
      return core::Value::text(text(i));
    case SQLITE_BLOB:
      return core::Value::blob(blob(i));
    default:
      return core::Value::null();
  }
}

namespace {

/// SQLite says "unable to open database file" to all of these.
std::string why_not_opened(const std::string& path, int rc) {
  std::error_code error;
  const auto found = std::filesystem::status(path, error);
  if (found.type() == std::filesystem::file_type::not_found) return "there is no such file";
  if (error) return error.message();
  if (found.type() == std::filesystem::file_type::directory) return "it is a directory";
  if (!std::ifstream(path)) return std::generic_category().message(errno);
  return sqlite3_errstr(rc);
}

}  // namespace

Connection::Connection(const std::string& path, int flags) {
  const int rc = sqlite3_open_v2(path.c_str(), &handle_,
                                 flags | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_NOMUTEX, nullptr);
  if (rc != SQLITE_OK) {
    const std::string message = fmt::format("cannot open {}: {}", path, why_not_opened(path, rc));
    sqlite3_close(std::exchange(handle_, nullptr));
    throw SqliteError(rc, message);
  }
}
Connection::~Connection() {
  cached_.clear();
  sqlite3_close_v2(handle_);
}
Connection::Connection(Connection&& other) noexcept
    : handle_(std::exchange(other.handle_, nullptr)), cached_(std::move(other.cached_)) {}
Connection& Connection::operator=(Connection&& other) noexcept {
  std::swap(handle_, other.handle_);
  std::swap(cached_, other.cached_);
  return *this;
}

void Connection::reset_statements() {
  for (sqlite3_stmt* s = nullptr; (s = sqlite3_next_stmt(handle_, s)) != nullptr;) {
    if (sqlite3_stmt_busy(s)) sqlite3_reset(s);
  }
}

Statement& Connection::cached(const char* sql) {
  auto& s = cached_[sql];
  if (!s) s = Statement(*this, sql);
  return s;
}

void Connection::exec(const std::string& sql) {
  const int rc = sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr);
  if (rc != SQLITE_OK) fail(handle_, rc, sql);
}
std::int64_t Connection::integer(const char* sql, std::int64_t otherwise) {
  Use s(cached(sql));
  return s->step() && !s->is_null(0) ? s->integer(0) : otherwise;
}
std::string Connection::text(const std::string& sql) {
  Statement s(*this, sql);
  return s.step() ? std::string(s.text(0)) : std::string();
}

bool Connection::is_wal() {
  Use mode(cached("PRAGMA journal_mode"));
  return mode->step() && mode->text(0) == "wal";
}
void Connection::sync_wal() {
  sqlite3_file* wal = nullptr;
  sqlite3_file_control(handle_, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal);
  if (!wal || !wal->pMethods) return;
  const int rc = wal->pMethods->xSync(wal, SQLITE_SYNC_NORMAL);
  if (rc != SQLITE_OK)
    throw SqliteError(rc, fmt::format("cannot sync the WAL: {}", sqlite3_errstr(rc)));
}

Transaction::Transaction(Connection& db, const char* begin)
    : db_(db), nested_(db.in_transaction()) {
  db_.cached(nested_ ? "SAVEPOINT mycelial" : begin).run();
}
Transaction::~Transaction() {
  if (!open_) return;
  if (!nested_) db_.reset_statements();
  if (!db_.in_transaction()) return;
  sqlite3_exec(db_.handle(), nested_ ? "ROLLBACK TO mycelial; RELEASE mycelial" : "ROLLBACK",
               nullptr, nullptr, nullptr);
}
void Transaction::commit() {
  db_.cached(nested_ ? "RELEASE mycelial" : "COMMIT").run();
  open_ = false;
}

std::string lower_case(std::string_view name) {
  std::string out(name);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return out;
}

std::string quote_name(std::string_view name) {
  std::string out = "\"";
  for (const char c : name) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + '"';
}
std::string quote_text(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') out += '\'';
    out += c;
  }
  return out + '\'';
}
std::string to_literal(const core::Value& value) {
  switch (value.type) {
    case core::Value::Type::integer:
      return std::to_string(value.integer);
    case core::Value::Type::real:
      if (std::isinf(value.real())) return value.real() > 0 ? "9e999" : "-9e999";
      return fmt::format("{:#.17g}", value.real());
    case core::Value::Type::text:
      return quote_text(value.bytes);
    case core::Value::Type::blob:
      return "x'" + to_hex(value.bytes) + "'";
    case core::Value::Type::part:
      return to_literal(core::plain(value));
    default:
      return "NULL";
  }
}

}  // namespace mycelial::storage
