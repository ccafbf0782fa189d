# SPDX-License-Identifier: Apache-2.0
"""The mycelial command as a person or a script uses it."""

import json
import os
import shutil
import socket
import sqlite3
import subprocess
import time
import unittest

from fleet import MYCELIAL, Database, Folder, good, run, until

ITEMS = "CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT); CREATE TABLE log(a, b);"


def schema_of(path):
    db = sqlite3.connect(path)
    try:
        rows = db.execute("SELECT type, name, sql FROM sqlite_schema "
                          "WHERE name <> 'sqlite_sequence'"
                          " ORDER BY name").fetchall()
        return rows, db.execute("PRAGMA journal_mode").fetchone()
    finally:
        db.close()


class Cli(unittest.TestCase):
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

    def test_untrack_leaves_the_database_as_it_was_found(self):
        db = self.folder.database(
            "a", ITEMS + "INSERT INTO log VALUES(1, 2); INSERT INTO item VALUES(1, 'x')")
        before = schema_of(db.path)
        good("track", db.path, "--all")
        self.assertNotEqual(schema_of(db.path), before)
        good("track", db.path, "item", "log")
        db.script("INSERT INTO log VALUES(3, 4)")
        good("untrack", db.path, "--all")
        self.assertEqual(schema_of(db.path), before)
        self.assertEqual(db.sql("SELECT * FROM log"), [(1, 2), (3, 4)])
        self.assertEqual(sorted(os.listdir(self.folder.path)), ["a.db"])

    def test_served_files_hold_the_same_rows(self):
        a, b = self.pair()
        subprocess.run(["sqlite3", a.path, "INSERT INTO item VALUES(7, 'seven')"], check=True)
        until("the row", lambda: b.sql("SELECT name FROM item WHERE id = 7") == [("seven",)])
        b.script("UPDATE item SET name = 'SEVEN'; INSERT INTO log VALUES(1.5, x'00ff')")
        until("the way back", lambda: a.digest() == b.digest())
        self.assertEqual(a.sql("SELECT name FROM item"), [("SEVEN",)])
        until("agreement", lambda: all(
            p["in_sync"] for p in json.loads(good("status", a.path, "--json"))["peers"]))
        status = json.loads(good("status", a.path, "--json"))
        self.assertEqual(sorted(status["tables"]), ["item", "log"])
        self.assertTrue(status["peers"][0]["connected"])
        self.assertEqual(a.stop(), 0)
        self.assertEqual(b.stop(), 0)

    def test_sync_once_goes_both_ways(self):
        a, b = self.tracked("a"), self.tracked("b")
        a.serve()
        a.script("INSERT INTO log VALUES('a', 1)")
        b.script("INSERT INTO log VALUES('b', 2)")
        good("sync", b.path, f"tcp://127.0.0.1:{a.port}")
        self.assertEqual(a.digest(), b.digest())
        self.assertEqual(len(a.sql("SELECT * FROM log")), 2)

    def test_writes_made_while_nothing_runs_count(self):
        a, b = self.pair()
        b.kill()
        b.script("INSERT INTO log VALUES('offline', 1)")
        b.serve()
        until("the row", lambda: a.sql("SELECT a FROM log") == [("offline",)])

    def test_mistakes_are_named(self):
        a = self.tracked("a")
        nowhere = os.path.join(self.folder.path, "none.db")
        self.assertIn("none.db", self.fails(1, "status", nowhere))
        self.assertFalse(os.path.exists(nowhere))
        text = os.path.join(self.folder.path, "text.db")
        with open(text, "w", encoding="ascii") as out:
            out.write("this is not a database, only some text in a file " * 100)
        self.assertIn("not a database", self.fails(1, "digest", text))
        self.assertIn("nothing_here", self.fails(1, "track", a.path, "nothing_here"))
        a.script("CREATE VIEW v AS SELECT 1; CREATE TABLE p(a);"
                 "CREATE UNIQUE INDEX i ON p(a) WHERE a > 1")
        self.assertIn("view", self.fails(1, "track", a.path, "v"))
        self.assertIn("WHERE", self.fails(1, "track", a.path, "p"))
        self.fails(2, "track", a.path)
        self.fails(2, "frobnicate")
        self.fails(2, "status", a.path, "--frob")
        self.fails(2, "sync", a.path)
        self.assertEqual(run().returncode, 2)
        self.assertIn("serve", good("--help"))
        self.assertIn("mycelial", good("--version"))
        self.assertIn("--listen", good("serve", "--help"))

    def test_a_file_is_served_once(self):
        a = self.tracked("a").serve()
        self.assertIn(str(a.process.pid),
                      self.fails(1, "serve", a.path, "--listen", "tcp://127.0.0.1:0"))

    def test_addresses_that_do_not_work(self):
        a, b = self.tracked("a").serve(), self.tracked("b")
        self.assertIn(str(a.port),
                      self.fails(1, "serve", b.path, "--listen", f"tcp://127.0.0.1:{a.port}"))
        free = socket.create_server(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        self.assertIn(str(port), self.fails(1, "sync", b.path, f"tcp://127.0.0.1:{port}",
                                            "--timeout", "2"))
        self.fails(1, "serve", b.path, "--listen", "tcp:/nonsense")

    def test_garbage_harms_nothing(self):
        a, b = self.pair()
        for noise in (b"GET / HTTP/1.1\r\n\r\n", os.urandom(5000), b"\xff" * 64):
            with socket.create_connection(("127.0.0.1", a.port)) as s:
                s.sendall(noise)
        a.script("INSERT INTO log VALUES(1, 1)")
        until("the row", lambda: len(b.sql("SELECT * FROM log")) == 1)

    def test_a_copied_file_is_a_site_of_its_own(self):
        a, c = self.tracked("a"), self.tracked("c")
        a.script("INSERT INTO log VALUES('before', 1); INSERT INTO item VALUES(1, 'x')")
        c.serve()
        good("sync", a.path, f"tcp://127.0.0.1:{c.port}")
        a.script("INSERT INTO log VALUES('pending', 2)")
        b = Database(self.folder.path, "b", None)
        a.script("PRAGMA wal_checkpoint(TRUNCATE)")
        shutil.copy(a.path, b.path)
        a.script("INSERT INTO log VALUES('a', 3); UPDATE item SET name = 'a'")
        b.script("INSERT INTO log VALUES('b', 4)")
        for db in (a, b, a, b):
            good("sync", db.path, f"tcp://127.0.0.1:{c.port}")
        self.assertEqual({a.digest(), b.digest()}, {c.digest()})
        self.assertEqual(sorted(c.sql("SELECT a FROM log")),
                         [("a",), ("b",), ("before",), ("pending",)])
        self.assertNotEqual(json.loads(good("status", a.path, "--json"))["site"],
                            json.loads(good("status", b.path, "--json"))["site"])

    def test_a_restored_file_loses_nothing_that_peers_have(self):
        a, c = self.tracked("a"), self.tracked("c")
        c.serve()
        a.script("INSERT INTO log VALUES('kept', 1)")
        good("sync", a.path, f"tcp://127.0.0.1:{c.port}")
        backup = os.path.join(self.folder.path, "backup")
        subprocess.run(["sqlite3", a.path, f".backup {backup}"], check=True)
        a.script("INSERT INTO log VALUES('after the backup', 2)")
        good("sync", a.path, f"tcp://127.0.0.1:{c.port}")
        subprocess.run(["sqlite3", a.path, f".restore {backup}"], check=True)
        a.script("INSERT INTO log VALUES('after the restore', 3)")
        good("sync", a.path, f"tcp://127.0.0.1:{c.port}")
        self.assertEqual(a.digest(), c.digest())
        self.assertEqual(len(c.sql("SELECT * FROM log")), 3)

    def test_a_column_that_one_side_lacks_waits_there(self):
        a, b = self.pair()
        a.script("ALTER TABLE item ADD COLUMN extra TEXT DEFAULT 'd';"
                 "INSERT INTO item VALUES(1, 'x', 'new')")
        until("the row", lambda: b.sql("SELECT * FROM item") == [(1, "x")])
        b.script("INSERT INTO item VALUES(2, 'y')")
        until("the default", lambda: (2, "y", "d") in a.sql("SELECT * FROM item"))
        b.script("ALTER TABLE item ADD COLUMN extra TEXT DEFAULT 'd'; INSERT INTO log VALUES(1, 1)")
        until("equal digests", lambda: a.digest() == b.digest())
        self.assertIn((1, "x", "new"), b.sql("SELECT * FROM item"))

    def test_a_table_that_one_side_lacks_is_parked(self):
        a, b = self.pair()
        a.script("CREATE TABLE extra(k TEXT PRIMARY KEY, v)")
        good("track", a.path, "extra")
        a.script("INSERT INTO extra VALUES('k', 1), ('l', 2)")
        until("parked rows",
              lambda: json.loads(good("status", b.path, "--json"))["parked_rows"] == 2)
        self.assertIn("parked", good("conflicts", b.path))
        b.script("CREATE TABLE extra(k TEXT PRIMARY KEY, v)")
        good("track", b.path, "extra")
        self.assertEqual(sorted(b.sql("SELECT * FROM extra")), [("k", 1), ("l", 2)])
        until("equal digests", lambda: a.digest() == b.digest())

    def test_rows_found_at_track_are_not_doubled(self):
        image = ITEMS + ("INSERT INTO log VALUES(1, 1), (1, 1), (2, 2);"
                         "INSERT INTO item VALUES(5, 'five')")
        a, b, empty = self.tracked("a", image), self.tracked("b", image), self.tracked("c")
        a.serve()
        for db in (b, empty, b):
            good("sync", db.path, f"tcp://127.0.0.1:{a.port}")
        self.assertEqual({a.digest(), b.digest()}, {empty.digest()})
        self.assertEqual(sorted(empty.sql("SELECT * FROM log")), [(1, 1), (1, 1), (2, 2)])

    def test_a_node_that_idles_writes_nothing(self):
        a, b = self.pair()
        a.script("INSERT INTO log VALUES(1, 1)")
        until("the row", lambda: a.digest() == b.digest())
        time.sleep(1)
        before = os.stat(a.path + "-wal").st_mtime_ns, os.stat(a.path).st_mtime_ns
        time.sleep(2)
        self.assertEqual((os.stat(a.path + "-wal").st_mtime_ns, os.stat(a.path).st_mtime_ns),
                         before)


if __name__ == "__main__":
    unittest.main()
