// SPDX-License-Identifier: Apache-2.0
// Bodies: what is written is read back, and nothing else is accepted quietly.
#include <gtest/gtest.h>

#include <algorithm>

#include "codec/codec.hpp"
#include "codec/fields.hpp"
#include "codec/limits.hpp"
#include "tests/codec/generator.hpp"
#include "tests/codec/read_body.hpp"

namespace mycelial::testing {
namespace {

using codec::BodyWriter;

struct Written {
  core::Schema schema;
  std::vector<core::Stream> origins;
  std::vector<core::RowPiece> rows;
  bool embed = true;
  std::shared_ptr<const Generator> values = nullptr;  ///< Owner of the bytes, if nobody else is.

  Bytes encode() const {
    BodyWriter writer;
    if (embed) writer.add_schema(schema);
    const Hash hash = schema.hash();
    for (const auto& row : rows) {
      writer.add_row(schema, hash, row,
                     [&](core::Origin o) -> const core::Stream& { return origins[o]; });
    }
    return writer.finish();
  }
};

/// Rewrites marks from a block's numbering of origins to the writer's.
core::RowPiece renumber(const core::RowPiece& piece, const std::vector<core::Stream>& from,
                        const std::vector<core::Stream>& to) {
  const auto map = [&](core::Origin o) {
    return static_cast<core::Origin>(std::ranges::find(to, from[o]) - to.begin());
  };
  const auto map_marks = [&](core::Marks& marks) {
    for (auto& m : marks) m.origin = map(m.origin);
    std::ranges::sort(marks);
  };
  core::RowPiece out = piece;
  map_marks(out.row.births);
  map_marks(out.row.dead);
  map_marks(out.row.killers);
  for (auto& write : out.row.writes) {
    write.carrier.origin = map(write.carrier.origin);
    write.stamp.origin = map(write.stamp.origin);
    map_marks(write.targets);
  }
  return out;
}

void expect_same(const Written& in) {
  const Bytes bytes = in.encode();
  const auto out = read_body(bytes, in.schema);
  ASSERT_TRUE(out.ok()) << out.status().to_string();
  if (in.embed) {
    ASSERT_EQ(out->schemas.size(), 1U);
    EXPECT_EQ(out->schemas[0], in.schema);
  }
  std::size_t i = 0;
  for (const auto& block : out->blocks) {
    EXPECT_EQ(block.schema, in.schema.hash());
    EXPECT_LE(block.rows.size(), codec::kCutRows);
    for (const auto& row : block.rows) {
      ASSERT_LT(i, in.rows.size());
      ASSERT_EQ(renumber(row, block.origins, in.origins), in.rows[i]) << "row " << i;
      ++i;
    }
  }
  EXPECT_EQ(i, in.rows.size());
}

class Seeds : public ::testing::TestWithParam<std::uint64_t> {};
INSTANTIATE_TEST_SUITE_P(Body, Seeds, ::testing::Range<std::uint64_t>(0, 40));

TEST_P(Seeds, WildRowsComeBack) {
  Generator g(GetParam());
  Written in;
  const std::size_t columns = 1 + g.below(GetParam() % 10 == 0 ? 300 : 12);
  in.schema = g.schema(columns);
  in.origins = g.origins(1 + g.below(8));
  in.embed = g.chance(2);
  for (auto n = g.below(60); n > 0; --n) {
    in.rows.push_back(g.wild_row(columns, in.origins.size()));
    while (g.chance(2)) in.rows.push_back(in.rows.back());
  }
  expect_same(in);
}

TEST_P(Seeds, PlainRowsComeBack) {
  Generator g(GetParam());
  Written in;
  const std::size_t columns = 1 + g.below(20);
  in.schema = g.schema(columns);
  in.origins = g.origins(3);
  in.rows = g.plain_rows(g.below(300), columns, g.chance(2));
  expect_same(in);
}

TEST(Body, ManyRowsAreCutIntoBlocks) {
  Generator g(7);
  Written in{g.schema(5), g.origins(3), {}, true};
  in.rows = g.plain_rows(20000, 5, false);
  expect_same(in);
}

TEST(Body, TwoThousandColumns) {
  Generator g(8);
  Written in{g.schema(2000), g.origins(3), {}, true};
  in.rows = g.plain_rows(100, 2000, false);
  expect_same(in);
}

TEST(Body, LargeValuesAndIdentities) {
  Generator g(9);
  Written in{g.schema(2), g.origins(3), {}, true};
  in.rows = g.plain_rows(3, 2, false);
  const Bytes large(5 << 20, 'x');
  in.rows[1].row.cells[1].value = core::Value::blob(large);
  in.rows[2].identity = Bytes(1 << 20, 'k');
  expect_same(in);
}

TEST(Body, AlternatingTablesShareBlocks) {
  Generator g(10);
  const auto origins = g.origins(3);
  core::Schema one{"one", {"a", "b"}, {0}};
  core::Schema two{"two", {"a"}, {}};
  BodyWriter writer;
  writer.add_schema(one);
  writer.add_schema(two);
  const auto rows_one = g.plain_rows(50, 2, false);
  const auto rows_two = g.plain_rows(50, 1, false);
  const auto name = [&](core::Origin o) -> const core::Stream& { return origins[o]; };
  for (std::size_t i = 0; i < 50; ++i) {
    writer.add_row(one, one.hash(), rows_one[i], name);
    writer.add_row(two, two.hash(), rows_two[i], name);
  }
  const Bytes bytes = writer.finish();
  const auto out = read_body(bytes, one);
  ASSERT_TRUE(out.ok()) << out.status().to_string();
  ASSERT_EQ(out->blocks.size(), 2U);
  EXPECT_EQ(out->blocks[0].rows.size(), 50U);
  EXPECT_EQ(out->blocks[1].rows.size(), 50U);
}

TEST(Body, ARecordSaysWhatItsTableWasCalled) {
  core::Schema schema{"now", {"a"}, {0}};
  const auto before = schema.hash();
  schema.formerly = {"then", "once"};
  EXPECT_EQ(schema.hash(), before);
  BodyWriter writer;
  writer.add_schema(schema);
  auto out = read_body(writer.finish(), schema);
  ASSERT_TRUE(out.ok()) << out.status().to_string();
  EXPECT_EQ(out->schemas, std::vector{schema});
  schema.formerly.resize(1000, "x");  // A writer says what a reader takes.
  BodyWriter many;
  many.add_schema(schema);
  out = read_body(many.finish(), schema);
  ASSERT_TRUE(out.ok()) << out.status().to_string();
  EXPECT_EQ(out->schemas.at(0).formerly.size(), codec::kFormerNamesMax);
}

TEST(Body, CarriesListedValues) {
  const core::Overruled full{"t", "K1", "c", "superseded", "'a'", "'b'", "last writer wins", 99};
  const core::Overruled least{"t", "K1", "", "deleted", "", "", "", 0};
  BodyWriter writer;
  writer.add_overruled(full);
  writer.add_overruled(least);
  const auto bytes = writer.finish();
  const auto out = read_body(bytes, {"t", {}, {}});
  ASSERT_TRUE(out.ok()) << out.status().to_string();
  EXPECT_EQ(out->overruled, (std::vector{full, least}));
  BodyWriter nobody;
  nobody.add_overruled({"", "K1", "c", "deleted", "1", "", "", 0});
  EXPECT_EQ(read_body(nobody.finish(), {"t", {}, {}}).status().code(), Errc::corrupt);
  for (std::size_t n = 1; n < bytes.size(); ++n) {  // never more than was written
    const auto cut = read_body(ByteView(bytes).substr(0, n), {"t", {}, {}});
    EXPECT_LT(cut.ok() ? cut->overruled.size() : 0, 2U);
  }
}

TEST(Body, NegativeZeroHasOneForm) {
  Written in{{"t", {"a"}, {}}, Generator(1).origins(2), {}, true};
  core::Value v = core::Value::of_real(1.0);
  v.integer = std::numeric_limits<std::int64_t>::min();  // The bits of -0.0.
  in.rows = {{"id", {{{1, 1}}, {}, {}, {{{1, 1}, {5, 1, 1}, {{1, 1}}}}, {{0, 0, v}}}}};
  const Bytes bytes = in.encode();
  const auto out = read_body(bytes, in.schema);
  ASSERT_TRUE(out.ok());
  EXPECT_EQ(out->blocks[0].rows[0].row.cells[0].value, core::Value::of_real(0.0));
}

TEST(Body, UnknownSchemaIsNamed) {
  Written in{
      {"t", {"a"}, {}}, Generator(1).origins(3), Generator(1).plain_rows(1, 1, false), false};
  const Bytes bytes = in.encode();
  codec::BodyReader reader(bytes, [](const Hash&) { return nullptr; });
  const auto item = reader.next();
  ASSERT_FALSE(item.ok());
  EXPECT_EQ(item.status().code(), Errc::not_found);
  EXPECT_NE(item.status().message().find(in.schema.hash().hex()), std::string::npos);
}

TEST(Body, StampsBeyondTheMaximumAreRefused) {
  Generator g(3);
  Written in{{"t", {"a"}, {}}, g.origins(3), g.plain_rows(1, 1, false), true};
  in.rows[0].row.writes[0].stamp.time = core::kHlcMax;
  EXPECT_TRUE(read_body(in.encode(), in.schema).ok());
  in.rows[0].row.writes[0].stamp.time = core::kHlcMax + 1;
  EXPECT_EQ(read_body(in.encode(), in.schema).status().code(), Errc::corrupt);
}

Written small(std::uint64_t seed) {
  const auto owner = std::make_shared<Generator>(seed);
  Generator& g = *owner;
  Written in{g.schema(6), g.origins(4), g.plain_rows(10, 6, false), true, owner};
  for (int i = 0; i < 5; ++i) in.rows.push_back(g.wild_row(6, 4));
  return in;
}

TEST(Body, TruncationIsAnErrorOrAWholePrefix) {
  const Written in = small(11);
  const Bytes bytes = in.encode();
  const auto whole = read_body(bytes, in.schema);
  ASSERT_TRUE(whole.ok());
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    const auto out = read_body(ByteView(bytes).substr(0, n), in.schema);
    if (out.ok()) {
      EXPECT_LT(out->blocks.size(), whole->blocks.size()) << "at " << n;
    } else {
      EXPECT_EQ(out.status().code(), Errc::corrupt) << out.status().to_string();
    }
  }
}

TEST(Body, FlippedBitsNeverCrash) {
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    const Written in = small(seed);
    const Bytes bytes = in.encode();
    for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
      Bytes bad = bytes;
      bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
      const auto out = read_body(bad, in.schema);
      if (out.ok()) continue;
      const Errc code = out.status().code();
      EXPECT_TRUE(code == Errc::corrupt || code == Errc::not_found) << out.status().to_string();
    }
  }
}

TEST(Body, GarbageNeverCrashes) {
  Generator g(5);
  const core::Schema schema = g.schema(4);
  for (int i = 0; i < 20000; ++i) {
    Bytes content;
    codec::put_bytes_field(content, 1, schema.hash().view());
    codec::put_varint_field(content, 2, g.seq());
    for (std::uint32_t field = 3; field <= 12; ++field) {
      codec::put_bytes_field(content, field, g.bytes(12));
    }
    Bytes item;
    codec::put_bytes_field(item, 2, content);
    Bytes body;
    put_prefixed(body, item);
    (void)read_body(body, schema).ok();
    (void)read_body(g.bytes(60), schema).ok();
  }
}

/// A block of `rows` rows without births, made by hand from its packed fields.
Bytes hand_made(const core::Schema& schema, std::uint64_t rows, ByteView lives, ByteView patterns) {
  Bytes content;
  codec::put_bytes_field(content, 1, schema.hash().view());
  codec::put_varint_field(content, 2, rows);
  codec::put_bytes_field(content, 7, lives);
  codec::put_bytes_field(content, 10, patterns);
  Bytes item;
  codec::put_bytes_field(item, 2, content);
  Bytes body;
  put_prefixed(body, item);
  return body;
}

TEST(Body, RunLengthsCannotClaimBillions) {
  const core::Schema schema{"t", {"a"}, {}};
  Bytes lives;
  put_varint(lives, 4);  // Nothing at all, repeated.
  put_varint(lives, std::uint64_t{1} << 40);
  const Bytes no_cells("\x01\x00\x00", 3);
  const auto rows =
      read_body(hand_made(schema, (std::uint64_t{1} << 40) + 1, lives, no_cells), schema);
  EXPECT_EQ(rows.status().code(), Errc::corrupt);
  EXPECT_NE(rows.status().message().find("too many rows"), std::string::npos);

  Bytes patterns;
  put_varint(patterns, 1);
  put_varint(patterns, 0);  // One literal number: 2^40 cells.
  put_varint(patterns, std::uint64_t{1} << 41);
  const auto cells = read_body(hand_made(schema, 1, ByteView("\0", 1), patterns), schema);
  EXPECT_EQ(cells.status().code(), Errc::corrupt);
  EXPECT_NE(cells.status().message().find("too many cells"), std::string::npos);

  const Bytes two_rows("\x04\x01", 2);
  EXPECT_TRUE(read_body(hand_made(schema, 2, two_rows, no_cells), schema).ok());
  EXPECT_FALSE(read_body(hand_made(schema, 3, two_rows, no_cells), schema).ok());
  EXPECT_FALSE(read_body(hand_made(schema, 1, two_rows, no_cells), schema).ok());
}

TEST(Body, OversizedItemsAreRefused) {
  Bytes body;
  put_varint(body, std::uint64_t{1} << 60);
  body += "x";
  EXPECT_EQ(read_body(body, {}).status().code(), Errc::corrupt);
  core::Schema wide;
  wide.columns.assign(2001, "c");
  BodyWriter writer;
  writer.add_schema(wide);
  EXPECT_EQ(read_body(writer.finish(), {}).status().code(), Errc::corrupt);
}

TEST(Body, UnknownFieldsAreTolerated) {
  const core::Schema schema{"t", {"a"}, {}};
  Bytes body = hand_made(schema, 1, ByteView("\0", 1), ByteView("\x01\x00\x00", 3));
  Bytes extra;
  codec::put_bytes_field(extra, 99, "later");
  // Appended to the item: behind the block.
  body += extra;
  ByteReader reader(body);
  const std::uint64_t size = reader.varint();
  Bytes longer;
  put_prefixed(longer, Bytes(reader.bytes(size + extra.size())));
  EXPECT_TRUE(read_body(longer, schema).ok());
}

}  // namespace
}  // namespace mycelial::testing
