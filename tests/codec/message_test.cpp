// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "codec/codec.hpp"
#include "codec/fields.hpp"
#include "codec/limits.hpp"
#include "tests/codec/generator.hpp"

namespace mycelial::testing {
namespace {

using codec::decode_message;
using codec::encode_message;

void expect_same(const core::Message& a, const core::Message& b) {
  EXPECT_EQ(a.site, b.site);
  EXPECT_EQ(a.session, b.session);
  ASSERT_EQ(a.body.index(), b.body.index());
  if (const auto* frag = std::get_if<core::FragMessage>(&a.body)) {
    const auto& other = std::get<core::FragMessage>(b.body);
    EXPECT_EQ(frag->unit.id, other.unit.id);
    EXPECT_EQ(frag->unit.kind, other.unit.kind);
    EXPECT_EQ(frag->unit.stream, other.unit.stream);
    EXPECT_EQ(frag->unit.first, other.unit.first);
    EXPECT_EQ(frag->unit.last, other.unit.last);
    EXPECT_EQ(frag->unit.size, other.unit.size);
    EXPECT_EQ(frag->offset, other.offset);
    EXPECT_EQ(frag->bytes, other.bytes);
    EXPECT_EQ(frag->more, other.more);
    return;
  }
  std::visit(
      [&](const auto& body) {
        using T = std::decay_t<decltype(body)>;
        if constexpr (!std::is_same_v<T, core::FragMessage>) {
          EXPECT_EQ(body, std::get<T>(b.body));
        }
      },
      a.body);
}

TEST(Message, ComesBack) {
  Generator g(1);
  for (int i = 0; i < 3000; ++i) {
    const auto message = g.message();
    const auto out = decode_message(encode_message(message));
    ASSERT_TRUE(out.ok()) << out.status().to_string();
    expect_same(message, *out);
  }
}

TEST(Message, FragmentsAddLittle) {
  core::Message message{Generator(1).site(), 1, core::FragMessage{}};
  auto& frag = std::get<core::FragMessage>(message.body);
  frag.unit = {
      Generator(2).hash(), core::UnitKind::set, {message.site, 0, 0}, 5000, 5000, 70000, 0};
  frag.offset = 60000;
  frag.bytes = Bytes(1000, 'x');
  EXPECT_LE(encode_message(message).size() - frag.bytes.size(), 70U);
}

TEST(Message, NewerVersionIsNamed) {
  Bytes newer;
  codec::put_varint_field(newer, 1, 7);
  newer += "whatever a later version holds";
  const auto out = decode_message(newer);
  ASSERT_EQ(out.status().code(), Errc::version);
  EXPECT_NE(out.status().message().find("version 7"), std::string::npos);
  EXPECT_NE(out.status().message().find("version 1"), std::string::npos);
}

TEST(Message, UnknownFieldsAreTolerated) {
  const core::Message message{Generator(1).site(), 1, core::StopMessage{Generator(2).hash()}};
  Bytes bytes = encode_message(message);
  codec::put_bytes_field(bytes, 1000, "later");
  const auto out = decode_message(bytes);
  ASSERT_TRUE(out.ok()) << out.status().to_string();
  expect_same(message, *out);
}

TEST(Message, BytesOutsideOfTheUnitAreRefused) {
  core::Message message{Generator(1).site(), 1, core::FragMessage{}};
  auto& frag = std::get<core::FragMessage>(message.body);
  frag.unit.size = 10;
  frag.offset = 8;
  frag.bytes = "abc";
  EXPECT_EQ(decode_message(encode_message(message)).status().code(), Errc::corrupt);
  frag.offset = ~std::uint64_t{0};
  EXPECT_EQ(decode_message(encode_message(message)).status().code(), Errc::corrupt);
}

TEST(Message, TooLargeIsRefused) {
  EXPECT_EQ(decode_message(Bytes(codec::kMessageBytesMax + 1, '\0')).status().code(),
            Errc::corrupt);
  core::WantMessage want;
  want.parts.resize(codec::kPartsMax + 1);
  EXPECT_EQ(decode_message(encode_message({{}, 1, want})).status().code(), Errc::corrupt);
  core::HaveMessage have;
  have.tips.resize(codec::kTipsMax + 1);
  EXPECT_EQ(decode_message(encode_message({{}, 1, have})).status().code(), Errc::corrupt);
  core::WantMessage ranges;
  ranges.parts.resize(1);
  ranges.parts[0].missing.resize(codec::kRangesMax + 1);
  EXPECT_EQ(decode_message(encode_message({{}, 1, ranges})).status().code(), Errc::corrupt);
}

TEST(Message, BadBytesGiveErrors) {
  Generator g(2);
  for (int i = 0; i < 200; ++i) {
    const Bytes bytes = encode_message(g.message());
    for (std::size_t n = 0; n < bytes.size(); ++n) {
      const auto out = decode_message(ByteView(bytes).substr(0, n));
      if (!out.ok()) {
        EXPECT_EQ(out.status().code(), Errc::corrupt);
      }
    }
    for (int flips = 0; flips < 200; ++flips) {
      Bytes bad = bytes;
      bad[g.below(bad.size())] ^= static_cast<char>(1 << g.below(8));
      const auto out = decode_message(bad);
      if (out.ok()) continue;
      EXPECT_TRUE(out.status().code() == Errc::corrupt || out.status().code() == Errc::version);
    }
    (void)decode_message(g.bytes(100)).ok();
  }
  EXPECT_FALSE(decode_message("").ok());
}

}  // namespace
}  // namespace mycelial::testing
