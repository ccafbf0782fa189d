// SPDX-License-Identifier: Apache-2.0
// Foreign keys between tracked tables, and what is to become of orphans: rows whose parent a peer
// has deleted while they were written.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "storage/policies.hpp"
#include "storage/table_info.hpp"

namespace mycelial::storage {

enum class OrphanPolicy : std::uint8_t {
  keep,     ///< They stay as they are, and are listed.
  remove,   ///< "delete": they go after their parent.
  restore,  ///< Their parent comes back.
};
std::optional<OrphanPolicy> orphan_policy_named(const std::string& name);

/// A foreign key. Rows of `child` have in `from` what a row of `parent` has in `to`.
struct Reference {
  const TableInfo* child = nullptr;
  const TableInfo* parent = nullptr;
  std::vector<std::uint32_t> from, to;  ///< Positions of columns.
  std::vector<std::string> collations;  ///< Of the parent's columns: values are compared by them.
  OrphanPolicy orphans = OrphanPolicy::keep;

  std::string name() const;  ///< For people: "child.column" or "child(column, column)".
};

/// Finds a tracked table by its name, as SQLite compares names; null: not tracked.
using FindTable = std::function<const TableInfo*(std::string_view name)>;

/// The table's foreign keys to tracked tables. Of the policies chosen for a key's columns, the last
/// one holds.
std::vector<Reference> references_of(Connection& db, const TableInfo& child,
                                     const std::vector<PolicyChoice>& choices,
                                     const FindTable& find_table);

/// Whether some foreign key of the table has the column.
bool is_in_foreign_key(Connection& db, const std::string& table, const std::string& column);

}  // namespace mycelial::storage
