// SPDX-License-Identifier: Apache-2.0
#include "engine/seal_schedule.hpp"

#include <gtest/gtest.h>

namespace mycelial::engine {
namespace {

TEST(SealSchedule, WaitsForWritesToGather) {
  SealSchedule schedule(10, 1000, 0);
  schedule.set_links(true);
  EXPECT_EQ(schedule.seal_at(), kNever);
  schedule.dirty(100);
  EXPECT_EQ(schedule.seal_at(), 110u);
  schedule.dirty(105);
  EXPECT_EQ(schedule.seal_at(), 115u);
}

TEST(SealSchedule, AWriterThatNeverPausesIsSealedAllTheSame) {
  SealSchedule schedule(10, 1000, 0);
  schedule.set_links(true);
  for (TimeMs at = 100; at < 200; ++at) schedule.dirty(at);
  EXPECT_EQ(schedule.seal_at(), 150u);
  schedule.sealed();
  EXPECT_EQ(schedule.seal_at(), kNever);
}

TEST(SealSchedule, BacksOffAfterFailuresAndForgetsThemAfterSuccess) {
  SealSchedule schedule(3, 1000, 0);
  schedule.set_links(true);
  schedule.dirty(100);
  TimeMs at = schedule.seal_at();
  TimeMs wait = 0;
  for (int i = 0; i < 20; ++i) {
    schedule.seal_failed(at);
    EXPECT_GE(schedule.seal_at() - at, wait);
    wait = schedule.seal_at() - at;
    at = schedule.seal_at();
  }
  EXPECT_EQ(wait, 5000u);
  schedule.sealed();
  schedule.dirty(at);
  EXPECT_EQ(schedule.seal_at(), at + 3);
}

TEST(SealSchedule, WithoutLinksOnlyTheSizeOfTheJournalIsChecked) {
  SealSchedule schedule(3, 1000, 0);
  schedule.dirty(5000);
  EXPECT_EQ(schedule.seal_at(), 5000u);
  schedule.postponed(5000);
  EXPECT_EQ(schedule.seal_at(), kNever) << "nothing new: nothing to do";
  schedule.dirty(5001);
  EXPECT_GE(schedule.seal_at(), 7000u) << "checked every few seconds, not at every write";
  schedule.set_links(true);
  EXPECT_EQ(schedule.seal_at(), 5004u);
}

TEST(SealSchedule, LooksAgainAfterAnAnnouncement) {
  SealSchedule schedule(3, 1000, 0);
  schedule.looked(false, 0);
  EXPECT_EQ(schedule.look_at(), 1000u);
  schedule.announced(500);
  EXPECT_EQ(schedule.look_at(), 500u);
  TimeMs at = 500;
  int looks = 0;
  while (schedule.look_at() < at + 900) {
    at = schedule.look_at();
    schedule.looked(false, at);
    ++looks;
  }
  EXPECT_EQ(looks, 4);
  EXPECT_EQ(schedule.look_at(), at + 1000) << "then back to polling";
}

}  // namespace
}  // namespace mycelial::engine
