// SPDX-License-Identifier: Apache-2.0
// Values and names at their bounds: what one site holds, another holds byte for byte.
#include <gtest/gtest.h>

#include "tests/storage/fleet.hpp"

namespace mycelial::test {
namespace {

void expect_same(Fleet& fleet, const std::string& table) {
  fleet.meet();
  ASSERT_EQ(fleet.trouble(), "");
  for (std::size_t i = 1; i < fleet.size(); ++i)
    EXPECT_EQ(fleet[i].dump(table), fleet[0].dump(table));
}

/// One value after the other in one row, and each in a row of its own, on every kind of table.
class Values : public testing::TestWithParam<std::string> {};

TEST_P(Values, EveryStorageClassAndBound) {
  Fleet fleet(2, GetParam());
  const char* const values[] = {"NULL",
                                "0",
                                "1",
                                "-1",
                                "9223372036854775807",
                                "-9223372036854775808",
                                "0.0",
                                "-0.0",
                                "1.0",
                                "0.1",
                                "9e999",
                                "-9e999",
                                "9e999 - 9e999",
                                "5e-324",
                                "1.7976931348623157e308",
                                "9223372036854775808.0",
                                "-9223372036854775808.0",
                                "9007199254740993",
                                "9007199254740992.0",
                                "''",
                                "x''",
                                "'a'",
                                "'A'",
                                "'a '",
                                "x'61'",
                                "'1'",
                                "'1.0'",
                                "CAST(x'00' AS TEXT)",
                                "CAST(x'610062' AS TEXT)",
                                "CAST(x'610063' AS TEXT)",
                                "CAST(x'ff' AS TEXT)",
                                "CAST(x'c328' AS TEXT)",
                                "CAST(x'eda080' AS TEXT)",
                                "'\xc3\xa9'",
                                "'e\xcc\x81'",
                                "'\xf0\x9f\x90\x9d'",
                                "x'00ff00'",
                                "zeroblob(70000)",
                                "zeroblob(0)",
                                "CAST(zeroblob(300) AS TEXT)",
                                "'''quoted'''"};
  int n = 0;
  for (const std::string v : values) {
    SCOPED_TRACE(v);
    const auto id = std::to_string(100 + n++);
    const int rc = fleet.sql(0, "INSERT INTO t(k, v) VALUES(" + id + ", " + v + ")");
    if (rc == SQLITE_CONSTRAINT_NOTNULL) continue;
    EXPECT_EQ(rc, SQLITE_OK);
    EXPECT_EQ(fleet.sql(0, "DELETE FROM t WHERE k = 1; INSERT INTO t(k, v) VALUES(1, 'old')"),
              SQLITE_OK);
    EXPECT_EQ(fleet.sql(0, "UPDATE t SET v = " + v + " WHERE k = 1"), SQLITE_OK);
    fleet.exchange();
    EXPECT_EQ(fleet[1].dump("t"), fleet[0].dump("t"));
  }
  EXPECT_EQ(fleet.sql(0, "DELETE FROM t WHERE k = 1"), SQLITE_OK);
  expect_same(fleet, "t");
}

INSTANTIATE_TEST_SUITE_P(
    All, Values,
    testing::Values("CREATE TABLE t(k INTEGER PRIMARY KEY, v)", "CREATE TABLE t(k, v)",
                    "CREATE TABLE t(k PRIMARY KEY, v TEXT)",
                    "CREATE TABLE t(k PRIMARY KEY, v REAL)",
                    "CREATE TABLE t(k PRIMARY KEY, v INTEGER) WITHOUT ROWID",
                    "CREATE TABLE t(k PRIMARY KEY, v NUMERIC)",
                    "CREATE TABLE t(k INTEGER PRIMARY KEY, v ANY) STRICT",
                    "CREATE TABLE t(k, v BLOB, PRIMARY KEY(v, k))",
                    "CREATE TABLE t(k, v TEXT COLLATE NOCASE, PRIMARY KEY(v, k))",
                    "CREATE TABLE t(k, v COLLATE RTRIM, PRIMARY KEY(v, k)) WITHOUT ROWID"));

/// Keys that SQLite tells apart name different rows, those that it does not name one.
class Keys : public testing::TestWithParam<std::string> {};

TEST_P(Keys, OneRowWhereSqliteSaysSo) {
  Fleet fleet(2, GetParam());
  const char* const keys[] = {"0",
                              "-0.0",
                              "1",
                              "1.0",
                              "'1'",
                              "x'31'",
                              "9007199254740993",
                              "9007199254740992.0",
                              "9223372036854775807",
                              "9223372036854775808.0",
                              "'a'",
                              "'A'",
                              "'a '",
                              "'a  '",
                              "' a'",
                              "x'61'",
                              "''",
                              "' '",
                              "x''",
                              "'\xc3\x84'",
                              "'\xc3\xa4'",
                              "CAST(x'610062' AS TEXT)",
                              "CAST(x'610063' AS TEXT)",
                              "CAST(x'6100' AS TEXT)",
                              "CAST(x'ff' AS TEXT)",
                              "2.5",
                              "-2.5",
                              "9e999",
                              "-9e999"};
  int n = 0;
  for (const std::string k : keys) {  // both write all, in another order
    fleet.world.clock.now += 10;
    fleet.sql(0, "INSERT OR REPLACE INTO t VALUES(" + k + ", " + std::to_string(n++) + ")");
  }
  for (std::size_t i = std::size(keys); i-- > 0;) {
    fleet.world.clock.now += 10;
    fleet.sql(1, std::string("INSERT OR REPLACE INTO t VALUES(") + keys[i] + ", " +
                     std::to_string(n++) + ")");
  }
  const auto count = fleet[0].rows("SELECT count(*) FROM t");
  expect_same(fleet, "t");
  EXPECT_EQ(fleet[0].rows("SELECT count(*) FROM t"), count);
  EXPECT_EQ(fleet.sql(1, "DELETE FROM t"), SQLITE_OK);
  expect_same(fleet, "t");
  EXPECT_EQ(fleet[0].rows("SELECT count(*) FROM t"), "0");
}

INSTANTIATE_TEST_SUITE_P(
    All, Keys,
    testing::Values("CREATE TABLE t(k PRIMARY KEY, v)", "CREATE TABLE t(k TEXT PRIMARY KEY, v)",
                    "CREATE TABLE t(k COLLATE NOCASE PRIMARY KEY, v)",
                    "CREATE TABLE t(k COLLATE RTRIM PRIMARY KEY, v)",
                    "CREATE TABLE t(k REAL PRIMARY KEY, v)",
                    "CREATE TABLE t(k NUMERIC PRIMARY KEY, v)",
                    "CREATE TABLE t(k PRIMARY KEY, v) WITHOUT ROWID",
                    "CREATE TABLE t(k COLLATE NOCASE PRIMARY KEY, v) WITHOUT ROWID",
                    "CREATE TABLE t(k COLLATE RTRIM PRIMARY KEY, v) WITHOUT ROWID",
                    "CREATE TABLE t(k REAL PRIMARY KEY, v) WITHOUT ROWID"));

TEST(Spelling, OfAKeyIsAnOrdinaryValue) {
  Fleet fleet(2,
              "CREATE TABLE t(k TEXT COLLATE NOCASE PRIMARY KEY, v, w);"
              "CREATE TABLE u(k COLLATE RTRIM PRIMARY KEY, v) WITHOUT ROWID;"
              "CREATE TABLE w(k PRIMARY KEY, v)");
  EXPECT_EQ(fleet.sql(0,
                      "INSERT INTO t VALUES('bob', 1, 1); INSERT INTO u VALUES('x', 1);"
                      "INSERT INTO w VALUES(1, 1)"),
            SQLITE_OK);
  fleet.exchange();
  EXPECT_EQ(fleet.sql(0, "UPDATE t SET k = 'BOB'; UPDATE u SET k = 'x  '; UPDATE w SET k = 1.0"),
            SQLITE_OK);
  EXPECT_EQ(fleet.sql(1, "UPDATE t SET v = 2; UPDATE u SET v = 2; UPDATE w SET v = 2"), SQLITE_OK);
  fleet.meet();
  ASSERT_EQ(fleet.trouble(), "");
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(fleet[i].rows("SELECT k, v FROM t"), "BOB|2");
    EXPECT_EQ(fleet[i].rows("SELECT quote(k), v FROM u"), "'x  '|2");
    EXPECT_EQ(fleet[i].rows("SELECT k, v FROM w"), "1.0|2");
  }
}

TEST(Mask, SeesEveryChangeOfAValue) {
  Fleet fleet(
      2, "CREATE TABLE t(k PRIMARY KEY, v, n TEXT COLLATE NOCASE, r TEXT COLLATE RTRIM, x ANY)");
  const std::pair<const char*, const char*> changes[] = {{"v", "1"},
                                                         {"v", "1.0"},
                                                         {"v", "'1'"},
                                                         {"v", "x'31'"},
                                                         {"v", "NULL"},
                                                         {"v", "''"},
                                                         {"v", "x''"},
                                                         {"v", "0.0"},
                                                         {"v", "0"},
                                                         {"v", "9007199254740992.0"},
                                                         {"v", "9007199254740993"},
                                                         {"n", "'bob'"},
                                                         {"n", "'BOB'"},
                                                         {"r", "'x'"},
                                                         {"r", "'x  '"},
                                                         {"x", "1"},
                                                         {"x", "1.0"},
                                                         {"v", "CAST(x'6100' AS TEXT)"},
                                                         {"v", "'a'"}};
  EXPECT_EQ(fleet.sql(0, "INSERT INTO t VALUES(1, 0, '', '', 0)"), SQLITE_OK);
  for (const auto& [column, value] : changes) {
    EXPECT_EQ(fleet.sql(0, std::string("UPDATE t SET ") + column + " = " + value), SQLITE_OK);
    fleet.exchange();
    EXPECT_EQ(fleet[1].dump("t"), fleet[0].dump("t")) << column << " = " << value;
  }
  expect_same(fleet, "t");
}

/// Every column of a wide table on its own: two sites update different ones, both survive.
TEST(Mask, IsExactInWideTables) {
  for (const int width : {61, 62, 63, 64, 123, 124, 125, 130, 200}) {
    SCOPED_TRACE(width);
    std::string columns;
    for (int i = 0; i < width; ++i) columns += ", c" + std::to_string(i);
    Fleet fleet(2, "CREATE TABLE t(k INTEGER PRIMARY KEY" + columns + ")");
    EXPECT_EQ(fleet.sql(0, "INSERT INTO t(k) VALUES(1)"), SQLITE_OK);
    fleet.exchange();
    for (int i = 0; i < width; ++i) {
      if (i % 7 != 0 && i < width - 3 && i % 62 > 1) continue;
      const auto set = "UPDATE t SET c" + std::to_string(i) + " = ";
      fleet.world.clock.now += 5;
      EXPECT_EQ(fleet.sql(static_cast<std::size_t>(i % 2), set + std::to_string(i)), SQLITE_OK);
    }
    expect_same(fleet, "t");
    for (const int i : {0, 7, 62, 63, 124, 125, width - 2, width - 1}) {
      if (i >= width) continue;
      EXPECT_EQ(fleet[0].rows("SELECT c" + std::to_string(i) + " FROM t"), std::to_string(i));
    }
  }
}

TEST(Mask, TouchesNothingElse) {
  Fleet fleet(2, "CREATE TABLE t(k INTEGER PRIMARY KEY, a, b, c)");
  EXPECT_EQ(fleet.sql(0, "INSERT INTO t VALUES(1, 'a', 'b', 'c')"), SQLITE_OK);
  fleet.exchange();
  EXPECT_EQ(fleet.sql(0, "UPDATE t SET a = 'A', b = b, c = 'c'"), SQLITE_OK);  // later, but not b
  fleet.world.clock.now += 1000;
  EXPECT_EQ(fleet.sql(1, "UPDATE t SET b = 'B'"), SQLITE_OK);
  fleet.world.clock.now += 1000;
  EXPECT_EQ(fleet.sql(0, "UPDATE t SET a = a, b = b, c = c"), SQLITE_OK);
  expect_same(fleet, "t");
  EXPECT_EQ(fleet[0].rows("SELECT * FROM t"), "1|A|B|c");
}

TEST(Names, OfAnySpelling) {
  const std::string schema =
      "CREATE TABLE \"a table\"(\"a column\", \"b.c\" PRIMARY KEY);"
      "CREATE TABLE \"select\"(\"from\" INTEGER PRIMARY KEY, \"where\", \"order\" UNIQUE);"
      "CREATE TABLE \"quo\"\"te'd\"(\"k\"\"1\", \"v'2\", PRIMARY KEY(\"k\"\"1\")) WITHOUT ROWID;"
      "CREATE TABLE \"\xf0\x9f\x90\x9d\"(\"\xc3\xbc\" TEXT PRIMARY KEY, "
      "\"\xe6\x97\xa5\xe6\x9c\xac\", [brack et], `tick`);"
      "CREATE TABLE [x.y](a, [main.b]);"
      "CREATE TABLE \"%_\\\"(\"%\", \"_\");"
      "CREATE TABLE MixedCase(Aa INTEGER PRIMARY KEY, bB, CC)";
  Fleet fleet(2, schema);
  const std::pair<const char*, const char*> tables[] = {
      {"a table", "\"a table\""},
      {"select", "\"select\""},
      {"quo\"te'd", "\"quo\"\"te'd\""},
      {"\xf0\x9f\x90\x9d", "\"\xf0\x9f\x90\x9d\""},
      {"x.y", "[x.y]"},
      {"%_\\", "\"%_\\\""},
      {"MixedCase", "mixedcase"}};
  for (const auto& [name, quoted] : tables) {
    EXPECT_EQ(
        fleet.sql(0, std::string("INSERT INTO ") + quoted + " SELECT 1, 2" +
                         (std::string(name) == "select" || std::string(name) == "MixedCase" ? ", 3"
                          : std::string(name) == "\xf0\x9f\x90\x9d" ? ", 3, 4"
                                                                    : "")),
        SQLITE_OK)
        << sqlite3_errmsg(fleet[0].client());
  }
  fleet.exchange();
  EXPECT_EQ(
      fleet.sql(1,
                "UPDATE \"a table\" SET \"a column\" = 5; UPDATE \"select\" SET \"order\" = 6;"
                "UPDATE \"quo\"\"te'd\" SET \"v'2\" = 7; UPDATE \"\xf0\x9f\x90\x9d\" SET "
                "\"\xe6\x97\xa5\xe6\x9c\xac\" = 8; UPDATE [x.y] SET [main.b] = 9; "
                "UPDATE \"%_\\\" SET \"_\" = 10; UPDATE mixedcase SET bb = 11"),
      SQLITE_OK)
      << sqlite3_errmsg(fleet[1].client());
  for (const auto& [name, quoted] : tables) expect_same(fleet, name);
  EXPECT_EQ(fleet.sql(0, "DELETE FROM \"quo\"\"te'd\"; DELETE FROM [x.y]"), SQLITE_OK);
  for (const auto& [name, quoted] : tables) expect_same(fleet, name);
}

TEST(Names, ThatShadowTheRowid) {
  Fleet fleet(2,
              "CREATE TABLE a(rowid, v); CREATE TABLE b(rowid TEXT PRIMARY KEY, oid, v);"
              "CREATE TABLE c(rowid, oid, _rowid_ INTEGER PRIMARY KEY);"
              "CREATE TABLE d(rowid, _rowid_, v);"
              "CREATE TABLE e(rowid, _rowid_, oid, PRIMARY KEY(oid)) WITHOUT ROWID;"
              "CREATE TABLE f(oid INTEGER PRIMARY KEY, rowid UNIQUE)");
  EXPECT_EQ(
      fleet.sql(0,
                "INSERT INTO a VALUES(7, 1), (7, 1); INSERT INTO b VALUES('x', 2, 3), ('y', 2, 3);"
                "INSERT INTO c VALUES(5, 6, 7); INSERT INTO d VALUES(1, 1, 1), (2, 2, 2);"
                "INSERT INTO e VALUES(1, 2, 3); INSERT INTO f VALUES(1, 9), (2, 8)"),
      SQLITE_OK);
  fleet.exchange();
  EXPECT_EQ(
      fleet.sql(
          1,
          "UPDATE a SET rowid = 8, v = 2 WHERE _rowid_ = 1; UPDATE b SET rowid = 'z' WHERE rowid = "
          "'x';"
          "UPDATE c SET rowid = 1, oid = 2; DELETE FROM d WHERE oid = 1; UPDATE e SET oid = 4;"
          "UPDATE OR REPLACE f SET rowid = 8 WHERE oid = 1"),
      SQLITE_OK)
      << sqlite3_errmsg(fleet[1].client());
  for (const char* t : {"a", "b", "c", "d", "e", "f"}) expect_same(fleet, t);
}

TEST(Names, AllRowidNamesTakenIsRefusedByName) {
  Fleet fleet(1, "CREATE TABLE ok(a)");
  EXPECT_EQ(fleet.sql(0, "CREATE TABLE t(rowid, oid, _rowid_)"), SQLITE_OK);
  const auto status = fleet[0].store().track("t");
  EXPECT_EQ(status.code(), Errc::schema);
  EXPECT_NE(status.message().find("rename one"), std::string::npos) << status.to_string();
}

/// SQLite holds them equal, so no trigger can see one become the other: peers hold 0.0.
TEST(Values, MinusZeroIsZeroToPeersAndDigests) {
  Fleet fleet(2, "CREATE TABLE t(k INTEGER PRIMARY KEY, v)");
  EXPECT_EQ(fleet.sql(0, "INSERT INTO t VALUES(1, 0.0), (2, -0.0)"), SQLITE_OK);
  fleet.exchange();
  EXPECT_EQ(fleet.sql(0, "UPDATE t SET v = -0.0 WHERE k = 1"), SQLITE_OK);
  expect_same(fleet, "t");
  EXPECT_EQ(fleet[1].rows("SELECT count(*) FROM t WHERE printf('%.1f', v) = '0.0'"), "2");
}

TEST(Values, MegabytesInOneCell) {
  Fleet fleet(2, "CREATE TABLE t(k INTEGER PRIMARY KEY, v, w)");
  EXPECT_EQ(fleet.sql(0, "INSERT INTO t VALUES(1, randomblob(3000000), hex(randomblob(1000000)))"),
            SQLITE_OK);
  fleet.exchange();
  EXPECT_EQ(fleet.sql(1, "UPDATE t SET w = w || 'x'"), SQLITE_OK);
  EXPECT_EQ(fleet.sql(0, "UPDATE t SET v = v || x'00'"), SQLITE_OK);
  expect_same(fleet, "t");
}

TEST(Values, OfAUtf16Database) {
  World world;
  Site a(world, "a", "PRAGMA encoding = 'UTF-16le'; CREATE TABLE t(k TEXT PRIMARY KEY, v)");
  Site b(world, "b", "CREATE TABLE t(k TEXT PRIMARY KEY, v)");
  ASSERT_TRUE(a.store().track_all().ok());
  ASSERT_TRUE(b.store().track_all().ok());
  EXPECT_EQ(a.sql("INSERT INTO t VALUES('k\xc3\xa9', '\xf0\x9f\x90\x9d'), ('', 1), ('x', x'c3')"),
            SQLITE_OK);
  ASSERT_TRUE(carry(a, b).ok());
  EXPECT_EQ(a.dump("t"), b.dump("t"));
  EXPECT_EQ(b.sql("UPDATE t SET v = 'changed' WHERE k = 'k\xc3\xa9'; DELETE FROM t WHERE k = ''"),
            SQLITE_OK);
  ASSERT_TRUE(carry(b, a).ok());
  EXPECT_EQ(a.dump("t"), b.dump("t"));
  EXPECT_EQ(*a.store().digest(), *b.store().digest());
}

}  // namespace
}  // namespace mycelial::test
