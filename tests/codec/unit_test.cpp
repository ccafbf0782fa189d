// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "codec/codec.hpp"
#include "codec/fields.hpp"
#include "codec/limits.hpp"
#include "tests/codec/generator.hpp"

namespace mycelial::testing {
namespace {

using codec::decode_unit;
using codec::encode_unit;

TEST(Unit, ComesBack) {
  Generator g(1);
  for (int i = 0; i < 2000; ++i) {
    const auto header = g.header();
    const Bytes body = g.bytes(200);
    const Bytes bytes = encode_unit(header, body);
    const auto out = decode_unit(bytes);
    ASSERT_TRUE(out.ok()) << out.status().to_string();
    EXPECT_EQ(out->body, body);
    EXPECT_EQ(out->header.kind, header.kind);
    EXPECT_EQ(out->header.stream, header.stream);
    EXPECT_EQ(out->header.first, header.first);
    EXPECT_EQ(out->header.last, header.last);
    EXPECT_EQ(out->header.prev, header.prev);
    EXPECT_EQ(out->header.chain, header.chain);
    EXPECT_EQ(out->header.deps, header.deps);
    EXPECT_EQ(out->header.base, header.base);
    EXPECT_EQ(out->header.have, header.have);
    EXPECT_EQ(out->header.floor, header.floor);
    EXPECT_EQ(out->header.full, header.full);
    EXPECT_EQ(out->header.body_bytes, body.size());
  }
}

TEST(Unit, EveryByteIsCovered) {
  Generator g(2);
  for (int i = 0; i < 20; ++i) {
    const Bytes bytes = encode_unit(g.header(), g.bytes(60));
    const Hash id = decode_unit(bytes)->id;
    for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
      Bytes bad = bytes;
      bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
      const auto out = decode_unit(bad);
      if (out.ok()) {
        EXPECT_NE(out->id, id) << "bit " << bit;
      } else {
        EXPECT_TRUE(out.status().code() == Errc::corrupt || out.status().code() == Errc::version);
      }
    }
    for (std::size_t n = 0; n < bytes.size(); ++n) {
      EXPECT_EQ(decode_unit(ByteView(bytes).substr(0, n)).status().code(), Errc::corrupt);
    }
    EXPECT_EQ(decode_unit(bytes + "x").status().code(), Errc::corrupt);
  }
}

Bytes frame(ByteView header, ByteView body) {
  Bytes out;
  codec::put_tag(out, 1, codec::WireType::bytes);
  put_prefixed(out, header);
  codec::put_tag(out, 2, codec::WireType::bytes);
  put_prefixed(out, body);
  return out;
}

TEST(Unit, NewerVersionIsNamed) {
  Bytes header;
  codec::put_varint_field(header, 1, 3);
  header += "\xff";
  const auto out = decode_unit(frame(header, ""));
  ASSERT_EQ(out.status().code(), Errc::version);
  EXPECT_NE(out.status().message().find("version 3"), std::string::npos);
  EXPECT_NE(out.status().message().find("version 1"), std::string::npos);
}

/// The header of a unit with more fields behind it.
Bytes with_extra(const Bytes& unit, ByteView extra) {
  codec::FieldReader reader(unit);
  codec::Field header;
  codec::Field body;
  reader.next(header);
  reader.next(body);
  return frame(Bytes(header.bytes) + Bytes(extra), body.bytes);
}

TEST(Unit, UnknownHeaderFieldsAreToleratedAndCovered) {
  const Bytes unit = encode_unit(Generator(3).header(), "body");
  Bytes extra;
  codec::put_bytes_field(extra, 1000, "later");
  const Bytes longer = with_extra(unit, extra);
  const auto out = decode_unit(longer);
  ASSERT_TRUE(out.ok()) << out.status().to_string();
  EXPECT_NE(out->id, decode_unit(unit)->id);
}

TEST(Unit, UnknownEncodingsOfBodiesAreRefused) {
  const Bytes unit = encode_unit(Generator(3).header(), "body");
  Bytes extra;
  codec::put_varint_field(extra, 16, 1);
  EXPECT_EQ(decode_unit(with_extra(unit, extra)).status().code(), Errc::version);
}

TEST(Unit, RangesMustFitTheKind) {
  core::Header header;
  header.stream = Generator(1).stream();
  header.first = header.last = 5;
  EXPECT_TRUE(decode_unit(encode_unit(header, "")).ok());
  header.last = 6;
  EXPECT_EQ(decode_unit(encode_unit(header, "")).status().code(), Errc::corrupt);
  header.kind = core::UnitKind::fold;
  EXPECT_EQ(decode_unit(encode_unit(header, "")).status().code(), Errc::corrupt);
  header.chain.resize(2);
  EXPECT_TRUE(decode_unit(encode_unit(header, "")).ok());
  header.kind = core::UnitKind::cut;
  EXPECT_EQ(decode_unit(encode_unit(header, "")).status().code(), Errc::corrupt);
}

}  // namespace
}  // namespace mycelial::testing
