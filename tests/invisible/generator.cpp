// SPDX-License-Identifier: Apache-2.0
#include "tests/invisible/generator.hpp"

#include <fmt/format.h>

namespace mycelial::invisible {
namespace {

const Table kNone{"t1", false, true, false, {{"a", "", false, false}}, {}, 0};
constexpr int kManyRows = 40;

}  // namespace

void Generator::look(Client& db) {
  constexpr int kLooks = 10;
  const auto version = db.texts("PRAGMA schema_version").at(0).at(0);
  if (version == version_ && ++looks_ % kLooks != 0) return;
  version_ = version;
  model_ = read_model(db);
}

/// A few values, so that they meet. Most fit the type.
std::string Generator::value(const std::string& type, bool must_fit) {
  if (chance(0.08)) return "NULL";
  const bool fits = must_fit || chance(0.85);
  if (fits && (type == "INTEGER" || type == "INT")) {
    return std::to_string(static_cast<int>(random_.between(0, 9)) - 2);
  }
  if (fits && type == "REAL") return one_of({"1.0", "1.5", "-2.0", "3.0"});
  if (fits && type == "BLOB") return one_of({"x'61'", "x''", "x'6162'"});
  if (fits && (type == "TEXT" || type == "VARCHAR(5)")) {
    return one_of({"'a'", "'A'", "'b'", "'b '", "'B'", "'c'", "'1'", "''"});
  }
  if (must_fit) return one_of({"1", "2", "'a'"});
  return one_of({"1", "2", "3", "4", "0", "-1", "1.0", "2.5", "'a'", "'A'", "'b'", "'b '", "'1'",
                 "'1.0'", "x'61'", "''", "'{}'"});
}

/// An error that SQLite does not foresee (a type, not a constraint) leaves half a statement behind,
/// unless there are triggers; and whether it comes before that of a constraint depends on them.
std::string Generator::value_for(const Table& t, const Column& c) {
  return value(c.type, t.strict || (careful_ && c.key && c.type == "INTEGER"));
}

const Table& Generator::any(bool views) {
  std::vector<const Table*> from;
  for (const auto& t : model_.tables) {
    if (views || !t.is_view) from.push_back(&t);
  }
  return from.empty() ? kNone : *random_.pick(from);
}

std::string Generator::expression(const Table& t, const Column& c) {
  const auto& other = random_.pick(t.columns);
  if (t.strict) return value_for(t, c);
  if (careful_ && c.key && c.type == "INTEGER") {
    return chance(0.3) ? one_of({c.name + " + 1", "3 - " + c.name, "-" + c.name}) : value_for(t, c);
  }
  switch (random_.below(8)) {
    case 0:
      return c.name + " + 1";
    case 1:
      return other.name;
    case 2: {
      const auto& u = any(true);
      return fmt::format("(SELECT max({}) FROM {})", random_.pick(u.columns).name, u.name);
    }
    case 3:
      return fmt::format("3 - {}", c.name);
    case 4:
      return one_of({"changes()", "last_insert_rowid()", "upper(" + c.name + ")", "-" + c.name,
                     "CASE " + c.name + " WHEN 1 THEN 2 WHEN 2 THEN 1 END"});
    default:
      return value_for(t, c);
  }
}

/// Which of several rows an UPDATE comes to first depends on whether there are triggers; and what a
/// subquery sees of the table that is being written.
std::string Generator::where_for_write(const Table& t) {
  if (!careful_) return where(t);
  for (;;) {
    auto out = where(t);
    if (out.find("SELECT") == std::string::npos) return out;
  }
}

std::string Generator::by_key(const Table& t) {
  if (t.has_rowid) return fmt::format(" WHERE rowid = {}", random_.below(9));
  std::string out;
  for (const auto& c : t.columns) {
    if (!c.key) continue;
    out += (out.empty() ? " WHERE " : " AND ") + c.name + " = " + value(c.type);
  }
  return out;
}

std::string Generator::where(const Table& t) {
  const auto& c = random_.pick(t.columns);
  switch (random_.below(9)) {
    case 0:
      return fmt::format(" WHERE {} IN ({}, {})", c.name, value(c.type), value(c.type));
    case 1:
      return fmt::format(" WHERE {} > {}", c.name, value(c.type));
    case 2:
      return fmt::format(" WHERE {} IS NULL", c.name);
    case 3:
      return t.has_rowid ? fmt::format(" WHERE rowid <= {}", random_.between(0, 6)) : "";
    case 4: {
      const auto& u = any(true);
      return fmt::format(" WHERE {} IN (SELECT {} FROM {})", c.name, random_.pick(u.columns).name,
                         u.name);
    }
    case 5:
      return chance(0.3) ? "" : fmt::format(" WHERE {} LIKE 'a%'", c.name);
    default:
      return fmt::format(" WHERE {} = {}", c.name, value(c.type));
  }
}

std::string Generator::conflict(const char* verb) {
  if (chance(0.45)) return "";
  (void)verb;
  return "OR " + one_of({"REPLACE", "REPLACE", "IGNORE", "FAIL", "ABORT", "ROLLBACK"}) + " ";
}

std::string Generator::assignment(const Table& t) {
  const auto columns = t.writable();
  if (columns.empty()) return "rowid = 1";
  if (t.has_rowid && chance(0.05)) {
    return "rowid = " + one_of({"rowid + 1", "-rowid", "2", "7 - rowid"});
  }
  const auto& c = random_.pick(columns);
  if (columns.size() > 1 && chance(0.1)) {
    const auto& d = random_.pick(columns);
    const bool fits = !t.strict && !(careful_ && (c.key || d.key));
    if (d.name != c.name && fits) return fmt::format("({0}, {1}) = ({1}, {0})", c.name, d.name);
  }
  return fmt::format("{} = {}", c.name, expression(t, c));
}

std::string Generator::assignments(const Table& t) {
  auto out = assignment(t);
  if (chance(0.35)) out += ", " + assignment(t);
  return out;
}

std::string Generator::returning(const Table& t) {
  if (!chance(0.2)) return "";
  if (refers_) return "";  // SQLite overlooks broken foreign keys then
  if (chance(0.5)) return " RETURNING *";
  return fmt::format(" RETURNING {}, {}", random_.pick(t.columns).name,
                     one_of({"1 + 1", "changes()", "last_insert_rowid()"}));
}

std::string Generator::insert(const Table& t) {
  const auto columns = t.writable();
  if (columns.empty() || chance(0.03)) {
    return fmt::format("INSERT {}INTO {} DEFAULT VALUES{}", conflict("INSERT"), t.name,
                       returning(t));
  }
  std::vector<Column> chosen;
  std::string names;
  for (const auto& c : columns) {
    if (!chance(c.key ? 0.7 : 0.8)) continue;
    chosen.push_back(c);
    names += (names.empty() ? "" : ", ") + c.name;
  }
  if (chosen.empty()) chosen = {columns[0]}, names = columns[0].name;
  if (t.has_rowid && chance(0.05))
    chosen.push_back({"rowid", "INTEGER", false, true}), names += ", rowid";
  std::string values;
  const auto rows = chance(0.3) ? random_.between(2, 4) : 1;
  for (std::uint64_t i = 0; i < rows; ++i) {
    std::string row;
    for (const auto& c : chosen) row += (row.empty() ? "" : ", ") + value_for(t, c);
    values += (values.empty() ? "(" : ", (") + row + ")";
  }
  auto source = "VALUES" + values;
  if (chance(0.12) && !t.strict) {
    const auto& u = any(true);
    std::string row;
    for (const auto& c : chosen) {
      row += (row.empty() ? "" : ", ") +
             (chance(0.5) && !(careful_ && c.key) ? random_.pick(u.columns).name : value_for(t, c));
    }
    source = fmt::format("SELECT {} FROM {}{}", row, u.name, where(u));
    if (chance(0.3))
      return fmt::format("WITH w AS ({}) INSERT {}INTO {}({}) SELECT * FROM w{}", source,
                         conflict("INSERT"), t.name, names, returning(t));
  }
  const auto verb = chance(0.1) ? std::string("REPLACE ") : "INSERT " + conflict("INSERT");
  return fmt::format("{}INTO {}({}) {}{}", verb, t.name, names, source, returning(t));
}

std::string Generator::upsert(const Table& t) {
  if (t.is_view || refers_) return insert(t);
  const auto columns = t.writable();
  if (columns.empty()) return insert(t);
  std::string names, values;
  for (const auto& c : columns) {
    names += (names.empty() ? "" : ", ") + c.name;
    values += (values.empty() ? "" : ", ") + value_for(t, c);
  }
  const auto& c = random_.pick(columns);
  auto out = fmt::format("INSERT {}INTO {}({}) VALUES({}) ON CONFLICT", conflict("INSERT"), t.name,
                         names, values);
  if (!t.uniques.empty() && chance(0.8)) {
    std::string of;
    for (const auto& n : random_.pick(t.uniques)) of += (of.empty() ? "" : ", ") + n;
    out += "(" + of + ")";
  }
  if (chance(0.25)) return out + " DO NOTHING" + returning(t);
  out += fmt::format(
      " DO UPDATE SET {} = {}", c.name,
      chance(0.6) ? "excluded." + (careful_ || t.strict ? c.name : random_.pick(columns).name)
                  : expression(t, c));
  if (chance(0.2)) out += where_for_write(t);
  return out + returning(t);
}

std::string Generator::update(const Table& t) {
  if (careful_ && !t.is_view) {
    return fmt::format("UPDATE {}{} SET {}{}{}", conflict("UPDATE"), t.name, assignments(t),
                       by_key(t), returning(t));
  }
  if (chance(0.1) && !careful_ && !t.strict) {
    const auto& u = any(true);
    const auto columns = t.writable();
    if (!columns.empty() && u.name != t.name) {
      return fmt::format("UPDATE {}{} SET {} = u.{} FROM {} AS u WHERE u.{} = {}.{}{}",
                         conflict("UPDATE"), t.name, random_.pick(columns).name,
                         random_.pick(u.columns).name, u.name, random_.pick(u.columns).name, t.name,
                         random_.pick(t.columns).name, returning(t));
    }
  }
  return fmt::format("UPDATE {}{} SET {}{}{}", conflict("UPDATE"), t.name, assignments(t),
                     where_for_write(t), returning(t));
}

std::string Generator::remove(const Table& t) {
  if (chance(0.08)) return fmt::format("DELETE FROM {}{}", t.name, returning(t));
  if (chance(0.1) && !careful_) {
    return fmt::format(
        "WITH w AS (SELECT {0} AS x FROM {1}{2}) DELETE FROM {1} WHERE {0} IN (SELECT "
        "x FROM w){3}",
        random_.pick(t.columns).name, t.name, where(t), returning(t));
  }
  return fmt::format("DELETE FROM {}{}{}", t.name, where_for_write(t), returning(t));
}

std::string Generator::select(const Table& t) {
  if (chance(0.3)) return "SELECT changes(), last_insert_rowid()";
  if (chance(0.2))
    return fmt::format("SELECT count(*), max({}) FROM {}", random_.pick(t.columns).name, t.name);
  return fmt::format("SELECT * FROM {}{}", t.name, where(t));
}

std::string Generator::pragma() {
  const auto name =
      one_of({careful_ ? "foreign_keys" : "recursive_triggers", "foreign_keys",
              "defer_foreign_keys", careful_ ? "foreign_keys" : "reverse_unordered_selects"});
  return fmt::format("PRAGMA {} = {}", name, one_of({"ON", "OFF", "OFF"}));
}

std::string Generator::transaction(bool open) {
  if (!open) return one_of({"BEGIN", "BEGIN IMMEDIATE", "SAVEPOINT s1", "SAVEPOINT s2"});
  return one_of({"COMMIT", "COMMIT", "ROLLBACK", "SAVEPOINT s1", "SAVEPOINT s2", "SAVEPOINT s3",
                 "RELEASE s1", "RELEASE s2", "RELEASE s3", "ROLLBACK TO s1", "ROLLBACK TO s2",
                 "ROLLBACK TO s3"});
}

std::string Generator::write() {
  for (const auto& t : model_.tables) {
    if (t.rows > kManyRows) return fmt::format("DELETE FROM {} WHERE rowid % 3 = 0", t.name);
  }
  const auto& t = any(true);
  switch (random_.weighted({40, 15, 28, 17})) {
    case 0:
      return insert(t);
    case 1:
      return upsert(t);
    case 2:
      return update(t);
    default:
      return remove(t);
  }
}

Script Generator::next(Client& db) {
  switch (random_.weighted({74, 5, 2, 10, 5, 4})) {
    case 0:
      return {write()};
    case 1:
      return {select(any(true))};
    case 2:
      return {pragma()};
    case 3:
      return {transaction(db.in_transaction())};
    case 4: {
      auto out = change_schema(db.in_transaction());
      if (chance(0.8)) out.emplace_back(kSeal);
      return out;
    }
    default:
      return {kSeal};
  }
}

}  // namespace mycelial::invisible
