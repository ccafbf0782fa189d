// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "codec/codec.hpp"

namespace mycelial::testing {

struct ReadBlock {
  Hash schema;
  std::vector<core::Stream> origins;
  std::vector<core::RowPiece> rows;  ///< Values view the body read.
};

struct ReadBody {
  std::vector<core::Schema> schemas;
  std::vector<core::Overruled> overruled;
  std::vector<ReadBlock> blocks;
};

/// Everything in a body; `schema` is known beforehand.
inline Result<ReadBody> read_body(ByteView body, const core::Schema& schema) {
  const Hash hash = schema.hash();
  codec::BodyReader reader(body, [&](const Hash& h) { return h == hash ? &schema : nullptr; });
  ReadBody out;
  for (;;) {
    auto item = reader.next();
    if (!item) return item.status();
    if (!*item) return out;
    if ((*item)->overruled) out.overruled.push_back(std::move(*(*item)->overruled));
    if ((*item)->schema) out.schemas.push_back(std::move(*(*item)->schema));
    if (!(*item)->block) continue;
    auto& reader_of_rows = *(*item)->block;
    auto& block =
        out.blocks.emplace_back(ReadBlock{reader_of_rows.schema(), reader_of_rows.origins(), {}});
    for (core::RowPiece row; reader_of_rows.next(row);) block.rows.push_back(row);
    if (!reader_of_rows.status().ok()) return reader_of_rows.status();
  }
}

}  // namespace mycelial::testing
