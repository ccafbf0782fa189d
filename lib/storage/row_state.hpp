// SPDX-License-Identifier: Apache-2.0
// How the bookkeeping of one row is kept on disk: its shape (births, deaths, who wrote which
// column), which thousands of rows share, and its times, which differ from row to row.
#pragma once

#include <span>
#include <vector>

#include "core/types.hpp"

namespace mycelial::storage {

/// A row's bookkeeping, apart from its values (which are in the application's table, except those
/// that the table cannot show).
struct RowState {
  Bytes shape;                   ///< Encoded; equal bytes = equal shape.
  std::vector<core::Hlc> times;  ///< Of the writes, in the order of the shape.
};

/// `row.cells` covers every column; cells whose value is Value::in_table take almost no room.
RowState pack_row(const core::Row& row);
/// The inverse. `columns`: stable ids of the columns that the table has; those the shape does not
/// name get the shape's default write. Values view `state.shape`. Throws StorageError (corrupt).
core::Row unpack_row(ByteView shape, std::span<const core::Hlc> times,
                     std::span<const std::uint32_t> columns);

}  // namespace mycelial::storage
