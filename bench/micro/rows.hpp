// SPDX-License-Identifier: Apache-2.0
// Rows as a table of eight columns makes them.
#pragma once

#include <vector>

#include "core/row.hpp"

namespace mycelial::bench {

constexpr std::uint32_t kColumns = 8;

/// A schema of eight columns, the first one the key.
core::Schema wide_schema();
/// A row born by set `seq` of origin 1, all columns written at `ms`; each `salt` gives other
/// values.
core::Row whole_row(std::uint64_t seq, std::uint64_t ms, std::uint64_t salt);
/// An update of `columns` columns by set `seq` of `origin`, to a row born as `birth` of origin 1.
core::Row update_of(core::Mark birth, core::Origin origin, std::uint64_t seq, std::uint64_t ms,
                    std::uint32_t columns);
/// `count` rows of one set, with key identities.
std::vector<core::RowPiece> pieces(std::size_t count);
/// The streams that origins 0 (the baseline), 1, 2, ... stand for.
std::vector<core::Stream> streams(std::size_t count);

}  // namespace mycelial::bench
