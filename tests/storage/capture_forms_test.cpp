// SPDX-License-Identifier: Apache-2.0
// Every form in which plain SQL writes, on every kind of table: what one site did, another shows
// byte for byte, whether each statement was sealed alone or all together.
#include <gtest/gtest.h>

#include <ostream>

#include "tests/storage/fleet.hpp"

namespace mycelial::test {
namespace {

struct TableShape {
  const char* name;
  const char* sql;  // a table t with columns k, a, b; k is the key, if there is one
};
void PrintTo(const TableShape& kind, std::ostream* out) {
  *out << kind.name;
}

const TableShape kKinds[] = {
    {"IntegerKey", "CREATE TABLE t(k INTEGER PRIMARY KEY, a, b)"},
    {"Autoincrement", "CREATE TABLE t(k INTEGER PRIMARY KEY AUTOINCREMENT, a, b)"},
    {"IntegerKeyUnique", "CREATE TABLE t(k INTEGER PRIMARY KEY, a UNIQUE, b UNIQUE)"},
    {"TextKey", "CREATE TABLE t(k TEXT PRIMARY KEY, a, b)"},
    {"NocaseKeyUnique", "CREATE TABLE t(k TEXT COLLATE NOCASE PRIMARY KEY, a UNIQUE, b UNIQUE)"},
    {"UntypedKey", "CREATE TABLE t(k PRIMARY KEY, a, b)"},
    {"CompositeKey", "CREATE TABLE t(k, k2 DEFAULT 0, a, b, PRIMARY KEY(k, k2))"},
    {"NoKey", "CREATE TABLE t(k, a, b)"},
    {"NoKeyUnique", "CREATE TABLE t(k UNIQUE, a UNIQUE, b)"},
    {"WithoutRowid", "CREATE TABLE t(k INTEGER PRIMARY KEY, a, b) WITHOUT ROWID"},
    {"WithoutRowidUnique",
     "CREATE TABLE t(a UNIQUE, b UNIQUE, k2 DEFAULT 0, k TEXT COLLATE NOCASE, PRIMARY KEY(k, k2)) "
     "WITHOUT ROWID"},
    {"Strict", "CREATE TABLE t(k INTEGER PRIMARY KEY, a ANY, b ANY) STRICT"},
    {"Generated",
     "CREATE TABLE t(k INTEGER PRIMARY KEY, g AS (a || b), a, s AS (a || '!') STORED, b)"},
};

const char* const kRows =
    "INSERT INTO t(k, a, b) VALUES(1, 'a1', 'b1'), (2, 'a2', 'b2'), (3, 'a3', 'b3')";

/// Statements are separated by ";\n" where a seal may come between.
const char* const kForms[] = {
    // INSERT
    "INSERT INTO t(k, a, b) VALUES(4, 'a4', 'b4')",
    "INSERT INTO t(a) VALUES('x')",
    "INSERT INTO t(k) VALUES(NULL)",
    "INSERT INTO t DEFAULT VALUES",
    "INSERT INTO t(k, a) VALUES(4, 'x'), (5, 'y'), (6, 'z')",
    "INSERT INTO t(k, a, b) SELECT k + 10, a || 'n', b || 'n' FROM t",
    "INSERT INTO t(a, b) SELECT a || 'n', b || 'n' FROM t",
    "INSERT INTO t(k, a) VALUES(4, 'x') RETURNING *",
    "INSERT INTO t(k, a) VALUES(9, 'x');\nINSERT INTO t(a) VALUES('y')",
    // UPDATE
    "UPDATE t SET a = 'x' WHERE k = 1",
    "UPDATE t SET b = a, a = b WHERE k = 2",
    "UPDATE t SET b = b || 'x'",
    "UPDATE t SET a = a",
    "UPDATE t SET a = 'A1' WHERE a = 'a1'",
    "UPDATE t SET a = NULL, b = NULL",
    "UPDATE t SET (a, b) = (SELECT 'p', 'q') WHERE k = 3",
    "UPDATE t SET a = u.v FROM (SELECT 'from' AS v) AS u WHERE t.k = 1",
    "UPDATE t SET a = 'x' WHERE k = 1;\nUPDATE t SET a = 'a1' WHERE k = 1",
    "UPDATE t SET b = 'x' WHERE k = 1 RETURNING b",
    // DELETE
    "DELETE FROM t WHERE k = 1",
    "DELETE FROM t",
    "DELETE FROM t;\nINSERT INTO t(k, a) VALUES(1, 'again')",
    "DELETE FROM t WHERE k = 2;\nINSERT INTO t(k, a, b) VALUES(2, 'a2', 'b2')",
    "DELETE FROM t WHERE k > 1 RETURNING *",
    "DELETE FROM t WHERE k = 3;\nINSERT INTO t(a) VALUES('reuses the rowid')",
    // one row written several times
    "INSERT INTO t(k, a) VALUES(4, 'x');\nUPDATE t SET b = 'y' WHERE k = 4",
    "INSERT INTO t(k, a) VALUES(4, 'x');\nDELETE FROM t WHERE k = 4",
    "INSERT INTO t(k, a) VALUES(4, 'x');\nDELETE FROM t WHERE k = 4;\nINSERT INTO t(k, a) "
    "VALUES(4, 'y');\nUPDATE t SET a = 'z' WHERE k = 4",
    "UPDATE t SET a = 'x' WHERE k = 1;\nDELETE FROM t WHERE k = 1",
    // INSERT OR ...
    "INSERT OR REPLACE INTO t(k, a, b) VALUES(1, 'new', 'new')",
    "REPLACE INTO t(k, a) VALUES(1, 'once');\nREPLACE INTO t(k, a) VALUES(1, 'twice')",
    "INSERT OR REPLACE INTO t(k, a, b) VALUES(7, 'a1', 'b2')",
    "INSERT OR REPLACE INTO t(k, a, b) VALUES(1, 'a2', 'b3')",
    "INSERT OR REPLACE INTO t(k, a, b) SELECT k, a || '!', b FROM t",
    "INSERT OR IGNORE INTO t(k, a, b) VALUES(1, 'x', 'y')",
    "INSERT OR IGNORE INTO t(k, a, b) VALUES(1, 'x', 'y'), (8, 'p', 'q'), (2, 'r', 's')",
    "INSERT OR IGNORE INTO t(a) VALUES('a1');\nINSERT INTO t(k, a) VALUES(8, 'named')",
    "INSERT OR ABORT INTO t(k, a, b) VALUES(8, 'p', 'q'), (1, 'x', 'y')",
    "INSERT OR FAIL INTO t(k, a, b) VALUES(8, 'p', 'q'), (1, 'x', 'y'), (9, 'r', 's')",
    "INSERT OR ROLLBACK INTO t(k, a, b) VALUES(8, 'p', 'q'), (1, 'x', 'y')",
    "INSERT OR IGNORE INTO t(k, a) VALUES(2, 'x');\nUPDATE t SET a = 'y' WHERE k = 2",
    "INSERT OR IGNORE INTO t(k, a) VALUES(2, 'x');\nDELETE FROM t WHERE k = 2",
    // UPDATE OR ...
    "UPDATE OR REPLACE t SET k = 2 WHERE k = 1",
    "UPDATE OR REPLACE t SET a = 'a2' WHERE k = 1",
    "UPDATE OR REPLACE t SET a = 'a2', b = 'b3' WHERE k = 1",
    "UPDATE OR REPLACE t SET k = 3, a = 'a2' WHERE k = 1",
    "UPDATE OR REPLACE t SET k = 5, a = 'same'",
    "UPDATE OR IGNORE t SET k = 2 WHERE k = 1",
    "UPDATE OR IGNORE t SET k = k + 1",
    "UPDATE OR FAIL t SET k = k + 1",
    "UPDATE OR ROLLBACK t SET k = k + 1",
    "UPDATE OR REPLACE t SET k = 2 WHERE k = 1;\nINSERT INTO t(k, a) VALUES(1, 'free again')",
    // rowids that are named (an error where there is none)
    "INSERT INTO t(rowid, k, a) VALUES(8, 8, 'x')",
    "INSERT OR REPLACE INTO t(rowid, k, a) VALUES(2, 8, 'evicts by rowid')",
    "INSERT OR IGNORE INTO t(rowid, k, a) VALUES(2, 8, 'x');\nUPDATE t SET b = 'y' WHERE k = 2",
    "UPDATE t SET rowid = 8 WHERE rowid = 1",
    "UPDATE OR REPLACE t SET _rowid_ = 2 WHERE oid = 1",
    "UPDATE t SET rowid = 8 WHERE rowid = 1;\nUPDATE t SET rowid = 1 WHERE rowid = 2",
    // keys that change
    "UPDATE t SET k = 9 WHERE k = 1",
    "UPDATE t SET k = k + 10",
    "UPDATE t SET k = 9 WHERE k = 1;\nUPDATE t SET k = 1 WHERE k = 9",
    "UPDATE t SET k = 9 WHERE k = 1;\nUPDATE t SET k = 1 WHERE k = 2;\nUPDATE t SET k = 2 WHERE k "
    "= 9",
    "UPDATE t SET k = -k;\nUPDATE t SET k = CASE -k WHEN 1 THEN 2 WHEN 2 THEN 1 ELSE -k END",
    "UPDATE t SET k = 9, a = 'moved' WHERE k = 1;\nINSERT INTO t(k, a) VALUES(1, 'takes its "
    "place')",
    "DELETE FROM t WHERE k = 1;\nUPDATE t SET k = 1 WHERE k = 2",
    "UPDATE t SET k = 9 WHERE k = 1;\nDELETE FROM t WHERE k = 9",
    "UPDATE t SET k = NULL WHERE k = 1",
    // upserts (an error where the table has no such constraint)
    "INSERT INTO t(k, a) VALUES(1, 'x') ON CONFLICT DO UPDATE SET a = excluded.a",
    "INSERT INTO t(k, a) VALUES(1, 'x'), (6, 'y'), (1, 'z') ON CONFLICT DO UPDATE SET a = "
    "excluded.a",
    "INSERT INTO t(k, a) VALUES(1, 'x') ON CONFLICT DO UPDATE SET a = 'y' WHERE false",
    "INSERT INTO t(k, a) VALUES(1, 'x') ON CONFLICT DO NOTHING",
    "INSERT INTO t(k, a) VALUES(1, 'x') ON CONFLICT DO UPDATE SET k = 9",
    "INSERT INTO t(k, a) VALUES(7, 'a1') ON CONFLICT DO UPDATE SET b = 'by a'",
    "INSERT INTO t(k, a) VALUES(1, 'x') ON CONFLICT DO UPDATE SET a = 'u';\nDELETE FROM t WHERE k "
    "= 1",
    // transactions
    "BEGIN; INSERT INTO t(k, a) VALUES(4, 'x'); ROLLBACK",
    "BEGIN; SAVEPOINT s; DELETE FROM t; ROLLBACK TO s; UPDATE t SET a = 'kept' WHERE k = 1; COMMIT",
    "BEGIN; INSERT INTO t(k, a) VALUES(4, 'x'); SAVEPOINT s; UPDATE t SET k = 5 WHERE k = 4; "
    "RELEASE s; DELETE FROM t WHERE k = 1; COMMIT",
    "BEGIN; DELETE FROM t; INSERT INTO t(k, a, b) VALUES(3, 'a1', 'b1'), (1, 'a3', 'b3'); COMMIT",
};

class CaptureForms : public testing::TestWithParam<std::tuple<TableShape, bool>> {};

TEST_P(CaptureForms, ArriveByteForByte) {
  const auto& [kind, recursive] = GetParam();
  const std::string pragmas = recursive ? "PRAGMA recursive_triggers = ON" : "";
  Fleet fleet(2, kind.sql, {.before_track = {}, .pragmas = pragmas});
  for (const std::string form : kForms) {
    for (int apart = 0; apart < (recursive ? 1 : 2); ++apart) {
      SCOPED_TRACE(form + (apart ? "  -- sealed one by one" : ""));
      (void)run_script(fleet[0].client(), std::string("DELETE FROM t;") + kRows);
      fleet.exchange();
      for (std::size_t at = 0, end = 0; at < form.size(); at = end) {
        end = apart ? form.find(";\n", at) : std::string::npos;
        end = end == std::string::npos ? form.size() : end + 2;
        (void)run_script(fleet[0].client(), form.substr(at, end - at));
        fleet.seal(0);
      }
      const auto must = fleet[0].dump("t");
      fleet.meet();
      ASSERT_EQ(fleet.trouble(), "");
      ASSERT_EQ(fleet[0].dump("t"), must);
      ASSERT_EQ(fleet[1].dump("t"), must);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, CaptureForms,
                         testing::Combine(testing::ValuesIn(kKinds), testing::Bool()),
                         [](const auto& p) {
                           return std::string(std::get<0>(p.param).name) +
                                  (std::get<1>(p.param) ? "RecursiveTriggers" : "");
                         });

}  // namespace
}  // namespace mycelial::test
