// SPDX-License-Identifier: Apache-2.0
// UNIQUE indexes over expressions or with WHERE: what CREATE INDEX says of them, and SQL that says
// what a row would have there.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "storage/table_info.hpp"

namespace mycelial::storage {

struct IndexText {
  std::vector<std::string> terms;  ///< Without ASC and DESC.
  std::string where;               ///< Empty if there is none.
};
/// Of the statement that made the index, as SQLite keeps it.
IndexText read_index_text(std::string_view sql);

/// Whether SQL mentions a name, quoted or not.
bool mentions(std::string_view sql, const std::string& name);

/// A table expression of one row whose columns have the names, affinities and collations of the
/// table's stored columns. `values` has an SQL expression for each.
std::string row_of(const TableInfo& table, const std::vector<std::string>& values);

}  // namespace mycelial::storage
