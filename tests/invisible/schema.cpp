// SPDX-License-Identifier: Apache-2.0
// Random schemas, and changes to them.
#include <fmt/format.h>

#include "tests/invisible/generator.hpp"

namespace mycelial::invisible {

std::string Generator::fresh_name(const char* prefix) {
  return prefix + std::to_string(++names_);
}

std::string Generator::column_of(const std::string& name, bool strict, bool may_be_unique,
                                 bool may_refer) {
  std::string out = name;
  const auto type = strict ? one_of({"INTEGER", "TEXT", "ANY", "REAL", "BLOB"})
                           : one_of({"", "", "INTEGER", "TEXT", "TEXT", "REAL", "NUMERIC", "INT",
                                     "BLOB", "VARCHAR(5)"});
  if (!type.empty()) out += " " + type;
  if (chance(0.2)) out += one_of({" COLLATE NOCASE", " COLLATE RTRIM", " COLLATE BINARY"});
  if (chance(0.3)) {
    out += chance(0.2) ? " NOT NULL ON CONFLICT " + one_of({"IGNORE", "REPLACE", "FAIL"})
                       : std::string(" NOT NULL");
    if (chance(0.8)) out += " DEFAULT " + value(type, strict || !may_be_unique);
  } else if (chance(0.3)) {
    out += " DEFAULT " + (chance(0.2) && !strict ? std::string("(1 + 1)")
                                                 : value(type, strict || !may_be_unique));
  }
  if (may_be_unique && chance(0.3)) {
    out += " UNIQUE";
    if (chance(0.2)) out += " ON CONFLICT " + one_of({"IGNORE", "REPLACE", "FAIL", "ROLLBACK"});
  }
  if (chance(0.1)) {
    out += fmt::format(" CHECK({0} IS NULL OR {0} {1} {2})", name, one_of({"<>", "<", ">="}),
                       one_of({"3", "'b'", "-1"}));
  }
  if (may_refer && chance(0.2)) {
    refers_ = true;
    out += " REFERENCES t1";
    if (chance(0.8)) {
      out +=
          " ON DELETE " + one_of({"CASCADE", "SET NULL", "SET DEFAULT", "RESTRICT", "NO ACTION"});
    }
    if (chance(0.6)) {
      out += " ON UPDATE " + one_of({"CASCADE", "SET NULL", "SET DEFAULT", "RESTRICT"});
    }
    if (chance(0.3)) out += " DEFERRABLE INITIALLY DEFERRED";
  }
  return out;
}

std::string Generator::table_constraints(const std::vector<std::string>& columns, bool strict) {
  std::string out;
  if (chance(0.2)) {
    out += fmt::format(
        ", g {} AS ({}) {}", strict ? "ANY" : "",
        chance(0.5) ? columns.back() + " || '!'" : fmt::format("{} + 1", columns.back()),
        one_of({"VIRTUAL", "STORED"}));
  }
  if (columns.size() > 1 && chance(0.25)) {
    out += fmt::format(", UNIQUE({}, {})", columns[0], columns[1]);
    if (chance(0.3)) out += " ON CONFLICT " + one_of({"IGNORE", "REPLACE", "FAIL"});
  }
  return out;
}

std::string Generator::create_table(const std::string& name) {
  const bool strict = chance(0.15);
  std::string columns, end;
  auto kind = random_.below(7);
  // Foreign keys refer to t1, which has one column as its key.
  if (name == "t1") kind = std::vector<std::uint64_t>{0, 1, 2, 4}[random_.below(4)];
  if (kind == 0) columns = "k INTEGER PRIMARY KEY";
  if (kind == 1) columns = "k INTEGER PRIMARY KEY AUTOINCREMENT";
  if (kind == 2) {
    columns = "k TEXT " +
              one_of({"", "COLLATE NOCASE ", "COLLATE RTRIM ", "NOT NULL DEFAULT 'b' "}) +
              "PRIMARY KEY" + one_of({"", "", " ON CONFLICT REPLACE"});
  }
  if (kind == 3) columns = "k INTEGER, m TEXT DEFAULT 'a'", end = ", PRIMARY KEY(k, m)";
  if (kind == 4) columns = "k INTEGER PRIMARY KEY";
  if (kind == 5)
    columns = "k TEXT COLLATE NOCASE, m INTEGER DEFAULT 1", end = ", PRIMARY KEY(m, k)";
  if (kind == 6) columns = chance(0.5) ? "k INTEGER" : "k TEXT";
  const bool without_rowid = kind == 4 || kind == 5;
  std::vector<std::string> own;
  const auto count = random_.between(1, 4);
  for (std::uint64_t i = 0; i < count; ++i) {
    own.push_back(std::string(1, static_cast<char>('a' + i)));
    columns += ", " + column_of(own.back(), strict, true, !careful_);
  }
  auto out =
      fmt::format("CREATE TABLE {}({}{}{})", name, columns, table_constraints(own, strict), end);
  if (without_rowid) out += " WITHOUT ROWID";
  if (strict) out += without_rowid ? ", STRICT" : " STRICT";
  return out;
}

std::string Generator::create_index(const Table& t) {
  const auto columns = t.writable();
  const auto& c = random_.pick(columns).name;
  const auto& d = random_.pick(columns).name;
  std::string terms = c;
  if (chance(0.3)) terms += one_of({" COLLATE NOCASE", " COLLATE RTRIM", " DESC"});
  if (chance(0.3) && d != c) terms += ", " + d;
  if (chance(0.25)) {
    terms = one_of({fmt::format("lower({})", c), fmt::format("{} + 1", c),
                    fmt::format("coalesce({}, {})", c, d), fmt::format("length({}), {}", c, d)});
  }
  std::string out = fmt::format("CREATE {}INDEX {} ON {}({})", chance(0.6) ? "UNIQUE " : "",
                                fresh_name("i"), t.name, terms);
  if (chance(0.35)) {
    out += " WHERE " + one_of({fmt::format("{} IS NOT NULL", c), fmt::format("{} > 1", d),
                               fmt::format("{} = 'a'", d), fmt::format("{} <> {}", c, d)});
  }
  return out;
}

std::string Generator::create_view() {
  const auto& t = any(false);
  std::string columns;
  for (const auto& c : t.columns) columns += (columns.empty() ? "" : ", ") + c.name;
  return fmt::format("CREATE VIEW {} AS SELECT {} FROM {}", fresh_name("v"), columns, t.name);
}

/// One write of a trigger; `from` is NEW or OLD of table t.
std::string Generator::in_trigger(const Table& t, const std::string& from) {
  const auto& target = any(false);
  const auto columns = target.writable();
  const auto& written = random_.pick(columns);
  const auto& c = written.name;
  const auto& d = random_.pick(columns);
  const bool must_fit = target.strict || (careful_ && written.key && written.type == "INTEGER");
  const auto own = must_fit ? value_for(target, written)
                            : from + "." + random_.pick(careful_ ? t.writable() : t.columns).name;
  switch (random_.below(6)) {
    case 0:
      return fmt::format("INSERT {}INTO {}({}) VALUES({})", conflict("INSERT"), target.name, c,
                         own);
    case 1:
      if (c == d.name) break;
      return fmt::format("INSERT OR {} INTO {}({}, {}) VALUES({}, {})",
                         one_of({"IGNORE", "REPLACE", "REPLACE"}), target.name, c, d.name, own,
                         value_for(target, d));
    case 2:
      return fmt::format("DELETE FROM {} WHERE {} = {}", target.name, c, own);
    case 3:
      return fmt::format("SELECT count(*) FROM {} WHERE {} = {}", target.name, c, own);
    default:
      break;
  }
  if (careful_ && target.has_rowid) {
    return fmt::format("UPDATE {}{} SET {} = {} WHERE rowid = {}", conflict("UPDATE"), target.name,
                       c, chance(0.5) ? own : value_for(target, written), random_.below(4));
  }
  if (careful_) return fmt::format("DELETE FROM {} WHERE {} = {}", target.name, c, own);
  return fmt::format("UPDATE {}{} SET {} = {} WHERE {} = {}", conflict("UPDATE"), target.name, c,
                     chance(0.5) ? own : value_for(target, written), d.name,
                     chance(0.5) ? own : value(d.type));
}

std::string Generator::trigger_body(const Table& t, const std::string& event) {
  const std::string from = event == "DELETE"                  ? "OLD"
                           : event == "INSERT" || chance(0.5) ? "NEW"
                                                              : "OLD";
  std::string out;
  const auto count = random_.between(1, 2);
  for (std::uint64_t i = 0; i < count; ++i) out += in_trigger(t, from) + "; ";
  if (chance(0.25)) {
    const auto& c = random_.pick(t.columns);
    const auto kind = one_of({"ABORT, 'no'", "FAIL, 'no'", "ROLLBACK, 'no'", "IGNORE", "IGNORE"});
    out += fmt::format("SELECT RAISE({}) WHERE {}.{} {} {}; ", kind, from, c.name,
                       one_of({"=", ">", "IS"}), value(c.type));
  }
  return out;
}

std::string Generator::create_trigger() {
  const auto& t = any(true);
  auto event = one_of({"INSERT", "UPDATE", "DELETE"});
  const auto body = trigger_body(t, event);
  const std::string when = t.is_view ? "INSTEAD OF" : chance(0.5) ? "BEFORE" : "AFTER";
  if (event == "UPDATE" && chance(0.3)) event += " OF " + random_.pick(t.columns).name;
  // A temporary AFTER trigger that fails or ignores can hide the write: docs/invisible.md.
  return fmt::format("CREATE {}TRIGGER {} {} {} ON {} BEGIN {}END",
                     when != "AFTER" && chance(0.1) ? "TEMP " : "", fresh_name("r"), when, event,
                     t.name, body);
}

Script Generator::change_schema(bool in_transaction) {
  const auto& t = any(false);
  const auto columns = t.writable();
  switch (random_.below(12)) {
    case 0:
    case 1:
      return {fmt::format("ALTER TABLE {} ADD COLUMN {}", t.name,
                          column_of(fresh_name("n"), t.strict, false, false))};
    case 2:
      return {fmt::format("ALTER TABLE {} RENAME COLUMN {} TO {}", t.name,
                          random_.pick(t.columns).name, fresh_name("q"))};
    case 3: {
      // The old way leaves triggers alone, so that writes fail until mycelial has looked.
      const bool legacy = !in_transaction && chance(0.3);
      return {legacy ? "PRAGMA legacy_alter_table = ON" : "PRAGMA legacy_alter_table = OFF",
              fmt::format("ALTER TABLE {} RENAME TO {}", t.name, fresh_name("t9")), kSeal,
              "SELECT count(*) FROM " + t.name};
    }
    case 4:
    case 5:
      return {create_index(t)};
    case 6:
      if (!model_.indexes.empty()) return {"DROP INDEX " + random_.pick(model_.indexes)};
      return {create_index(t)};
    case 7:
      if (!model_.triggers.empty() && chance(0.7)) {
        return {"DROP TRIGGER " + random_.pick(model_.triggers)};
      }
      [[fallthrough]];
    case 8:
    case 9:
      // Until mycelial has looked, a trigger that is newer than ours can hide what it fails at.
      if (in_transaction) return {};
      return {create_trigger(), kSeal};
    case 10:
      if (chance(0.5)) return {create_view()};
      return {create_table(fresh_name("t"))};
    default:
      // Not t1, under any name: others refer to it.
      if (t.name.starts_with("t3") && chance(0.3)) return {"DROP TABLE " + t.name};
      return {one_of({"VACUUM", "ANALYZE", "REINDEX"})};
  }
}

Script Generator::schema() {
  Script out;
  const auto count = random_.between(2, 3);
  for (std::uint64_t i = 1; i <= count; ++i) out.push_back(create_table(fmt::format("t{}", i)));
  return out;
}

Script Generator::before_track() {
  Script out;
  if (chance(0.3)) out.push_back(create_view());
  for (auto n = random_.below(4); n > 0; --n) out.push_back(create_index(any(false)));
  for (auto n = random_.below(4); n > 0; --n) out.push_back(create_trigger());
  if (chance(0.5)) out.emplace_back("PRAGMA foreign_keys = ON");
  if (!careful_ && chance(0.3)) out.emplace_back("PRAGMA recursive_triggers = ON");
  return out;
}

Script Generator::rows() {
  Script out;
  for (auto n = random_.below(12); n > 0; --n) out.push_back(insert(any(false)));
  return out;
}

}  // namespace mycelial::invisible
