// SPDX-License-Identifier: Apache-2.0
// Turns one RowBlock into rows.
#pragma once

#include <functional>
#include <optional>

#include "base/bytes.hpp"
#include "core/types.hpp"
#include "mycelial/status.hpp"

namespace mycelial::codec {

/// How many columns the table of this schema has; nothing if the schema is not known.
using ColumnCount = std::function<std::optional<std::size_t>(const Hash&)>;

/// Reads the fields of a block. Values view `in`.
Result<core::Block> read_block(ByteView in, const ColumnCount& columns_of);

}  // namespace mycelial::codec
