#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What mycelial costs beside cr-sqlite and sqlite-sync, on the same rows and the same SQLite.

usage: bench/rivals.py MYCELIAL FOLDER [--key text|integer] [--rows N] [--rounds N] [--seed N]

FOLDER has crsqlite.so and cloudsync.so: see bench/rivals.sh. All rows are written by this process
through the sqlite3 module (Debian's /usr/bin/python3 loads extensions), WAL, synchronous = NORMAL.
Prints a table of ratios to plain SQLite in the same round: median (lowest..highest). CPU is of this
process and of those that it starts. Changes travel in every other round, the first one included:

mycelial: `mycelial seal` makes one set of all, `mycelial sync` gets it from `mycelial serve`. Wall
  is of the whole sync, CPU of both ends; with their start, the network, and synchronous = EXTRA.
cr-sqlite: crsql_changes is selected into a table of a third file, and that into the other file's
  crsql_changes, in one transaction.
sqlite-sync: cloudsync_payload_chunks are selected, and given to cloudsync_payload_apply in one
  transaction; nothing leaves this process.

Bytes are those of the sets, of the payloads and, as cr-sqlite has no format of its own, of the nine
columns of its changes as text; those of plain SQLite are of the values written, as text.
All rows at once suit all of them best: try --rows 1 and --rows 100 too.
"""

import argparse
import contextlib
import glob
import os
import random
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
import zlib

TABLE = """CREATE TABLE t(id {} PRIMARY KEY NOT NULL, name TEXT, latitude REAL, longitude REAL,
           altitude INTEGER, speed REAL, battery INTEGER, seen TEXT)"""
INSERT = "INSERT INTO t VALUES(?, ?, ?, ?, ?, ?, ?, ?)"
UPDATE = "UPDATE t SET latitude = ?, longitude = ? WHERE id = ?"
DELETE = "DELETE FROM t WHERE id = ?"
SINGLES = 2000
FAILURES = (sqlite3.Error, MemoryError, OSError, subprocess.SubprocessError)

LINES = {
    "insert": "insert, 1000 a transaction",
    "update": "update 2 of 8, 1000 a transaction",
    "delete": "delete half, 1000 a transaction",
    "single": "insert, 1 a transaction",
    "make insert": "make change data of the inserts",
    "whole insert": "insert, and make change data",
    "make update": "make change data of the updates",
    "whole update": "update, and make change data",
    "apply insert": "apply the inserts to an empty database",
    "apply update": "apply the updates",
    "size": "after the inserts: file and what is beside it",
    "size alone": "after the inserts: the file alone",
    "size used": "after the inserts: the file without free pages",
    "size end": "at the end: file and what is beside it",
    "size end alone": "at the end: the file alone",
    "size end used": "at the end: the file without free pages",
    "bytes insert": "change data of an inserted row",
    "packed insert": "change data of an inserted row, by zlib",
    "bytes update": "change data of an updated row",
    "packed update": "change data of an updated row, by zlib",
}


def cpu():
    """Seconds of this process and of its children that have ended."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(u.ru_utime + u.ru_stime for u in usages)


def one(db, sql):
    return db.execute(sql).fetchone()[0]


@contextlib.contextmanager
def transaction(db):
    with db:  # Commits, or rolls back.
        db.execute("BEGIN IMMEDIATE")
        yield


class Plain:
    """Two files of one table: make() makes change data of the source, apply() passes it on."""

    name = "plain SQLite"
    extension = None
    setup = finish = "SELECT 1"
    last = 0

    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.path = os.path.join(folder, "source.db")
        self.target_path = os.path.join(folder, "target.db")
        self.source, self.target = self.open(self.path), self.open(self.target_path)

    def open(self, path):
        db = sqlite3.connect(path, timeout=10, isolation_level=None)
        if self.extension:
            db.enable_load_extension(True)
            db.load_extension(os.path.join(self.options.folder, self.extension))
        db.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL")
        db.execute(TABLE.format(self.options.key.upper()))
        db.execute(self.setup).fetchall()
        return db

    def make(self):
        """Makes change data of what was written since the last call."""

    def data(self, rows):
        """What make() made of these rows."""
        return "".join(str(value) for row in rows for value in row).encode()

    def apply(self, sql, rows):
        """Gives the target what make() made; seconds of wall time."""
        start = time.perf_counter()
        with transaction(self.target):
            self.target.executemany(sql, rows)
        return time.perf_counter() - start

    def sizes(self):
        """Bytes of the file and of all that lies beside it, of the file, of its pages in use."""
        free, page = (one(self.source, f"PRAGMA {x}") for x in ("freelist_count", "page_size"))
        self.source.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        alone = os.path.getsize(self.path)
        found = glob.glob(self.path + "*") + glob.glob(self.path + "*/*")
        paths = (p for p in found if os.path.isfile(p) and not p.endswith(("-wal", "-shm")))
        return sum(map(os.path.getsize, paths)), alone, alone - free * page

    def close(self):
        for db in (self.source, self.target):
            db.execute(self.finish).fetchall()
            db.close()


class Mycelial(Plain):
    name = "mycelial"

    def __init__(self, options, folder):
        super().__init__(options, folder)
        self.apply("", ())  # So that both are members, and change sets travel, not all rows.

    def run(self, *words):
        subprocess.run([self.options.mycelial, *words], check=True, stdout=subprocess.DEVNULL)

    def open(self, path):
        db = super().open(path)
        self.run("track", path, "--all")
        return db

    def make(self):
        self.first = self.last
        self.run("seal", self.path)
        self.last = one(self.source, "SELECT max(ord) FROM mycelial_set")

    def data(self, rows):
        sql = "SELECT lower(hex(hash)), size, data FROM mycelial_set WHERE ord > ?"
        out = b""
        for name, size, data in self.source.execute(sql, (self.first,)).fetchall():
            if data is None:
                with open(os.path.join(self.path + "-mycelial-units", name), "rb") as f:
                    data = f.read()
            assert len(data) == size
            out += data
        return out

    def apply(self, sql, rows):
        server = subprocess.Popen(
            [self.options.mycelial, "serve", self.path, "--listen", "tcp://127.0.0.1:0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        with server:
            try:
                address = server.stdout.readline().split()[1]
                start = time.perf_counter()
                self.run("sync", self.target_path, address)
                return time.perf_counter() - start
            finally:
                server.terminate()


class CrSqlite(Plain):
    name = "cr-sqlite"
    extension = "crsqlite.so"
    # With the name of the schema: the default one lacks its final zero byte in the sources.
    setup = "SELECT crsql_as_crr('main', 't')"
    finish = "SELECT crsql_finalize()"
    version = "SELECT crsql_sha()"
    columns = '"table", pk, cid, val, col_version, db_version, site_id, cl, seq'

    @contextlib.contextmanager
    def carrier(self, db):
        db.execute("ATTACH ? AS carrier", (os.path.join(self.folder, "carrier.db"),))
        db.execute("PRAGMA carrier.journal_mode = OFF").fetchall()
        try:
            yield
        finally:
            db.execute("DETACH carrier")

    def make(self):
        with self.carrier(self.source):
            self.source.execute("DROP TABLE IF EXISTS carrier.changes")
            self.source.execute(
                f"CREATE TABLE carrier.changes AS SELECT {self.columns} FROM crsql_changes"
                " WHERE db_version > ? AND site_id = crsql_site_id()",
                (self.last,),
            )
        self.last = one(self.source, "SELECT crsql_db_version()")

    def data(self, rows):
        with self.carrier(self.target):
            changes = self.target.execute("SELECT * FROM carrier.changes").fetchall()
        values = (value for change in changes for value in change)
        return b"".join(v if isinstance(v, bytes) else str(v).encode() for v in values)

    def apply(self, sql, rows):
        copy = f"INSERT INTO crsql_changes({self.columns}) SELECT * FROM carrier.changes"
        with self.carrier(self.target):
            start = time.perf_counter()
            with transaction(self.target):
                self.target.execute(copy)
            return time.perf_counter() - start


class SqliteSync(Plain):
    name = "sqlite-sync"
    extension = "cloudsync.so"
    setup = "SELECT cloudsync_init('t', 'cls', 1)"  # 1: integer keys too.
    finish = "SELECT cloudsync_terminate()"
    version = "SELECT cloudsync_version()"

    def make(self):
        sql = "SELECT payload FROM cloudsync_payload_chunks WHERE since_db_version = ?"
        self.payloads = self.source.execute(sql, (self.last,)).fetchall()
        self.last = one(self.source, "SELECT cloudsync_db_version()")

    def data(self, rows):
        return b"".join(payload for (payload,) in self.payloads)

    def apply(self, sql, rows):
        start = time.perf_counter()
        with transaction(self.target):
            for payload in self.payloads:
                self.target.execute("SELECT cloudsync_payload_apply(?)", payload).fetchall()
        return time.perf_counter() - start


SYSTEMS = (Plain, Mycelial, CrSqlite, SqliteSync)


class Round:
    """All steps with one system: figures by (line, base), reasons of failures by line."""

    def __init__(self, kind, options, number):
        self.kind, self.options = kind, options
        self.figures, self.failures = {}, {}
        draw = random.Random(options.seed + number)
        self.rows = [self.row(draw, i) for i in range(options.rows + SINGLES)]
        self.singles = [self.rows.pop() for _ in range(SINGLES)]
        self.updates = [(draw.uniform(-90, 90), draw.uniform(-180, 180), r[0]) for r in self.rows]
        with tempfile.TemporaryDirectory() as folder:
            try:
                self.system = kind(options, folder)
                self.steps(number)
                self.system.close()
            except FAILURES as error:
                self.failures = {line: error for line in LINES} | self.failures

    def row(self, draw, i):
        return (
            i + 1 if self.options.key == "integer" else str(uuid.UUID(int=draw.getrandbits(128))),
            f"drone {draw.randrange(65536)}",
            draw.uniform(-90, 90),
            draw.uniform(-180, 180),
            draw.randrange(4096),
            draw.randrange(1024) / 10,
            30 + draw.randrange(64),
            time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(1700000000 + i)),
        )

    def steps(self, number):
        for line, sql, rows in (("insert", INSERT, self.rows), ("update", UPDATE, self.updates)):
            self.step(line, self.write, sql, rows)
            self.step(f"make {line}", self.system.make)
            for base in ("CPU", "wall"):
                parts = [self.figures.get((x, base)) for x in (line, f"make {line}")]
                if None not in parts:
                    self.figures[f"whole {line}", base] = sum(parts)
            if line == "insert":
                self.sizes("size")
            if number == 0:
                data = self.system.data(rows)
                self.figures[f"bytes {line}", "bytes"] = len(data) / len(rows)
                self.figures[f"packed {line}", "bytes"] = len(zlib.compress(data)) / len(rows)
            if number % 2 == 0 and self.step(f"apply {line}", self.system.apply, sql, rows):
                self.verify(line)
        self.step("delete", self.write, DELETE, [(row[0],) for row in self.rows[::2]])
        self.step("single", self.write, INSERT, self.singles, 1)
        self.system.make()
        self.sizes("size end")

    def step(self, line, action, *words):
        """Whether it was done; what it returns, if anything, is its wall time."""
        start, start_cpu = time.perf_counter(), cpu()
        try:
            wall = action(*words)
        except FAILURES as error:
            self.failures[line] = error
            return False
        self.figures[line, "CPU"] = cpu() - start_cpu
        self.figures[line, "wall"] = wall or time.perf_counter() - start
        return True

    def write(self, sql, rows, each=1000):
        db = self.system.source
        for i in range(0, len(rows), each):
            if each == 1:
                db.execute(sql, rows[i])
                continue
            with transaction(db):
                db.executemany(sql, rows[i : i + each])

    def sizes(self, line):
        for suffix, size in zip(("", " alone", " used"), self.system.sizes()):
            self.figures[line + suffix, "bytes"] = size

    def verify(self, line):
        files = (self.system.source, self.system.target)
        source, target = (db.execute("SELECT * FROM t ORDER BY id").fetchall() for db in files)
        if source != target or len(source) != len(self.rows):
            sys.exit(f"{self.kind.name}: rows differ after the {line}s were applied")


def cell(kind, line, base, rounds):
    """Ratios to plain SQLite in the same round; plain SQLite itself is in absolute figures."""
    failed = [r[kind].failures[line] for r in rounds if line in r[kind].failures]
    if failed:
        return f"fails: {failed[0] or type(failed[0]).__name__}"
    mine = [r[kind].figures.get((line, base)) for r in rounds]
    if kind is Plain:
        if line.startswith("make"):
            return ""
        value = statistics.median(x for x in mine if x is not None)
        rows = {"single": SINGLES, "delete": (len(rounds[0][kind].rows) + 1) // 2}
        if base != "bytes":
            return f"{value / rows.get(line, len(rounds[0][kind].rows)) * 1e6:.2f} us a row"
        return f"{value / 1e6:.2f} MB" if line.startswith("size") else f"{value:.0f} bytes"
    # Plain SQLite makes no change data: what making it takes is beside writing the rows.
    plain = [r[Plain].figures.get((line.removeprefix("make "), base)) for r in rounds]
    ratios = [x / y for x, y in zip(mine, plain) if x is not None]
    spread = f" ({min(ratios):.2f}..{max(ratios):.2f})" if len(ratios) > 1 else ""
    return f"{statistics.median(ratios):.2f}{spread}"


def versions(options):
    yield f"SQLite {sqlite3.sqlite_version}"
    yield subprocess.check_output([options.mycelial, "--version"], text=True).strip()
    for kind in (CrSqlite, SqliteSync):
        with tempfile.TemporaryDirectory() as folder, contextlib.suppress(*FAILURES):
            system = kind(options, folder)
            yield f"{kind.name} {one(system.source, kind.version)}"
            system.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("mycelial")
    parser.add_argument("folder")
    parser.add_argument("--key", choices=("text", "integer"), default="text")
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if not hasattr(sqlite3.Connection, "enable_load_extension"):
        sys.exit("this Python cannot load extensions of SQLite; use /usr/bin/python3")
    rounds = []
    for number in range(options.rounds):
        kinds = random.Random(number).sample(SYSTEMS, len(SYSTEMS))
        rounds.append({kind: Round(kind, options, number) for kind in kinds})
    print(f"{options.rows} rows of 8 columns, {options.key} key, {options.rounds} rounds;")
    print(", ".join(versions(options)) + ".\n")
    print("| what | by |", " | ".join(kind.name for kind in SYSTEMS), "|")
    print("| --- " * (len(SYSTEMS) + 2) + "|")
    for line, title in LINES.items():
        for base in ("bytes",) if line.startswith(("size", "bytes", "packed")) else ("CPU", "wall"):
            cells = (cell(kind, line, base, rounds) for kind in SYSTEMS)
            print(f"| {title} | {base} |", " | ".join(cells), "|")


if __name__ == "__main__":
    main()
