# SPDX-License-Identifier: Apache-2.0
"""The mycelial command as a person or a script uses it."""

import json
import os
import pty
import signal
import socket
import sqlite3
import subprocess
import time
import unittest

from fleet import ITEMS, MYCELIAL, FleetTest, good, run, until

CONTESTED = """
CREATE TABLE name(k TEXT PRIMARY KEY, v);
CREATE TABLE badge(label TEXT UNIQUE, v);
CREATE TABLE cell(id INTEGER PRIMARY KEY, v TEXT);
"""
COMMANDS = ("track", "untrack", "serve", "sync", "status", "digest", "conflicts", "check", "seal")
COMMANDS += ("alter", "resolve", "doctor")


def have_ipv6():
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        return True
    except OSError:
        return False


def schema_of(path):
    db = sqlite3.connect(path)
    try:
        rows = db.execute("SELECT type, name, sql FROM sqlite_schema ORDER BY name").fetchall()
        return rows, db.execute("PRAGMA journal_mode").fetchone()
    finally:
        db.close()


class Cli(FleetTest):
    def test_untrack_leaves_the_database_as_it_was_found(self):
        db = self.folder.database(
            "a", ITEMS + "INSERT INTO log VALUES(1, 2); INSERT INTO item VALUES(1, 'x')"
        )
        before = schema_of(db.path)
        good("track", db.path, "--all")
        self.assertNotEqual(schema_of(db.path), before)
        good("track", db.path, "item", "log")
        db.script("INSERT INTO log VALUES(3, 4)")
        good("untrack", db.path, "--all")
        self.assertEqual(schema_of(db.path), before)
        self.assertEqual(db.sql("SELECT * FROM log"), [(1, 2), (3, 4)])
        self.assertEqual(sorted(os.listdir(self.folder.path)), ["a.db"])

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
        a.script(
            "CREATE VIEW v AS SELECT 1; CREATE TABLE p(a, b AS (a + 1));"
            "CREATE UNIQUE INDEX i ON p(b)"
        )
        self.assertIn("view", self.fails(1, "track", a.path, "v"))
        self.assertIn("no such column: b", self.fails(1, "track", a.path, "p"))

    def test_usage(self):
        a = self.tracked("a")
        for command in COMMANDS:
            self.assertEqual(good(command, "--version"), good("--version"))
            for words in ((command, "--help"), (command, a.path, "-h"), ("help", command)):
                self.assertTrue(good(*words).startswith(f"mycelial {command} DB"), words)
            self.assertIn(f"mycelial {command} ", good("--help"))
            self.assertIn(command, self.fails(2, command))
            self.assertIn("--frob", self.fails(2, command, a.path, "--frob"))
        for command in ("status", "digest", "conflicts", "check", "seal", "serve", "doctor"):
            self.fails(2, command, a.path, a.path)
        self.assertRegex(good("--version"), r"^mycelial \d+\.\d+\.\d+$")
        self.assertEqual(run().returncode, 2)
        self.assertIn("frobnicate", self.fails(2, "frobnicate"))
        self.fails(2, "help", "frobnicate")
        self.fails(2, "sync", a.path)
        self.fails(2, "sync", a.path, "tcp://127.0.0.1:1", "--timeout", "soon")
        for days in ("long", "0", "-1", "nan", ""):
            self.assertIn("days", self.fails(2, "serve", a.path, "--retention", days))
            self.assertIn("KB", self.fails(2, "serve", a.path, "--receive-max", days))
        for command in ("track", "untrack"):
            self.assertIn("--all", self.fails(2, command, a.path))
            self.assertIn("not both", self.fails(2, command, a.path, "item", "--all"))

    def test_malformed_addresses_are_usage_errors(self):
        a = self.tracked("a")
        for address in (
            "nonsense",
            "tcp:/x:1",
            "tcp://x",
            "tcp://:1",
            "tcp://x:",
            "tcp://x:99999",
            "tcp://x:1x",
            "tcp://::1:1",
            "tcp://[::1]",
            "tcp://a b:1",
            "http://x:1",
            "",
        ):
            for words in (
                ("sync", a.path, address),
                ("serve", a.path, "--listen", address),
                ("serve", a.path, "--peer", address),
            ):
                self.assertIn(address, self.fails(2, *words))
        self.assertIn("port 0", self.fails(2, "sync", a.path, "tcp://127.0.0.1:0"))

    def test_tables_that_cannot_be_tracked_are_named(self):
        db = self.folder.database(
            "a",
            ITEMS
            + """
            CREATE VIRTUAL TABLE note USING fts5(body);
            CREATE TABLE part(a, b AS (lower(a))); CREATE UNIQUE INDEX part_b ON part(b);
            CREATE TABLE "it's ""odd"" näme"("a b" TEXT PRIMARY KEY)""",
        )
        done = run("track", db.path, "--all")
        self.assertEqual(done.returncode, 0)
        said = done.stdout.splitlines()
        self.assertEqual(
            [s for s in said if s.startswith("tracked")],
            ['tracked it\'s "odd" näme', "tracked item", "tracked log"],
        )
        skipped = {s.split()[2].rstrip(":"): s for s in done.stderr.splitlines()}
        self.assertIn("virtual table", skipped["note"])
        self.assertIn("virtual table", skipped["note_content"])
        self.assertIn("part_b cannot be evaluated here (no such column: b", skipped["part"])
        self.assertIn("part_b", self.fails(1, "track", db.path, "item", "part"))
        self.assertEqual(
            good("track", db.path, 'it\'s "odd" näme', "ITEM"),
            'tracked it\'s "odd" näme\ntracked ITEM',
        )

    def test_a_file_with_nothing_to_track_stays_untouched(self):
        for schema in (
            "",
            "CREATE VIRTUAL TABLE note USING fts5(body)",
            "CREATE VIEW v AS SELECT 1",
        ):
            db = self.folder.database("empty" + str(len(schema)), schema)
            before = schema_of(db.path)
            self.assertIn("table", self.fails(1, "track", db.path, "--all"))
            self.fails(1, "track", db.path, "note_data")
            self.fails(1, "untrack", db.path, "note")
            good("untrack", db.path, "--all")
            for command in ("status", "digest", "conflicts", "check", "seal"):
                good(command, db.path)
            self.assertEqual(schema_of(db.path), before)
        self.assertEqual([f for f in os.listdir(self.folder.path) if "mycelial" in f], [])

    def test_untrack_keeps_what_uses_autoincrement(self):
        db = self.folder.database(
            "a",
            "CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, v); INSERT INTO t(v) VALUES(1)",
        )
        before = schema_of(db.path)
        good("track", db.path, "--all")
        db.script("INSERT INTO t(v) VALUES(2); DELETE FROM t WHERE id = 2")
        good("untrack", db.path, "t")
        good("untrack", db.path, "--all")
        self.assertEqual(schema_of(db.path), before)
        self.assertEqual(db.sql("SELECT name, seq FROM sqlite_sequence"), [("t", 2)])
        self.assertEqual(db.sql("PRAGMA integrity_check"), [("ok",)])

    def test_digest_is_of_rows_alone(self):
        def digest(name, script, schema="CREATE TABLE t(a, b)"):
            db = self.folder.database(name, schema)
            good("track", db.path, "--all")
            db.script(script)
            return db.digest()

        one = digest("1", "INSERT INTO t VALUES(1, 'x'), (2, NULL)")
        self.assertEqual(
            one,
            digest(
                "2",
                "INSERT INTO t VALUES(9, 9), (2, NULL), (1, 'y'); DELETE FROM t WHERE a = 9;"
                "UPDATE t SET b = 'x' WHERE b = 'y'; CREATE TABLE untracked(a)",
            ),
        )
        self.assertEqual(
            one,
            digest("3", "INSERT INTO t(b, a) VALUES('x', 1), (NULL, 2)", "CREATE TABLE t(b, a)"),
        )
        others = [
            digest("other" + str(i), f"INSERT INTO t VALUES(1, 'x'), {row}")
            for i, row in enumerate(
                (
                    "(2, '')",
                    "(2, x'')",
                    "(2.0, NULL)",
                    "('2', NULL)",
                    "(x'32', NULL)",
                    "(NULL, 2)",
                    "(2, NULL), (2, NULL)",
                )
            )
        ]
        self.assertEqual(len({one, *others}), 8)
        self.assertNotIn("\n", one)

    def test_check_names_what_is_wrong(self):
        db = self.tracked("a", ITEMS + "INSERT INTO item VALUES(1, 'x'), (2, 'y')")
        db.script("INSERT INTO log VALUES(1, 1)")
        self.assertEqual(good("check", db.path), "sound")
        triggers = db.sql(
            "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'item'"
        )
        db.script(
            "".join(f'DROP TRIGGER "{name}";' for name, _ in triggers)
            + "DELETE FROM item WHERE id = 2"
        )
        done = run("check", db.path)
        self.assertEqual(done.returncode, 1)
        self.assertIn("item: capture triggers are missing", done.stdout)

    def test_conflicts_are_listed(self):
        a, b = self.tracked("a", CONTESTED), self.tracked("b", CONTESTED)
        a.serve()
        a.script("INSERT INTO name VALUES('x', 'of a'); INSERT INTO cell VALUES(1, 'a'), (2, 'a')")
        good("sync", b.path, f"tcp://127.0.0.1:{a.port}")
        a.script(
            "INSERT INTO badge VALUES('same', 'of a'); UPDATE cell SET v = 'by a' WHERE id = 1;"
            "DELETE FROM cell WHERE id = 2"
        )
        b.script("INSERT INTO badge VALUES('same', 'of b'); UPDATE cell SET v = 'by b'")
        good("sync", b.path, f"tcp://127.0.0.1:{a.port}")
        self.assertEqual(a.digest(), b.digest())
        self.assertEqual(a.sql("SELECT * FROM badge"), [("same", "of b")])
        self.assertEqual(a.sql("SELECT * FROM cell"), [(1, "by b")])
        listed = [json.loads(good("conflicts", n.path, "--json")) for n in (a, b)]
        for conflicts in listed:
            hidden = [c for c in conflicts if c["kind"] == "hidden"]
            self.assertEqual(len(hidden), 1)
            self.assertEqual(hidden[0]["table"], "badge")
            self.assertIn("of a", hidden[0]["value"])
            self.assertIn("UNIQUE", hidden[0]["rule"])
            self.assertRegex(hidden[0]["since"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        either = listed[0] + listed[1]
        self.assertIn(
            ("cell", "1", "v", "superseded", "'by a'", "'by b'"),
            [
                (c["table"], c["row"], c["column"], c["kind"], c["value"], c["winner"])
                for c in either
            ],
        )
        self.assertIn(
            ("cell", "2", "v", "deleted", "'by b'"),
            [(c["table"], c["row"], c["column"], c["kind"], c["value"]) for c in either],
        )
        self.assertIn("badge[", good("conflicts", a.path))
        self.assertEqual(json.loads(good("status", a.path, "--json"))["hidden_rows"], 1)

    def test_conflicts_are_decided(self):
        a, b = self.tracked("a", CONTESTED), self.tracked("b", CONTESTED)
        a.script("INSERT INTO badge VALUES('same', 'of a'); INSERT INTO cell VALUES(1, 'a')")
        a.serve()
        b.script("INSERT INTO badge VALUES('same', 'of b'); INSERT INTO cell VALUES(1, 'b')")
        good("sync", b.path, f"tcp://127.0.0.1:{a.port}")
        lines = good("conflicts", b.path).splitlines()
        self.assertEqual(len(lines), 2)
        hidden = next(line.split()[0] for line in lines if " hidden " in line)
        value = next(line.split()[0] for line in lines if " superseded " in line)
        self.assertIn("id", json.loads(good("conflicts", b.path, "--json"))[0])
        self.assertIn("1 hidden, 1 superseded", good("doctor", b.path))
        self.assertIn("zz", self.fails(1, "resolve", b.path, "dismiss", "zz"))
        self.assertIn("restore", self.fails(2, "resolve", b.path, "undo", hidden))
        self.assertIn("ids", self.fails(2, "resolve", b.path, "restore"))
        good("resolve", b.path, "label='other'", hidden[:6])
        good("resolve", b.path, "restore", value)
        good("sync", b.path, f"tcp://127.0.0.1:{a.port}")
        for site in (a, b):
            self.assertEqual(good("conflicts", site.path), "")
            self.assertEqual(
                site.sql("SELECT * FROM badge ORDER BY v"), [("other", "of a"), ("same", "of b")]
            )
            self.assertEqual(site.sql("SELECT v FROM cell"), [("a",)])

    def test_a_column_is_dropped(self):
        a, b = self.tracked("a", CONTESTED), self.tracked("b", CONTESTED)
        a.serve()
        good("alter", a.path, "ALTER TABLE badge DROP COLUMN v; ALTER TABLE badge ADD COLUMN w")
        a.script("INSERT INTO badge VALUES('x', 'w')")
        good("sync", b.path, f"tcp://127.0.0.1:{a.port}")
        self.assertEqual(b.sql("SELECT * FROM badge"), [("x", None)])
        unique = "ALTER TABLE badge DROP COLUMN label"
        self.assertIn("UNIQUE", self.fails(1, "alter", a.path, unique))
        self.assertIn("ALTER TABLE", self.fails(2, "alter", a.path, "DROP TABLE badge"))
        plain = self.folder.database("plain", CONTESTED)
        more = "ALTER TABLE cell ADD COLUMN x"
        self.assertIn("tracked", self.fails(1, "alter", plain.path, more))
        self.assertIn("sound", good("check", a.path))

    def test_the_next_one_waits_for_one_that_is_being_killed(self):
        a = self.tracked("a")
        a.serve()
        words = [os.environ["MYCELIAL"], "serve", a.path, "--listen", "tcp://127.0.0.1:0"]
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as second:
            time.sleep(0.3)
            a.process.kill()
            self.assertIn(b"listening", second.stdout.readline())
            third = subprocess.run(words, capture_output=True, timeout=30, check=False)
            self.assertIn(b"served already by process", third.stderr)
            self.assertEqual(third.returncode, 1)
            second.terminate()

    def test_doctor(self):
        self.assertIn("no.db", run("doctor", self.folder.path + "/no.db").stdout)
        plain = self.folder.database("plain", CONTESTED)
        told = run("doctor", plain.path)
        self.assertEqual(told.returncode, 1)
        self.assertIn("mycelial track", told.stdout)
        good("track", plain.path, "cell")
        told = good("doctor", plain.path)
        self.assertIn("not tracked: badge, name", told)
        self.assertIn("the bookkeeping fits the tables", told)
        plain.script("DROP TRIGGER \"" + plain.sql(
            "SELECT name FROM sqlite_schema WHERE name LIKE 'mycelial%delete%'")[0][0] + "\"")
        told = run("doctor", plain.path, "--json")
        self.assertEqual(told.returncode, 1)
        self.assertEqual(json.loads(told.stdout)[0]["level"], "bad")

    def test_serve_ends_when_told(self):
        a = self.tracked("a")
        for name in (signal.SIGINT, signal.SIGTERM):
            a.serve()
            a.process.send_signal(name)
            self.assertEqual(a.process.wait(10), 0)
            a.end()

    def test_serve_listens_everywhere_it_is_told(self):
        a, b = self.tracked("a"), self.tracked("b")
        words = [MYCELIAL, "serve", a.path]
        for host in ("127.0.0.1", "localhost", *(["[::1]"] if have_ipv6() else [])):
            words += ["--listen", f"tcp://{host}:0"]
        a.process = subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        a.log = open(os.devnull, encoding="ascii")
        for i in range(len(words) // 2 - 1):
            line = a.process.stdout.readline()
            self.assertRegex(line, r"^listening tcp://(127\.0\.0\.1|\[::1\]):[1-9]\d*\n$")
            b.script(f"INSERT INTO log VALUES({i}, 1)")
            good("sync", b.path, line.split()[1])
        self.assertEqual(a.digest(), b.digest())

    def test_peers_may_come_up_later(self):
        a, b = self.tracked("a"), self.tracked("b")
        a.serve()
        port = a.port
        a.stop()
        b.serve(port)
        until("the failure in status", lambda: "refused" in good("status", b.path))
        self.assertIn(f"tcp://127.0.0.1:{port} not reached", b.said())
        b.script("INSERT INTO log VALUES(1, 1)")
        a.serve()
        until("the row", lambda: a.sql("SELECT * FROM log") == [(1, 1)])
        until("the log", lambda: f"tcp://127.0.0.1:{port} connected" in b.said())
        a.stop()
        until("the end in the log", lambda: "the peer has stopped" in b.said())

    def test_serve_of_an_untracked_file_says_so(self):
        a = self.folder.database("a", ITEMS).serve()
        until("a word", lambda: "tracks no table" in a.said())

    def test_sync_shows_progress_on_a_terminal(self):
        a, b = self.tracked("a"), self.tracked("b")
        a.serve()
        a.script("INSERT INTO log VALUES(1, 1)")
        ours, theirs = pty.openpty()
        done = subprocess.run(
            [MYCELIAL, "sync", b.path, f"tcp://127.0.0.1:{a.port}"], stderr=theirs, check=False
        )
        os.close(theirs)
        self.assertEqual(done.returncode, 0)
        self.assertIn("here", os.read(ours, 10000).decode())
        os.close(ours)
        self.assertEqual(run("sync", b.path, f"tcp://127.0.0.1:{a.port}").stderr, "")

    def test_a_file_is_served_once(self):
        a = self.tracked("a").serve()
        self.assertIn(
            str(a.process.pid), self.fails(1, "serve", a.path, "--listen", "tcp://127.0.0.1:0")
        )

    def test_addresses_that_do_not_work(self):
        a, b = self.tracked("a").serve(), self.tracked("b")
        self.assertIn(
            str(a.port), self.fails(1, "serve", b.path, "--listen", f"tcp://127.0.0.1:{a.port}")
        )
        free = socket.create_server(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        self.assertIn(
            f"mycelial serve DB --listen tcp://127.0.0.1:{port}",
            self.fails(1, "sync", b.path, f"tcp://127.0.0.1:{port}", "--timeout", "0.2"),
        )
        self.assertIn(
            "no-such-host.invalid", self.fails(1, "sync", b.path, "tcp://no-such-host.invalid:1")
        )

    def test_sync_waits_for_a_peer_that_is_about_to_listen(self):
        a, b = self.tracked("a"), self.tracked("b")
        free = socket.create_server(("127.0.0.1", 0))
        a.port = free.getsockname()[1]
        free.close()
        peer = f"tcp://127.0.0.1:{a.port}"
        early = subprocess.Popen([MYCELIAL, "sync", b.path, peer, "--timeout", "50"])
        a.serve()
        self.assertEqual(early.wait(60), 0)
        self.assertEqual(a.digest(), b.digest())


if __name__ == "__main__":
    unittest.main()
