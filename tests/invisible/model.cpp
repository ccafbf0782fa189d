// SPDX-License-Identifier: Apache-2.0
#include "tests/invisible/model.hpp"

#include <algorithm>

namespace mycelial::invisible {
namespace {

/// What a column's index or key is called, by index.
void read_uniques(Client& db, Table& t) {
  std::string index;
  for (const auto& row :
       db.texts("SELECT l.name, x.name FROM pragma_index_list('" + t.name +
                "') l, pragma_index_info(l.name) x WHERE l.\"unique\" AND NOT l.partial AND NOT "
                "EXISTS(SELECT 1 FROM pragma_index_info(l.name) e WHERE e.name IS NULL) ORDER BY "
                "l.name, x.seqno")) {
    if (row[0] != index) t.uniques.emplace_back();
    index = row[0];
    t.uniques.back().push_back(row[1]);
  }
  const auto keys =
      std::count_if(t.columns.begin(), t.columns.end(), [](const Column& c) { return c.key; });
  for (const auto& c : t.columns) {
    if (c.key && keys == 1 && c.type == "INTEGER") t.uniques.push_back({c.name});
  }
}

}  // namespace

std::vector<Column> Table::writable() const {
  std::vector<Column> out;
  std::copy_if(columns.begin(), columns.end(), std::back_inserter(out),
               [](const Column& c) { return !c.generated; });
  return out;
}

Model read_model(Client& db) {
  Model out;
  for (const auto& row :
       db.texts("SELECT name, type, wr, strict FROM pragma_table_list WHERE schema = 'main' AND "
                "name NOT LIKE 'sqlite_%' AND name NOT LIKE 'mycelial%' ORDER BY name")) {
    Table t;
    t.name = row[0];
    t.is_view = row[1] == "view";
    t.has_rowid = !t.is_view && row[2] == "0";
    t.strict = row[3] == "1";
    for (const auto& c : db.texts("SELECT name, type, hidden, pk FROM pragma_table_xinfo('" +
                                  t.name + "') ORDER BY cid")) {
      if (c[0] == "error") continue;  // a view of something that is gone
      t.columns.push_back({c[0], c[1], c[2] != "0", c[3] != "0"});
    }
    if (t.columns.empty()) continue;
    if (!t.is_view) {
      read_uniques(db, t);
      t.rows = std::stoi(db.texts("SELECT count(*) FROM " + quoted(t.name)).at(0).at(0));
    }
    out.tables.push_back(std::move(t));
  }
  for (const auto& row : db.texts("SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS "
                                  "NOT NULL ORDER BY name")) {
    out.indexes.push_back(row[0]);
  }
  for (const auto& row : db.texts("SELECT name FROM sqlite_schema WHERE type = 'trigger' AND name "
                                  "NOT LIKE 'mycelial%' UNION ALL SELECT name FROM "
                                  "temp.sqlite_schema WHERE type = 'trigger' ORDER BY name")) {
    out.triggers.push_back(row[0]);
  }
  return out;
}

}  // namespace mycelial::invisible
