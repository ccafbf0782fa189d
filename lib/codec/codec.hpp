// SPDX-License-Identifier: Apache-2.0
// Bytes <-> the types of lib/core. Formats: docs/wire.md and proto/mycelial/v1. Every length is
// checked before anything is allocated; bad input gives Errc::corrupt (or version), never a crash.
#pragma once

#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "core/message.hpp"
#include "core/types.hpp"
#include "mycelial/status.hpp"

namespace mycelial::codec {

Bytes encode_message(const core::Message& message);
Result<core::Message> decode_message(ByteView in);

/// A unit is header + body in one byte string. `header.body_bytes` is filled in.
Bytes encode_unit(const core::Header& header, ByteView body);

/// What comes before the body, for one that lies elsewhere.
Bytes encode_unit_head(const core::Header& header, std::uint64_t body_bytes);

struct UnitView {
  core::Header header;
  ByteView body;  ///< Views the input.
  Hash id;        ///< Hash of header bytes and body: the chain hash of a set.
};
Result<UnitView> decode_unit(ByteView in);

/// Writes a body: schema records, then blocks. Rows are added one at a time; blocks are cut by
/// size.
class BodyWriter {
 public:
  BodyWriter();
  ~BodyWriter();
  BodyWriter(const BodyWriter&) = delete;
  BodyWriter& operator=(const BodyWriter&) = delete;

  /// Embeds a schema record. Must come before the first row that uses it, unless receivers know it.
  void add_schema(const core::Schema& schema);
  /// Of a cut or a list.
  void add_overruled(const core::Overruled& overruled);
  /// `origin_of` gives the stream of an Origin of the caller's numbering (never called for 0, the
  /// baseline). The row's values are copied.
  using OriginNames = std::function<const core::Stream&(core::Origin)>;
  void add_row(const core::Schema& schema, const Hash& schema_hash, const core::RowPiece& row,
               const OriginNames& origin_of);
  std::size_t bytes() const;           ///< So far, roughly.
  std::size_t finished_bytes() const;  ///< That take() would give.
  Bytes take();                        ///< The body begins with these; what follows comes later.
  Bytes finish();                      ///< The rest.

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Reads the rows of one block. Values view the body.
class BlockReader {
 public:
  struct State;
  explicit BlockReader(std::unique_ptr<State> state);
  ~BlockReader();
  BlockReader(BlockReader&& other) noexcept;
  BlockReader& operator=(BlockReader&& other) noexcept;

  const Hash& schema() const;  ///< Hash of the Schema that Cell::column indexes.
  const std::vector<core::Stream>& origins() const;  ///< origins()[0] is the baseline.
  /// The next row, in `out`, whose memory is used again. False at the end, and for good after bad
  /// input: then status() says what is wrong.
  bool next(core::RowPiece& out);
  const Status& status() const;

 private:
  std::unique_ptr<State> state_;
};

/// Reads a body piece by piece.
class BodyReader {
 public:
  /// `known` finds the schema of a hash that the body does not embed.
  using SchemaLookup = std::function<const core::Schema*(const Hash&)>;
  BodyReader(ByteView body, SchemaLookup known);
  ~BodyReader();
  BodyReader(const BodyReader&) = delete;
  BodyReader& operator=(const BodyReader&) = delete;

  struct Item {  ///< Exactly one of these.
    std::optional<core::Schema> schema;
    std::optional<BlockReader> block;
    std::optional<core::Overruled> overruled;
  };
  /// The next item; nothing at the end.
  Result<std::optional<Item>> next();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace mycelial::codec
