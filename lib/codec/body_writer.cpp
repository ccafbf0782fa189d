// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "codec/block_format.hpp"
#include "codec/block_writer.hpp"
#include "codec/codec.hpp"
#include "codec/fields.hpp"
#include "codec/limits.hpp"

namespace mycelial::codec {

/// One open block per table, so that transactions that alternate between tables stay compact.
struct BodyWriter::State {
  struct Open {
    Hash schema;
    std::unique_ptr<BlockWriter> block;
  };
  Bytes out;
  std::vector<Open> open;  ///< In order of first use.
  std::size_t last = 0;    ///< The one used last.

  BlockWriter& block_of(const Hash& schema);
  std::size_t open_bytes() const;
  void put_item(std::uint32_t field, ByteView content);
  void close(Open& open_block);
  void close_all();
};

BlockWriter& BodyWriter::State::block_of(const Hash& schema) {
  if (last >= open.size() || open[last].schema != schema) {
    last = 0;
    while (last < open.size() && open[last].schema != schema) ++last;
    if (last == open.size()) open.push_back({schema, nullptr});
  }
  auto& block = open[last].block;
  if (!block) block = std::make_unique<BlockWriter>(schema);
  return *block;
}

std::size_t BodyWriter::State::open_bytes() const {
  std::size_t n = 0;
  for (const auto& o : open) n += o.block ? o.block->bytes() : 0;
  return n;
}

void BodyWriter::State::put_item(std::uint32_t field, ByteView content) {
  Bytes head;
  put_tag(head, field, WireType::bytes);
  put_varint(head, content.size());
  put_varint(out, head.size() + content.size());
  out.append(head);
  out.append(content);
}

void BodyWriter::State::close(Open& open_block) {
  if (!open_block.block) return;
  Bytes content;
  open_block.block->finish(content);
  open_block.block.reset();
  put_item(item_field::block, content);
}

void BodyWriter::State::close_all() {
  for (auto& o : open) close(o);
  open.clear();
}

BodyWriter::BodyWriter() : state_(std::make_unique<State>()) {}
BodyWriter::~BodyWriter() = default;

void BodyWriter::add_schema(const core::Schema& schema) {
  Bytes content;
  put_bytes_field(content, schema_field::table, schema.table);
  for (const auto& column : schema.columns) {
    put_tag(content, schema_field::columns, WireType::bytes);  // Also when empty: it has a place.
    put_prefixed(content, column);
  }
  Bytes key;
  for (const auto k : schema.key) put_varint(key, k);
  put_bytes_field(content, schema_field::key, key);
  for (std::size_t i = 0; i < std::min(schema.formerly.size(), kFormerNamesMax); ++i) {
    put_bytes_field(content, schema_field::formerly, schema.formerly[i]);
  }
  for (const auto& policy : schema.policies) {
    Bytes packed;
    put_varint(packed, policy.column);
    put_varint(packed, policy.at_ms);
    put_varint(packed, policy.seen_ms);
    packed.append(policy.name);
    put_bytes_field(content, schema_field::policies, packed);
  }
  state_->put_item(item_field::schema, content);
}

void BodyWriter::add_overruled(const core::Overruled& o) {
  namespace f = overruled_field;
  Bytes content;
  put_bytes_field(content, f::table, o.table);
  put_bytes_field(content, f::identity, o.identity);
  put_bytes_field(content, f::column, o.column);
  put_bytes_field(content, f::kind, o.kind);
  put_bytes_field(content, f::value, o.value);
  put_bytes_field(content, f::winner, o.winner);
  put_bytes_field(content, f::rule, o.rule);
  put_varint_field(content, f::at, o.at_ms);
  state_->put_item(item_field::overruled, content);
}

void BodyWriter::add_row(const core::Schema& schema, const Hash& schema_hash,
                         const core::RowPiece& row, const OriginNames& origin_of) {
  (void)schema;
  BlockWriter& block = state_->block_of(schema_hash);
  block.add(row, origin_of);
  if (block.full()) {
    state_->close(state_->open[state_->last]);
  } else if (state_->open.size() > 1 && state_->open_bytes() > kOpenBytesMax) {
    state_->close_all();
  }
}

std::size_t BodyWriter::bytes() const {
  return state_->out.size() + state_->open_bytes();
}

std::size_t BodyWriter::finished_bytes() const {
  return state_->out.size();
}

Bytes BodyWriter::take() {
  return std::exchange(state_->out, {});
}

Bytes BodyWriter::finish() {
  state_->close_all();
  return std::move(state_->out);
}

}  // namespace mycelial::codec
