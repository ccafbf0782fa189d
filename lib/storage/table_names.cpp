// SPDX-License-Identifier: Apache-2.0
// Names of tables. mycelial_table.name is what the table is called here; mycelial_name has every
// name that peers use for it, of which the one with the greatest age is the one that we tell.
#include <set>

#include "storage/names.hpp"

namespace mycelial::storage {
namespace {

bool is_tracked(Connection& db, std::uint32_t table) {
  Use s(db, "SELECT 1 FROM mycelial_table WHERE id = ?1 AND tracked");
  return s->bind(1, table).step();
}

enum class As : std::uint8_t { current, former };

void add_name(Connection& db, std::uint32_t table, const std::string& name, As as) {
  Statement s(db, as == As::current
                      ? "INSERT OR REPLACE INTO mycelial_name SELECT ?1, ?2, ifnull(max(age), 0) + "
                        "1 FROM mycelial_name WHERE tbl = ?2"
                      : "INSERT OR REPLACE INTO mycelial_name SELECT ?1, ?2, ifnull(min(age), 0) - "
                        "1 FROM mycelial_name WHERE tbl = ?2");
  s.bind_text(1, name).bind(2, table).run();
}

}  // namespace

std::optional<std::uint32_t> find_table(Connection& db, const std::string& name) {
  Use s(db, "SELECT tbl FROM mycelial_name WHERE name = ?1");
  if (!s->bind_text(1, name).step()) return std::nullopt;
  return static_cast<std::uint32_t>(s->number(0));
}

std::string dropped_key(std::uint32_t table) {
  return "dropped " + std::to_string(table);
}

std::uint32_t table_number(Connection& db, const std::string& name) {
  if (const auto known = find_table(db, name)) return *known;
  Use add(db, "INSERT INTO mycelial_table(name, tracked, armed) VALUES(?1, 0, '')");
  add->bind_text(1, name).run();
  const auto id = static_cast<std::uint32_t>(db.last_rowid());
  add_name(db, id, name, As::current);
  return id;
}

std::string wire_name(Connection& db, std::uint32_t table) {
  Use s(db.cached("SELECT name FROM mycelial_name WHERE tbl = ?1 ORDER BY age DESC LIMIT 1"));
  return s->bind(1, table).step() ? std::string(s->text(0)) : std::string();
}

std::vector<std::string> former_names(Connection& db, std::uint32_t table) {
  std::vector<std::string> out;
  Use s(db, "SELECT name FROM mycelial_name WHERE tbl = ?1 ORDER BY age DESC");
  s->bind(1, table);
  while (s->step()) out.emplace_back(s->text(0));
  if (!out.empty()) out.erase(out.begin());
  return out;
}

std::optional<TableMove> rename_table(Connection& db, std::uint32_t table,
                                      const std::string& name) {
  Use(db, "UPDATE mycelial_table SET name = NULL WHERE name = ?1 AND id <> ?2")
      ->bind_text(1, name)
      .bind(2, table)
      .run();
  Use(db, "UPDATE mycelial_table SET name = ?1 WHERE id = ?2")
      ->bind_text(1, name)
      .bind(2, table)
      .run();
  const auto owner = find_table(db, name);
  if (owner && *owner != table && is_tracked(db, *owner)) return std::nullopt;
  add_name(db, table, name, As::current);
  if (!owner || *owner == table) return std::nullopt;
  return TableMove{*owner, table};
}

std::vector<TableMove> learn_names(Connection& db, const std::string& name,
                                   const std::vector<std::string>& formerly) {
  std::set<std::uint32_t> known, tracked;
  std::vector<std::string> fresh;
  const auto look = [&](const std::string& n) {
    const auto id = find_table(db, n);
    if (!id) return fresh.push_back(n);
    known.insert(*id);
    if (is_tracked(db, *id)) tracked.insert(*id);
  };
  look(name);
  for (const auto& n : formerly) look(n);
  if (tracked.size() > 1) return {};
  const auto to = !tracked.empty() ? *tracked.begin()
                  : !known.empty() ? *known.begin()
                                   : table_number(db, name);
  for (const auto& n : fresh) {
    add_name(db, to, n, n == name && tracked.empty() ? As::current : As::former);
  }
  std::vector<TableMove> out;
  for (const auto id : known) {
    if (id != to) out.push_back({id, to});
  }
  return out;
}

void merge_numbers(Connection& db, const TableMove& move) {
  Use(db,
      "UPDATE mycelial_name SET tbl = ?2, age = (SELECT min(age) FROM mycelial_name WHERE "
      "tbl = ?2) - 1 WHERE tbl = ?1")
      ->bind(1, move.from)
      .bind(2, move.to)
      .run();
  for (const char* sql :
       {"DELETE FROM mycelial_table WHERE id = ?1", "DELETE FROM mycelial_column WHERE tbl = ?1"}) {
    Statement(db, sql).bind(1, move.from).run();
  }
}

}  // namespace mycelial::storage
