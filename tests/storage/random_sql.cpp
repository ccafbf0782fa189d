// SPDX-License-Identifier: Apache-2.0
#include "tests/storage/random_sql.hpp"

#include <fmt/format.h>

namespace mycelial::test {

RandomSql::RandomSql(std::mt19937& random, const Flavour& flavour)
    : random_(random), flavour_(flavour) {
  const unsigned count = 1 + pick(2);
  for (unsigned i = 0; i < count; ++i) {
    tables_.push_back(make_table(fmt::format("t{}", i), flavour));
  }
  if (flavour.foreign_keys) {
    const std::string action = one_of<std::string>({"CASCADE", "SET NULL", "SET DEFAULT"});
    schema_ +=
        "CREATE TABLE parent(id INTEGER PRIMARY KEY, v);\n"
        "CREATE TABLE child(c TEXT PRIMARY KEY, p INTEGER DEFAULT 1 REFERENCES parent(id) "
        "ON DELETE " +
        action + " ON UPDATE CASCADE, w);\n";
    tables_.push_back({"parent",
                       {{"id", "INTEGER", true, false}, {"v", "", false, false}},
                       {"(id)"},
                       true,
                       true});
    tables_.push_back(
        {"child",
         {{"c", "TEXT", true, false}, {"p", "INTEGER", true, false}, {"w", "", false, false}},
         {"(c)"},
         false,
         true});
  }
  if (flavour.triggers) add_triggers();
}

void RandomSql::add_key(Table& t, std::string& columns, std::string& constraints,
                        std::string& options) {
  switch (pick(9)) {
    case 0:
      t.automatic = true;
      t.columns.push_back({"id", "INTEGER", true, false});
      columns += "id INTEGER PRIMARY KEY, ";
      t.targets = {"(id)", ""};
      break;
    case 1:
      t.automatic = true;
      t.columns.push_back({"id", "INTEGER", true, false});
      columns += "id INTEGER PRIMARY KEY AUTOINCREMENT, ";
      t.targets = {"(id)"};
      break;
    case 2:
      t.columns.push_back({"k", "TEXT", true, false});
      columns += "k TEXT COLLATE NOCASE PRIMARY KEY, ";
      t.targets = {"(k)", ""};
      break;
    case 3:
      t.columns.push_back({"k", "", true, false});
      columns += "k PRIMARY KEY, ";
      t.targets = {"(k)"};
      break;
    case 4:
      t.columns.push_back({"k1", "INTEGER", true, false});
      t.columns.push_back({"k2", "TEXT", true, false});
      columns += "k1 INTEGER, k2 TEXT COLLATE RTRIM, ";
      constraints += ", PRIMARY KEY(k2, k1)";
      t.targets = {"(k2, k1)"};
      break;
    case 5:
      break;  // no key
    case 6:
      t.columns.push_back({"k", "", true, true});
      columns += "k PRIMARY KEY, ";
      options = " WITHOUT ROWID";
      t.rowid = false;
      t.targets = {"(k)", ""};
      break;
    case 7:
      t.columns.push_back({"k1", "TEXT", true, true});
      t.columns.push_back({"k2", "INTEGER", true, true});
      columns += "k1 TEXT COLLATE NOCASE, k2 INTEGER, ";
      constraints += ", PRIMARY KEY(k1, k2)";
      options = " WITHOUT ROWID";
      t.rowid = false;
      t.targets = {"(k1, k2)"};
      break;
    default:
      t.columns.push_back({"k", "INTEGER", true, false});
      columns += "k INT PRIMARY KEY DESC, ";
      t.targets = {"(k)"};
  }
}

RandomSql::Table RandomSql::make_table(const std::string& name, const Flavour& flavour) {
  Table t;
  t.name = name;
  std::string columns, constraints, options;
  add_key(t, columns, constraints, options);
  const std::vector<std::string> types = {"", "INTEGER", "TEXT", "REAL", "NUMERIC", "BLOB"};
  const unsigned values = 2 + pick(3);
  for (unsigned i = 0; i < values; ++i) {
    Column c{fmt::format("v{}", i), one_of(types), false, false};
    std::string decl = c.type;
    if (c.type == "TEXT" && chance(40)) decl += " COLLATE NOCASE";
    if (chance(15)) {
      decl += " NOT NULL DEFAULT 7";
      c.not_null = true;
    } else if (chance(15)) {
      decl += " DEFAULT 'd'";
    }
    if (flavour.checks && chance(25))
      decl += fmt::format(" CHECK({0} IS NULL OR {0} <> 3)", c.name);
    if (chance(15)) {
      decl += " UNIQUE";
      c.key = true;
      t.targets.push_back(fmt::format("({})", c.name));
    }
    columns += fmt::format("{} {}{}", c.name, decl, i + 1 < values ? ", " : "");
    t.columns.push_back(c);
  }
  if (chance(25)) {
    constraints += fmt::format(", UNIQUE(v0{}, v1)", chance(30) ? " COLLATE NOCASE" : "");
    for (auto& c : t.columns) c.key |= c.name == "v0" || c.name == "v1";
  }
  if (chance(15)) columns += ", g AS (v0 || 'x')";
  schema_ += fmt::format("CREATE TABLE {}({}{}){};\n", name, columns, constraints, options);
  if (chance(20)) schema_ += fmt::format("CREATE INDEX {0}_v1 ON {0}(v1);\n", name);
  if (flavour.indexes) add_indexes(t);
  return t;
}

void RandomSql::add_indexes(Table& t) {
  static const std::vector<std::string> kTerms = {"v0",       "v1 COLLATE NOCASE", "lower(v0)",
                                                  "v0 || v1", "abs(v1), v0 DESC",  "typeof(v0), v1",
                                                  "-v1"};
  static const std::vector<std::string> kConditions = {
      "", "v0 > 2", "v1 = 3", "v0 = 'a'", "v1 IS NOT NULL AND v0 <> 5", "typeof(v1) = 'integer'"};
  for (unsigned i = 0; i == 0 || (i < 3 && chance(30)); ++i) {
    const std::string& terms = one_of(kTerms);
    const std::string& condition = one_of(kConditions);
    const std::string where = condition.empty() ? "" : " WHERE " + condition;
    schema_ +=
        fmt::format("CREATE UNIQUE INDEX {0}_u{1} ON {0}({2}){3};\n", t.name, i, terms, where);
    if (terms.find("DESC") == terms.npos) t.targets.push_back("(" + terms + ")" + where);
    for (auto& c : t.columns) c.key |= c.name == "v0" || c.name == "v1";
  }
}

void RandomSql::add_triggers() {
  schema_ += "CREATE TABLE seen(what, old, new);\n";
  const auto& t = one_of(tables_);
  const auto& c = t.columns.back().name;
  if (chance(50)) {
    schema_ += fmt::format(
        "CREATE TRIGGER a0 AFTER INSERT ON {0} BEGIN INSERT INTO seen VALUES('i', NULL, NEW.{1}); "
        "END;\n",
        t.name, c);
  }
  if (chance(50)) {
    schema_ += fmt::format(
        "CREATE TRIGGER a1 AFTER UPDATE ON {0} BEGIN INSERT INTO seen VALUES('u', OLD.{1}, "
        "NEW.{1}); END;\n",
        t.name, c);
  }
  if (chance(50)) {
    schema_ += fmt::format(
        "CREATE TRIGGER a2 BEFORE DELETE ON {0} BEGIN DELETE FROM seen WHERE new IS OLD.{1}; "
        "END;\n",
        t.name, c);
  }
  if (chance(30)) {
    schema_ += fmt::format(
        "CREATE TRIGGER a3 BEFORE INSERT ON {0} WHEN NEW.{1} = 4 BEGIN SELECT RAISE(IGNORE); "
        "END;\n",
        t.name, c);
  }
  if (t.rowid && chance(30)) {
    schema_ += fmt::format(
        "CREATE TRIGGER a4 AFTER INSERT ON {0} WHEN NEW.{1} IS NULL BEGIN UPDATE {0} SET {1} = 6 "
        "WHERE rowid = NEW.rowid; END;\n",
        t.name, c);
  }
  if (chance(30)) {
    schema_ += fmt::format(
        "CREATE TRIGGER a5 AFTER DELETE ON {0} WHEN OLD.{1} = 2 BEGIN INSERT INTO {0}({1}) "
        "VALUES(5); END;\n",
        t.name, c);
  }
  if (chance(20)) {
    schema_ += fmt::format(
        "CREATE TRIGGER a6 BEFORE INSERT ON {0} WHEN NEW.{1} = 5 BEGIN INSERT OR IGNORE INTO "
        "{0}({1}) VALUES(1); END;\n",
        t.name, c);
  }
}

std::string RandomSql::value(const Column& c) {
  if (!c.not_null && chance(c.key ? 8 : 15)) return "NULL";
  static const std::vector<std::string> texts = {"'a'", "'b'", "'A'", "'a '", "'B'", "'c'"};
  static const std::vector<std::string> wild = {"1",   "1.0", "'1'",   "2",   "2.5",
                                                "'a'", "'A'", "x'61'", "x''", "''"};
  if (c.key) {
    if (c.type == "TEXT") return one_of(texts);
    if (c.type.empty() || c.type == "BLOB") return one_of(wild);
    return std::to_string(1 + pick(5));
  }
  if (chance(30)) return one_of(wild);
  if (c.type == "TEXT") return one_of(texts);
  return std::to_string(pick(8));
}

std::string RandomSql::conflict() {
  return one_of<std::string>({"", "", "OR REPLACE ", "OR REPLACE ", "OR IGNORE ", "OR FAIL ",
                              "OR ABORT ", "OR ROLLBACK "});
}

std::string RandomSql::where(const Table& t) {
  if (chance(12)) return "";
  const auto& c = one_of(t.columns);
  std::string out = " WHERE ";
  const unsigned how = pick(10);
  if (how < 6) return out + c.name + " = " + value(c);
  if (how == 6) return out + c.name + " > " + value(c);
  if (how == 7) return out + c.name + " IS NULL";
  if (t.rowid) return out + fmt::format("rowid = (SELECT max(rowid) FROM {})", t.name);
  return out + c.name + " < " + value(c);
}

std::string RandomSql::assignments(const Table& t) {
  std::string out;
  const unsigned count = 1 + pick(2);
  for (unsigned i = 0; i < count; ++i) {
    const auto& c = one_of(t.columns);
    const unsigned how = pick(12);
    std::string to = value(c);
    if (how == 0) to = c.name + " + 1";
    if (how == 1) to = fmt::format("CASE {0} WHEN 1 THEN 2 WHEN 2 THEN 1 ELSE {0} END", c.name);
    if (how == 2) to = c.name;
    out += (i ? ", " : "") + c.name + " = " + to;
  }
  return out;
}

std::string RandomSql::insert_into(const Table& t) {
  std::string names;
  std::vector<const Column*> given;
  for (std::size_t i = 0; i < t.columns.size(); ++i) {
    const bool leave = t.automatic && i == 0 ? chance(60) : chance(10) && !t.columns[i].key;
    if (leave) continue;
    names += (names.empty() ? "" : ", ") + t.columns[i].name;
    given.push_back(&t.columns[i]);
  }
  if (given.empty()) return fmt::format("INSERT INTO {} DEFAULT VALUES", t.name);
  std::string out = fmt::format("INSERT {}INTO {}({}) ", conflict(), t.name, names);
  if (t.rowid && !t.automatic && chance(8)) {
    out = fmt::format("INSERT {}INTO {}(rowid, {}) ", conflict(), t.name, names);
    out += fmt::format("VALUES({}", 1 + pick(5));
    for (const auto* c : given) out += ", " + value(*c);
    return out + ")";
  }
  if (chance(15)) {
    out += "SELECT ";
    for (std::size_t i = 0; i < given.size(); ++i) {
      const bool own = chance(60);
      out += (i ? ", " : "") + (own ? given[i]->name : value(*given[i]));
    }
    out += fmt::format(" FROM {} WHERE true", t.name);
  } else {
    const unsigned rows = chance(25) ? 2 + pick(2) : 1;
    out += "VALUES";
    for (unsigned r = 0; r < rows; ++r) {
      out += r ? ", (" : "(";
      for (std::size_t i = 0; i < given.size(); ++i) out += (i ? ", " : "") + value(*given[i]);
      out += ")";
    }
  }
  if (!t.targets.empty() && chance(30)) {
    out += " ON CONFLICT" + one_of(t.targets);
    out += chance(70) ? " DO UPDATE SET " + assignments(t) : " DO NOTHING";
  }
  return out;
}

std::string RandomSql::update(const Table& t) {
  if (t.rowid && chance(6)) {
    return fmt::format("UPDATE {}{} SET rowid = {} WHERE rowid = {}", conflict(), t.name,
                       1 + pick(6), 1 + pick(6));
  }
  return fmt::format("UPDATE {}{} SET {}{}", conflict(), t.name, assignments(t), where(t));
}

std::string RandomSql::insert() {
  return insert_into(one_of(tables_));
}

std::string RandomSql::statement() {
  const auto& t = one_of(tables_);
  const unsigned how = pick(20);
  std::string out;
  if (how < 9) {
    out = insert_into(t);
  } else if (how < 16) {
    out = update(t);
  } else {
    out = fmt::format("DELETE FROM {}{}", t.name, where(t));
  }
  if (chance(5)) out += " RETURNING *";
  return out;
}

std::string RandomSql::script() {
  if (chance(75)) return statement();
  std::string out = "BEGIN; ";
  const unsigned count = 2 + pick(3);
  for (unsigned i = 0; i < count; ++i) {
    if (flavour_.savepoints && chance(25)) {
      out += fmt::format("SAVEPOINT s; {}; {} s; ", statement(),
                         chance(50) ? "ROLLBACK TO s; RELEASE" : "RELEASE");
    } else {
      out += statement() + "; ";
    }
  }
  return out + (chance(90) ? "COMMIT" : "ROLLBACK");
}

}  // namespace mycelial::test
