// SPDX-License-Identifier: Apache-2.0
#include "tests/scenario/dump.hpp"

namespace mycelial::scenario {
namespace {

std::string text_of(const sim::Row& row, std::size_t i) {
  std::string out;
  for (std::size_t at = 1; at + 1 < row[i].size(); ++at) {
    out += row[i][at];
    if (row[i][at] == '\'') ++at;
  }
  return out;
}

}  // namespace

/// Tables with their rows first, in the order of the schema; then what belongs to them.
std::string dump_of(Site& site) {
  std::string out = "PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\n", sequence;
  for (const auto& t : site.read("SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND sql "
                                 "NOT NULL ORDER BY rowid")) {
    const std::string name = text_of(t, 0);
    const bool counters = name == "sqlite_sequence";
    if (!counters && name.starts_with("sqlite_")) continue;
    std::string& into = counters ? sequence : out;
    into += counters ? "DELETE FROM sqlite_sequence;\n" : text_of(t, 1) + ";\n";
    std::string columns;
    for (const auto& c :
         site.read("SELECT '\"' || name || '\"' FROM pragma_table_info(" + t[0] + ")")) {
      columns += (columns.empty() ? "" : ", ") + text_of(c, 0);
    }
    for (const auto& row : site.read("SELECT " + columns + " FROM \"" + name + "\"")) {
      std::string values;
      for (const auto& v : row) values += (values.empty() ? "" : ",") + v;
      into += "INSERT INTO \"" + name + "\"(" + columns + ") VALUES(" + values + ");\n";
    }
  }
  out += sequence;
  for (const auto& s : site.read("SELECT sql FROM sqlite_schema WHERE type IN ('index', 'trigger', "
                                 "'view') AND sql NOT NULL ORDER BY rowid")) {
    out += text_of(s, 0) + ";\n";
  }
  return out + "COMMIT;\n";
}

}  // namespace mycelial::scenario
