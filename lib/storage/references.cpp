// SPDX-License-Identifier: Apache-2.0
#include "storage/references.hpp"

#include <algorithm>
#include <map>
#include <tuple>

namespace mycelial::storage {
namespace {

std::string collation_of(Connection& db, const TableInfo& table, std::uint32_t position) {
  const char* collation = nullptr;
  const int rc = sqlite3_table_column_metadata(db.handle(), "main", table.name.c_str(),
                                               table.columns[position].name.c_str(), nullptr,
                                               &collation, nullptr, nullptr, nullptr);
  return rc == SQLITE_OK && collation ? collation : "BINARY";
}

/// One row of pragma_foreign_key_list. False: a column is generated, or not there.
bool add_column(Connection& db, Reference& key, std::string_view from,
                std::optional<std::string_view> to) {
  const auto child = column_named(*key.child, from);
  std::optional<std::uint32_t> parent;
  if (to) {
    parent = column_named(*key.parent, *to);
  } else if (key.from.size() < key.parent->key.size()) {  // its primary key
    parent = key.parent->key[key.from.size()];
  }
  if (!child || !parent) return false;
  key.from.push_back(*child);
  key.to.push_back(*parent);
  key.collations.push_back(collation_of(db, *key.parent, *parent));
  return true;
}

void choose(Reference& key, const std::vector<PolicyChoice>& choices) {
  const PolicyChoice* last = nullptr;
  for (const auto& choice : choices) {
    const bool meant = choice.of_references && std::ranges::any_of(key.from, [&](auto position) {
                         return key.child->columns[position].id == choice.column;
                       });
    if (!meant || (last && std::tie(choice.at_ms, choice.name) < std::tie(last->at_ms, last->name)))
      continue;
    last = &choice;
  }
  if (last) key.orphans = orphan_policy_named(last->name).value_or(OrphanPolicy::keep);
}

}  // namespace

std::optional<OrphanPolicy> orphan_policy_named(const std::string& name) {
  if (name == "keep") return OrphanPolicy::keep;
  if (name == "delete") return OrphanPolicy::remove;
  if (name == "restore") return OrphanPolicy::restore;
  return {};
}

std::string Reference::name() const {
  std::string columns;
  for (const auto position : from) {
    columns += (columns.empty() ? "" : ", ") + child->columns[position].name;
  }
  if (from.size() == 1) return child->name + "." + columns;
  return child->name + "(" + columns + ")";
}

std::vector<Reference> references_of(Connection& db, const TableInfo& child,
                                     const std::vector<PolicyChoice>& choices,
                                     const FindTable& find_table) {
  std::map<std::int64_t, std::optional<Reference>> keys;  // nothing: one that we cannot follow
  Use list(db,
           "SELECT id, \"table\", \"from\", \"to\" FROM pragma_foreign_key_list(?1) "
           "ORDER BY id, seq");
  list->bind_text(1, child.name);
  while (list->step()) {
    const auto [it, added] = keys.try_emplace(list->integer(0));
    auto& key = it->second;
    if (added) {
      const auto* parent = find_table(list->text(1));
      if (parent) key.emplace(Reference{&child, parent, {}, {}, {}, OrphanPolicy::keep});
    }
    const auto to = list->is_null(3) ? std::optional<std::string_view>() : list->text(3);
    if (key && !add_column(db, *key, list->text(2), to)) key.reset();
  }
  std::vector<Reference> out;
  for (auto& [number, key] : keys) {
    if (!key) continue;
    choose(*key, choices);
    out.push_back(std::move(*key));
  }
  return out;
}

bool is_in_foreign_key(Connection& db, const std::string& table, const std::string& column) {
  Use s(db, "SELECT 1 FROM pragma_foreign_key_list(?1) WHERE \"from\" = ?2 COLLATE NOCASE");
  return s->bind_text(1, table).bind_text(2, column).step();
}

}  // namespace mycelial::storage
