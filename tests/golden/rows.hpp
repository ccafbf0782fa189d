// SPDX-License-Identifier: Apache-2.0
// Rows of golden units: one kind of row after the other, as change sets carry them.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "core/policy/part.hpp"
#include "core/types.hpp"

namespace mycelial::golden {

core::Site site(std::uint8_t fill);
core::Stream stream(std::uint8_t fill, std::uint32_t scope = 0, std::uint32_t priority_class = 0);
Hash hash(std::uint8_t fill);

/// Rows of one table, with the streams that their origins stand for (0 is the baseline), in the
/// order in which the rows name them.
struct Table {
  core::Schema schema;
  std::vector<core::Stream> origins = {{}};
  std::vector<core::RowPiece> rows;
  std::deque<Bytes> texts = {};  ///< Owns what values view.

  core::Value text(Bytes bytes) { return core::Value::text(texts.emplace_back(std::move(bytes))); }
  core::Value blob(Bytes bytes) { return core::Value::blob(texts.emplace_back(std::move(bytes))); }
  core::Value part(core::Part::Kind kind, ByteView name, const core::Value& value) {
    core::put_part(texts.emplace_back(), {kind, name, value});
    return core::Value::part(texts.back());
  }
};

Table inserts();     ///< Whole rows: every type of value, the extremes of each.
Table updates();     ///< Some columns of rows born elsewhere, with stamps of their own.
Table deletes();     ///< Births killed, and by which sets.
Table upserts();     ///< Untouched columns with their old stamps; values from the baseline.
Table concurrent();  ///< Versions of one cell that live on different births.
Table keyless();     ///< Hidden identities.
Table many();        ///< Runs, differences, dictionaries, decimals: the coding of columns.
Table threats();     ///< A second table.
Table policies();    ///< Merge policies, and parts of all kinds.
/// Listed values: as full and as empty as they get.
std::vector<core::Overruled> listed();

}  // namespace mycelial::golden
