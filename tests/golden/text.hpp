// SPDX-License-Identifier: Apache-2.0
// The text twin of a golden vector: what its bytes say, one fact a line.
#pragma once

#include <string>
#include <vector>

#include "core/message.hpp"
#include "core/types.hpp"

namespace mycelial::golden {

std::string text_of(const core::Message& message);
std::string text_of(const core::Header& header, const Hash& id);
std::string text_of(const core::Schema& schema);
/// A block: rows of one table, origins numbered as in the block (0 is the baseline).
std::string text_of(const core::Overruled& listed);
std::string text_of(const Hash& schema, const std::vector<core::Stream>& origins,
                    const std::vector<core::RowPiece>& rows);

/// What these bytes say, or "error CODE MESSAGE".
std::string decoded_text(ByteView bytes, bool is_unit, const core::Schema& known);

}  // namespace mycelial::golden
