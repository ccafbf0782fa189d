// SPDX-License-Identifier: Apache-2.0
// The numbers by which bookkeeping and journal know tables and columns, whatever they are called:
// RENAME keeps them, former names lead to them, names that only peers use have numbers, too.
#pragma once

#include <cstdint>
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
/// `watched`: capture triggers are in place, so a column that is called otherwise at the same place
/// was renamed.
Numbering number_columns(Connection& db, TableInfo& table, bool watched);

/// The numbers that the columns have by now; new ones get free numbers, and nothing is stored.
void read_numbers(Connection& db, TableInfo& table);

/// The number behind a table's name, one of its former names, or a new name.
std::uint32_t table_number(Connection& db, const std::string& name);
std::uint32_t column_number(Connection& db, std::uint32_t table, const std::string& name);
/// (number, name) of every column that anybody has, sorted by number.
std::vector<std::pair<std::uint32_t, std::string>> column_names(Connection& db,
                                                                std::uint32_t table);

}  // namespace mycelial::storage
