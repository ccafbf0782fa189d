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

/// `row.cells` covers every column; cells whose value is Value::in_table take almost no room.
/// Writes into `out`, whose memory is used again; cells may be left out altogether when all of them
/// are in the table and of one write.
void pack_row(const core::Row& row, RowState& out);

/// Packs rows one after the other; those that differ from the row before in a time only cost
/// little.
class RowPacker {
 public:
  /// Valid until the next call.
  const RowState& pack(const core::Row& row);

 private:
  bool is_like_last(const core::Row& row) const;

  RowState state_;
  core::Marks births_, dead_;  // of the row before
  core::Mark carrier_;
  bool plain_ = false;  // it was: one write, made at its birth, of everything that its table shows
};

/// The inverse of packing, into `row`, whose memory is used again. `columns`: stable ids of the
/// columns that the table has; those the shape does not name get the shape's default write. Values
/// view `state.shape`. Throws StorageError (corrupt).
void unpack_row(const RowState& state, std::span<const std::uint32_t> columns, core::Row& row);

}  // namespace mycelial::storage
