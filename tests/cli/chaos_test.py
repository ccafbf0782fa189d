# SPDX-License-Identifier: Apache-2.0
"""Five nodes in a line, random plain SQL, processes killed at random: nothing is lost."""

import random
import sqlite3
import sys
import time

from fleet import Folder, good, until

SCHEMA = """
CREATE TABLE log(who INTEGER, n INTEGER, text TEXT);
CREATE TABLE made(id INTEGER PRIMARY KEY, who INTEGER, n INTEGER);
CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT, n INTEGER);
CREATE TABLE person(email TEXT PRIMARY KEY, name TEXT, age INTEGER);
CREATE TABLE part(a INTEGER, b TEXT, v, PRIMARY KEY(a, b)) WITHOUT ROWID;
CREATE TABLE tag(id INTEGER PRIMARY KEY, label TEXT UNIQUE, v INTEGER);
"""
NODES, KILLS = 5, 100


def contested(rng, v):
    k, j = rng.randrange(8), rng.randrange(8)
    return rng.choice([
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
    ])


def main():
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    print("seed", seed, flush=True)
    rng = random.Random(seed)
    written = set()
    with Folder() as folder:
        nodes = [folder.database(f"n{i}", SCHEMA) for i in range(NODES)]
        for n in nodes:
            good("track", n.path, "--all")
        for i, n in enumerate(nodes):
            n.serve(*([nodes[i - 1].port] if i else []))
        clients = [n.connect() for n in nodes]
        number = 0
        for kill in range(KILLS):
            for _ in range(rng.randrange(1, 25)):
                i = rng.randrange(NODES)
                number += 1
                try:
                    clients[i].execute("BEGIN IMMEDIATE")
                    clients[i].execute("INSERT INTO log VALUES(?, ?, 'x')", (i, number))
                    clients[i].execute("INSERT INTO made(who, n) VALUES(?, ?)", (i, number))
                    for _ in range(rng.randrange(3)):
                        clients[i].execute(contested(rng, number))
                    clients[i].execute("COMMIT")
                    written.add((i, number))
                except sqlite3.Error:
                    if clients[i].in_transaction:
                        clients[i].execute("ROLLBACK")
            time.sleep(rng.random() * 0.1)
            victim = rng.choice(nodes)
            if victim.process:
                victim.kill()
            for n in nodes:
                if not n.process and rng.random() < 0.7:
                    n.serve()
        for n in nodes:
            if not n.process:
                n.serve()
        for c in clients:
            c.close()
        until("equal digests", lambda: len({n.digest() for n in nodes}) == 1, 60)
        for n in nodes:
            for table in ("log", "made"):
                rows = n.sql(f"SELECT who, n FROM {table}")
                missing, extra = written - set(rows), set(rows) - written
                assert not missing and not extra and len(rows) == len(written), (
                    n.path, table, len(written), len(rows), sorted(missing)[:5], sorted(extra)[:5])
            assert good("check", n.path) == "sound"
        for n in nodes:
            assert n.stop() == 0
    print(f"{len(written)} transactions, {KILLS} kills: everything is everywhere")


main()
