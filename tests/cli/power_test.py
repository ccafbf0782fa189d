# SPDX-License-Identifier: Apache-2.0
"""Loss of power on real files: two nodes work while every operation on files is recorded; then the
files of one are put back as each prefix of the record would leave them.

What an application was told is committed (synchronous = FULL) is there, the file is sound, and no
number is used twice: both nodes agree again, with all that either had.

Usage: power_test.py [STATES]     so many moments of each record, 0 for all (default 25)
"""

import os
import random
import sqlite3
import struct
import subprocess
import sys
from collections import defaultdict

from fleet import Folder, good, run, until

HEAD = struct.Struct("<cHIQ")
SECTOR = 512
SCHEMA = """
CREATE TABLE log(who TEXT, n INTEGER, text TEXT);
CREATE TABLE place(who TEXT PRIMARY KEY, n INTEGER);
CREATE TABLE item(id INTEGER PRIMARY KEY, v BLOB);
"""
# Writes, says so in a file of its own, and goes on.
WRITER = """
import sqlite3, sys
path, who, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
db = sqlite3.connect(path, timeout=20, isolation_level=None)
db.execute("PRAGMA synchronous = " + sys.argv[4])
with open(path + ".acks", "a", buffering=1) as acks:
    for n in range(1, count + 1):
        db.execute("BEGIN IMMEDIATE")
        db.execute("INSERT INTO log VALUES(?, ?, ?)", (who, n, who * (n * 37 % 300)))
        db.execute("INSERT OR REPLACE INTO place VALUES(?, ?)", (who, n))
        db.execute("INSERT OR REPLACE INTO item VALUES(?, randomblob(?))",
                   (n % 5, 300000 if n == count // 2 else 100))
        db.execute("DELETE FROM item WHERE id = ?", ((n + 2) % 5,))
        db.execute("COMMIT")
        acks.write("%d\\n" % n)
        if n == count * 2 // 3: db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
"""


def operations(trace):
    """(what, path, offset, data), in order."""
    with open(trace, "rb") as f:
        data = f.read()
    at, out = 0, []
    while at < len(data):
        what, path, size, offset = HEAD.unpack_from(data, at)
        at += HEAD.size
        name = data[at : at + path].decode()
        out.append((what.decode(), name, offset, data[at + path : at + path + size]))
        at += path + size
    return out


class Memory:
    """A file as processes see it, and what of that is not on the disk yet."""

    def __init__(self, data=b""):
        self.now, self.versions, self.sizes = bytearray(data), defaultdict(list), []

    def remember(self, begin, end):
        for sector in range(begin // SECTOR, (end + SECTOR - 1) // SECTOR):
            old = bytes(self.now[sector * SECTOR : (sector + 1) * SECTOR])
            self.versions[sector].append(old.ljust(SECTOR, b"\0"))

    def write(self, offset, data):
        self.remember(offset, offset + len(data))
        if offset + len(data) > len(self.now):
            self.sizes.append(len(self.now))
            self.now.extend(bytes(offset + len(data) - len(self.now)))
        self.now[offset : offset + len(data)] = data

    def truncate(self, size):
        if size < len(self.now):
            self.remember(size, len(self.now))
        self.sizes.append(len(self.now))
        del self.now[size:]
        self.now.extend(bytes(size - len(self.now)))

    def sync(self):
        self.versions.clear()
        self.sizes.clear()

    def after_loss(self, rng, survives):
        """Of each sector any version since the last sync, and any size."""
        out = bytearray(self.now)
        size = len(out)
        if self.sizes and rng.random() >= survives:
            size = rng.choice(self.sizes)
        out.extend(bytes(max(0, size - len(out))))
        for sector, versions in self.versions.items():
            if rng.random() >= survives and sector * SECTOR < len(out):
                end = min(len(out), (sector + 1) * SECTOR)
                out[sector * SECTOR : end] = rng.choice(versions)[: end - sector * SECTOR]
        return bytes(out[:size])


class Disk:
    def __init__(self, folder):
        self.names = {}
        for parent, _, files in os.walk(folder):
            for name in files:
                path = os.path.join(parent, name)
                with open(path, "rb") as f:
                    self.names[path] = Memory(f.read())
        self.lasting = dict(self.names)

    def play(self, what, path, offset, data):
        if what == "w":
            self.names.setdefault(path, Memory()).write(offset, data)
        elif what == "t":
            self.names.setdefault(path, Memory()).truncate(offset)
        elif what == "u":
            self.names.pop(path, None)
        elif what == "r":
            # Nobody wrote to one that is not known yet.
            self.names[data.decode()] = self.names.pop(path, None) or Memory()
        elif what == "s":
            if path in self.names:
                self.names[path].sync()
            # Earlier changes of names last too, as the journals of file systems do it.
            self.lasting = dict(self.names)

    def lost(self, rng, survives):
        names = dict(self.names)
        for path in set(names) | set(self.lasting):
            if names.get(path) is not self.lasting.get(path) and rng.random() >= survives:
                names.pop(path, None)
                if path in self.lasting:
                    names[path] = self.lasting[path]
        return {p: m.after_loss(rng, survives) for p, m in names.items()}


def put(folder, wanted):
    """In place: a file that changes its inode counts as a copy."""
    for parent, _, files in os.walk(folder):
        for name in files:
            path = os.path.join(parent, name)
            if path not in wanted:
                os.unlink(path)
    for path, data in wanted.items():
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "r+b" if os.path.exists(path) else "wb") as f:
            f.truncate(0)
            f.write(data)


def last_ack(disk, node):
    memory = disk.names.get(node.path + ".acks")
    told = memory.now.decode().split() if memory else []
    return int(told[-1]) if told else 0


class Record:
    """Two nodes at work, recorded."""

    def __init__(self, folder, journal, synchronous):
        self.folder, self.synchronous = folder, synchronous
        self.trace = folder.path + "/trace"
        for name in ("a", "b"):
            os.mkdir(f"{folder.path}/{name}")
        self.a = folder.database("a/a", SCHEMA)
        self.b = folder.database("b/b", SCHEMA)
        for node in (self.a, self.b):
            node.sql(f"PRAGMA journal_mode = {journal}")
            good("track", node.path, "--all")
        os.sync()
        self.before = Disk(folder.path)
        self.work()
        self.operations = operations(self.trace)

    def environment(self, path):
        return {
            **os.environ,
            "LD_PRELOAD": os.environ["FILE_TRACE_LIBRARY"],
            "FILE_TRACE": self.trace,
            "FILE_TRACE_FOLDER": os.path.realpath(os.path.dirname(path)) + "/",
        }

    def work(self):
        a, b = self.a, self.b
        a.serve(port=0, env=self.environment(a.path))
        b.serve(a.port, port=0, env=self.environment(b.path))
        writers = [
            subprocess.Popen(
                [sys.executable, "-c", WRITER, n.path, who, "24", self.synchronous],
                env=self.environment(n.path),
            )
            for n, who in ((a, "a"), (b, "b"))
        ]
        for w in writers:
            assert w.wait(60) == 0
        until("agreement", lambda: a.digest() == b.digest())
        a.stop()
        b.stop()


def examine(record, k, disk, rng, survives):
    """Power fails for node a after k operations; b goes on."""
    a, b = record.a, record.b
    mine = os.path.dirname(a.path) + "/"
    theirs = os.path.dirname(b.path) + "/"
    put(mine, {p: d for p, d in disk.lost(rng, survives).items() if p.startswith(mine)})
    put(theirs, {p: bytes(m.now) for p, m in disk.names.items() if p.startswith(theirs)})
    where = f"{k} operations, {survives:.0%} of what was not synced is there: "
    db = sqlite3.connect(a.path, isolation_level=None)
    assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)], where + "damaged"
    told = last_ack(disk, a)
    shown = {n for (n,) in db.execute("SELECT n FROM log WHERE who = 'a'")}
    assert shown >= set(range(1, told + 1)), f"{where} told of {told}, there are {shown}"
    assert shown == set(range(1, len(shown) + 1)), where + "part of a transaction"
    db.execute("INSERT INTO log VALUES('after', ?, '')", (k,))
    db.close()
    had = set(b.sql("SELECT who, n FROM log"))
    for node in (a, b):
        done = run("check", node.path)
        assert done.stdout.strip() == "sound", where + node.path + done.stdout + done.stderr
    b.serve(port=0)
    try:
        good("sync", a.path, f"tcp://127.0.0.1:{b.port}")
        until(where + "agreement", lambda: a.digest() == b.digest())
    finally:
        b.stop()
    had |= {("a", n) for n in shown} | {("after", k)}
    for node in (a, b):
        lost = had - set(node.sql("SELECT who, n FROM log"))
        assert not lost, f"{where}{node.path} lacks {lost}"
        assert good("check", node.path) == "sound", where + "after syncing"


def examine_all(record, states, seed):
    rng = random.Random(seed)
    count = len(record.operations)
    mine = os.path.dirname(record.a.path) + "/"
    ours = [i + 1 for i, o in enumerate(record.operations) if o[1].startswith(mine)]
    chosen = set(ours if not states else rng.sample(ours, min(states, len(ours))))
    disk = record.before
    for k, operation in enumerate(record.operations, 1):
        disk.play(*operation)
        if k in chosen:
            examine(record, k, disk, rng, rng.choice([0, 0, 0.5, 1]))
    return len(chosen), count


def main():
    states = int(sys.argv[1]) if len(sys.argv) > 1 else 25
    seed = random.randrange(10**6)
    print("seed", seed, flush=True)
    for journal in ("WAL", "DELETE"):
        with Folder() as folder:
            record = Record(folder, journal, "FULL" if journal == "WAL" else "EXTRA")
            done = examine_all(record, states, seed)
            print(f"{journal}: {done[0]} moments of {done[1]} operations", flush=True)


if __name__ == "__main__":
    main()
