# SPDX-License-Identifier: Apache-2.0
"""usage: MYCELIAL=command python3 tests/golden/files/make.py OUT.db

Makes a file as the given release leaves it behind: tracked tables of each kind, rows of two sites,
a row that lost its UNIQUE value, deaths, overruled values, kept sets, writes that are not sealed.
"""

import os
import shutil
import sqlite3
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../cli"))

from fleet import Folder, good, until  # noqa: E402

SCHEMA = """
CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT UNIQUE, v);
CREATE TABLE log(at INTEGER, line TEXT);
CREATE TABLE part(k TEXT, n INTEGER, v, PRIMARY KEY(k, n)) WITHOUT ROWID;
"""


def together(a, b):
    a.serve(port=0)
    try:
        good("sync", b.path, f"tcp://127.0.0.1:{a.port}")
        until("agreement", lambda: a.digest() == b.digest())
    finally:
        a.stop()


def main():
    with Folder() as folder:
        a, b = folder.database("a", SCHEMA), folder.database("b", SCHEMA)
        a.script(
            "INSERT INTO log VALUES(0, 'before tracking'); INSERT INTO item VALUES(1, 'base', 0)"
        )
        for node in (a, b):
            good("track", node.path, "--all")
        together(a, b)
        for i, node in enumerate((a, b)):
            node.script(
                f"INSERT INTO item VALUES({10 + i}, 'same name', {i});"
                f"INSERT INTO log VALUES({i}, 'line of {i}');"
                f"INSERT INTO part VALUES('both', 1, {i}), ('own', {i}, x'00ff');"
                f"UPDATE item SET v = 'by {i}' WHERE id = 1"
            )
        together(a, b)
        a.script("DELETE FROM part WHERE k = 'own' AND n = 1; INSERT INTO log VALUES(9, 'dies')")
        together(a, b)
        a.script("DELETE FROM log WHERE at = 9")
        together(a, b)
        a.script("INSERT INTO log VALUES(7, 'not sealed'); UPDATE part SET v = 'late' WHERE n = 1")
        db = sqlite3.connect(a.path)
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.close()
        shutil.copy(a.path, sys.argv[1])


main()
