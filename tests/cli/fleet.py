# SPDX-License-Identifier: Apache-2.0
"""Databases served by real processes, for tests."""

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
import unittest

MYCELIAL = os.environ["MYCELIAL"]
ITEMS = "CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT); CREATE TABLE log(a, b);"


def run(*words, timeout=60):
    return subprocess.run(
        [MYCELIAL, *words], capture_output=True, text=True, timeout=timeout, check=False
    )


def good(*words, timeout=60):
    done = run(*words, timeout=timeout)
    if done.returncode != 0:
        raise AssertionError(
            f"mycelial {' '.join(words)}: {done.returncode} {done.stdout}{done.stderr}"
        )
    return done.stdout.strip()


def until(what, condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {seconds} s")
        time.sleep(0.01)


class Database:
    """A file, and the process that serves it when started."""

    def __init__(self, folder, name, schema=""):
        self.path = os.path.join(folder, name + ".db")
        self.process, self.port, self.peers = None, 0, []
        self.host, self.prefix = "127.0.0.1", []
        if schema is not None:
            db = sqlite3.connect(self.path)
            db.executescript(schema)
            db.close()

    def connect(self):
        return sqlite3.connect(self.path, timeout=20, isolation_level=None)

    def sql(self, text, *values):
        db = self.connect()
        try:
            return db.execute(text, values).fetchall()
        finally:
            db.close()

    def script(self, text):
        db = self.connect()
        try:
            db.executescript(text)
        finally:
            db.close()

    def serve(self, *peers, port=None, before=None, env=None, more=()):
        self.peers = list(peers) or self.peers
        words = [
            *self.prefix,
            MYCELIAL,
            "serve",
            self.path,
            "--listen",
            f"tcp://{self.host}:{self.port if port is None else port}",
        ]
        for peer in self.peers:
            words += ["--peer", peer if isinstance(peer, str) else f"tcp://127.0.0.1:{peer}"]
        words += more
        with open(self.path + ".log", "a", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                words, stdout=subprocess.PIPE, stderr=log, text=True, preexec_fn=before, env=env
            )
        line = self.process.stdout.readline()
        if not line.startswith("listening "):
            raise AssertionError("serve: " + self.said())
        self.port = int(line.rsplit(":", 1)[1])
        return self

    def said(self):
        """What the processes that served it have written to stderr."""
        with open(self.path + ".log", encoding="utf-8") as log:
            return log.read()

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.end()

    def stop(self):
        self.process.terminate()
        code = self.process.wait(10)
        self.end()
        return code

    def end(self):
        self.process.wait(10)
        self.process.stdout.close()
        self.process = None

    def digest(self):
        return good("digest", self.path)


class Folder:
    def __enter__(self):
        self.path = tempfile.mkdtemp(prefix="mycelial-test-")
        self.databases = []
        return self

    def database(self, name, schema=""):
        self.databases.append(Database(self.path, name, schema))
        return self.databases[-1]

    def __exit__(self, kind=None, *_):
        for db in self.databases:
            if kind:
                print(
                    db.path,
                    run("status", db.path).stdout,
                    db.said() if os.path.exists(db.path + ".log") else "",
                    flush=True,
                )
            if db.process:
                db.kill()
        shutil.rmtree(self.path, ignore_errors=True)


class FleetTest(unittest.TestCase):
    """A folder of databases for each test."""

    def setUp(self):
        self.folder = Folder().__enter__()
        self.addCleanup(self.folder.__exit__)

    def tracked(self, name, schema=ITEMS):
        db = self.folder.database(name, schema)
        good("track", db.path, "--all")
        return db

    def pair(self):
        a, b = self.tracked("a"), self.tracked("b")
        a.serve()
        b.serve(a.port)
        return a, b

    def random(self):
        seed = random.randrange(10**6)
        print("seed", seed, flush=True)
        return random.Random(seed)

    def assert_alive(self, *nodes):
        """Rows travel between all of them, and everybody's books are in order."""
        word = f"alive {time.monotonic()}"
        for i, node in enumerate(nodes):
            node.script(f"INSERT INTO log VALUES('{word}', {i})")
        until("equal digests", lambda: len({n.digest() for n in nodes}) == 1, 60)
        for node in nodes:
            self.assertEqual(len(node.sql("SELECT * FROM log WHERE a = ?", word)), len(nodes))
            self.assertEqual(good("check", node.path), "sound")

    def fails(self, code, *words):
        done = run(*words)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        self.assertTrue(done.stderr.startswith("mycelial: "), done.stderr)
        return done.stderr

    def hold_lock(self, node):
        """A client that keeps a write transaction open, and then commits."""
        db = node.connect()
        db.execute("BEGIN IMMEDIATE")
        db.execute("INSERT INTO log VALUES('held', 1)")
        return db

    def wait_out_a_lock(self, seconds):
        a, b = self.pair()
        self.assert_alive(a, b)
        db = self.hold_lock(b)
        self.addCleanup(db.close)
        end = time.monotonic() + seconds
        a.script("INSERT INTO log VALUES('from a', 2)")
        until("a word in status", lambda: "locked" in good("status", b.path))
        self.assertIn(b.path, json.loads(good("status", b.path, "--json"))["last_error"])
        until("a word in the log", lambda: "locked" in b.said())
        b.digest()
        self.assertEqual(good("check", b.path), "sound")
        time.sleep(max(0, end - time.monotonic()))
        db.execute("COMMIT")
        until("it goes on by itself", lambda: a.digest() == b.digest(), 20)
        self.assertEqual(
            sorted(a.sql("SELECT a FROM log WHERE a IN ('held', 'from a')")),
            [("from a",), ("held",)],
        )
        until("the word is gone", lambda: "locked" not in good("status", b.path))
        return a, b
