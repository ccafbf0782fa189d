// SPDX-License-Identifier: Apache-2.0
// What is known of members, and what follows from it.
#include "core/members.hpp"

#include <gtest/gtest.h>

#include "core/row.hpp"

namespace mycelial::core {
namespace {

constexpr std::uint64_t kDay = 24 * 3600 * 1000;
constexpr std::uint64_t kStart = 1'700'000'000'000;

Site site(std::uint8_t n) {
  Site out;
  out.bytes[0] = n;
  return out;
}
const Stream kA{site(1)}, kB{site(2)}, kC{site(3)};

Have have(std::uint64_t a, std::uint64_t b) {
  return {{kA, {a, {}}}, {kB, {b, {}}}};
}

TEST(Members, NobodyKnownHoldsNothingBack) {
  MemberBook book;
  book.at(site(1), kStart);
  EXPECT_EQ(book.floor(have(7, 3), 30 * kDay), (Seqs{{kA, 7}, {kB, 3}}));
}

TEST(Members, TheFloorIsWhatAllHold) {
  MemberBook book;
  book.at(site(1), kStart);
  book.holds(site(2), kA, 5);
  book.holds(site(2), kB, 3);
  book.holds(site(3), kA, 6);
  book.holds(site(3), kB, 1);
  EXPECT_EQ(book.floor(have(7, 3), 30 * kDay), (Seqs{{kA, 5}, {kB, 1}}));
  book.holds(site(3), kA, 2);  // an old statement
  EXPECT_EQ(book.floor(have(7, 3), 30 * kDay), (Seqs{{kA, 5}, {kB, 1}}));
}

TEST(Members, WhoeverIsSilentPastTheRetentionIsNotWaitedFor) {
  MemberBook book;
  book.at(site(1), kStart);
  book.holds(site(2), kA, 5);
  book.holds(site(3), kA, 1);
  book.at(site(1), kStart + 29 * kDay);
  book.seen(site(2));
  EXPECT_EQ(book.floor(have(7, 0), 30 * kDay).at(kA), 1u);
  book.at(site(1), kStart + 31 * kDay);
  EXPECT_EQ(book.floor(have(7, 0), 30 * kDay).at(kA), 5u);
  book.seen(site(3));  // it is back
  EXPECT_EQ(book.floor(have(7, 0), 30 * kDay).at(kA), 1u);
}

/// What is kept for it would be more than all rows.
TEST(Members, WhoeverIsSilentIsNotWaitedForInACrowd) {
  MemberBook book;
  book.at(site(1), kStart);
  book.holds(site(2), kA, 5);
  book.at(site(1), kStart + Patience::kLeastMs / 2);
  EXPECT_EQ(book.floor(have(7, 0), {30 * kDay, true}).at(kA), 5u);
  book.at(site(1), kStart + Patience::kLeastMs);
  EXPECT_EQ(book.floor(have(7, 0), {30 * kDay, false}).at(kA), 5u);
  EXPECT_EQ(book.floor(have(7, 0), {30 * kDay, true}).at(kA), 7u);
}

TEST(Members, WhoeverNeedsAllRowsAnywayIsNotWaitedForWhileSilent) {
  MemberBook book;
  book.at(site(1), kStart);
  book.holds(site(2), kA, 5);
  const Patience patience{30 * kDay, false, {{kA, 6}}};
  EXPECT_EQ(book.floor(have(9, 0), patience).at(kA), 5u);  // it may be getting them
  book.at(site(1), kStart + kDay);
  EXPECT_EQ(book.floor(have(9, 0), patience).at(kA), 9u);
  EXPECT_EQ(book.floor(have(9, 0), {30 * kDay, false, {{kA, 5}}}).at(kA), 5u);
}

TEST(Members, AClockThatIsSetBackWaitsOn) {
  MemberBook book;
  book.at(site(1), kStart);
  book.holds(site(2), kA, 5);
  book.at(site(1), kStart - 100 * kDay);
  EXPECT_EQ(book.floor(have(7, 0), 30 * kDay).at(kA), 5u);
}

TEST(Members, ForgettingLastsUntilTheNextSign) {
  MemberBook book;
  book.at(site(1), kStart);
  book.holds(site(2), kA, 5);
  EXPECT_FALSE(book.forget(site(9)));
  EXPECT_FALSE(book.forget(site(1)));
  EXPECT_TRUE(book.forget(site(2)));
  EXPECT_EQ(book.floor(have(7, 0), 30 * kDay).at(kA), 7u);
  book.at(site(1), kStart + 1);
  book.seen(site(2));
  EXPECT_EQ(book.floor(have(7, 0), 30 * kDay).at(kA), 5u);
}

/// What a dead member said goes round and round, and keeps it alive no longer.
TEST(Members, AnEchoIsNoSignOfLife) {
  MemberBook book;
  book.at(site(1), kStart);
  const MemberNews said{site(3), 17, 60, {}};
  book.told({{kA, 2}}, {said});
  const auto heard = book.members().at(site(3)).heard_ms;
  EXPECT_EQ(heard, kStart - 60'000);
  book.at(site(1), kStart + 20 * kDay);
  book.told({{kA, 2}}, {said});
  EXPECT_EQ(book.members().at(site(3)).heard_ms, heard);
  book.told({{kA, 2}}, {{site(3), 18, 60, {}}});
  EXPECT_EQ(book.members().at(site(3)).heard_ms, kStart + 20 * kDay - 60'000);
}

TEST(Members, NewsListsWhatIsLacking) {
  MemberBook book;
  book.at(site(1), kStart);
  book.told({{kA, 9}, {kB, 8}, {kC, 7}}, {{site(5), 1, 0, {{1, 3}}}, {site(6), 1, 0, {{0, 0}}}});
  EXPECT_EQ(book.members().at(site(5)).have, (Seqs{{kA, 9}, {kB, 3}, {kC, 7}}));
  EXPECT_EQ(book.members().at(site(6)).have, (Seqs{{kB, 8}, {kC, 7}}));
}

TEST(Members, OurOwnBeatGrowsAndIsRare) {
  MemberBook book;
  book.at(site(1), kStart);
  book.beat(kStart, 1000);
  const auto first = book.members().at(site(1)).beat;
  const auto version = book.version();
  book.at(site(1), kStart + 999);
  book.beat(kStart + 999, 1000);
  EXPECT_EQ(book.version(), version);
  book.at(site(1), kStart - kDay);  // the clock was set back
  book.beat(kStart - kDay, 1000);
  EXPECT_GT(book.members().at(site(1)).beat, first);
}

TEST(Members, StrangersCannotFillTheBook) {
  MemberBook book;
  book.at(site(1), kStart);
  for (std::uint32_t i = 0; i < 5000; ++i) {
    Site stranger;
    stranger.bytes[3] = static_cast<std::uint8_t>(i);
    stranger.bytes[4] = static_cast<std::uint8_t>(i >> 8);
    stranger.bytes[5] = 1;
    book.told({{kA, 1}}, {{stranger, 1, 5000 - i, {}}});
  }
  EXPECT_EQ(book.members().size(), MemberBook::kMembersMax);
}

TEST(Members, ComeBackFromTheFile) {
  MemberBook book, other;
  book.at(site(1), kStart);
  other.at(site(1), kStart);
  book.holds(site(2), kA, 5);
  EXPECT_EQ(book.changed(), std::set<Site>{site(2)});
  other.restore(site(2), book.members().at(site(2)));
  EXPECT_FALSE(other.has_changed());
  EXPECT_EQ(other.floor(have(7, 0), kDay), book.floor(have(7, 0), kDay));
  other.holds(site(2), kA, 6);
  other.restore(site(2), book.members().at(site(2)));  // another process wrote the file
  EXPECT_EQ(other.members().at(site(2)).have.at(kA), 6u);
  EXPECT_TRUE(other.has_changed());
}

TEST(ForgetDeaths, WaitsForTheKillers) {
  Row row;
  row.births = {{1, 4}};
  row.dead = {{1, 4}};
  row.killers = {{2, 9}};
  const std::vector<std::uint64_t> less{0, 9, 8}, enough{0, 0, 9};
  EXPECT_FALSE(forget_deaths(row, less));
  EXPECT_EQ(row.killers.size(), 1u);
  EXPECT_TRUE(forget_deaths(row, enough));
  EXPECT_EQ(row, Row{});
  EXPECT_FALSE(forget_deaths(row, enough));
}

TEST(ForgetDeaths, KeepsTheBaselineAndWhatLives) {
  Row row;
  row.births = {{0, 1}, {1, 4}, {2, 7}};
  row.dead = {{0, 1}, {1, 4}, {2, 3}};
  row.killers = {{2, 5}};
  const std::vector<std::uint64_t> enough{0, 9, 9};
  EXPECT_TRUE(forget_deaths(row, enough));
  EXPECT_EQ(row.births, (Marks{{0, 1}, {2, 7}}));
  EXPECT_EQ(row.dead, (Marks{{0, 1}, {2, 3}}));
  EXPECT_TRUE(row.killers.empty());
}

}  // namespace
}  // namespace mycelial::core
