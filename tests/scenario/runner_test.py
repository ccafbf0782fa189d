# SPDX-License-Identifier: Apache-2.0
"""What mycelial-scenario says of scripts that are wrong, and of libraries that would be."""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

HEAD = """# A rule.
sites a b
schema
  CREATE TABLE t(id INTEGER PRIMARY KEY, x)
"""


class Runner(unittest.TestCase):
    def play(self, text, head=HEAD):
        """(exit code, output) without the script's folder."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "script.sync"
            path.write_text(head + text, encoding="utf-8")
            done = subprocess.run([os.environ["SCENARIO"], str(path)], capture_output=True,
                                  text=True, check=False, timeout=60)
            return done.returncode, done.stdout.replace(folder + "/", "")

    def fails(self, text, *said, head=HEAD):
        code, output = self.play(text, head)
        self.assertEqual(code, 1, output)
        for part in said:
            self.assertIn(part, output)

    def passes(self, text, head=HEAD):
        code, output = self.play(text, head)
        self.assertEqual(code, 0, output)
        self.assertIn("1 scenarios played, 0 failed", output)

    def test_what_is_as_it_says(self):
        self.passes("a> INSERT INTO t VALUES(1, 2)\nsettle\nall> SELECT * FROM t\n= 1|2\n")

    def test_other_rows(self):
        self.fails("a> INSERT INTO t VALUES(1, 2)\nsettle\n\nall> SELECT * FROM t\n= 1|3\n",
                   "script.sync:8: a: expected\n  = 1|3\nbut got\n  = 1|2")

    def test_rows_are_compared_in_order_where_there_is_one(self):
        rows = "a> INSERT INTO t VALUES(1, 2), (2, 1)\na> SELECT id FROM t{}\n= 2\n= 1\n"
        self.passes(rows.format(""))
        self.passes(rows.format(" ORDER BY x"))
        self.fails(rows.format(" ORDER BY id"), "script.sync:6")

    def test_rows_that_nobody_expects(self):
        self.fails("a> SELECT 1\n", "script.sync:5: a: this gives rows; say which\n  = 1")
        self.fails("a> SELECT 1\n= (none)\n", "expected\n  = (none)\nbut got\n  = 1")

    def test_sql_that_fails(self):
        self.fails("a> INSERT INTO u VALUES(1)\n", "script.sync:5: a: no such table: u")

    def test_sql_that_should_fail(self):
        self.fails("a! SELECT 1\n", "script.sync:5: a: this is not refused")
        self.fails("a! SELECT * FROM u\n= no such column ...\n",
                   "script.sync:5: a: refused with: no such table: u")
        self.passes("a! SELECT * FROM u\n= no such ...: u\n")

    def test_tables_that_are_refused(self):
        view = "schema\n  CREATE VIEW v AS SELECT 1;\n  CREATE VIRTUAL TABLE f USING fts5(x)\n"
        self.fails(view, "script.sync:5: a: expected\n  = (none)\nbut got\n  = refused: f is")
        self.passes(view + "= refused: f is a virtual table...\n")

    def test_conflicts(self):
        story = ("a> INSERT INTO t VALUES(1, 'one')\nb> INSERT INTO t VALUES(1, 'two')\n"
                 "settle\nall conflicts\n")
        self.passes(story + "= superseded t[1].x: 'one'...\n")
        self.fails(story + "= (none)\n", "script.sync:8: a: expected\n  = (none)\nbut got\n"
                   "  = superseded t[1].x: 'one'")

    def test_sites_that_differ_are_found(self):
        code, output = self.play(
            "a> SELECT name FROM sqlite_schema WHERE type = 'trigger' AND sql LIKE '%UPDATE%'\n")
        self.assertEqual(code, 1)
        names = [line[4:] for line in output.splitlines() if line.startswith("  = ")]
        self.assertTrue(names, output)
        self.fails("".join(["a> INSERT INTO t VALUES(1, 2)\nsettle\nstop a\n"] +
                           [f'a> DROP TRIGGER "{n}"\n' for n in names] +
                           ["a> UPDATE t SET x = 3\nstart a\nsettle\n"]),
                   "table t differs: a has 1|3, b has 1|2")

    def test_values_that_are_lost_are_found(self):
        self.fails("a> INSERT INTO t VALUES(1, 'one')\nb> INSERT INTO t VALUES(1, 'two')\n"
                   "deliver a->b\ndeliver b->a\nall> DELETE FROM mycelial_conflict\nsettle\n",
                   "script.sync:10: 'one', which a wrote in line 5, is lost: a does not show it")

    def test_unsound_sites_are_found(self):
        self.fails("a> INSERT INTO t VALUES(1, 2)\nsettle\nstop a\n"
                   "a> DELETE FROM mycelial_segment\nstart a\nsettle\n",
                   "script.sync:10: a is not sound: t: the table has 1 rows, the book 0")

    def test_grammar(self):
        for text, said in {
                "settel\n": "script.sync:5: unknown statement: settel",
                "a> \n": "script.sync:5: there is no SQL",
                "c> SELECT 1\n": "script.sync:5: there is no site c",
                "crash c\n": "script.sync:5: there is no site c",
                "settle\n  SELECT 1\n": "script.sync:6: an indented line continues no SQL",
                "cut a\n": "script.sync:5: cut is given 1 words",
                "cut a b\n": "script.sync:5: cut needs groups",
                "clock a soon\n": "script.sync:5: a clock is set by a time",
                "wait 5\n": "script.sync:5: wait needs a time",
                "deliver a b\n": "script.sync:5: deliver a->b",
                "sites a\n": "script.sync:5: there is a site a already",
                "restore a\n": "script.sync:5: there is no backup of a",
                "a> SELECT 1\n= 1\n= (none)\n": "script.sync:7: (none) stands alone",
        }.items():
            with self.subTest(text=text):
                self.fails(text, said)
        self.fails("= 1\n", "script.sync:2: what gives this?", head="# A rule.\n")
        self.fails("sites a\n", "script.sync:1: a script begins with a comment", head="")

    def test_usage(self):
        program = os.environ["SCENARIO"]
        self.assertEqual(subprocess.run([program], capture_output=True, check=False).returncode, 2)
        code, output = self.play("", head="")
        self.assertEqual(code, 1, output)


if __name__ == "__main__":
    unittest.main()
