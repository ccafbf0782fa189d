// SPDX-License-Identifier: Apache-2.0
// The tables of the workload: one of each kind that there is.
#pragma once

#include <string>
#include <vector>

namespace mycelial::sim {

struct Table {
  std::string name;
  std::vector<std::string> columns;
  std::vector<std::string> key;     ///< Declared; empty for a table without one.
  std::string unique;               ///< A column under UNIQUE beside the key, or empty.
  bool automatic = false;           ///< INTEGER PRIMARY KEY: SQLite may pick it.
  std::vector<std::string> values;  ///< Columns that writes fill with values of their own.
  std::string ddl;
  bool has_upserts() const { return !key.empty(); }
};

/// `life` is written by inserts only, `up` by inserts and upserts: so that the rows themselves tell
/// which of them a row comes from.
const std::vector<Table>& tables();
const Table& table_named(const std::string& name);
std::size_t life_column(const Table& table);  ///< In an account: memo.
/// accounts(owner, slot, balance, memo): transfers between the slots of one owner.
const Table& accounts();
constexpr int kSlots = 4;
constexpr int kBalance = 100;

}  // namespace mycelial::sim
