// SPDX-License-Identifier: Apache-2.0
// A copied, cloned, restored or moved file is another site: it gives no number away that anybody
// has seen, and loses nothing.
#include <gtest/gtest.h>

#include "tests/storage/fleet.hpp"

namespace mycelial::test {
namespace {

const char* const kSchema =
    "CREATE TABLE log(a);"
    "CREATE TABLE item(id INTEGER PRIMARY KEY, v);"
    "CREATE TABLE part(k TEXT PRIMARY KEY, v) WITHOUT ROWID;";

class Identity : public testing::Test {
 protected:
  void write(std::size_t i, const std::string& tag) {
    EXPECT_EQ(fleet.sql(i, "INSERT INTO log VALUES('" + tag + "'); INSERT INTO item(v) VALUES('" +
                               tag + "'); INSERT INTO part VALUES('" + tag + "', 1)"),
              SQLITE_OK);
  }
  std::string tags(std::size_t i) {
    return fleet[i].rows("SELECT group_concat(a, ' ') FROM (SELECT a FROM log ORDER BY a)");
  }
  std::string site(std::size_t i) { return fleet[i].store().site().hex(); }
  void meet() {
    fleet.meet();
    ASSERT_EQ(fleet.trouble(), "");
  }

  Fleet fleet{2, kSchema};
};

TEST_F(Identity, StaysOverReopening) {
  const auto before = site(0);
  for (int i = 0; i < 3; ++i) {
    write(0, "w" + std::to_string(i));
    if (i == 1) fleet.seal(0);
    fleet[0].close();
    fleet[0].open();
    EXPECT_EQ(site(0), before);
  }
  meet();
}

TEST_F(Identity, ACopyIsANewSiteAndBothGoOn) {
  write(0, "first");
  fleet.seal(0);
  const auto copy = fleet.add(fleet.snapshot(0));
  EXPECT_NE(site(copy), site(0));
  write(0, "original");
  write(copy, "copy");
  meet();
  EXPECT_EQ(tags(1), "copy first original");
  EXPECT_EQ(fleet[1].rows("SELECT count(*) FROM item"), "3");
}

TEST_F(Identity, WritesCapturedBeforeTheCopyAreOneRow) {
  write(0, "unsealed");
  const auto copy = fleet.add(fleet.snapshot(0));
  write(0, "original");
  write(copy, "copy");
  meet();
  EXPECT_EQ(tags(1), "copy original unsealed");
  EXPECT_EQ(fleet[1].rows("SELECT count(*) FROM item"), "3");
}

TEST_F(Identity, ACopyOfACopy) {
  write(0, "one");
  const auto second = fleet.add(fleet.snapshot(0));
  write(second, "two");
  const auto third = fleet.add(fleet.snapshot(second));
  write(third, "three");
  EXPECT_NE(site(second), site(third));
  meet();
  EXPECT_EQ(tags(0), "one three two");
}

class IdentityRestore : public Identity,
                        public testing::WithParamInterface<std::tuple<Restore, int, bool>> {};

/// However little happened since the backup: its number may have been given away.
TEST_P(IdentityRestore, OldBackupIsANewSite) {
  const auto [how, seals, reopen] = GetParam();
  write(0, "before");
  fleet.seal(0);
  const auto old = fleet.snapshot(0);
  const auto before = site(0);
  std::string lost;
  for (int i = 0; i < seals; ++i) {
    const auto tag = "seal" + std::to_string(i);
    write(0, tag);
    fleet.seal(0);
    lost += " " + tag;
  }
  fleet.send(0, 1);  // others know of them
  if (reopen) {
    fleet[0].close();
    fleet[0].open();
  }
  fleet.restore(0, old, how);
  EXPECT_NE(site(0), before);
  write(0, "after");
  meet();
  EXPECT_EQ(tags(0), "after before" + lost);
  EXPECT_EQ(tags(1), "after before" + lost);
}

INSTANTIATE_TEST_SUITE_P(All, IdentityRestore,
                         testing::Combine(testing::Values(Restore::in_place, Restore::by_rename,
                                                          Restore::by_backup),
                                          testing::Values(1, 2, 3), testing::Bool()));

TEST_F(Identity, AFileMovedElsewhereIsANewSite) {
  write(0, "here");
  fleet.seal(0);
  const auto before = site(0);
  const auto moved = fleet.add(fleet.snapshot(0));
  EXPECT_NE(site(moved), before);
  write(moved, "there");
  meet();
  EXPECT_EQ(tags(1), "here there");
}

TEST_F(Identity, VacuumKeepsTheSite) {
  write(0, "here");
  fleet.seal(0);
  const auto before = site(0);
  EXPECT_EQ(fleet.sql(0, "VACUUM"), SQLITE_OK);
  write(0, "there");
  meet();
  EXPECT_EQ(site(0), before);
}

TEST_F(Identity, ManyCopiesOfOneImageAllWrite) {
  write(0, "image");
  const auto image = fleet.snapshot(0);
  for (int i = 0; i < 4; ++i) {
    const auto copy = fleet.add(image);
    write(copy, "copy" + std::to_string(i));
  }
  write(0, "original");
  meet();
  EXPECT_EQ(tags(3), "copy0 copy1 copy2 copy3 image original");
  EXPECT_EQ(fleet[3].rows("SELECT count(*), count(DISTINCT v) FROM item"), "6|6");
}

}  // namespace
}  // namespace mycelial::test
