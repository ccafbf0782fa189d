# SPDX-License-Identifier: Apache-2.0
"""Files that meet: what each of them holds afterwards."""

import json
import os
import shutil
import subprocess
import time
import unittest

from fleet import ITEMS, MYCELIAL, Database, FleetTest, good, until
from wire import Wire


class Sync(FleetTest):
    def test_served_files_hold_the_same_rows(self):
        a, b = self.pair()
        subprocess.run(["sqlite3", a.path, "INSERT INTO item VALUES(7, 'seven')"], check=True)
        until("the row", lambda: b.sql("SELECT name FROM item WHERE id = 7") == [("seven",)])
        b.script("UPDATE item SET name = 'SEVEN'; INSERT INTO log VALUES(1.5, x'00ff')")
        until("the way back", lambda: a.digest() == b.digest())
        self.assertEqual(a.sql("SELECT name FROM item"), [("SEVEN",)])
        until(
            "agreement",
            lambda: all(
                p["in_sync"] for p in json.loads(good("status", a.path, "--json"))["peers"]
            ),
        )
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

    def test_a_killed_newcomer_goes_on_where_it_was(self):
        a = self.tracked("a")
        a.sql(
            "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000) INSERT INTO "
            "item SELECT i, hex(randomblob(20)) FROM n"
        )
        a.serve()

        def fetch(name, kill_after=None):
            """The bytes that a new file needs to get all rows."""
            b, wire = self.tracked(name), Wire(a.port, rate=4_000_000)
            wire.set("slow")
            words = [MYCELIAL, "sync", b.path, f"tcp://127.0.0.1:{wire.port}"]
            if kill_after:
                process = subprocess.Popen(words)
                until("half of it is there", lambda: wire.bytes > kill_after)
                process.kill()
                process.wait()
                self.assertEqual(b.sql("SELECT count(*) FROM item"), [(0,)])
            good(*words[1:])
            self.assertEqual(b.sql("SELECT count(*) FROM item"), [(60000,)])
            wire.close()
            return wire.bytes

        whole = fetch("b")
        self.assertLess(fetch("c", kill_after=whole / 2), whole * 5 / 4)

    def test_a_member_is_not_waited_for_longer_than_the_retention(self):
        a, b = self.tracked("a"), self.tracked("b")
        b.sql("INSERT INTO item VALUES(1, 'of b')")
        a.serve(more=["--retention", "0.00002"])
        good("sync", b.path, f"tcp://127.0.0.1:{a.port}")

        def is_given_up():
            members = json.loads(good("members", a.path, "--json"))
            return [m["holds_back"] for m in members if not m["self"]] == [False]

        until("b is given up", is_given_up)
        a.stop()
        a.serve()  # the file remembers
        self.assertTrue(is_given_up())

    def test_status_tells_which_writes_are_held_elsewhere(self):
        a, b, c = (self.tracked(name) for name in "abc")

        def account():
            s = json.loads(good("status", a.path, "--json"))
            return [s[n] for n in ("own_sets", "own_sets_elsewhere", "own_sets_everywhere")]

        a.script("INSERT INTO log VALUES('one', 1)")
        good("seal", a.path)
        self.assertEqual(account(), [1, 0, 0])
        self.assertIn(
            "written   1 change sets here: 0 held elsewhere, 0 by all members",
            good("status", a.path),
        )
        c.script("INSERT INTO log VALUES('of c', 1)")
        for other in (b, c):
            other.serve()
            good("sync", a.path, f"tcp://127.0.0.1:{other.port}")
            other.stop()
        self.assertEqual(account(), [1, 1, 1])
        a.script("INSERT INTO log VALUES('two', 2)")
        b.serve()
        good("sync", a.path, f"tcp://127.0.0.1:{b.port}")
        self.assertEqual(account(), [2, 2, 1])
        a.serve(b.port)
        a.script("INSERT INTO log VALUES('three', 3)")
        until("status tells at once", lambda: account() == [3, 3, 1])

    def test_writes_made_while_nothing_runs_count(self):
        a, b = self.pair()
        b.kill()
        b.script("INSERT INTO log VALUES('offline', 1)")
        b.serve()
        until("the row", lambda: a.sql("SELECT a FROM log") == [("offline",)])

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
        self.assertEqual(
            sorted(c.sql("SELECT a FROM log")), [("a",), ("b",), ("before",), ("pending",)]
        )
        self.assertNotEqual(
            json.loads(good("status", a.path, "--json"))["site"],
            json.loads(good("status", b.path, "--json"))["site"],
        )

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
        a.script(
            "ALTER TABLE item ADD COLUMN extra TEXT DEFAULT 'd';"
            "INSERT INTO item VALUES(1, 'x', 'new')"
        )
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
        until(
            "parked rows", lambda: json.loads(good("status", b.path, "--json"))["parked_rows"] == 2
        )
        self.assertIn("parked", good("conflicts", b.path))
        b.script("CREATE TABLE extra(k TEXT PRIMARY KEY, v)")
        good("track", b.path, "extra")
        self.assertEqual(sorted(b.sql("SELECT * FROM extra")), [("k", 1), ("l", 2)])
        until("equal digests", lambda: a.digest() == b.digest())

    def test_rows_found_at_track_are_not_doubled(self):
        image = (
            ITEMS
            + "INSERT INTO log VALUES(1, 1), (1, 1), (2, 2); INSERT INTO item VALUES(5, 'five')"
        )
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
        self.assertEqual(
            (os.stat(a.path + "-wal").st_mtime_ns, os.stat(a.path).st_mtime_ns), before
        )


if __name__ == "__main__":
    unittest.main()
