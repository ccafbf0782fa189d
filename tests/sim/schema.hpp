// SPDX-License-Identifier: Apache-2.0
// The tables of the workload: one of each kind that there is, or some at random.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "tests/sim/random.hpp"

namespace mycelial::sim {

struct Table {
  std::string name;
  std::vector<std::string> columns = {};
  std::vector<std::string> key = {};     ///< Declared; empty for a table without one.
  std::string unique = {};               ///< A column under UNIQUE beside the key, or empty.
  bool automatic = false;                ///< INTEGER PRIMARY KEY: SQLite may pick it.
  std::vector<std::string> values = {};  ///< Columns that writes fill with values of their own.
  std::string ddl = {};
  /// Of columns: merge policies, and what becomes of rows without a parent.
  std::vector<std::pair<std::string, std::string>> policies = {};
  bool merges = false;  ///< What it shows is nobody's write: it is equal everywhere, that is all.
  bool has_relatives = false;          ///< The engine deletes rows of it, or brings some back.
  std::string view = {};               ///< Writes can go through this view of it, or empty.
  std::string trail = {};              ///< Its triggers write to this table, or empty.
  std::string search = {};             ///< An FTS5 table that its triggers keep, or empty.
  std::vector<std::string> late = {};  ///< Definitions of columns that sites add at some time.
  bool has_upserts() const { return !key.empty(); }
};

/// Of the run. `life` is written by inserts only, `up` by inserts and upserts: so that the rows
/// themselves tell which of them a row comes from.
const std::vector<Table>& tables();
/// From now on tables() are one of each kind...
void use_fixed_tables();
/// ...or some at random: kinds, columns and their order, types, UNIQUE, merge policies, foreign
/// keys, views, triggers, columns that come later.
void use_random_tables(std::uint64_t seed);

/// The name in a column's definition.
std::string column_in(const std::string& definition);
const Table& table_named(const std::string& name);
/// The key of a row as one value, as SQL; `of`: "NEW.", "OLD." or nothing.
std::string search_key(const Table& table, const std::string& of);
std::size_t life_column(const Table& table);  ///< In an account: memo.
/// accounts(owner, slot, balance, memo): transfers between the slots of one owner.
const Table& accounts();
constexpr int kSlots = 4;
constexpr int kBalance = 100;

}  // namespace mycelial::sim
