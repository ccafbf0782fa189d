// SPDX-License-Identifier: Apache-2.0
#include "codec/block_reader.hpp"

#include <algorithm>
#include <span>

#include "codec/block_format.hpp"
#include "codec/column_reader.hpp"
#include "codec/fields.hpp"
#include "codec/life_reader.hpp"
#include "codec/limits.hpp"
#include "codec/numbers.hpp"
#include "codec/tables.hpp"

namespace mycelial::codec {

namespace {

/// The fields of a block, still packed.
struct Packed {
  ByteView schema, origins, shared, rest, identities, lives, times, counters, patterns, pattern_of;
  std::uint64_t rows = 0;
  std::vector<ByteView> columns;
};

Status split(ByteView in, Packed& out) {
  namespace f = block_field;
  FieldReader reader(in);
  Field field;
  const auto place = [&](std::uint64_t number) -> ByteView* {
    switch (number) {
      case f::schema:
        return &out.schema;
      case f::origins:
        return &out.origins;
      case f::identity_shared:
        return &out.shared;
      case f::identity_rest:
        return &out.rest;
      case f::identities:
        return &out.identities;
      case f::lives:
        return &out.lives;
      case f::times:
        return &out.times;
      case f::counters:
        return &out.counters;
      case f::patterns:
        return &out.patterns;
      case f::pattern_of:
        return &out.pattern_of;
      default:
        return nullptr;
    }
  };
  while (reader.next(field)) {
    if (field.number == f::rows && field.type == WireType::varint) {
      out.rows = field.value;
    } else if (field.number == f::columns && field.type == WireType::bytes) {
      if (out.columns.size() == kColumnsMax) return corrupt("a block has too many columns");
      out.columns.push_back(field.bytes);
    } else if (ByteView* view = place(field.number); view && field.type == WireType::bytes) {
      *view = field.bytes;
    }
  }
  return reader.ok() ? Status() : corrupt("a block is malformed");
}

Status read_origins(ByteView in, std::vector<core::Stream>& out) {
  out.emplace_back();  // The baseline.
  ByteReader reader(in);
  bool ok = true;
  while (!reader.at_end()) {
    out.push_back(get_stream(reader, ok));
    if (!ok || !reader.ok()) return corrupt("a block's origins are malformed");
  }
  return reader.ok() ? Status() : corrupt("a block's origins are malformed");
}

class Identities {
 public:
  void open(const Packed& in) {
    shared_ = NumberReader(in.shared);
    rest_ = NumberReader(in.rest);
    bytes_ = ByteReader(in.identities);
  }

  bool next(core::Identity& out) {
    const std::uint64_t shared = shared_.next();
    const std::uint64_t rest = rest_.next();
    if (shared > last_.size() || rest > bytes_.left() || shared + rest > kIdentityBytesMax ||
        (total_ += shared + rest) > kBlockIdentityBytesMax) {
      return false;
    }
    last_.resize(shared);
    last_.append(bytes_.bytes(rest));
    out = last_;
    return shared_.ok() && rest_.ok();
  }
  bool done() const { return shared_.done() && rest_.done() && bytes_.at_end(); }

 private:
  NumberReader shared_, rest_;
  ByteReader bytes_{{}};
  core::Identity last_;
  std::size_t total_ = 0;
};

/// Which cells rows have: columns and writes, by pattern.
class Patterns {
 public:
  struct Place {
    std::uint32_t column = 0, write = 0;
  };

  Status read(ByteView in, std::size_t columns) {
    ByteReader reader(in);
    const std::uint64_t count = reader.varint();
    if (!reader.ok() || count > kBlockRowsMax) return corrupt("a block's patterns are malformed");
    NumberReader numbers(reader.bytes(reader.left()));
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::uint64_t head = numbers.next();
      if ((head >> 1) > kBlockCellsMax - places_.size())
        return corrupt("a block has too many cells");
      if (!read_one(numbers, head >> 1, (head & 1) != 0, columns) || !numbers.ok()) {
        return corrupt("a block's patterns are malformed");
      }
      ends_.push_back(places_.size());
    }
    return numbers.done() ? Status() : corrupt("a block's patterns are malformed");
  }
  std::size_t count() const { return writes_.size(); }
  std::span<const Place> places(std::size_t i) const {
    const std::size_t begin = i == 0 ? 0 : ends_[i - 1];
    return {places_.data() + begin, ends_[i] - begin};
  }
  /// How many writes a row of this pattern has at least.
  std::size_t writes(std::size_t i) const { return writes_[i]; }

 private:
  bool read_one(NumberReader& numbers, std::uint64_t cells, bool several, std::size_t columns) {
    std::uint64_t column = 0;
    const std::size_t begin = places_.size();
    for (std::uint64_t c = 0; c < cells; ++c) {
      const std::uint64_t gap = numbers.next();
      if (gap >= columns - column || !numbers.ok()) return false;
      column += gap;
      places_.push_back({static_cast<std::uint32_t>(column), 0});
    }
    std::size_t writes = cells > 0 ? 1 : 0;
    for (std::size_t c = begin; several && c < places_.size(); ++c) {
      const std::uint64_t write = numbers.next();
      if (write >= kBlockWritesMax || !numbers.ok()) return false;
      places_[c].write = static_cast<std::uint32_t>(write);
      writes = std::max<std::size_t>(writes, write + 1);
    }
    writes_.push_back(writes);
    return true;
  }

  std::vector<Place> places_;
  std::vector<std::size_t> ends_, writes_;
};

/// Readers of columns by number; columns that are not there are all NULL.
class Columns {
 public:
  Status open(const std::vector<ByteView>& packed, std::size_t columns) {
    slot_.assign(columns, 0);
    readers_.reserve(packed.size() + 1);
    readers_.emplace_back();
    std::uint64_t next = 0;
    for (const ByteView in : packed) {
      ByteReader head(in);
      const std::uint64_t column = head.varint();
      if (!head.ok() || column < next || column >= columns) {
        return corrupt("a block's columns are malformed");
      }
      next = column + 1;
      slot_[column] = static_cast<std::uint32_t>(readers_.size());
      readers_.emplace_back(head.bytes(head.left()));
      if (!readers_.back().ok()) return corrupt("a block's values are malformed");
    }
    return {};
  }
  ColumnReader& of(std::uint32_t column) { return readers_[slot_[column]]; }
  bool done() const {
    return std::ranges::all_of(readers_, [](const ColumnReader& r) { return r.done(); });
  }

 private:
  std::vector<std::uint32_t> slot_;
  std::vector<ColumnReader> readers_;
};

}  // namespace

struct BlockReader::State {
  Hash schema;
  std::vector<core::Stream> origins;
  Status status;
  std::uint64_t rows = 0, read = 0;
  std::size_t cells = 0;
  Patterns patterns;
  Columns columns;
  Identities identities;
  std::optional<LifeReader> lives;
  NumberReader pattern_of;

  Status open(ByteView in, const ColumnCount& columns_of);
  const char* read_row(core::RowPiece& out);  ///< What is wrong, or null.
  const char* finish() const;                 ///< The same.
};

Status BlockReader::State::open(ByteView in, const ColumnCount& columns_of) {
  Packed packed;
  if (auto bad = split(in, packed); !bad) return bad;
  if (packed.rows > kBlockRowsMax) return corrupt("a block has too many rows");
  rows = packed.rows;
  if (auto bad = unpack_hash(packed.schema, "a block's schema", false, schema); !bad) return bad;
  const auto count = columns_of(schema);
  if (!count) return {Errc::not_found, "a block of an unknown schema " + schema.hex()};
  if (auto bad = read_origins(packed.origins, origins); !bad) return bad;
  if (auto bad = patterns.read(packed.patterns, *count); !bad) return bad;
  if (auto bad = columns.open(packed.columns, *count); !bad) return bad;
  identities.open(packed);
  lives.emplace(packed.lives, packed.times, packed.counters, origins.size());
  pattern_of = NumberReader(packed.pattern_of);
  return {};
}

const char* BlockReader::State::read_row(core::RowPiece& out) {
  if (!identities.next(out.identity)) return "a block's identities are malformed";
  if (!lives->next(out.row)) return "a block's lives are malformed";
  const std::uint64_t pattern = pattern_of.next();
  if (pattern >= patterns.count() || patterns.writes(pattern) > out.row.writes.size()) {
    return "a block's cells are malformed";
  }
  const auto places = patterns.places(pattern);
  if (places.size() > kBlockCellsMax - cells) return "a block has too many cells";
  cells += places.size();
  out.row.cells.clear();
  for (const auto& place : places) {
    out.row.cells.push_back({place.column, place.write, columns.of(place.column).next()});
  }
  return nullptr;
}

const char* BlockReader::State::finish() const {
  const bool fits = identities.done() && lives->done() && pattern_of.done() && columns.done();
  return fits ? nullptr : "a block's lists do not fit its rows";
}

BlockReader::BlockReader(std::unique_ptr<State> state) : state_(std::move(state)) {}
BlockReader::~BlockReader() = default;
BlockReader::BlockReader(BlockReader&& other) noexcept = default;
BlockReader& BlockReader::operator=(BlockReader&& other) noexcept = default;

const Hash& BlockReader::schema() const {
  return state_->schema;
}
const std::vector<core::Stream>& BlockReader::origins() const {
  return state_->origins;
}
const Status& BlockReader::status() const {
  return state_->status;
}

bool BlockReader::next(core::RowPiece& out) {
  State& s = *state_;
  if (!s.status.ok()) return false;
  const bool end = s.read == s.rows;
  const char* wrong = end ? s.finish() : s.read_row(out);
  if (wrong) s.status = corrupt(wrong);
  s.read += end ? 0 : 1;
  return !end && !wrong;
}

Result<BlockReader> open_block(ByteView in, const ColumnCount& columns_of) {
  auto state = std::make_unique<BlockReader::State>();
  if (auto bad = state->open(in, columns_of); !bad) return bad;
  return BlockReader(std::move(state));
}

}  // namespace mycelial::codec
