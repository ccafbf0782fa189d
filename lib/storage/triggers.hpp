// SPDX-License-Identifier: Apache-2.0
// The text of capture triggers.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "storage/table_info.hpp"

namespace mycelial::storage {

/// (name, CREATE TRIGGER statement) of every trigger that the table needs.
std::vector<std::pair<std::string, std::string>> capture_triggers(const TableInfo& table);
/// rowid, _rowid_ or oid: whichever no column shadows.
std::string rowid_name(const TableInfo& table);
const char* collation_name(Collation collation);

}  // namespace mycelial::storage
