# SPDX-License-Identifier: Apache-2.0
"""Databases served by real processes, for tests."""

import os
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

    def serve(self, *peers, port=None):
        self.peers = list(peers) or self.peers
        words = [
            MYCELIAL,
            "serve",
            self.path,
            "--listen",
            f"tcp://127.0.0.1:{self.port if port is None else port}",
        ]
        for peer in self.peers:
            words += ["--peer", f"tcp://127.0.0.1:{peer}"]
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=self.log, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("listening "):
            raise AssertionError("serve: " + self.said())
        self.port = int(line.rsplit(":", 1)[1])
        return self

    def said(self):
        """What the process has written to stderr."""
        self.log.seek(0)
        return self.log.read()

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
        self.log.close()
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
                    db.said() if db.process else "",
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

    def fails(self, code, *words):
        done = run(*words)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        self.assertTrue(done.stderr.startswith("mycelial: "), done.stderr)
        return done.stderr
