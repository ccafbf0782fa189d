# SPDX-License-Identifier: Apache-2.0
"""Two copies of SQLite in one process undo each other's locks: there must be one, or a refusal."""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import mycelial

from .support import FilesTest, connect, rows


def mapped_copies():
    with open("/proc/self/maps", encoding="utf-8") as maps:
        return {m.group(1) for m in re.finditer(r"(/\S*libsqlite3\S*)", maps.read())}


class OneSqlite(FilesTest):
    def test_python_and_mycelial_share_one_library(self):
        self.open(self.a)
        self.assertEqual(len(mapped_copies()), 1, mapped_copies())

    def test_locks_survive_a_closed_replica(self):
        # With two copies of SQLite, closing the file in one drops the locks of the other.
        with connect(self.a) as db:
            db.execute("PRAGMA journal_mode = WAL")
            self.open(self.a).close()
            db.execute("BEGIN IMMEDIATE")
            db.execute("INSERT INTO t VALUES (1, 'kept')")
            with mycelial.open(self.a, exclusive=False, busy_timeout_ms=100) as look:
                look.status()
            other = subprocess.run(
                [
                    sys.executable,
                    "-c",
                    "import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=0).execute("
                    "'INSERT INTO t VALUES (2, 0)')",
                    str(self.a),
                ],
                capture_output=True,
                text=True,
                check=False,
            )
            self.assertIn("database is locked", other.stderr)
            db.execute("COMMIT")
        self.assertEqual(rows(self.a), [(1, "kept")])

    def test_a_second_copy_is_refused_by_name(self):
        original = next(iter(mapped_copies()), None)
        if original is None:
            self.skipTest("SQLite is not a shared library here")
        with tempfile.TemporaryDirectory() as folder:
            copy = pathlib.Path(folder) / "libother_sqlite.so"
            # Under another name, or the loader would hand out the copy that is there already.
            renamed = pathlib.Path(original).read_bytes().replace(b"libsqlite3.so",
                                                                  b"libsqlite4.so")
            copy.write_bytes(renamed)
            script = (
                "import ctypes, sys, mycelial, mycelial._ffi\n"
                "mycelial._ffi.library()\n"
                "ctypes.CDLL(sys.argv[1])\n"
                "try:\n"
                "    mycelial.open(sys.argv[2])\n"
                "except mycelial.MycelialError as error:\n"
                "    print(error)\n"
            )
            done = subprocess.run(
                [sys.executable, "-c", script, str(copy), str(self.a)],
                capture_output=True,
                text=True,
                check=True,
                env=os.environ,
            )
        self.assertIn("unsupported", done.stdout)
        self.assertIn("libother_sqlite.so", done.stdout)


if __name__ == "__main__":
    unittest.main()
