// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/schema.hpp"

#include <algorithm>
#include <stdexcept>

namespace mycelial::sim {
namespace {

constexpr int kWide = 70;

Table wide() {
  Table out{.name = "wide", .columns = {"id", "life", "up"}, .key = {"id"}};
  std::string list;
  for (int i = 0; i < kWide; ++i) {
    const std::string name = "c" + std::to_string(i);
    out.columns.push_back(name);
    if (i % 9 == 4) out.values.push_back(name);
    list += ", " + name;
  }
  out.ddl = "CREATE TABLE wide(id TEXT PRIMARY KEY, life TEXT, up TEXT" + list + ")";
  return out;
}

Table account() {
  return {.name = "account",
          .columns = {"owner", "slot", "balance", "memo"},
          .key = {"owner", "slot"},
          .ddl =
              "CREATE TABLE account(owner INTEGER, slot INTEGER, balance INTEGER, memo TEXT, "
              "PRIMARY KEY(owner, slot))"};
}

std::vector<Table> one_of_each() {
  return {
      {"doc",
       {"id", "life", "up", "a", "b"},
       {"id"},
       "",
       true,
       {"a", "b"},
       "CREATE TABLE doc(id INTEGER PRIMARY KEY, life TEXT, up TEXT, a, b TEXT)"},
      {"note",
       {"name", "life", "up", "a", "b"},
       {"name"},
       "",
       false,
       {"a", "b"},
       "CREATE TABLE note(name TEXT PRIMARY KEY, life TEXT, up TEXT, a, b TEXT)"},
      {"pair",
       {"x", "y", "tag", "life", "up", "a", "b"},
       {"x", "y"},
       "tag",
       false,
       {"a", "b"},
       "CREATE TABLE pair(x INTEGER, y TEXT, tag TEXT UNIQUE, life TEXT, up TEXT, a, b TEXT, "
       "PRIMARY KEY(x, y)) WITHOUT ROWID"},
      {"log",
       {"life", "a", "b"},
       {},
       "",
       false,
       {"a", "b"},
       "CREATE TABLE log(life TEXT, a, b TEXT)"},
      {"user",
       {"id", "email", "life", "up", "a", "b"},
       {"id"},
       "email",
       false,
       {"a", "b"},
       "CREATE TABLE user(id TEXT PRIMARY KEY, email TEXT UNIQUE, life TEXT, up TEXT, a, b TEXT)"},
      wide(),
      account(),
  };
}

/// A table of any kind.
Table any_table(const std::string& name, Random& random) {
  enum { automatic, text, pair, keyless };
  Table out{.name = name};
  const auto kind = random.below(4);
  out.automatic = kind == automatic;
  std::vector<std::string> declared;
  const auto add = [&](const std::string& column, const std::string& type) {
    declared.insert(
        declared.begin() + static_cast<std::ptrdiff_t>(random.below(declared.size() + 1)),
        column + " " + type);
  };
  const bool strict = random.chance(0.25);
  const bool rowid = out.automatic || kind == keyless || random.chance(0.5);
  if (kind == automatic)
    add("id", random.chance(0.3) ? "INTEGER PRIMARY KEY AUTOINCREMENT" : "INTEGER PRIMARY KEY");
  if (kind == text) add("id", "TEXT PRIMARY KEY");
  if (kind == pair) {
    add("x", "INTEGER");
    add("y", "TEXT");
    out.key = {"x", "y"};
  } else if (kind != keyless) {
    out.key = {"id"};
  }
  add("life", "TEXT");
  if (out.has_upserts()) add("up", "TEXT");
  if (random.chance(0.4)) {
    out.unique = "tag";
    add("tag", random.chance(0.5) ? "TEXT UNIQUE" : "TEXT");
  }
  static const std::vector<std::string> kTypes = {"", "TEXT", "BLOB", "INTEGER", "REAL", "NUMERIC"};
  const auto width = random.chance(0.1) ? random.between(60, 80) : random.between(1, 6);
  for (std::uint64_t i = 0; i < width; ++i) {
    const std::string column = "v" + std::to_string(i);
    add(column, strict ? "ANY" : random.pick(kTypes));
    if (i < 6) out.values.push_back(column);
  }
  std::string list;
  for (const auto& column : declared) {
    list += (list.empty() ? "" : ", ") + column;
    out.columns.push_back(column_in(column));
  }
  if (kind == pair) list += ", PRIMARY KEY(x, y)";
  out.ddl = "CREATE TABLE " + name + "(" + list + ")" + (strict ? " STRICT" : "");
  if (!rowid) out.ddl += strict ? ", WITHOUT ROWID" : " WITHOUT ROWID";
  const bool separate = !out.unique.empty() && list.find("UNIQUE") == list.npos;
  if (separate) out.ddl += "; CREATE UNIQUE INDEX " + name + "_tag ON " + name + "(tag)";
  return out;
}

/// Columns that merge otherwise than by the last writer.
Table tally(Random& random) {
  Table out{.name = "tally",
            .columns = {"id", "life", "up", "n", "m", "s", "j", "f"},
            .key = {"id"},
            .values = {"n", "m", "s", "j", "f"},
            .ddl =
                "CREATE TABLE tally(id TEXT PRIMARY KEY, life TEXT, up TEXT, n INTEGER, m, s "
                "TEXT, j TEXT, f)",
            .merges = true};
  if (random.chance(0.5)) out.ddl += " WITHOUT ROWID";
  out.policies = {{"n", "counter"},
                  {"m", random.chance(0.5) ? "max" : "min"},
                  {"s", "set"},
                  {"j", "json"},
                  {"f", "fww"}};
  return out;
}

/// Files in folders.
void add_relatives(std::vector<Table>& to, Random& random) {
  const bool automatic = random.chance(0.5);
  const std::string key = automatic ? "INTEGER" : "TEXT";
  to.push_back({.name = "folder",
                .columns = {"id", "life", "up", "a"},
                .key = {"id"},
                .automatic = automatic,
                .values = {"a"},
                .ddl = "CREATE TABLE folder(id " + key + " PRIMARY KEY, life TEXT, up TEXT, a)",
                .has_relatives = true});
  to.push_back({.name = "file",
                .columns = {"id", "life", "up", "folder", "a"},
                .key = {"id"},
                .values = {"folder", "a"},
                .ddl = "CREATE TABLE file(id TEXT PRIMARY KEY, life TEXT, up TEXT, folder " + key +
                       " REFERENCES folder(id) ON DELETE " +
                       (random.chance(0.5) ? "CASCADE" : "SET NULL") + ", a)",
                .policies = {{"folder", random.chance(0.5) ? "delete" : "restore"}},
                .has_relatives = true});
}

std::string joined(const std::vector<std::string>& names, const std::string& before,
                   const std::string& between) {
  std::string out;
  for (const auto& name : names) out += (out.empty() ? "" : between) + before + name;
  return out;
}

/// A view that can be written to.
void add_view(Table& t) {
  t.view = t.name + "_view";
  const auto names = joined(t.columns, "", ", ");
  std::string sets, where;
  for (const auto& c : t.columns) sets += (sets.empty() ? "" : ", ") + c + " = NEW." + c;
  for (const auto& k : t.key) where += (where.empty() ? "" : " AND ") + k + " = OLD." + k;
  const auto instead = [&](const std::string& verb, const std::string& what) {
    t.ddl += "; CREATE TRIGGER " + t.view + "_" + verb + " INSTEAD OF " + verb + " ON " + t.view +
             " BEGIN " + what + "; END";
  };
  t.ddl += "; CREATE VIEW " + t.view + " AS SELECT " + names + " FROM " + t.name;
  instead("INSERT", "INSERT INTO " + t.name + "(" + names + ") VALUES(" +
                        joined(t.columns, "NEW.", ", ") + ")");
  instead("UPDATE", "UPDATE " + t.name + " SET " + sets + " WHERE " + where);
  instead("DELETE", "DELETE FROM " + t.name + " WHERE " + where);
}

/// Triggers that write down what happens to the table.
void add_trail(Table& t, Random& random) {
  t.trail = "trail";
  static const std::vector<std::string> kEvents = {"AFTER INSERT", "AFTER UPDATE", "BEFORE UPDATE",
                                                   "AFTER DELETE", "BEFORE DELETE"};
  const auto first = random.below(kEvents.size());
  for (const auto i : {first, (first + 1 + random.below(kEvents.size() - 1)) % kEvents.size()}) {
    t.ddl += "; CREATE TRIGGER " + t.name + "_trail" + std::to_string(i) + " " + kEvents[i] +
             " ON " + t.name +
             " BEGIN INSERT INTO trail(life, what) VALUES('g' || hex(randomblob(8)), "
             "'g' || hex(randomblob(8))); END";
  }
}

/// A full-text index that triggers keep: it is not tracked, and must fit rows of peers, too.
void add_search(Table& t) {
  t.search = t.name + "_search";
  const auto remove = [&](const std::string& of) {
    return "DELETE FROM " + t.search + " WHERE k = " + search_key(t, of) + "; ";
  };
  const std::string add = "INSERT INTO " + t.search + " VALUES(" + search_key(t, "NEW.") +
                          ", NEW." + t.values[0] + "); ";
  const auto trigger = [&](const std::string& verb, const std::string& what) {
    t.ddl += "; CREATE TRIGGER " + t.search + "_" + verb + " AFTER " + verb + " ON " + t.name +
             " BEGIN " + what + "END";
  };
  t.ddl += "; CREATE VIRTUAL TABLE " + t.search + " USING fts5(k UNINDEXED, a)";
  trigger("INSERT", remove("NEW.") + add);  // REPLACE tells no trigger what it deletes
  trigger("UPDATE", remove("OLD.") + remove("NEW.") + add);
  trigger("DELETE", remove("OLD."));
}

void add_late(Table& t, Random& random) {
  const bool strict = t.ddl.find("STRICT") != t.ddl.npos;
  for (auto i = random.between(1, 2); i > 0; --i) {
    const std::string name = "z" + std::to_string(i);
    const std::string type = strict || random.chance(0.5) ? "ANY" : "TEXT";
    t.late.push_back(name + " " + type);
    t.columns.push_back(name);
    t.values.push_back(name);
  }
}

/// What applications have beside tables.
void embellish(std::vector<Table>& tables, Random& random) {
  bool trail = false;
  for (Table& t : tables) {
    if (t.merges || t.has_relatives) continue;
    if (!t.key.empty() && random.chance(0.3)) add_view(t);
    if (random.chance(0.2)) {
      add_trail(t, random);
      trail = true;
    }
    if (random.chance(0.3)) add_late(t, random);
    if (!t.key.empty() && t.unique.empty() && random.chance(0.3)) add_search(t);
  }
  if (!trail) return;
  tables.push_back({.name = "trail",
                    .columns = {"life", "what"},
                    .values = {"what"},
                    .ddl = "CREATE TABLE trail(life TEXT, what TEXT)"});
}

std::vector<Table> some_tables(std::uint64_t seed) {
  Random random(seed * 2 + 1);
  std::vector<Table> out;
  // Few tables, mostly: what goes wrong goes wrong sooner then, and in less time.
  const auto count = random.chance(0.2) ? random.between(3, 6) : random.between(1, 2);
  for (std::uint64_t i = 0; i < count; ++i)
    out.push_back(any_table("t" + std::to_string(i), random));
  if (random.chance(0.3)) out.push_back(tally(random));
  if (random.chance(0.3)) add_relatives(out, random);
  embellish(out, random);
  out.push_back(account());
  return out;
}

std::vector<Table>& current() {
  static std::vector<Table> tables = one_of_each();
  return tables;
}

}  // namespace

const std::vector<Table>& tables() {
  return current();
}
void use_fixed_tables() {
  current() = one_of_each();
}
void use_random_tables(std::uint64_t seed) {
  current() = some_tables(seed);
}

std::string column_in(const std::string& definition) {
  return definition.substr(0, definition.find(' '));
}

std::string search_key(const Table& table, const std::string& of) {
  std::string out;
  for (const auto& k : table.key) out += (out.empty() ? "" : " || '/' || ") + of + k;
  return out + " || ''";
}

const Table& table_named(const std::string& name) {
  for (const Table& t : tables()) {
    if (t.name == name) return t;
  }
  throw std::out_of_range("no table " + name);
}

std::size_t life_column(const Table& table) {
  const auto at = std::find(table.columns.begin(), table.columns.end(), "life");
  if (at == table.columns.end()) return table.columns.size() - 1;
  return static_cast<std::size_t>(at - table.columns.begin());
}

const Table& accounts() {
  return tables().back();
}

}  // namespace mycelial::sim
