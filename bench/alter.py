#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a change of the schema costs on a tracked table, beside the same on one that is not.

usage: alter.py MYCELIAL [ROWS]

Makes two equal tables of ROWS (a million), tracks one of them, and on both adds a column and drops
it again: by plain SQL where SQLite lets one, else by mycelial alter. Prints seconds, and the bytes
that the file grew by beside the other one.
"""

import os
import sqlite3
import subprocess
import sys
import tempfile
import time

SCHEMA = "CREATE TABLE reading(id INTEGER PRIMARY KEY, sensor TEXT, at INTEGER, value REAL)"
FILL = """WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
INSERT INTO reading SELECT i, 'sensor ' || (i % 100), 1700000000 + i, i * 0.25 FROM n"""


def timed(what):
    begin = time.perf_counter()
    what()
    return time.perf_counter() - begin


def run(path, sql):
    db = sqlite3.connect(path, timeout=60)
    db.execute(sql)
    db.commit()
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()


def main():
    mycelial = os.path.abspath(sys.argv[1])
    rows = int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000

    def ours(*words):
        subprocess.run([mycelial, *words], check=True, stdout=subprocess.DEVNULL)

    with tempfile.TemporaryDirectory() as folder:
        plain, tracked = (os.path.join(folder, name) for name in ("plain.db", "tracked.db"))
        for path in (plain, tracked):
            db = sqlite3.connect(path)
            db.execute("PRAGMA journal_mode = WAL")
            db.execute(SCHEMA)
            db.execute(FILL, (rows,))
            db.commit()
            db.close()
        ours("track", tracked, "reading")
        run(tracked, "PRAGMA user_version = 1")
        size = os.path.getsize(tracked)
        add = "ALTER TABLE reading ADD COLUMN note TEXT DEFAULT 'none'"
        drop = "ALTER TABLE reading DROP COLUMN value"
        print(f"{rows} rows                 plain    tracked  ratio")

        def line(name, a, b):
            print(f"{name:22} {a:8.3f} s {b:8.3f} s {b / a:6.1f}")

        line("ADD COLUMN", timed(lambda: run(plain, add)), timed(lambda: run(tracked, add)))
        a = timed(lambda: ours("seal", tracked))
        print(f"{'seeing it (seal)':22} {'':10} {a:8.3f} s")
        grown = os.path.getsize(tracked) - size
        line("DROP COLUMN", timed(lambda: run(plain, drop)),
             timed(lambda: ours("alter", tracked, drop)))
        run(tracked, "PRAGMA user_version = 2")
        print(f"the file grew by {grown} bytes, then by {os.path.getsize(tracked) - size - grown}")


if __name__ == "__main__":
    main()
