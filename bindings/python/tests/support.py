# SPDX-License-Identifier: Apache-2.0
"""What the tests share."""

import contextlib
import pathlib
import sqlite3
import tempfile
import threading
import unittest

import mycelial


@contextlib.contextmanager
def connect(path):
    """The application: Python's own sqlite3."""
    db = sqlite3.connect(path, timeout=30, isolation_level=None)
    try:
        yield db
    finally:
        db.close()


def rows(path, query="SELECT id, v FROM t ORDER BY id"):
    with connect(path) as db:
        return db.execute(query).fetchall()


class FilesTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.a = self.folder / "a.db"
        self.b = self.folder / "b.db"
        for path in (self.a, self.b):
            with connect(path) as db:
                db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT)")

    def open(self, path, **options):
        replica = mycelial.open(path, **options)
        self.addCleanup(replica.close)
        replica.track("t")
        return replica

    def eventually(self, condition, seconds=30):
        never = threading.Event()
        for _ in range(seconds * 100):
            if condition():
                return
            never.wait(0.01)
        self.fail("it never came true")
