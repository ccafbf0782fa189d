// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/schema.hpp"

#include <algorithm>
#include <stdexcept>

namespace mycelial::sim {
namespace {

constexpr int kWide = 70;

Table wide() {
  Table out{"wide", {"id", "life", "up"}, {"id"}, "", false, {}, ""};
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

std::vector<Table> make() {
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
      {"account",
       {"owner", "slot", "balance", "memo"},
       {"owner", "slot"},
       "",
       false,
       {},
       "CREATE TABLE account(owner INTEGER, slot INTEGER, balance INTEGER, memo TEXT, PRIMARY "
       "KEY(owner, slot))"},
  };
}

}  // namespace

const std::vector<Table>& tables() {
  static const std::vector<Table> all = make();
  return all;
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
