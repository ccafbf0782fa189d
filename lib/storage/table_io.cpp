// SPDX-License-Identifier: Apache-2.0
#include "storage/table_io.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "storage/triggers.hpp"

namespace mycelial::storage {
namespace {

/// Set by the authorizer while a statement is prepared: a trigger deletes from a tracked table,
/// which cannot be silenced alone.
thread_local bool trigger_deletes = false;

bool is_tracked(sqlite3* db, const char* table) {
  sqlite3_stmt* s = nullptr;
  bool found = false;
  if (sqlite3_prepare_v2(db, "SELECT 1 FROM mycelial_table WHERE name = ?1 AND tracked", -1, &s,
                         nullptr) == SQLITE_OK) {
    sqlite3_bind_text(s, 1, table, -1, SQLITE_STATIC);
    found = sqlite3_step(s) == SQLITE_ROW;
  }
  sqlite3_finalize(s);
  return found;
}

int authorize(void* db, int action, const char* table, const char*, const char*,
              const char* trigger) {
  if (!trigger || !table) return SQLITE_OK;
  if (action != SQLITE_INSERT && action != SQLITE_UPDATE && action != SQLITE_DELETE)
    return SQLITE_OK;
  if (std::string_view(table) == "mycelial_journal") return SQLITE_IGNORE;
  if (!is_tracked(static_cast<sqlite3*>(db), table)) return SQLITE_OK;
  if (action == SQLITE_DELETE) trigger_deletes = true;
  return SQLITE_IGNORE;
}

}  // namespace

void silence_triggers(Connection& db) {
  sqlite3_set_authorizer(db.handle(), authorize, db.handle());
  sqlite3_db_config(db.handle(), SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
}

TableIo::TableIo(Connection& db, TableInfo info)
    : db_(db), info_(std::move(info)), rowid_name_(rowid_name(info_)) {
  schema_.table = info_.name;
  schema_.key = info_.key;
  std::string names;
  for (const auto& c : info_.columns) {
    schema_.columns.push_back(c.name);
    ids_.push_back(c.id);
    names += (names.empty() ? "" : ", ") + quote_name(c.name);
  }
  hash_ = schema_.hash();
  Statement triggers(db,
                     "SELECT 1 FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = ?1 "
                     "COLLATE NOCASE AND name NOT LIKE 'mycelial%'");
  app_triggers_ = triggers.bind_text(1, info_.name).step();
  const std::string table = quote_name(info_.name);
  select_ = Statement(db, fmt::format("SELECT {} FROM {} WHERE {}", names, table, where()));
  delete_ = prepare(fmt::format("DELETE FROM {} WHERE {}", table, where()));
  if (!info_.key.empty()) {
    std::string match;
    for (const auto k : info_.key) {
      match += fmt::format("{}{} = ? COLLATE {}", match.empty() ? "" : " AND ",
                           quote_name(info_.columns[k].name),
                           collation_name(info_.columns[k].collation));
    }
    find_ = Statement(db, fmt::format("SELECT {} FROM {} WHERE {}", has_rowid() ? rowid_name_ : "0",
                                      table, match));
  }
}

Statement TableIo::prepare(const std::string& sql) {
  if (!app_triggers_) return {db_, sql};
  trigger_deletes = false;
  sqlite3_db_config(db_.handle(), SQLITE_DBCONFIG_ENABLE_TRIGGER, 1, nullptr);
  Statement s(db_, sql);
  sqlite3_db_config(db_.handle(), SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
  if (!trigger_deletes) return s;
  note_ = fmt::format(
      "{}: a trigger deletes from a tracked table, so none of this table's triggers "
      "run when remote rows are applied",
      info_.name);
  app_triggers_ = false;
  return {db_, sql};
}

std::string TableIo::where() const {
  if (has_rowid()) return rowid_name_ + " = ?";
  std::string out;
  for (const auto k : info_.key) {
    out += (out.empty() ? "" : " AND ") + quote_name(info_.columns[k].name) + " = ? COLLATE " +
           collation_name(info_.columns[k].collation);
  }
  return out;
}

int TableIo::bind_ref(Statement& s, int at, const RowRef& ref) {
  if (has_rowid()) {
    s.bind(at++, ref.rowid);
    return at;
  }
  const auto values = key_values(ref.key);
  if (!values) throw StorageError(Errc::corrupt, "malformed key identity in " + info_.name);
  for (const auto& v : *values) s.bind(at++, v);
  return at;
}

std::optional<std::uint32_t> TableIo::position_of(std::uint32_t column_id) const {
  const auto it = std::find(ids_.begin(), ids_.end(), column_id);
  if (it == ids_.end()) return std::nullopt;
  return static_cast<std::uint32_t>(it - ids_.begin());
}

std::optional<std::span<const core::Value>> TableIo::read(const RowRef& ref) {
  select_.reset();
  bind_ref(select_, 1, ref);
  if (!select_.step()) {
    select_.reset();
    return std::nullopt;
  }
  row_.resize(ids_.size());
  for (std::size_t i = 0; i < row_.size(); ++i) row_[i] = select_.value(static_cast<int>(i));
  return row_;
}

std::optional<std::int64_t> TableIo::find_key(ByteView identity) {
  const auto values = key_values(identity);
  if (!values || values->size() != info_.key.size() || !find_) return std::nullopt;
  if (info_.kind == TableKind::integer_key && (*values)[0].type != core::Value::Type::integer) {
    return std::nullopt;
  }
  Use find(find_);
  int i = 1;
  for (const auto& v : *values) find->bind(i++, v);
  return find->step() ? std::optional(find->integer(0)) : std::nullopt;
}

std::optional<core::Identity> TableIo::key_of(std::span<const core::Value> values) const {
  if (info_.key.empty()) return std::nullopt;
  std::vector<core::Value> key;
  for (const auto k : info_.key) key.push_back(values[k]);
  return key_identity(info_, key);
}

int TableIo::judge(int rc, Statement& s) {
  if (rc == SQLITE_OK || (rc & 0xff) == SQLITE_CONSTRAINT || (rc & 0xff) == SQLITE_MISMATCH)
    return rc;
  if ((rc & 0xff) == SQLITE_ERROR)
    return SQLITE_CONSTRAINT_TRIGGER;  // RAISE, or a trigger that fails
  throw SqliteError(rc,
                    fmt::format("{} ({})", sqlite3_errmsg(db_.handle()), sqlite3_sql(s.handle())));
}

/// Runs a write. If one of the application's triggers objects (it may judge by rows that are still
/// on their way), the row is written without them: its origin has accepted it.
template <class Bind>
int TableIo::write(Statement& s, Bind&& bind) {
  bind(s);
  const int rc = judge(s.try_run(), s);
  const bool ignored = rc == SQLITE_OK && db_.changes() == 0;
  if (!app_triggers_ || (rc != SQLITE_CONSTRAINT_TRIGGER && !ignored)) return rc;
  Statement plain(db_, sqlite3_sql(s.handle()));
  bind(plain);
  return judge(plain.try_run(), plain);
}

int TableIo::insert(std::span<const std::uint32_t> positions, std::span<const core::Value> values,
                    std::int64_t* rowid) {
  auto& s = inserts_[{positions.begin(), positions.end()}];
  if (!s) {
    std::string names, marks;
    for (const auto p : positions) {
      names += (names.empty() ? "" : ", ") + quote_name(info_.columns[p].name);
      marks += marks.empty() ? "?" : ", ?";
    }
    s = prepare(
        positions.empty()
            ? fmt::format("INSERT INTO {} DEFAULT VALUES", quote_name(info_.name))
            : fmt::format("INSERT INTO {}({}) VALUES({})", quote_name(info_.name), names, marks));
  }
  const int rc = write(s, [&](Statement& to) {
    int i = 1;
    for (const auto p : positions) to.bind(i++, values[p]);
  });
  if (rc == SQLITE_OK && rowid) *rowid = db_.last_rowid();
  return rc;
}

int TableIo::update(const RowRef& ref, std::span<const std::uint32_t> positions,
                    std::span<const core::Value> values) {
  auto& s = updates_[{positions.begin(), positions.end()}];
  if (!s) {
    std::string set;
    for (const auto p : positions) {
      set += (set.empty() ? "" : ", ") + quote_name(info_.columns[p].name) + " = ?";
    }
    s = prepare(fmt::format("UPDATE {} SET {} WHERE {}", quote_name(info_.name), set, where()));
  }
  return write(s, [&](Statement& to) {
    int i = 1;
    for (const auto p : positions) to.bind(i++, values[p]);
    bind_ref(to, i, ref);
  });
}

void TableIo::remove(const RowRef& ref) {
  const int rc = write(delete_, [&](Statement& to) { bind_ref(to, 1, ref); });
  if (rc != SQLITE_OK) throw SqliteError(rc, "cannot delete a row of " + info_.name);
}

std::optional<TableIo::Holder> TableIo::holder(std::size_t index,
                                               std::span<const core::Value> values) {
  const bool is_key = index == info_.uniques.size();
  const auto& columns = is_key ? info_.key : info_.uniques[index].columns;
  const auto collation = [&](std::size_t i) {
    return is_key ? info_.columns[columns[i]].collation : info_.uniques[index].collations[i];
  };
  for (const auto c : columns) {
    if (values[c].type == core::Value::Type::null) return std::nullopt;
  }
  auto& s = holders_[index];
  if (!s) {
    std::string match, what = has_rowid() ? rowid_name_ : "";
    for (std::size_t i = 0; i < columns.size(); ++i) {
      match +=
          fmt::format("{}{} = ? COLLATE {}", match.empty() ? "" : " AND ",
                      quote_name(info_.columns[columns[i]].name), collation_name(collation(i)));
    }
    for (const auto k : info_.key) {
      if (!has_rowid()) what += (what.empty() ? "" : ", ") + quote_name(info_.columns[k].name);
    }
    s = Statement(db_,
                  fmt::format("SELECT {} FROM {} WHERE {}", what, quote_name(info_.name), match));
  }
  Use use(s);
  int i = 1;
  for (const auto c : columns) s.bind(i++, values[c]);
  if (!s.step()) return std::nullopt;
  if (has_rowid()) return Holder{s.integer(0), {}};
  std::vector<core::Value> key;
  for (std::size_t k = 0; k < info_.key.size(); ++k) key.push_back(s.value(static_cast<int>(k)));
  return Holder{0, key_identity(info_, key).value_or(core::Identity())};
}

Bytes TableIo::claim_of(std::size_t index, std::span<const core::Value> values) const {
  const bool is_key = index == info_.uniques.size();
  const auto& columns = is_key ? info_.key : info_.uniques[index].columns;
  Bytes out;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (values[columns[i]].type == core::Value::Type::null) return {};
    put_canonical(
        out, values[columns[i]],
        is_key ? info_.columns[columns[i]].collation : info_.uniques[index].collations[i]);
  }
  return out;
}

std::vector<std::uint32_t> TableIo::unique_columns() const {
  std::vector<std::uint32_t> out;
  for (const auto k : info_.key) out.push_back(ids_[k]);
  for (const auto& u : info_.uniques) {
    for (const auto c : u.columns) out.push_back(ids_[c]);
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

std::int64_t TableIo::max_rowid() {
  return db_.integer(fmt::format("SELECT max({}) FROM {}", rowid_name_, quote_name(info_.name)));
}

}  // namespace mycelial::storage
