// SPDX-License-Identifier: Apache-2.0
// The case table of docs/merge.md, one test a line: what one site did, what another did without
// having seen it, and what both then hold.
#include <gtest/gtest.h>

#include <functional>

#include "history.hpp"

namespace mycelial::core::testing {
namespace {

using Statement = std::function<bool(Replica&)>;

/// Two sites that hold row k = 1 (or nothing), each does something, then they exchange.
class CaseTable : public ::testing::Test {
 protected:
  World world{3};
  Replica one{world, 1}, other{world, 2};

  void both_hold(std::int64_t key, std::int64_t value) {
    ASSERT_TRUE(one.insert(key, value));
    ASSERT_TRUE(other.apply(*one.seal()));
  }
  /// `second` is made a second after `first`.
  void meet(const Statement& first, const Statement& second) {
    ASSERT_TRUE(first(one));
    world.clock_ms += 1000;
    ASSERT_TRUE(second(other));
    const auto ours = one.seal();
    const auto theirs = other.seal();
    ASSERT_TRUE(ours && theirs);
    ASSERT_TRUE(one.apply(*theirs));
    ASSERT_TRUE(other.apply(*ours));
    ASSERT_EQ(one.table(), other.table());
    ASSERT_EQ(essence(one.rows()), essence(other.rows()));
  }
  void expect(const Table& table) { EXPECT_EQ(describe(one.table()), describe(table)); }
  bool listed(const RowName& row, Column column, const Mark& dot) const {
    return one.lost().contains({row, column, dot}) && other.lost().contains({row, column, dot});
  }
};

const RowName k1{0, 1};

TEST_F(CaseTable, UpdateAndUpdateOfAnotherColumn) {
  both_hold(1, 10);
  meet([](Replica& r) { return r.update(k1, kA, 20); },
       [](Replica& r) { return r.update(k1, kB, 30); });
  expect({{k1, {20, 30}}});
}

TEST_F(CaseTable, UpdateAndUpdateOfOneColumn) {
  both_hold(1, 10);
  meet([](Replica& r) { return r.update(k1, kA, 20); },
       [](Replica& r) { return r.update(k1, kA, 30); });
  expect({{k1, {30, 10}}});
}

TEST_F(CaseTable, TheLoserOfAnUpdateIsHandedBack) {
  both_hold(1, 10);
  const Rows before = one.rows();
  ASSERT_TRUE(one.update(k1, kA, 20));
  const auto early = one.seal();
  world.clock_ms += 1000;
  ASSERT_TRUE(other.update(k1, kA, 30));
  const auto late = other.seal();
  std::vector<Discarded> discarded;
  join_rows(world, one.rows().at(k1), late->rows.at(k1), one.have(), {}, &discarded);
  ASSERT_EQ(discarded.size(), 1u);
  EXPECT_EQ(discarded[0].value.integer, 20);
  EXPECT_EQ(discarded[0].carrier, early->dot());
  EXPECT_FALSE(discarded[0].died);
}

TEST_F(CaseTable, InsertAndInsertOfOneKey) {
  meet([](Replica& r) { return r.insert(1, 20); },
       [](Replica& r) { return r.insert(1, 30) && r.update(k1, kA, 31); });
  expect({{k1, {31, 30}}});
  EXPECT_EQ(alive(one.rows().at(k1)).size(), 2u) << "a birth by each";
}

TEST_F(CaseTable, UpdateAndDelete) {
  both_hold(1, 10);
  meet([](Replica& r) { return r.update(k1, kA, 20); }, [](Replica& r) { return r.remove(k1); });
  expect({});
  EXPECT_TRUE(listed(k1, kA, {1, 2}));
}

TEST_F(CaseTable, DeleteAndALaterUpdate) {
  both_hold(1, 10);
  meet([](Replica& r) { return r.remove(k1); }, [](Replica& r) { return r.update(k1, kA, 20); });
  expect({});
  EXPECT_TRUE(listed(k1, kA, {2, 1}));
}

TEST_F(CaseTable, AnUpdateThatTheDeleteHadSeenIsNotListed) {
  both_hold(1, 10);
  ASSERT_TRUE(one.update(k1, kA, 20));
  ASSERT_TRUE(other.apply(*one.seal()));
  ASSERT_TRUE(other.remove(k1));
  ASSERT_TRUE(one.apply(*other.seal()));
  expect({});
  EXPECT_TRUE(one.lost().empty());
}

TEST_F(CaseTable, UpsertAndDelete) {
  both_hold(1, 10);
  meet([](Replica& r) { return r.upsert(1, 20); }, [](Replica& r) { return r.remove(k1); });
  expect({{k1, {20, 10}}});
}

TEST_F(CaseTable, DeleteAndDelete) {
  both_hold(1, 10);
  meet([](Replica& r) { return r.remove(k1); }, [](Replica& r) { return r.remove(k1); });
  expect({});
}

TEST_F(CaseTable, DeleteThenInsertAndUpdateOfTheOldRow) {
  both_hold(1, 10);
  meet([](Replica& r) { return r.remove(k1) && r.insert(1, 20); },
       [](Replica& r) { return r.update(k1, kA, 30); });
  expect({{k1, {20, 20}}});
  EXPECT_TRUE(listed(k1, kA, {2, 1}));
}

TEST_F(CaseTable, ReplaceBeginsANewLife) {
  both_hold(1, 10);
  meet([](Replica& r) { return r.replace(1, 20); },
       [](Replica& r) { return r.update(k1, kB, 30); });
  expect({{k1, {20, 20}}});
}

TEST_F(CaseTable, KeyChangedAndUpdateOfTheOldKey) {
  both_hold(1, 10);
  meet([](Replica& r) { return r.rekey(1, 2); }, [](Replica& r) { return r.update(k1, kA, 30); });
  expect({{{0, 2}, {10, 10}}});
  EXPECT_TRUE(listed(k1, kA, {2, 1}));
}

TEST_F(CaseTable, KeyChangedToTwoKeys) {
  both_hold(1, 10);
  meet([](Replica& r) { return r.rekey(1, 2); }, [](Replica& r) { return r.rekey(1, 3); });
  expect({{{0, 2}, {10, 10}}, {{0, 3}, {10, 10}}});
}

TEST_F(CaseTable, KeysSwappedAndUpdate) {
  both_hold(1, 10);
  both_hold(2, 20);
  meet([](Replica& r) { return r.swap_keys(1, 2); },
       [](Replica& r) { return r.update(k1, kA, 30); });
  expect({{k1, {20, 20}}, {{0, 2}, {10, 10}}});
}

TEST_F(CaseTable, EqualInsertsWithoutAKey) {
  meet([](Replica& r) { return r.insert_keyless(5); },
       [](Replica& r) { return r.insert_keyless(5); });
  ASSERT_EQ(one.table().size(), 2u);
}

TEST_F(CaseTable, ADeleteKillsOnlyTheBirthsThatItHadSeen) {
  meet([](Replica& r) { return r.insert(1, 20); },
       [](Replica& r) { return r.insert(1, 30) && r.remove(k1) && r.insert(1, 31); });
  Replica third(world, 3);
  ASSERT_TRUE(third.insert(1, 40));
  const auto unseen = third.seal();
  ASSERT_TRUE(one.remove(k1));
  const auto removal = one.seal();
  ASSERT_TRUE(other.apply(*removal));
  expect({});
  ASSERT_TRUE(one.apply(*unseen) && other.apply(*unseen) && third.apply(*unseen));
  expect({{k1, {40, 40}}});
  EXPECT_EQ(other.table(), one.table());
}

TEST_F(CaseTable, RowsFoundAtTrackAreOneRow) {
  ASSERT_TRUE(one.insert(1, 10) && other.insert(1, 10));
  const auto ours = one.seal(true), theirs = other.seal(true);
  ASSERT_TRUE(one.apply(*theirs) && other.apply(*ours));
  EXPECT_EQ(alive(one.rows().at(k1)), (Marks{{0, 1}}));
  ASSERT_TRUE(one.remove(k1));
  ASSERT_TRUE(other.apply(*one.seal()));
  expect({});
  EXPECT_TRUE(other.table().empty());
}

TEST_F(CaseTable, AnythingWrittenOverrulesWhatWasFoundAtTrack) {
  ASSERT_TRUE(one.insert(1, 10));
  const auto image = one.seal(true);
  ASSERT_TRUE(other.apply(*image));
  ASSERT_TRUE(other.update(k1, kA, 30));
  Replica late(world, 3, 3'600'000);  // its clock is an hour ahead, its image old
  ASSERT_TRUE(late.insert(1, 99));
  const auto stale = late.seal(true);
  const auto change = other.seal();
  for (auto* r : {&one, &other, &late}) {
    for (const auto* s : {&*image, &*change, &*stale}) ASSERT_TRUE(r->apply(*s));
  }
  EXPECT_EQ(one.table().at(k1)[kA], 30);
  EXPECT_EQ(late.table(), one.table());
}

TEST_F(CaseTable, ALocalWriteOverTheValueOfAFastClockShows) {
  Replica fast(world, 3, 3'600'000);
  ASSERT_TRUE(fast.insert(1, 10));
  ASSERT_TRUE(one.apply(*fast.seal()));
  ASSERT_TRUE(one.update(k1, kA, 20));
  const auto write = one.seal();
  EXPECT_EQ(one.table().at(k1)[kA], 20);
  ASSERT_TRUE(fast.apply(*write));
  EXPECT_EQ(fast.table().at(k1)[kA], 20);
}

}  // namespace
}  // namespace mycelial::core::testing
