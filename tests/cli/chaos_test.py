# SPDX-License-Identifier: Apache-2.0
"""Five processes in a line, plain SQL, links that break, 120 SIGKILLs, pauses: nothing is lost.

Usage: chaos_test.py [SEED [KILLS]]
"""

import json
import random
import signal
import sqlite3
import sys
import threading
import time

from fleet import Folder, good, until
from wire import Wire

SCHEMA = """
CREATE TABLE log(who INTEGER, n INTEGER, text TEXT);
CREATE TABLE trail(who INTEGER, n INTEGER);
CREATE TABLE made(id INTEGER PRIMARY KEY, who INTEGER, n INTEGER);
CREATE TABLE badge(label TEXT UNIQUE, who INTEGER, n INTEGER);
CREATE TABLE place(who TEXT PRIMARY KEY, n INTEGER);
CREATE TABLE own(who INTEGER, k TEXT, n INTEGER, PRIMARY KEY(who, k)) WITHOUT ROWID;
CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT, n INTEGER);
CREATE TABLE person(email TEXT PRIMARY KEY, name TEXT, age INTEGER);
CREATE TABLE part(a INTEGER, b TEXT, v, PRIMARY KEY(a, b)) WITHOUT ROWID;
CREATE TABLE tag(id INTEGER PRIMARY KEY, label TEXT UNIQUE, v INTEGER);
"""
NODES = 5


def contested(rng, v):
    """What everybody does to the same few rows."""
    k, j = rng.randrange(8), rng.randrange(8)
    return rng.choice(
        [
            f"INSERT OR REPLACE INTO item VALUES({k}, 'i{v}', {v})",
            f"UPDATE item SET n = {v} WHERE id = {k}",
            f"UPDATE OR REPLACE item SET id = {j} WHERE id = {k}",
            f"DELETE FROM item WHERE id = {k}",
            f"INSERT INTO person VALUES('p{k}', 'x', {v}) ON CONFLICT DO UPDATE SET age = {v}",
            f"UPDATE OR IGNORE person SET email = 'p{j}' WHERE email = 'p{k}'",
            f"DELETE FROM person WHERE email = 'p{k}'",
            f"INSERT OR REPLACE INTO part VALUES({k}, 'b', {v})",
            f"UPDATE OR IGNORE part SET a = {j} WHERE a = {k}",
            f"DELETE FROM part WHERE a = {k}",
            f"INSERT OR REPLACE INTO tag VALUES({k}, 'l{j}', {v})",
            f"UPDATE OR IGNORE tag SET label = 'l{j}' WHERE id = {k}",
            f"DELETE FROM tag WHERE id = {k}",
        ]
    )


class Writer(threading.Thread):
    """An application on one node. Remembers what it was told is committed."""

    def __init__(self, node, who, seed):
        super().__init__(daemon=True)
        self.node, self.who, self.rng = node, who, random.Random(f"{seed} {who}")
        self.written, self.badges, self.own, self.place = set(), set(), {}, None
        self.refused, self.running, self.failure = 0, True, None

    def run(self):
        db = self.node.connect()
        n = 0
        try:
            while self.running:
                n += 1
                try:
                    self.transaction(db, n)
                except sqlite3.Error as error:
                    self.refused += 1
                    if db.in_transaction:
                        db.execute("ROLLBACK")
                    if not isinstance(error, (sqlite3.IntegrityError, sqlite3.OperationalError)):
                        raise
                time.sleep(self.rng.random() * 0.05)
        except BaseException as error:  # told by the main thread
            self.failure = error
        finally:
            db.close()

    def transaction(self, db, n):
        rng, who = self.rng, self.who
        badge, key, own = rng.random() < 0.3, f"k{rng.randrange(20)}", dict(self.own)
        db.execute("BEGIN IMMEDIATE")
        db.execute("INSERT INTO log VALUES(?, ?, ?)", (who, n, "x" * rng.randrange(200)))
        for _ in range(rng.randrange(3)):
            db.execute(contested(rng, who * 1000000 + n))
        db.execute("INSERT INTO made(who, n) VALUES(?, ?)", (who, n))
        db.execute("INSERT OR REPLACE INTO place VALUES(?, ?)", (f"node {who}", n))
        if badge:
            db.execute("INSERT INTO badge VALUES(?, ?, ?)", (f"b{rng.randrange(1000)}", who, n))
        if key in own and rng.random() < 0.3:
            db.execute("DELETE FROM own WHERE who = ? AND k = ?", (who, key))
            del own[key]
        else:
            db.execute(
                "INSERT INTO own VALUES(?, ?, ?) ON CONFLICT DO UPDATE SET n = excluded.n",
                (who, key, n),
            )
            own[key] = n
        db.execute("INSERT INTO trail VALUES(?, ?)", (who, n))
        db.execute("COMMIT")
        self.written.add((who, n))
        self.own, self.place = own, n
        if badge:
            self.badges.add((who, n))


def break_links(rng, wires):
    wire = rng.choice(wires)
    mode = rng.choice(["up", "up", "cut", "hole", "slow", "late", "drop"])
    if mode == "drop":
        wire.drop()
        mode = "up"
    wire.set(mode)


def start(node, i, wires):
    node.serve(*([wires[i - 1].port] if i else []), port=0)
    if i < len(wires):
        wires[i].target = node.port


def torment(rng, kills, nodes, wires, writers):
    """Kills processes and breaks links; a transaction is whole wherever one looks."""
    done = 0
    while done < kills:
        time.sleep(rng.random() * 0.3)
        if rng.random() < 0.5:
            break_links(rng, wires)
        victim = rng.choice(nodes)
        if victim.process and rng.random() < 0.15:  # it hangs, and comes back or not
            victim.process.send_signal(signal.SIGSTOP)
            time.sleep(rng.random())
            victim.process.send_signal(signal.SIGCONT)
        elif victim.process:
            victim.kill()
            done += 1
        for i, node in enumerate(nodes):
            if not node.process and rng.random() < 0.7:
                start(node, i, wires)
        half = rng.choice(nodes).sql(
            "SELECT (SELECT total(n) FROM log), (SELECT total(n) FROM trail)"
        )
        assert half[0][0] == half[0][1], "part of a transaction is visible"
        for w in writers:
            if w.failure:
                raise w.failure


def expect(node, table, columns, wanted):
    rows = node.sql(f"SELECT {columns} FROM {table}")
    missing, extra = wanted - set(rows), set(rows) - wanted
    assert not missing and not extra and len(rows) == len(wanted), (
        node.path,
        table,
        len(wanted),
        len(rows),
        sorted(missing)[:5],
        sorted(extra)[:5],
    )


def verify(node, writers):
    written = set().union(*(w.written for w in writers))
    for table in ("log", "trail", "made"):
        expect(node, table, "who, n", written)
    expect(node, "own", "who, k, n", {(w.who, k, n) for w in writers for k, n in w.own.items()})
    expect(node, "place", "who, n", {(f"node {w.who}", w.place) for w in writers})
    badges = set().union(*(w.badges for w in writers))
    shown = set(node.sql("SELECT who, n FROM badge"))
    hidden = [
        c["value"]
        for c in json.loads(good("conflicts", node.path, "--json"))
        if c["table"] == "badge" and c["kind"] == "hidden"
    ]
    assert shown <= badges
    for who, n in badges - shown:
        assert any(f"who = {who}, n = {n}" in h for h in hidden), (node.path, "badge", who, n)
    assert len(shown) + len(hidden) == len(badges)
    assert good("check", node.path) == "sound"
    return len(written), len(hidden)


def main():
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else random.randrange(10**6)
    kills = int(sys.argv[2]) if len(sys.argv) > 2 else 120
    print("seed", seed, flush=True)
    rng = random.Random(seed)
    with Folder() as folder:
        nodes = [folder.database(f"n{i}", SCHEMA) for i in range(NODES)]
        wires = [Wire() for _ in range(NODES - 1)]
        for i, node in enumerate(nodes):
            good("track", node.path, "--all")
            start(node, i, wires)
        writers = [Writer(node, i, seed) for i, node in enumerate(nodes)]
        began = time.monotonic()
        for w in writers:
            w.start()
        torment(rng, kills, nodes, wires, writers)
        for w in writers:
            w.running = False
            w.join()
        print(f"{kills} kills in {time.monotonic() - began:.0f} s", flush=True)
        for wire in wires:
            wire.drop()
            wire.set("up")
        for i, node in enumerate(nodes):
            if not node.process:
                start(node, i, wires)
        began = time.monotonic()
        until("equal digests", lambda: len({n.digest() for n in nodes}) == 1, 90)
        print(f"equal digests {time.monotonic() - began:.1f} s after the links healed", flush=True)
        for node in nodes:
            rows, hidden = verify(node, writers)
        for node in nodes:
            assert node.stop() == 0
        for wire in wires:
            wire.close()
        refused = sum(w.refused for w in writers)
    print(
        f"{rows} transactions ({refused} refused by SQLite), {kills} kills: all is everywhere; "
        f"{hidden} rows lost a UNIQUE value and are listed"
    )


main()
