// SPDX-License-Identifier: Apache-2.0
// Updates joined into packed rows: the usual case, without unpacking them. A join treats rows of
// one shape alike, so it is done once for the shape, with names of numbers in place of numbers;
// then each row's numbers go where the names went.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/row.hpp"
#include "storage/row_state.hpp"

namespace mycelial::storage {

/// Of the rows of one table.
class Overwriter {
 public:
  /// `columns` must outlive it and stay as they are.
  explicit Overwriter(const ColumnSet& columns) : columns_(columns) {}

  /// Joins `piece`, of a change set, with the row `old` that the table shows. False, with nothing
  /// done: it is not the usual case, and RowJoiner is to be asked. The usual case is one later
  /// write to columns of the table, made to all births of a living row by somebody who had `seen`
  /// (by Origin) every write to it; so nothing but the cells named is overruled, and nothing
  /// unseen.
  bool join(const RowState& old, const core::Row& piece, core::Covered seen, RowState& out);

 private:
  struct Place {  ///< A mark of the old row.
    core::Origin origin = 0;
    std::uint32_t number = 0;  ///< Index into its numbers.
  };
  struct Birth : Place {
    bool listed_dead = false;  ///< Up to a number:
    std::uint32_t dead = 0;
  };
  /// The join of one shape with a write to these columns.
  struct Plan {
    Bytes shape;
    core::Origin author = 0;
    std::vector<std::uint32_t> columns;
    bool usual = false;  ///< As far as the shape tells.
    std::vector<Birth> births;
    std::vector<Place> stamps;
    std::size_t writes = 0;              ///< The times are the last ones of the numbers.
    Bytes result;                        ///< Its shape.
    std::vector<std::uint32_t> numbers;  ///< Of the result: indices into the old ones, and beyond
                                         ///< these the number of the set and the time.
  };
  const Plan& plan_for(const RowState& old, const core::Row& piece);
  void make(Plan& plan, std::size_t numbers) const;
  bool is_usual(const core::Row& row) const;

  static constexpr std::size_t kPlans = 8;
  const ColumnSet& columns_;
  std::vector<Plan> plans_;
  std::size_t last_ = 0;
};

}  // namespace mycelial::storage
