// SPDX-License-Identifier: Apache-2.0
// The text of capture triggers.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/table_info.hpp"

namespace mycelial::storage {

/// (name, CREATE TRIGGER statement) of every trigger that the table needs.
std::vector<std::pair<std::string, std::string>> capture_triggers(const TableInfo& table);
/// The columns that the text of a trigger on UPDATE compares, and their stable ids.
std::map<std::string, std::uint32_t> columns_of_mask(std::string_view sql);
/// rowid, _rowid_ or oid: whichever no column shadows.
std::string rowid_name(const TableInfo& table);
const char* collation_name(Collation collation);

}  // namespace mycelial::storage
