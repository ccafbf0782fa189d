// SPDX-License-Identifier: Apache-2.0
// Which merge policy each column has. A choice is itself a last-writer-wins register: it travels
// with the schema records of change sets, and the latest one holds everywhere.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/policy/policy.hpp"
#include "storage/table_info.hpp"

namespace mycelial::storage {

/// Stands for the table where a column is named.
constexpr std::uint32_t kWholeTable = ~std::uint32_t{0};
/// The name of a table's mode in which every write of a row writes all its columns.
constexpr const char* kRowAtomic = "row";

struct PolicyChoice {
  std::uint32_t column = kWholeTable;  ///< Stable id.
  std::string name;
  std::uint64_t at_ms = 0;     ///< When it was chosen.
  std::uint64_t seen_ms = 0;   ///< When the one was that its maker replaced; 0: none.
  bool of_references = false;  ///< Of the foreign keys that the column is part of, not its values.
};

/// Policies that the program has brought along, by name.
using Mergers = std::map<std::string, std::shared_ptr<const core::Merger>>;

/// What has been chosen for a table, by column.
std::vector<PolicyChoice> policy_choices(Connection& db, std::uint32_t table);
std::optional<PolicyChoice> policy_choice(Connection& db, std::uint32_t table, std::uint32_t column,
                                          bool of_references);
/// Takes the choice if it beats the one that is there: later, or of the greater name.
bool choose_policy(Connection& db, std::uint32_t table, const PolicyChoice& choice);
/// Choices for one table become those of another, whose columns are numbered as `places` says.
void move_policies(Connection& db, std::uint32_t from, std::uint32_t to,
                   const std::vector<std::uint32_t>& places);

/// Why the column cannot have the policy, and what to do; empty when it can.
std::string policy_refusal(const TableInfo& table, std::optional<std::size_t> position,
                           const std::string& name, const Mergers& mergers);

/// How a schema record with that many columns names what the choice is about, `place` being the
/// column's index in it; and back.
std::uint32_t policy_index(const PolicyChoice& choice, std::uint32_t place, std::uint32_t columns);
struct PolicyPlace {
  std::optional<std::uint32_t> column;  ///< Index in the record; none: the whole table.
  bool of_references = false;
};
PolicyPlace policy_place(std::uint32_t index, std::uint32_t columns);

/// The policies of a table's columns.
struct TablePolicies {
  std::vector<core::Policy> columns;  ///< By position; empty: all last-writer-wins.
  bool atomic = false;
  std::vector<std::string> unknown;  ///< Names that this program does not know.
  std::vector<PolicyChoice> choices;
};
TablePolicies table_policies(Connection& db, const TableInfo& table, const Mergers& mergers);

}  // namespace mycelial::storage
