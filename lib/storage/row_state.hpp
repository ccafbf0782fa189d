// SPDX-License-Identifier: Apache-2.0
// How the bookkeeping of one row is kept on disk: its shape (births, deaths, who wrote which
// column), which thousands of rows share, and its numbers, which differ from row to row.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/types.hpp"

namespace mycelial::storage {

/// A row's bookkeeping, apart from its values (which are in the application's table, except those
/// that the table cannot show).
struct RowState {
  Bytes shape;  ///< Encoded; equal bytes = equal shape.
  std::vector<std::uint64_t>
      numbers;  ///< Sequence numbers that the shape refers to, then the
                ///< times of its writes. Rows of one shape have equally many.
};

/// Stable ids of the columns that the table shows; none for a row that no table shows.
struct ColumnSet {
  std::vector<std::uint32_t> ids;   ///< Sorted.
  std::vector<std::uint32_t> gaps;  ///< Numbers below the last id that are not in `ids`.
  std::uint32_t end() const { return ids.empty() ? 0 : ids.back() + 1; }
};

ColumnSet column_set(std::vector<std::uint32_t> ids);

/// Cells whose value is Value::in_table take almost no room. A column without a cell is one that
/// nobody has written to; columns that the table gets later are such columns, too. Writes into
/// `out`, whose memory is used again; cells may be left out altogether when all columns are in the
/// table and of one write.
void pack_row(const core::Row& row, const ColumnSet& columns, RowState& out);
/// The inverse, into `row`, whose memory is used again. `columns`: as the table is now. Values view
/// `state.shape`. Throws StorageError (corrupt).
void unpack_row(const RowState& state, const ColumnSet& columns, core::Row& row);

}  // namespace mycelial::storage
