// SPDX-License-Identifier: Apache-2.0
// Decoding: the first byte chooses what the rest claims to be. A typed error, or something that can
// be encoded again.
#include "codec/codec.hpp"
#include "tests/codec/read_body.hpp"
#include "tests/fuzz/target.hpp"

namespace mycelial::fuzz {
namespace {

void expect_typed(const Status& status) {
  expect(status.ok() || status.code() == Errc::corrupt || status.code() == Errc::version ||
             status.code() == Errc::not_found,  // A schema that the receiver does not know.
         "a typed error", status.to_string());
}

void decode_message(ByteView in) {
  const auto message = codec::decode_message(in);
  expect_typed(message.status());
  if (!message.ok()) return;
  const Bytes once = codec::encode_message(*message);
  const auto again = codec::decode_message(once);
  expect(again.ok(), "an encoded message to decode", again.status().to_string());
  expect(codec::encode_message(*again) == once, "one encoding of a message");
}

/// A block as another writer would write it.
template <class Block>
void rewrite(const Block& block, const core::Schema& schema) {
  codec::BodyWriter writer;
  for (const auto& row : block.rows) {
    writer.add_row(schema, schema.hash(), row,
                   [&](core::Origin o) -> const core::Stream& { return block.origins[o]; });
  }
  const Bytes bytes = writer.finish();
  const auto again = testing::read_body(bytes, schema);
  expect(again.ok(), "rows that were read to be writable", again.status().to_string());
  std::size_t rows = 0;
  for (const auto& b : again->blocks) rows += b.rows.size();
  expect(rows == block.rows.size(), "as many rows as before");
}

void decode_body(ByteView in) {
  const core::Schema known{"drones", {"id", "name", "latitude", "image", "note"}, {0}};
  const auto body = testing::read_body(in, known);
  expect_typed(body.status());
  if (!body.ok()) return;
  for (const auto& block : body->blocks) {
    if (block.schema == known.hash()) rewrite(block, known);
    for (const auto& schema : body->schemas) {
      if (block.schema == schema.hash()) rewrite(block, schema);
    }
  }
}

void decode_unit(ByteView in) {
  const auto unit = codec::decode_unit(in);
  expect_typed(unit.status());
  if (!unit.ok()) return;
  const Bytes again = codec::encode_unit(unit->header, unit->body);
  const auto view = codec::decode_unit(again);
  expect(view.ok(), "an encoded unit to decode", view.status().to_string());
  decode_body(unit->body);
}

}  // namespace
}  // namespace mycelial::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace fuzz = mycelial::fuzz;
  fuzz::choose(data, size, {fuzz::decode_message, fuzz::decode_unit, fuzz::decode_body});
  return 0;
}
