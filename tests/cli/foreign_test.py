# SPDX-License-Identifier: Apache-2.0
"""A database that was not made for this: keys, constraints and triggers of every kind."""

import random
import sqlite3
import unittest

from fleet import FleetTest, good, run

SCHEMA = """
CREATE TABLE depot(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL COLLATE NOCASE UNIQUE,
                   parent INTEGER REFERENCES depot(id));
CREATE TABLE driver(id INTEGER PRIMARY KEY, email TEXT NOT NULL, badge TEXT, depot INTEGER
                    NOT NULL REFERENCES depot(id) ON DELETE RESTRICT, hired DATETIME);
CREATE UNIQUE INDEX driver_email ON driver(email);
CREATE UNIQUE INDEX driver_badge ON driver(depot, badge);
CREATE TABLE truck(plate TEXT PRIMARY KEY, driver INTEGER REFERENCES driver(id) ON DELETE SET NULL,
                   payload REAL CHECK(payload > 0), photo BLOB,
                   label TEXT AS (plate || ' ' || coalesce(payload, '?')));
CREATE TABLE parcel(id INTEGER PRIMARY KEY, truck TEXT REFERENCES truck(plate) ON UPDATE CASCADE,
                    weight DECIMAL(6, 2) NOT NULL, note varchar(200), price, state INT DEFAULT 0);
CREATE TABLE stop(truck TEXT, day TEXT, n INTEGER, town TEXT, PRIMARY KEY(truck, day, n))
    WITHOUT ROWID;
CREATE TABLE parcel_tag(parcel INTEGER NOT NULL REFERENCES parcel(id) ON DELETE CASCADE,
                        tag TEXT NOT NULL, PRIMARY KEY(parcel, tag));
CREATE TABLE fuel_log(truck TEXT, litres REAL, at TEXT, odd);
CREATE TABLE setting(k TEXT PRIMARY KEY, v ANY) STRICT;
CREATE TABLE town_count(town TEXT PRIMARY KEY, n INTEGER NOT NULL);
CREATE VIRTUAL TABLE parcel_search USING fts5(note);
CREATE VIEW heavy AS SELECT * FROM parcel WHERE weight > 50;
CREATE INDEX parcel_by_truck ON parcel(truck) WHERE state = 0;

CREATE TRIGGER depot_must_exist BEFORE INSERT ON driver
WHEN NOT EXISTS (SELECT 1 FROM depot WHERE id = NEW.depot)
BEGIN SELECT RAISE(ABORT, 'no such depot'); END;
CREATE TRIGGER log_is_for_ever BEFORE DELETE ON fuel_log
BEGIN SELECT RAISE(FAIL, 'the log is for ever'); END;
CREATE TRIGGER log_does_not_change BEFORE UPDATE ON fuel_log
BEGIN SELECT RAISE(ROLLBACK, 'the log is for ever'); END;
CREATE TRIGGER delivered_stays BEFORE UPDATE OF state ON parcel WHEN OLD.state = 2
BEGIN SELECT RAISE(ABORT, 'delivered'); END;
CREATE TRIGGER small_changes_only BEFORE UPDATE OF price ON parcel WHEN NEW.price > 2 * OLD.price
BEGIN SELECT RAISE(IGNORE); END;
CREATE TRIGGER count_town AFTER INSERT ON stop
BEGIN INSERT INTO town_count VALUES(NEW.town, 1) ON CONFLICT DO UPDATE SET n = n + 1; END;
CREATE TRIGGER search_insert AFTER INSERT ON parcel
BEGIN INSERT INTO parcel_search(rowid, note) VALUES(NEW.id, NEW.note); END;
CREATE TRIGGER search_update AFTER UPDATE ON parcel
BEGIN UPDATE parcel_search SET note = NEW.note WHERE rowid = NEW.id; END;
CREATE TRIGGER search_delete AFTER DELETE ON parcel
BEGIN DELETE FROM parcel_search WHERE rowid = OLD.id; END;
"""
TABLES = (
    "depot",
    "driver",
    "truck",
    "parcel",
    "stop",
    "parcel_tag",
    "fuel_log",
    "setting",
    "town_count",
)
WORDS = "glass heavy fragile cold books steel fruit paper".split()


def fill(db, rng, who):
    """A few thousand rows, as an application makes them."""
    depots, drivers, trucks = 6, 40, 30
    db.execute("PRAGMA foreign_keys = ON")
    db.execute("BEGIN")
    first = db.execute("SELECT coalesce(max(id), 0) FROM depot").fetchone()[0]
    for i in range(depots):
        parent = rng.randrange(1, first + i + 1) if first + i else None
        db.execute("INSERT INTO depot(name, parent) VALUES(?, ?)", (f"{who} Depot {i}", parent))
    for i in range(drivers):
        db.execute(
            "INSERT INTO driver(email, badge, depot, hired) VALUES(?, ?, ?, ?)",
            (
                f"{i}@{who}",
                rng.choice([None, f"{who}{i}"]),
                first + rng.randrange(1, depots),
                f"2021-03-{i % 28 + 1:02} 08:00",
            ),
        )
    for i in range(trucks):
        db.execute(
            "INSERT INTO truck(plate, driver, payload, photo) VALUES(?, ?, ?, ?)",
            (
                f"{who}-{i}",
                rng.choice([None, rng.randrange(1, drivers)]),
                i + 0.5,
                rng.randbytes(rng.randrange(300)),
            ),
        )
    for i in range(1500):
        note = " ".join(rng.choices(WORDS, k=3)) + rng.choice(["", " äöü ☃", "\n'quoted'"])
        db.execute(
            "INSERT INTO parcel(truck, weight, note, price) VALUES(?, ?, ?, ?)",
            (
                f"{who}-{rng.randrange(trucks)}",
                rng.choice([i, i / 4, "12.50"]),
                rng.choice([note, None]),
                rng.choice([1, 2.0, "3", b"4", None]),
            ),
        )
    for i in range(800):
        db.execute(
            "INSERT OR IGNORE INTO stop VALUES(?, ?, ?, ?)",
            (
                f"{who}-{rng.randrange(trucks)}",
                f"2024-05-{rng.randrange(1, 9):02}",
                rng.randrange(20),
                f"{who} town {rng.randrange(30)}",
            ),
        )
        db.execute(
            "INSERT OR IGNORE INTO parcel_tag SELECT id, ? FROM parcel ORDER BY id DESC"
            " LIMIT 1 OFFSET ?",
            (rng.choice(WORDS), rng.randrange(1000)),
        )
        db.execute(
            "INSERT INTO fuel_log VALUES(?, ?, '2024', ?)",
            (f"{who}-1", rng.choice([1, 1.0, 2.5]), rng.choice([None, 0, "", b""])),
        )
    for i in range(20):
        db.execute(
            "INSERT INTO setting VALUES(?, ?)",
            (f"{who} {i}", rng.choice([1, 1.5, "x", b"\0", None])),
        )
    db.execute("COMMIT")


def work(db, rng, who):
    """A day's changes. What the database refuses stays refused. Gives how often that was."""
    refused = 0

    def run(sql, *values):
        nonlocal refused
        try:
            db.execute(sql, values)
        except sqlite3.Error:
            refused += 1

    for _ in range(60):
        depot = rng.randrange(1, 8)
        truck = f"{rng.choice('ab')}-{rng.randrange(30)}"
        parcel = rng.randrange(1, 1500)
        run("UPDATE parcel SET state = state + 1 WHERE id = ?", parcel)
        run(
            "UPDATE parcel SET note = ?, weight = weight + 1 WHERE id = ?",
            rng.choice(WORDS),
            parcel,
        )
        run("UPDATE parcel SET price = ? WHERE id = ?", rng.randrange(100), rng.randrange(1, 1500))
        run("DELETE FROM parcel WHERE id = ?", rng.randrange(1, 1500))
        run("UPDATE truck SET plate = plate || '!' WHERE plate = ?", truck)
        run("UPDATE truck SET payload = payload - 20 WHERE plate = ?", truck)
        run("INSERT OR REPLACE INTO truck(plate, payload) VALUES(?, 9)", f"c-{rng.randrange(9)}")
        run("UPDATE depot SET name = upper(name), parent = ? WHERE id = ?", depot, depot + 1)
        run("INSERT INTO depot(name) VALUES(?)", f"depot {rng.randrange(20)}")
        run("INSERT INTO driver(email, depot) VALUES(?, ?)", f"{rng.randrange(90)}@x", depot + 50)
        run(
            "INSERT OR REPLACE INTO driver(email, badge, depot) VALUES(?, ?, ?)",
            f"{rng.randrange(9)}@y",
            f"{rng.randrange(5)}",
            depot,
        )
        run("DELETE FROM driver WHERE id = ?", rng.randrange(1, 40))
        run("UPDATE stop SET n = n + 100 WHERE truck = ? AND n < 5", truck)
        run("DELETE FROM stop WHERE truck = ? AND n > 15", truck)
        run(
            "INSERT INTO setting VALUES(?, ?) ON CONFLICT DO UPDATE SET v = excluded.v",
            f"both {rng.randrange(5)}",
            who,
        )
        run("INSERT INTO fuel_log VALUES(?, 1, 'day', NULL)", truck)
        run("DELETE FROM fuel_log WHERE truck = ?", truck)
        run("UPDATE fuel_log SET litres = 0")
    return refused


class Foreign(FleetTest):
    def rows(self, node, table):
        return sorted(node.sql(f"SELECT * FROM {table}"), key=repr)

    def assert_same(self, a, b):
        for table in TABLES:
            self.assertEqual(repr(self.rows(a, table)), repr(self.rows(b, table)), table)
        self.assertEqual(a.digest(), b.digest())
        for node in (a, b):
            self.assertEqual(good("check", node.path), "sound")
            for word in WORDS:  # the full-text index, kept by triggers, follows rows of peers too
                found = node.sql(
                    "SELECT rowid FROM parcel_search WHERE parcel_search MATCH ?", word
                )
                wanted = node.sql("SELECT id FROM parcel WHERE note LIKE ?", f"%{word}%")
                self.assertEqual(sorted(found), sorted(wanted), word)

    def test_it_arrives_in_an_empty_file_and_goes_on_from_both(self):
        seed = random.randrange(10**6)
        print("seed", seed, flush=True)
        rng = random.Random(seed)
        a, b = self.folder.database("a", SCHEMA), self.folder.database("b", SCHEMA)
        db_a, db_b = a.connect(), b.connect()
        self.addCleanup(db_a.close)
        self.addCleanup(db_b.close)
        for db in (db_a, db_b):
            db.execute("PRAGMA synchronous = OFF")  # the test's own writes need not be slow
        fill(db_a, rng, "a")
        before = {table: self.rows(a, table) for table in TABLES}
        for node in (a, b):
            done = run("track", node.path, "--all")
            self.assertEqual(done.returncode, 0)
            for table in TABLES:
                self.assertIn(f"tracked {table}\n", done.stdout)
            self.assertIn("skipped parcel_search: ", done.stderr)
        a.serve()
        peer = f"tcp://127.0.0.1:{a.port}"
        good("sync", b.path, peer)
        self.assert_same(a, b)
        self.assertEqual({table: self.rows(b, table) for table in TABLES}, before)
        fill(db_b, rng, "b")
        good("sync", b.path, peer)
        self.assert_same(a, b)
        for _ in range(3):
            self.assertGreater(work(db_a, rng, "a"), 60)
            self.assertGreater(work(db_b, rng, "b"), 60)
            good("sync", b.path, peer)
            self.assert_same(a, b)
        a.stop()
        for node in (a, b):
            good("untrack", node.path, "--all")
            fresh = sqlite3.connect(":memory:")
            fresh.executescript(SCHEMA)
            schema = "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name"
            self.assertEqual(node.sql(schema), fresh.execute(schema).fetchall())
            fresh.close()


if __name__ == "__main__":
    unittest.main()
