# SPDX-License-Identifier: Apache-2.0
"""Files of earlier releases (tests/golden/files): they are brought up to date, and go on."""

import glob
import json
import os
import shutil
import sqlite3
import unittest

from fleet import FleetTest, good, until

FILES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../golden/files")
SCHEMA = """
CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT UNIQUE, v);
CREATE TABLE log(at INTEGER, line TEXT);
CREATE TABLE part(k TEXT, n INTEGER, v, PRIMARY KEY(k, n)) WITHOUT ROWID;
"""
LOG = {(0, "before tracking"), (0, "line of 0"), (1, "line of 1"), (7, "not sealed")}
PART = {("both", 1, "late"), ("own", 0, b"\x00\xff")}


class Formats(FleetTest):
    def old(self, path):
        """A database on a copy of the file."""
        db = self.folder.database(os.path.basename(path)[:-3], None)
        shutil.copy(path, db.path)
        return db

    def expect_all(self, db):
        self.assertEqual(set(db.sql("SELECT * FROM log")), LOG)
        self.assertEqual(set(db.sql("SELECT * FROM part")), PART)
        self.assertEqual(len(db.sql("SELECT * FROM item")), 2)
        self.assertIn(db.sql("SELECT v FROM item WHERE id = 1")[0][0], ("by 0", "by 1"))
        self.assertEqual(good("check", db.path), "sound")
        kinds = {c["kind"] for c in json.loads(good("conflicts", db.path, "--json"))}
        self.assertIn("hidden", kinds)

    def test_each_is_brought_up_to_date_and_syncs(self):
        files = sorted(glob.glob(FILES + "/format-*.db"))
        self.assertGreaterEqual(len(files), 2)
        for path in files:
            with self.subTest(os.path.basename(path)):
                db = self.old(path)
                good("seal", db.path)
                self.expect_all(db)
                peer = self.tracked("peer-of-" + os.path.basename(path)[:-3], SCHEMA)
                peer.serve(port=0)
                good("sync", db.path, f"tcp://127.0.0.1:{peer.port}")
                until("agreement", lambda d=db, p=peer: d.digest() == p.digest())
                self.expect_all(peer)
                peer.script("UPDATE item SET name = 'freed' WHERE name = 'same name'")
                good("sync", db.path, f"tcp://127.0.0.1:{peer.port}")
                until("agreement", lambda d=db, p=peer: d.digest() == p.digest())
                for node in (db, peer):  # what was hidden comes back when its name is free
                    names = {name for (name,) in node.sql("SELECT name FROM item")}
                    self.assertEqual(names, {"base", "freed", "same name"})
                    self.assertEqual(good("check", node.path), "sound")

    def test_two_of_different_formats_meet(self):
        files = sorted(glob.glob(FILES + "/format-*.db"))
        first, last = self.old(files[0]), self.old(files[-1])
        first.serve(port=0)
        good("sync", last.path, f"tcp://127.0.0.1:{first.port}")
        until("agreement", lambda: first.digest() == last.digest())

    def test_a_newer_one_is_refused_by_name(self):
        db = self.tracked("a")
        plain = sqlite3.connect(db.path)
        plain.execute("UPDATE mycelial_meta SET value = 99 WHERE key = 'format'")
        plain.commit()
        plain.close()
        for command in ("status", "check", "serve", "seal"):
            said = self.fails(1, command, db.path)
            self.assertIn("format 99", said)
            self.assertIn("upgrade mycelial", said)


if __name__ == "__main__":
    unittest.main()
