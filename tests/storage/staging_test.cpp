// SPDX-License-Identifier: Apache-2.0
// Units on their way in, from whoever says that they are on their way.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include "site.hpp"
#include "storage/files.hpp"

namespace mycelial::test {
namespace {

class Staging : public ::testing::Test {
 protected:
  Staging() {
    for (Site* site : {&a, &b}) EXPECT_TRUE(site->store().track("t").ok());
    EXPECT_EQ(a.sql("INSERT INTO t VALUES(1, hex(randomblob(1000)))"), SQLITE_OK);
    EXPECT_TRUE(a.store().seal().ok());
    const auto& [stream, tip] = *a.store().have().find({a.store().site()});
    unit = a.store().tail(stream, 1, tip.seq)->front();
    bytes = a.store().read(unit, 0, unit.size).value();
  }
  /// A unit that nobody has.
  core::UnitRef invented(std::uint8_t n, std::uint64_t size) const {
    core::UnitRef out = unit;
    out.id.bytes.fill(n);
    out.size = size;
    return out;
  }
  ByteView first_half() const { return ByteView(bytes).substr(0, bytes.size() / 2); }
  void expect_carried() {
    ASSERT_TRUE(carry(a, b).ok());
    EXPECT_EQ(a.dump("t"), b.dump("t"));
  }

  World world;
  Site a{world, "a", "CREATE TABLE t(id INTEGER PRIMARY KEY, x)"};
  Site b{world, "b", "CREATE TABLE t(id INTEGER PRIMARY KEY, x)"};
  core::UnitRef unit;
  Bytes bytes;
};

TEST_F(Staging, AUnitIsNotAnotherOneThanItsFragmentsSay) {
  std::vector<core::UnitRef> lies(3, unit);
  lies[0].stream.site.bytes.fill(7);
  lies[1].first = lies[1].last = unit.last + 1;
  lies[2].last = unit.last + 1000;
  for (const auto& lie : lies) {
    ASSERT_TRUE(b.store().stage(lie, 0, bytes).ok());
    const auto applied = b.store().apply_staged();
    ASSERT_TRUE(applied.ok());
    ASSERT_EQ(applied->rejected.size(), 1u);
    EXPECT_EQ(applied->rejected[0].second.code(), Errc::corrupt);
    EXPECT_TRUE(b.store().staged().empty());
  }
  expect_carried();
}

TEST_F(Staging, AUnitKeepsItsDescription) {
  ASSERT_TRUE(b.store().stage(unit, 0, first_half()).ok());
  core::UnitRef lie = unit;
  lie.size += 1;
  EXPECT_EQ(b.store().stage(lie, 0, "x").code(), Errc::corrupt);
  lie = unit;
  lie.stream.site.bytes.fill(7);
  EXPECT_EQ(b.store().stage(lie, 0, "x").code(), Errc::corrupt);
  expect_carried();
}

TEST_F(Staging, MoreLargeUnitsMayBeBegunThanFilesOpened) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit few = before;
  few.rlim_cur = 64;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
  for (std::uint8_t n = 1; n <= 200; ++n) {
    const Status staged = b.store().stage(invented(n, 1 << 20), 5, "x");
    ASSERT_TRUE(staged.ok()) << staged.to_string();
  }
  expect_carried();
  EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
}

TEST_F(Staging, WhatWasBegunInAFileOutlivesTheProcess) {
  const core::UnitRef large = invented(1, 1 << 20);
  ASSERT_TRUE(b.store().stage(large, 100, Bytes(1000, 'x')).ok());
  b.close();
  b.open();
  const auto missing = b.store().missing(large);
  ASSERT_EQ(missing.size(), 2u);
  EXPECT_EQ(missing[0], (core::ByteRange{0, 100}));
  EXPECT_EQ(missing[1], (core::ByteRange{1100, 1 << 20}));
}

TEST_F(Staging, GapsAreBounded) {
  Status last;
  std::uint8_t n = 0;
  std::uint64_t at = 0;
  std::size_t gaps = 0;
  for (; last.ok() && gaps < 1'000'000; ++gaps, at += 2) {
    if (gaps % 30'000 == 0) ++n, at = 0;
    last = b.store().stage(invented(n, 256 * 1024), at, "x");
  }
  EXPECT_EQ(last.code(), Errc::busy) << last.to_string();
  EXPECT_TRUE(b.store().stage(invented(n, 256 * 1024), 1, "xx").ok());  // next to what is there
  expect_carried();
}

TEST_F(Staging, PeersLeaveRoomForTheApplication) {
  const storage::UnitFiles files(b.path() + "-elsewhere");
  std::uint64_t room = 1500;
  storage::Staging staging(files, [&] { return room; });
  const core::UnitRef large = invented(1, 1 << 20);
  EXPECT_TRUE(staging.add(large, 0, Bytes(1000, 'x')).ok());
  room = 500;
  const Status full = staging.add(large, 1000, Bytes(1000, 'x'));
  EXPECT_EQ(full.code(), Errc::busy);
  EXPECT_NE(full.message().find("nearly full"), std::string::npos) << full.message();
  EXPECT_TRUE(staging.add(invented(2, 1000), 0, Bytes(1000, 'x')).ok());  // needs no drive
  room = 5000;
  EXPECT_TRUE(staging.add(large, 1000, Bytes(1000, 'x')).ok());
  EXPECT_EQ(staging.missing(large), (std::vector<core::ByteRange>{{2000, 1 << 20}}));
  files.remove_all();
}

}  // namespace
}  // namespace mycelial::test
