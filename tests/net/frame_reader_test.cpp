// SPDX-License-Identifier: Apache-2.0
#include "net/frame_reader.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "tests/net/loopback.hpp"

namespace mycelial::net {
namespace {

/// Everything that can be read now.
std::vector<std::string> drain(FrameReader& reader) {
  std::vector<std::string> out;
  std::string_view message;
  for (;;) {
    const auto next = reader.next(message);
    EXPECT_TRUE(next.ok()) << next.status().to_string();
    if (!next.ok() || !*next) break;
    out.emplace_back(message);
  }
  reader.compact();
  return out;
}

FrameReader after_preface() {
  FrameReader reader;
  reader.feed(kGoodPreface);
  EXPECT_TRUE(*reader.take_preface());
  reader.compact();
  return reader;
}

TEST(FrameReader, TakesThePrefaceInAnyPieces) {
  FrameReader reader;
  for (const char c : kGoodPreface.substr(0, 7)) {
    reader.feed({&c, 1});
    ASSERT_TRUE(reader.take_preface().ok());
    EXPECT_FALSE(*reader.take_preface());
  }
  reader.feed(kGoodPreface.substr(7));
  EXPECT_TRUE(*reader.take_preface());
}

TEST(FrameReader, RefusesAnotherPrefaceAtItsFirstWrongByte) {
  for (std::size_t i = 0; i < 7; ++i) {
    std::string wrong(kGoodPreface.substr(0, i + 1));
    wrong[i] ^= 0x20;
    FrameReader reader;
    reader.feed(wrong);
    EXPECT_EQ(reader.take_preface().status().code(), Errc::corrupt) << i;
  }
}

TEST(FrameReader, NamesAnotherVersion) {
  for (const char version : {'\x00', '\x02', '\xff'}) {
    FrameReader reader;
    reader.feed(std::string(kGoodPreface.substr(0, 7)) + version);
    const Status status = reader.take_preface().status();
    EXPECT_EQ(status.code(), Errc::version);
    const auto number = std::to_string(static_cast<unsigned char>(version));
    EXPECT_NE(status.message().find("version " + number), std::string_view::npos);
  }
}

TEST(FrameReader, CutsFramesFromAnyPieces) {
  std::string bytes;
  std::vector<std::string> wanted;
  for (const std::size_t size : {1u, 2u, 255u, 256u, 4096u, 70'000u}) {
    wanted.emplace_back(size, static_cast<char>('a' + wanted.size()));
    bytes += frame(wanted.back()) + frame("");
  }
  for (const std::size_t step : {1u, 3u, 7u, 1000u, 1'000'000u}) {
    FrameReader reader = after_preface();
    std::vector<std::string> got;
    for (std::size_t at = 0; at < bytes.size(); at += step) {
      reader.feed(std::string_view(bytes).substr(at, step));
      for (auto& message : drain(reader)) got.push_back(std::move(message));
    }
    EXPECT_EQ(got, wanted) << "in pieces of " << step;
    EXPECT_TRUE(reader.empty());
  }
}

TEST(FrameReader, FramesMayFollowThePrefaceAtOnce) {
  FrameReader reader;
  reader.feed(std::string(kGoodPreface) + frame("x"));
  ASSERT_TRUE(*reader.take_preface());
  EXPECT_EQ(drain(reader), std::vector<std::string>{"x"});
}

TEST(FrameReader, RefusesAFrameByItsAnnouncement) {
  for (const std::string& header :
       {std::string("\xff\xff\xff\xff", 4), std::string("\x00\x10\x00\x01", 4)}) {
    FrameReader reader = after_preface();
    reader.feed(header);  // the frame itself need not come
    std::string_view message;
    const auto next = reader.next(message);
    EXPECT_EQ(next.status().code(), Errc::corrupt);
  }
  FrameReader reader = after_preface();
  reader.feed(std::string("\x00\x10\x00\x00", 4));  // the largest
  std::string_view message;
  EXPECT_TRUE(reader.next(message).ok());
}

TEST(FrameReader, AnAnnouncementTakesNoMemory) {
  FrameReader reader = after_preface();
  reader.feed(std::string("\x00\x10\x00\x00", 4) + "only this came");
  EXPECT_EQ(drain(reader), std::vector<std::string>{});
  EXPECT_FALSE(reader.empty()) << "in the middle of a frame";
  EXPECT_LT(reader.capacity(), 4096u);
}

}  // namespace
}  // namespace mycelial::net
