// SPDX-License-Identifier: Apache-2.0
// VACUUM, and journal modes that change under a tracked file.
#include <gtest/gtest.h>

#include "tests/storage/fleet.hpp"

namespace mycelial::test {
namespace {

const char* const kSchema =
    "CREATE TABLE log(a);"
    "CREATE TABLE pair(a, b); CREATE INDEX pair_a ON pair(a);"
    "CREATE TABLE item(id INTEGER PRIMARY KEY, v UNIQUE);"
    "CREATE TABLE person(email TEXT PRIMARY KEY, v);"
    "CREATE TABLE part(k TEXT PRIMARY KEY, v) WITHOUT ROWID;";
const char* const kTables[] = {"log", "pair", "item", "person", "part"};

class Vacuum : public testing::Test {
 protected:
  void fill(std::size_t site, const std::string& tag) {
    must(site, "INSERT INTO log VALUES('" + tag + "1'), ('" + tag + "2'), ('" + tag + "3');" +
                   "INSERT INTO pair SELECT a, 0 FROM log WHERE a LIKE '" + tag + "%';" +
                   "INSERT INTO item(v) SELECT a FROM log WHERE a LIKE '" + tag + "%';" +
                   "INSERT INTO person SELECT a, 0 FROM log WHERE a LIKE '" + tag + "%';" +
                   "INSERT INTO part SELECT a, 0 FROM log WHERE a LIKE '" + tag + "%'");
  }
  void must(std::size_t site, const std::string& sql) {
    fleet.world.clock.now += 10;
    EXPECT_EQ(fleet.sql(site, sql), SQLITE_OK)
        << sql << ": " << sqlite3_errmsg(fleet[site].client());
  }
  void meet() {
    fleet.meet();
    ASSERT_EQ(fleet.trouble(), "");
    for (std::size_t i = 0; i < fleet.size(); ++i) {
      EXPECT_EQ(*fleet[i].store().check(), std::vector<std::string>());
    }
  }

  Fleet fleet{2, kSchema};
};

/// Rows without a key are known by their rowids, which VACUUM numbers anew where it can.
TEST_F(Vacuum, KeepsWhichRowIsWhich) {
  for (const bool sealed : {true, false}) {
    fill(0, sealed ? "s" : "u");
    if (sealed) meet();
    must(0,
         "DELETE FROM log WHERE a LIKE '%1'; DELETE FROM pair WHERE a LIKE '%1';"
         "DELETE FROM item WHERE v LIKE '%1'; DELETE FROM person WHERE email LIKE '%1'");
    if (sealed) meet();
    must(0, "VACUUM");
    must(0,
         "UPDATE log SET a = a || '!' WHERE a LIKE '%2'; UPDATE pair SET b = 1 WHERE a LIKE '%2';"
         "UPDATE item SET v = v || '!' WHERE v LIKE '%2'; UPDATE person SET v = 1 WHERE email LIKE "
         "'%2';"
         "DELETE FROM log WHERE a LIKE '%3'; DELETE FROM part WHERE k LIKE '%3'");
    must(1, "VACUUM");
    meet();
  }
  EXPECT_EQ(fleet[1].rows("SELECT a FROM log ORDER BY a"), "s2!\nu2!");
  EXPECT_EQ(fleet[1].rows("SELECT a, b FROM pair ORDER BY a"), "s2|1\ns3|0\nu2|1\nu3|0");
  EXPECT_EQ(fleet[1].rows("SELECT v FROM item ORDER BY v"), "s2!\ns3\nu2!\nu3");
  EXPECT_EQ(fleet[1].rows("SELECT email, v FROM person ORDER BY email"), "s2|1\ns3|0\nu2|1\nu3|0");
}

class JournalMode : public Vacuum, public testing::WithParamInterface<const char*> {};

INSTANTIATE_TEST_SUITE_P(All, JournalMode,
                         testing::Values("DELETE", "TRUNCATE", "PERSIST", "MEMORY", "WAL"));

TEST_P(JournalMode, ChangesUnderATrackedFile) {
  fill(0, "before");
  meet();
  for (const auto* mode : {GetParam(), "WAL", GetParam()}) {
    fill(1, std::string("unsealed ") + mode);
    for (std::size_t i = 0; i < 2; ++i) {
      fleet[i].close();  // the mode changes while nobody else has the file open
      EXPECT_EQ(fleet[i].rows(std::string("PRAGMA journal_mode = ") + mode),
                std::string(mode) == "DELETE"     ? "delete"
                : std::string(mode) == "TRUNCATE" ? "truncate"
                : std::string(mode) == "PERSIST"  ? "persist"
                : std::string(mode) == "MEMORY"   ? "memory"
                                                  : "wal");
      fleet[i].open();
    }
    must(0, "UPDATE person SET v = v + 1; DELETE FROM log WHERE a LIKE '%1'");
    must(1, "UPDATE part SET v = v + 1; DELETE FROM item WHERE v LIKE '%1'");
    meet();
    for (const auto* table : kTables) EXPECT_EQ(fleet[0].dump(table), fleet[1].dump(table));
    must(0,
         "DELETE FROM log; DELETE FROM item; DELETE FROM pair; DELETE FROM person; DELETE FROM "
         "part");
    meet();
  }
}

}  // namespace
}  // namespace mycelial::test
