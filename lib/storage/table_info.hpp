// SPDX-License-Identifier: Apache-2.0
// What SQLite knows of an application's table, as far as syncing needs it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/types.hpp"
#include "storage/sqlite.hpp"

namespace mycelial::storage {

enum class TableKind : std::uint8_t {
  integer_key,    ///< INTEGER PRIMARY KEY: the rowid is the key.
  rowid_key,      ///< Another declared key on a rowid table.
  keyless,        ///< No declared key.
  without_rowid,  ///< WITHOUT ROWID.
};

enum class Affinity : std::uint8_t { blob, text, numeric, integer, real };
enum class Collation : std::uint8_t { binary, nocase, rtrim };

struct ColumnInfo {
  std::string name;
  std::uint32_t id = 0;  ///< Stable number in mycelial_column; survives RENAME and reordering.
  Affinity affinity = Affinity::blob;
  bool typed_any = false;  ///< No affinity (or STRICT ANY): 1 and 1.0 differ as values.
  int key_position = 0;    ///< 1-based place in the declared key, 0 if not in it.
  Collation collation = Collation::binary;  ///< Of the key index, for key columns.
  bool bytewise = false;  ///< Declared without a collation: text is compared byte by byte.
  /// What REPLACE puts in the place of NULL, as SQL: the column is NOT NULL and has a default.
  /// Empty if it is a function, which may give another value next time.
  std::string instead_of_null = {};
};

struct UniqueIndex {
  std::string name;
  /// Positions in TableInfo::columns: of its terms, or, if it is not plain, of all columns that it
  /// mentions.
  std::vector<std::uint32_t> columns;
  std::vector<Collation> collations;  ///< Of its terms.
  /// As SQL; empty if the index is plain: over columns alone, and of all rows.
  std::vector<std::string> terms;
  std::string where;  ///< Only rows for which this holds are in the index. Empty: all.
  bool is_plain() const { return terms.empty(); }
};

struct TableInfo {
  std::uint32_t id = 0;  ///< mycelial_table.id; 0 when the table is not tracked.
  std::string name;
  std::string wire_name;              ///< What peers are told, where it is tracked: names.hpp.
  std::vector<std::string> formerly;  ///< Its other names.
  TableKind kind = TableKind::keyless;
  std::vector<ColumnInfo> columns;   ///< Stored columns (generated ones are left out).
  std::vector<std::uint32_t> key;    ///< Positions in `columns`, in key order.
  std::vector<UniqueIndex> uniques;  ///< UNIQUE besides the key.
  bool referenced = false;           ///< A foreign key of some table refers to it.
  bool autoincrement = false;
};

/// Position of the column that SQLite finds under this name.
std::optional<std::uint32_t> column_named(const TableInfo& table, std::string_view name);

/// Reads the schema of an ordinary table. `id` and column ids are zero if it is not tracked under
/// this name. Throws not_found.
TableInfo read_table(Connection& db, const std::string& name);
/// The same for a tracked table, whose name may be new.
TableInfo read_table(Connection& db, const std::string& name, std::uint32_t id);

/// Why a table cannot be tracked and what to do about it; empty when it can. Virtual tables, shadow
/// tables, views, names that begin with mycelial_ or sqlite_, UNIQUE indexes that need generated
/// columns, an application's functions, or collations that are not built in, ...
std::string refusal(Connection& db, const std::string& name);

/// SQL that gives the terms of an index that is not plain, for the values of a row as parameters;
/// no row if the index would not hold it.
std::string evaluation_of(const TableInfo& table, const UniqueIndex& index);

/// Every ordinary table of the main database that is not ours and not SQLite's own, by name.
std::vector<std::string> ordinary_tables(Connection& db);

/// Frameworks keep in tables of such names which migrations the file has seen: a site that heard of
/// one from a peer would not run it. `track --all` leaves them alone.
bool keeps_schema_version(const std::string& name);

}  // namespace mycelial::storage
