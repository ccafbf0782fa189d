// SPDX-License-Identifier: Apache-2.0
// The numbers by which bookkeeping and journal know tables and columns, whatever they are called:
// RENAME keeps them, former names lead to them, names that only peers use have numbers, too.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "storage/table_info.hpp"

namespace mycelial::storage {

void create_name_tables(Connection& db);
void drop_name_tables(Connection& db);

/// (from, to): what bookkeeping says of column `from` belongs to column `to`.
using ColumnMoves = std::vector<std::pair<std::uint32_t, std::uint32_t>>;

/// Gives the table's columns their numbers.
struct Numbering {
  std::vector<std::uint32_t> added;  ///< Columns that capture did not watch until now.
  ColumnMoves moved;  ///< Peers have used a new name before this table had it, or the column comes
                      ///< back after a DROP.
};
/// `watched`: the columns that capture triggers compare, by their names now: RENAME COLUMN changes
/// these in triggers, too. Empty if there are no triggers.
using WatchedColumns = std::map<std::string, std::uint32_t>;
Numbering number_columns(Connection& db, TableInfo& table, const WatchedColumns& watched);

/// The numbers that the columns have by now; new ones get free numbers, and nothing is stored.
void read_numbers(Connection& db, TableInfo& table);

/// The number behind a name that peers use for a table, now or formerly, or a new number.
std::uint32_t table_number(Connection& db, const std::string& name);
/// The same, or nothing.
std::optional<std::uint32_t> find_table(Connection& db, const std::string& name);
/// What peers are told that the table is called, and its other names.
std::string wire_name(Connection& db, std::uint32_t table);
std::vector<std::string> former_names(Connection& db, std::uint32_t table);

/// In mycelial_meta: the table was dropped here while it was tracked and had rows.
std::string dropped_key(std::uint32_t table);

/// One table that has two numbers: rows of peers are known under `from`.
struct TableMove {
  std::uint32_t from = 0, to = 0;
};
/// The table is called `name` here. Peers are told so, unless the name means another tracked table
/// to them. Gives what was known under the new name and belongs to this table.
std::optional<TableMove> rename_table(Connection& db, std::uint32_t table, const std::string& name);
/// A peer says that its table has these names. Where two tables here have some of them, they stay
/// two.
std::vector<TableMove> learn_names(Connection& db, const std::string& name,
                                   const std::vector<std::string>& formerly);
/// Forgets `from`, whose names lead to `to` from now on.
void merge_numbers(Connection& db, const TableMove& move);
/// Of columns by these names; those that are not known get numbers.
std::vector<std::uint32_t> column_numbers(Connection& db, std::uint32_t table,
                                          const std::vector<std::string>& names);
/// (number, name) of every column that anybody has, sorted by number.
std::vector<std::pair<std::uint32_t, std::string>> column_names(Connection& db,
                                                                std::uint32_t table);

/// What the column is called here, or else by peers; empty: nobody has said.
std::string column_name(Connection& db, std::uint32_t table, std::uint32_t column);
/// Numbers of columns that the table had and has no more.
std::vector<std::uint32_t> dropped_columns(Connection& db, std::uint32_t table);

}  // namespace mycelial::storage
