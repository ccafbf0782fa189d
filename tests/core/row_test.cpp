// SPDX-License-Identifier: Apache-2.0
#include "core/row.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "core/exchange.hpp"
#include "history.hpp"

namespace mycelial::core {
namespace {

using testing::Column;
using testing::World;

/// A value of `column`, written at `time` by the set `carrier`, to these births.
struct Written {
  Column column;
  std::int64_t value;
  Hlc time;
  Mark carrier;
  Marks targets;
};

Row row(Marks births, Marks dead, const std::vector<Written>& values) {
  Row out;
  out.births = std::move(births);
  out.dead = std::move(dead);
  for (const auto& v : values) {
    out.writes.push_back({v.carrier, {v.time, v.carrier.origin, v.carrier.seq}, v.targets});
    out.cells.push_back(
        {v.column, static_cast<std::uint32_t>(out.writes.size() - 1), Value::of(v.value)});
  }
  return out;
}

std::int64_t shown(const Row& r, Column column, const Ranks& ranks) {
  const Cell* cell = winner(r, column, ranks);
  return cell ? cell->value.integer : -1;
}

TEST(Ranks, FollowTheSitesNotTheNumbers) {
  const World world(3);  // its sites are sorted against their numbers
  EXPECT_TRUE(stamp_less({5, 2, 1}, {5, 1, 1}, world.ranks));
  EXPECT_FALSE(stamp_less({5, 1, 1}, {5, 2, 1}, world.ranks));
  EXPECT_TRUE(stamp_less({4, 1, 9}, {5, 3, 1}, world.ranks));
  EXPECT_TRUE(stamp_less({5, 1, 1}, {5, 1, 2}, world.ranks));
  EXPECT_FALSE(stamp_less({5, 1, 1}, {5, 1, 1}, world.ranks));
}

TEST(Alive, ListsTheBirthsThatAreNotDead) {
  const Row r = row({{1, 5}, {2, 3}, {3, 1}}, {{1, 4}, {2, 3}}, {});
  EXPECT_EQ(alive(r), (Marks{{1, 5}, {3, 1}}));
  EXPECT_TRUE(is_alive(r));
  EXPECT_FALSE(is_alive(row({{2, 3}}, {{2, 7}}, {})));
  EXPECT_FALSE(is_alive({}));
}

TEST(Claim, IsTheGreatestStampOfTheColumns) {
  const World world(3);
  const Row r = row({{1, 1}}, {}, {{0, 10, 7, {1, 1}, {{1, 1}}}, {1, 20, 9, {2, 1}, {{1, 1}}}});
  EXPECT_EQ(claim(r, std::vector<Column>{0}, world.ranks).time, 7u);
  EXPECT_EQ(claim(r, std::vector<Column>{0, 1}, world.ranks), (Stamp{9, 2, 1}));
  EXPECT_EQ(claim(r, std::vector<Column>{5}, world.ranks), Stamp{});
}

TEST(MergeRows, ABirthThatASideCoversAndDoesNotListIsDead) {
  const World world(3);
  const Row x = row({{1, 3}}, {}, {{0, 10, 7, {1, 3}, {{1, 3}}}});
  const std::vector<std::uint64_t> covers{0, 3}, behind{0, 2};
  EXPECT_TRUE(is_alive(merge_rows(x, {}, covers, behind, world.ranks)));
  EXPECT_FALSE(is_alive(merge_rows(x, {}, covers, covers, world.ranks)));
  EXPECT_FALSE(is_alive(merge_rows({}, x, covers, {}, world.ranks)));
  EXPECT_TRUE(is_alive(merge_rows(x, x, covers, covers, world.ranks)));
}

TEST(MergeRows, ASideThatListsABirthSpeaksForItselfHoweverMuchItCovers) {
  const World world(3);
  const Row x = row({{1, 3}}, {}, {{0, 10, 7, {1, 3}, {{1, 3}}}});
  const std::vector<std::uint64_t> covers{0, 9};
  EXPECT_TRUE(is_alive(merge_rows(x, row({{1, 5}}, {}, {}), covers, covers, world.ranks)));
}

TEST(MergeRows, TheBaselineIsNeverCovered) {
  const World world(3);
  const Row x = row({{0, 1}}, {}, {{0, 10, 0, {0, 1}, {{0, 1}}}});
  const std::vector<std::uint64_t> covers{9, 9, 9};
  EXPECT_TRUE(is_alive(merge_rows(x, {}, covers, covers, world.ranks)));
  EXPECT_FALSE(is_alive(merge_rows(x, row({{0, 1}}, {{0, 1}}, {}), {}, covers, world.ranks)));
}

TEST(MergeRows, AValueDiesWithTheLastBirthThatItWasWrittenTo) {
  const World world(3);
  const Row x =
      row({{1, 1}, {2, 1}}, {}, {{0, 10, 7, {1, 1}, {{1, 1}}}, {0, 20, 5, {2, 1}, {{2, 1}}}});
  EXPECT_EQ(shown(x, 0, world.ranks), 10);
  std::vector<Discarded> discarded;
  const Row killed = merge_rows(x, row({}, {{1, 1}}, {}), {}, {}, world.ranks, &discarded);
  EXPECT_EQ(shown(killed, 0, world.ranks), 20) << "the older value counts again";
  ASSERT_EQ(discarded.size(), 1u);
  EXPECT_TRUE(discarded[0].died);
  EXPECT_EQ(discarded[0].value.integer, 10);
}

TEST(MergeRows, AnOlderValueOfTheSameBirthsIsSuperseded) {
  const World world(3);
  const Row x = row({{1, 1}}, {}, {{0, 10, 5, {1, 1}, {{1, 1}}}});
  const Row y = row({}, {}, {{0, 20, 7, {2, 1}, {{1, 1}}}});
  std::vector<Discarded> discarded;
  const Row merged = merge_rows(x, y, {}, {}, world.ranks, &discarded);
  EXPECT_EQ(merged.cells.size(), 1u);
  EXPECT_EQ(merged.writes.size(), 1u);
  ASSERT_EQ(discarded.size(), 1u);
  EXPECT_FALSE(discarded[0].died);
  EXPECT_EQ(discarded[0].value.integer, 10);
}

TEST(MergeRows, AValueOfABirthThatBothForgotStaysDead) {
  const World world(3);
  const std::vector<std::uint64_t> covers{0, 4};
  const Row late = row({}, {}, {{0, 20, 99, {2, 1}, {{1, 3}}}});
  EXPECT_TRUE(merge_rows({}, late, covers, {}, world.ranks).cells.empty());
}

TEST(MergeRows, OfNothingIsNothing) {
  const World world(1);
  const std::vector<std::uint64_t> covers{0, 9};
  EXPECT_EQ(merge_rows({}, {}, covers, covers, world.ranks), Row{});
}

TEST(LocalPiece, OfARowNeverSeenAndGoneSaysNothing) {
  const World world(1);
  LocalWrite w;
  w.dot = {1, 1};
  w.fresh = true;
  EXPECT_EQ(local_piece({}, w, world.ranks), Row{});
}

TEST(LocalPiece, OfAnUpsertCarriesOldStampsToTheNewBirth) {
  const World world(2);
  const Row before =
      row({{1, 1}}, {}, {{0, 10, 5, {1, 1}, {{1, 1}}}, {1, 11, 5, {1, 1}, {{1, 1}}}});
  LocalWrite w;
  w.dot = {2, 1};
  w.shown = w.upsert = true;
  w.time = 9;
  w.written = {{1, 9, Value::of(21)}, {0, 0, Value::of(10)}};
  const Row piece = local_piece(before, w, world.ranks);
  EXPECT_EQ(piece.births, (Marks{{2, 1}}));
  ASSERT_EQ(piece.cells.size(), 2u);
  EXPECT_EQ(piece.writes[piece.cells[0].write].stamp, (Stamp{5, 1, 1}));
  EXPECT_EQ(piece.writes[piece.cells[1].write].stamp, (Stamp{9, 2, 1}));
  EXPECT_EQ(piece.writes[piece.cells[0].write].targets, (Marks{{1, 1}, {2, 1}}));
}

TEST(LocalPiece, OfASecondUpsertReplacesTheSitesOwnBirth) {
  const World world(2);
  const Row before = row({{1, 1}, {2, 1}}, {}, {{0, 10, 5, {1, 1}, {{1, 1}, {2, 1}}}});
  LocalWrite w;
  w.dot = {1, 8};
  w.shown = w.upsert = true;
  w.written = {{0, 9, Value::of(20)}};
  const Row piece = local_piece(before, w, world.ranks);
  EXPECT_EQ(piece.writes.at(0).targets, (Marks{{1, 8}, {2, 1}}));
}

/// A row in another numbering of the origins.
Row renumbered(Row r, const std::vector<Origin>& to) {
  const auto marks = [&](Marks& in) {
    for (auto& m : in) m.origin = to[m.origin];
    std::sort(in.begin(), in.end());
  };
  marks(r.births);
  marks(r.dead);
  marks(r.killers);
  for (auto& w : r.writes) {
    w.carrier.origin = to[w.carrier.origin];
    w.stamp.origin = to[w.stamp.origin];
    marks(w.targets);
  }
  return r;
}

Row random_piece(std::mt19937_64& rng) {
  const auto some = [&](int most) { return static_cast<std::uint64_t>(rng() % most); };
  Row r;
  for (Origin o = 0; o <= 3; ++o) {
    if (some(3) == 0) r.births.push_back({o, 1 + some(4)});
    if (some(4) == 0) r.dead.push_back({o, 1 + some(4)});
    if (o && some(4) == 0) r.killers.push_back({o, 1 + some(4)});
  }
  for (Column c = 0; c < 2; ++c) {
    if (some(2)) continue;
    // A stamp has one value, whoever carries it.
    const Stamp stamp{some(3), static_cast<Origin>(1 + some(3)), 1 + some(4)};
    const auto value = static_cast<std::int64_t>(stamp.time * 100 + stamp.origin * 10 + stamp.seq);
    const Mark carrier{stamp.origin, stamp.seq + some(2)};
    // A set writes a cell once: its stamp and carrier tell its targets.
    std::mt19937_64 own(stamp.time * 1000 + stamp.origin * 100 + stamp.seq * 10 + carrier.seq);
    Marks targets;
    for (Origin o = 0; o <= 3; ++o) {
      if (own() % 2) targets.push_back({o, 1 + own() % 4});
    }
    if (targets.empty()) targets = {{1, 1}};
    r.writes.push_back({carrier, stamp, targets});
    r.cells.push_back({c, static_cast<std::uint32_t>(r.writes.size() - 1), Value::of(value)});
  }
  return r;
}

class Pieces : public ::testing::Test {
 protected:
  World world{3};
  Row join(const Row& x, const Row& y) { return merge_rows(x, y, {}, {}, world.ranks); }
};

TEST_F(Pieces, JoinCommutesAssociatesAndRepeats) {
  for (std::uint64_t seed = 1; seed <= 20'000; ++seed) {
    std::mt19937_64 rng(seed);
    const Row a = random_piece(rng), b = random_piece(rng), c = random_piece(rng);
    ASSERT_EQ(join(a, b), join(b, a)) << "seed " << seed;
    ASSERT_EQ(join(join(a, b), c), join(a, join(b, c))) << "seed " << seed;
    const Row ab = join(a, b);
    ASSERT_EQ(join(ab, a), ab) << "seed " << seed;
    ASSERT_EQ(join(ab, ab), ab) << "seed " << seed;
  }
}

TEST_F(Pieces, TheNumberingOfOriginsDoesNotMatter) {
  for (std::uint64_t seed = 1; seed <= 5'000; ++seed) {
    std::mt19937_64 rng(seed);
    const Row a = random_piece(rng), b = random_piece(rng);
    std::vector<Origin> to{0, 1, 2, 3};
    std::shuffle(to.begin() + 1, to.end(), rng);
    std::vector<Stream> streams(4);
    for (Origin o = 0; o <= 3; ++o) streams[to[o]] = world.streams[o];
    const Ranks ranks(streams);
    const Row here = join(a, b);
    const Row there = merge_rows(renumbered(a, to), renumbered(b, to), {}, {}, ranks);
    ASSERT_EQ(alive(renumbered(here, to)), alive(there)) << "seed " << seed;
    for (Column c = 0; c < 2; ++c) {
      ASSERT_EQ(shown(here, c, world.ranks), shown(there, c, ranks)) << "seed " << seed;
    }
  }
}

TEST(HaveDigest, IsOfWhatIsHeld) {
  Have a;
  EXPECT_EQ(have_digest(a), have_digest({}));
  Stream s;
  s.site.bytes[0] = 1;
  a[s] = {};
  EXPECT_EQ(have_digest(a), have_digest({})) << "a stream of which nothing is held";
  a[s] = {3, Hash::from("x")};
  Have b = a;
  EXPECT_EQ(have_digest(a), have_digest(b));
  b[s].hash = Hash::from("y");
  EXPECT_NE(have_digest(a), have_digest(b));
  b = a;
  b[s].seq = 4;
  EXPECT_NE(have_digest(a), have_digest(b));
}

}  // namespace
}  // namespace mycelial::core
