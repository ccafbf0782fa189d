// SPDX-License-Identifier: Apache-2.0
#include "storage/names.hpp"

#include <algorithm>

namespace mycelial::storage {
namespace {

// mycelial_column.place: 1 and up in the table, or one of:
constexpr std::int64_t kElsewhere = 0;  // peers have it, or it is a former name
constexpr std::int64_t kDropped = -1;   // the table had it once

struct Known {
  std::string name;
  std::uint32_t id = 0;
  std::int64_t place = 0;
};

/// A number far above those that anybody gave is damage, and would cost memory.
std::uint32_t checked_id(std::uint64_t id) {
  constexpr std::uint64_t kMany = 1'000'000;
  if (id > kMany) throw StorageError(Errc::corrupt, "the list of columns is damaged");
  return static_cast<std::uint32_t>(id);
}

std::vector<Known> known_columns(Connection& db, std::uint32_t table) {
  std::vector<Known> out;
  Use s(db.cached("SELECT name, id, place FROM mycelial_column WHERE tbl = ?1"));
  s->bind(1, table);
  while (s->step()) {
    out.push_back({std::string(s->text(0)), checked_id(s->number(1)), s->integer(2)});
  }
  return out;
}

bool same_name(const std::string& a, const std::string& b) {
  return sqlite3_stricmp(a.c_str(), b.c_str()) == 0;
}

const Known* find(const std::vector<Known>& known, const std::string& name) {
  const auto it =
      std::ranges::find_if(known, [&](const Known& k) { return same_name(k.name, name); });
  return it == known.end() ? nullptr : &*it;
}

void store(Connection& db, std::uint32_t table, const std::string& name, std::uint32_t id,
           std::int64_t place) {
  Use put(db,
          "INSERT INTO mycelial_column VALUES(?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET "
          "name = ?2, id = ?3, place = ?4");
  put->bind(1, table).bind_text(2, name).bind(3, id).bind(4, place).run();
}

/// The column that stood where the new one stands, if its name is gone.
const Known* renamed(const std::vector<Known>& known, const TableInfo& t, std::size_t position) {
  const auto place = static_cast<std::int64_t>(position) + 1;
  const auto it = std::ranges::find(known, place, &Known::place);
  if (it == known.end()) return nullptr;
  const bool still_there = std::ranges::any_of(
      t.columns, [&](const ColumnInfo& c) { return same_name(c.name, it->name); });
  return still_there ? nullptr : &*it;
}

}  // namespace

void create_name_tables(Connection& db) {
  db.exec(R"sql(
CREATE TABLE IF NOT EXISTS mycelial_table(id INTEGER PRIMARY KEY, name TEXT UNIQUE COLLATE NOCASE,
                                          tracked INTEGER, armed TEXT);
CREATE TABLE IF NOT EXISTS mycelial_name(name TEXT PRIMARY KEY COLLATE NOCASE, tbl INTEGER,
                                         age INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS mycelial_column(tbl INTEGER, name TEXT COLLATE NOCASE, id INTEGER,
                                           place INTEGER, PRIMARY KEY(tbl, name)) WITHOUT ROWID;
)sql");
}

void drop_name_tables(Connection& db) {
  db.exec(
      "DROP TABLE IF EXISTS mycelial_table; DROP TABLE IF EXISTS mycelial_name; DROP TABLE IF "
      "EXISTS mycelial_column");
}

Numbering number_columns(Connection& db, TableInfo& t, const WatchedColumns& watched) {
  const auto known = known_columns(db, t.id);
  const auto placed = std::ranges::count_if(known, [](const Known& k) { return k.place > 0; });
  // A column that no trigger compares (the rowid by another name) was renamed if it is called
  // otherwise at the same place.
  const bool by_place = !watched.empty() && static_cast<std::size_t>(placed) <= t.columns.size();
  std::uint32_t next = 0;
  for (const auto& k : known) next = std::max(next, k.id + 1);
  Numbering out;
  std::vector<std::uint32_t> ids;
  std::vector<std::size_t> fresh;
  for (std::size_t i = 0; i < t.columns.size(); ++i) {
    auto& c = t.columns[i];
    const Known* same = find(known, c.name);
    const bool is_key = t.kind == TableKind::integer_key && c.key_position > 0;
    const Known* before = by_place && is_key ? renamed(known, t, i) : nullptr;
    const auto seen = watched.find(c.name);
    if (seen != watched.end()) {
      c.id = seen->second;
      if (same && same->place <= 0 && same->id != c.id) out.moved.emplace_back(same->id, c.id);
    } else if (same && same->place > 0 && (watched.empty() || is_key)) {
      c.id = same->id;
    } else if (before) {
      c.id = before->id;
      if (same && same->id != c.id) out.moved.emplace_back(same->id, c.id);
    } else {
      fresh.push_back(i);
      continue;
    }
    ids.push_back(c.id);
  }
  for (const auto i : fresh) {
    auto& c = t.columns[i];
    const Known* same = find(known, c.name);
    const bool taken = same && std::ranges::find(ids, same->id) != ids.end();
    if (same && !taken && same->place == kElsewhere) {
      c.id = same->id;
    } else {
      c.id = next++;
      if (same && !taken) out.moved.emplace_back(same->id, c.id);
    }
    ids.push_back(c.id);
    out.added.push_back(c.id);
  }
  for (const auto& k : known) {
    if (k.place <= 0) continue;
    const bool is_former_name = std::ranges::find(ids, k.id) != ids.end();
    store(db, t.id, k.name, k.id, is_former_name ? kElsewhere : kDropped);
  }
  for (const auto& [from, to] : out.moved) {
    Use s(db, "UPDATE mycelial_column SET id = ?3 WHERE tbl = ?1 AND id = ?2");
    s->bind(1, t.id).bind(2, from).bind(3, to).run();
  }
  for (std::size_t i = 0; i < t.columns.size(); ++i) {
    store(db, t.id, t.columns[i].name, t.columns[i].id, static_cast<std::int64_t>(i) + 1);
  }
  return out;
}

void read_numbers(Connection& db, TableInfo& t) {
  const auto known = known_columns(db, t.id);
  std::uint32_t next = 0;
  for (const auto& k : known) next = std::max(next, k.id + 1);
  for (auto& c : t.columns) {
    const Known* same = find(known, c.name);
    c.id = same && same->place > 0 ? same->id : next++;
  }
}

std::vector<std::uint32_t> column_numbers(Connection& db, std::uint32_t table,
                                          const std::vector<std::string>& names) {
  auto known = known_columns(db, table);
  std::uint32_t next = 0;
  for (const auto& k : known) next = std::max(next, k.id + 1);
  std::vector<std::uint32_t> out;
  for (const auto& name : names) {
    const Known* same = find(known, name);
    if (!same) {
      store(db, table, name, next, kElsewhere);
      same = &known.emplace_back(Known{name, next++, kElsewhere});
    }
    out.push_back(same->id);
  }
  return out;
}

std::vector<std::pair<std::uint32_t, std::string>> column_names(Connection& db,
                                                                std::uint32_t table) {
  auto known = known_columns(db, table);
  std::ranges::sort(known, [](const Known& a, const Known& b) {
    return a.id != b.id ? a.id < b.id : a.place > b.place;  // what it is called now, if here
  });
  std::vector<std::pair<std::uint32_t, std::string>> out;
  for (auto& k : known) {
    if (out.empty() || out.back().first != k.id) out.emplace_back(k.id, std::move(k.name));
  }
  return out;
}

std::string column_name(Connection& db, std::uint32_t table, std::uint32_t column) {
  Use s(
      db.cached("SELECT name FROM mycelial_column WHERE tbl = ?1 AND id = ?2 ORDER BY place DESC"));
  s->bind(1, table).bind(2, column);
  return s->step() ? std::string(s->text(0)) : std::string();
}

std::vector<std::uint32_t> dropped_columns(Connection& db, std::uint32_t table) {
  std::vector<std::uint32_t> out;
  for (const auto& k : known_columns(db, table)) {
    if (k.place == kDropped) out.push_back(k.id);
  }
  return out;
}

}  // namespace mycelial::storage
