// SPDX-License-Identifier: Apache-2.0
// Opens one RowBlock for reading, row by row.
#pragma once

#include <functional>
#include <optional>

#include "base/bytes.hpp"
#include "codec/codec.hpp"
#include "core/types.hpp"
#include "mycelial/status.hpp"

namespace mycelial::codec {

/// How many columns the table of this schema has; nothing if the schema is not known.
using ColumnCount = std::function<std::optional<std::size_t>(const Hash&)>;

/// Reads the head of a block; its rows view `in`.
Result<BlockReader> open_block(ByteView in, const ColumnCount& columns_of);

}  // namespace mycelial::codec
