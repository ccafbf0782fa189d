// SPDX-License-Identifier: Apache-2.0
#include "storage/capture.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>

#include "storage/sql_tokens.hpp"
#include "storage/triggers.hpp"

namespace mycelial::storage {
namespace {

void widen_journal(Connection& db, std::size_t key_columns) {
  const auto has = static_cast<std::size_t>(db.integer(
      "SELECT count(*) FROM pragma_table_info('mycelial_journal') WHERE name LIKE 'k%'"));
  for (auto i = has; i < key_columns; ++i) {
    db.exec(fmt::format("ALTER TABLE mycelial_journal ADD COLUMN k{}", i + 1));
  }
}

std::vector<std::string> trigger_names(Connection& db, std::uint32_t id) {
  std::vector<std::string> out;
  Use s(db, "SELECT name FROM sqlite_schema WHERE type = 'trigger' AND name LIKE ?1");
  const auto prefix = fmt::format("mycelial {} %", id);
  s->bind_text(1, prefix);
  while (s->step()) out.emplace_back(s->text(0));
  return out;
}

/// What the table was when it was armed last; nothing if it was not, or still has its triggers.
std::optional<TableKind> lost_triggers(Connection& db, std::uint32_t id) {
  Use s(db, "SELECT armed FROM mycelial_table WHERE id = ?1");
  if (!s->bind(1, id).step() || s->text(0).empty() || !trigger_names(db, id).empty()) return {};
  return static_cast<TableKind>(s->text(0).front() - '0');
}

/// Whether a trigger of a table, as SQLite keeps it, runs before the write.
bool is_before(std::string_view sql) {
  int tokens = 0;
  for (std::size_t at = 0; at < sql.size();) {
    const auto end = token_end(sql, at);
    const auto token = sql.substr(at, end - at);
    at = end;
    if (is_blank(token) || ++tokens < 4) continue;  // CREATE TRIGGER name
    return !is_keyword(token, "AFTER");
  }
  return true;
}

struct AppTrigger {
  std::string name, sql;
  std::int64_t number = 0;  ///< SQLite runs those with greater numbers first.
};

std::vector<AppTrigger> app_triggers_of(Connection& db, const std::string& table) {
  std::vector<AppTrigger> out;
  Use s(db,
        "SELECT name, sql, rowid FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = ?1 "
        "COLLATE NOCASE AND name NOT LIKE 'mycelial %' ORDER BY rowid");
  s->bind_text(1, table);
  while (s->step()) {
    out.push_back({std::string(s->text(0)), std::string(s->text(1)), s->integer(2)});
  }
  return out;
}

/// The application's BEFORE triggers run first, so that ours see what they did to rows that may be
/// in the way: those that are older than ours are made anew, as they are.
void renew_before_triggers(Connection& db, const std::string& table) {
  for (const auto& trigger : app_triggers_of(db, table)) {
    if (!is_before(trigger.sql)) continue;
    Transaction renewing(db);
    try {
      db.exec("DROP TRIGGER " + quote_name(trigger.name));
      db.exec(trigger.sql);
      renewing.commit();
    } catch (const SqliteError& e) {
      if (e.primary() != SQLITE_ERROR) throw;  // it does not fit the schema any more: it stays
    }
  }
}

/// The application's AFTER triggers run last, so that what they do, or fail at, is journaled behind
/// the write itself.
bool is_out_of_order(Connection& db, const TableInfo& table) {
  std::int64_t last_before = 0, first_after = std::numeric_limits<std::int64_t>::max();
  Use s(db, "SELECT sql, rowid FROM sqlite_schema WHERE type = 'trigger' AND name LIKE ?1");
  const auto prefix = fmt::format("mycelial {} %", table.id);
  s->bind_text(1, prefix);
  while (s->step()) {
    if (is_before(s->text(0))) {
      last_before = std::max(last_before, s->integer(1));
    } else {
      first_after = std::min(first_after, s->integer(1));
    }
  }
  return std::ranges::any_of(app_triggers_of(db, table.name), [&](const AppTrigger& t) {
    return is_before(t.sql) ? t.number < last_before : t.number > first_after;
  });
}

/// Which bit of the mask stands for which column, as the trigger on UPDATE says it.
WatchedColumns watched_columns(Connection& db, std::uint32_t id) {
  Use s(db, "SELECT sql FROM sqlite_schema WHERE type = 'trigger' AND name LIKE ?1");
  const auto prefix = fmt::format("mycelial {} update %", id);
  if (!s->bind_text(1, prefix).step()) return {};
  return columns_of_mask(s->text(0));
}

bool has_index(Connection& db, const std::string& table) {
  Use s(db, "SELECT 1 FROM pragma_index_list(?1)");
  return s->bind_text(1, table).step();
}

}  // namespace

void ColumnMask::set(std::uint32_t id) {
  if (words_.size() <= id / 64) words_.resize(id / 64 + 1);
  words_[id / 64] |= std::uint64_t{1} << id % 64;
}
bool ColumnMask::test(std::uint32_t id) const {
  return id / 64 < words_.size() && (words_[id / 64] >> id % 64 & 1) != 0;
}
void ColumnMask::merge(const ColumnMask& other) {
  if (words_.size() < other.words_.size()) words_.resize(other.words_.size());
  for (std::size_t i = 0; i < other.words_.size(); ++i) words_[i] |= other.words_[i];
}
bool ColumnMask::any() const {
  return std::any_of(words_.begin(), words_.end(), [](std::uint64_t w) { return w != 0; });
}

void create_capture_tables(Connection& db) {
  db.exec(R"sql(
CREATE TABLE IF NOT EXISTS mycelial_journal(jn INTEGER PRIMARY KEY, what, row, mask, day, rnd);
)sql");
  create_name_tables(db);
}

void drop_triggers(Connection& db, std::uint32_t id) {
  for (const auto& name : trigger_names(db, id)) db.exec("DROP TRIGGER " + quote_name(name));
}

Armed arm(Connection& db, const std::string& name, std::uint32_t id) {
  Armed out;
  auto& t = out.table;
  t = read_table(db, name);
  t.id = id ? id : table_number(db, t.name);
  out.was = lost_triggers(db, t.id);
  out.moved = rename_table(db, t.id, t.name);
  out.columns = number_columns(db, t, watched_columns(db, t.id));
  widen_journal(db, t.key.size());
  drop_triggers(db, t.id);
  bool renewed = false;
  for (const auto& [trigger, sql] : capture_triggers(t)) {
    if (!renewed && !is_before(sql)) {
      renew_before_triggers(db, t.name);
      renewed = true;
    }
    db.exec(sql);
  }
  // Any index keeps VACUUM from renumbering rowids, which journal and book go by. This one names no
  // column, so that each can be dropped.
  if (t.kind == TableKind::keyless && !has_index(db, t.name)) {
    db.exec(
        fmt::format("CREATE INDEX mycelial_keep_{} ON {}(0) WHERE 0", t.id, quote_name(t.name)));
  }
  Use s(db, "UPDATE mycelial_table SET armed = ?2, tracked = 1 WHERE id = ?1");
  s->bind(1, t.id).bind_text(2, std::to_string(static_cast<int>(t.kind))).run();
  return out;
}

void disarm(Connection& db, std::uint32_t id) {
  drop_triggers(db, id);
  db.exec(fmt::format("DROP INDEX IF EXISTS mycelial_keep_{}", id));
  db.exec(fmt::format("UPDATE mycelial_table SET tracked = 0, armed = '' WHERE id = {}", id));
}

void drop_capture_tables(Connection& db) {
  db.exec("DROP TABLE IF EXISTS mycelial_journal");
  drop_name_tables(db);
}

namespace {

/// Of the tables that are there.
std::map<std::uint32_t, std::string> tracked_names(Connection& db) {
  std::map<std::uint32_t, std::string> names;
  Use by_name(db,
              "SELECT t.id, m.name FROM mycelial_table t JOIN sqlite_schema m ON m.name = "
              "t.name COLLATE NOCASE AND m.type = 'table' WHERE t.tracked");
  while (by_name->step()) {
    names[static_cast<std::uint32_t>(by_name->number(0))] = by_name->text(1);
  }
  Use by_trigger(db,
                 "SELECT t.id, m.tbl_name FROM sqlite_schema m JOIN mycelial_table t ON t.id "
                 "= CAST(substr(m.name, 10) AS INTEGER) AND t.tracked WHERE m.type = "
                 "'trigger' AND m.name LIKE 'mycelial %'");
  while (by_trigger->step()) {
    const auto id = static_cast<std::uint32_t>(by_trigger->number(0));
    const std::string name(by_trigger->text(1));
    std::erase_if(names, [&](const auto& other) {  // that one is gone: its name went to this one
      return other.first != id && sqlite3_stricmp(other.second.c_str(), name.c_str()) == 0;
    });
    names[id] = name;
  }
  return names;
}

}  // namespace

std::vector<TableInfo> tracked_tables(Connection& db) {
  std::vector<TableInfo> out;
  for (const auto& [id, name] : tracked_names(db)) out.push_back(read_table(db, name, id));
  return out;
}

std::map<std::uint32_t, std::string> missing_tables(Connection& db) {
  std::map<std::uint32_t, std::string> out;
  Use s(db, "SELECT id, name FROM mycelial_table WHERE tracked");
  while (s->step()) {
    const auto id = static_cast<std::uint32_t>(s->number(0));
    out[id] = s->is_null(1) ? wire_name(db, id) : std::string(s->text(1));
  }
  for (const auto& [id, name] : tracked_names(db)) out.erase(id);
  return out;
}

bool needs_arming(Connection& db, const TableInfo& table) {
  const auto triggers = capture_triggers(table);
  if (trigger_names(db, table.id).size() != triggers.size()) return true;
  Use known(db, "SELECT 1 FROM mycelial_table WHERE id = ?1 AND name = ?2 COLLATE BINARY");
  if (!known->bind(1, table.id).bind_text(2, table.name).step()) return true;  // RENAME
  Use s(db, "SELECT sql FROM sqlite_schema WHERE type = 'trigger' AND name = ?1");
  for (const auto& [name, sql] : triggers) {
    const bool same = s->bind_text(1, name).step() && s->text(0) == sql;
    s->reset();
    if (!same) return true;
  }
  return is_out_of_order(db, table);
}

}  // namespace mycelial::storage
