// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "codec/codec.hpp"

namespace mycelial::testing {

struct ReadBody {
  std::vector<core::Schema> schemas;
  std::vector<core::Block> blocks;  ///< Values view the body read.
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
    if ((*item)->schema) out.schemas.push_back(std::move(*(*item)->schema));
    if ((*item)->block) out.blocks.push_back(std::move(*(*item)->block));
  }
}

}  // namespace mycelial::testing
