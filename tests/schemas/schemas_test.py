# SPDX-License-Identifier: Apache-2.0
"""Databases of real applications on three nodes: schemas_test.py APPLICATION [SEED ROUNDS].

Without SEED and ROUNDS a short form is run.
"""

import os
import random
import re
import shutil
import sqlite3
import sys
import tempfile
import unittest

import applications
from nodes import Node, difference, good, listed_words, run, serve, settle, settle_versions
from packages import Absent
from tables import quote, read_tables
from writer import Writer

SKIPPED = 77
FULL = {("a", "b"), ("a", "c"), ("b", "c")}
LINE = {("a", "b"), ("b", "c")}
FEW = 4  # steps, in the short form
ROWS = 4  # of each table to begin with


class Fleet:
    """Nodes a, b, c on copies of one database, each with an application that writes to it."""

    def __init__(self, test, application, create, seed):
        self.test, self.application = test, application
        self.folder = tempfile.mkdtemp(prefix="mycelial-schemas-")
        test.addCleanup(self.end)
        self.random = random.Random(seed)
        first = Node(self.folder, "a", application)
        create(first.path)
        self.nodes = [first]
        for name in "bc":
            self.nodes.append(Node(self.folder, name, application))
            shutil.copy(first.path, self.nodes[-1].path)
        self.original = first.schema()
        self.writers = {}

    def end(self):
        for node in self.nodes:
            if node.process:
                node.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def track(self):
        """What was said of tables that are not tracked."""
        said = {}
        for node in self.nodes:
            done = run("track", node.path, "--all")
            self.test.assertEqual(done.returncode, 0, done.stderr)
            for line in done.stderr.splitlines():
                table, why = line.removeprefix("mycelial: skipped ").split(": ", 1)
                said[table] = why
        self.learn()
        return said

    def learn(self):
        """Each application knows the schema of its node."""
        for node in self.nodes:
            db = node.connect()
            tables = read_tables(db, node.tracked())
            db.close()
            for child, parent in self.application.parents.items():
                table, column = child.split(".")
                tables[table].parents[column] = tuple(parent.split("."))
            if node.name in self.writers:
                self.writers[node.name].tables = tables
            else:
                app = self.application
                self.writers[node.name] = Writer(
                    node.name, self.random, tables, app.values, app.recursive
                )

    def serve(self, links):
        serve(self.nodes, links)

    def stop(self):
        for node in self.nodes:
            self.test.assertEqual(node.stop(), 0, node.said())

    def fill(self):
        for node in self.nodes:
            db = node.connect()
            self.writers[node.name].fill(db, ROWS)
            db.close()

    def write(self, transactions):
        databases = [(n, n.connect()) for n in self.nodes]
        for _ in range(transactions):
            node, db = self.random.choice(databases)
            self.writers[node.name].transaction(db)
        for _, db in databases:
            db.close()

    def round(self, work, links=frozenset(FULL)):
        """All write without hearing of each other; then they meet, and nothing is lost."""
        before = set().union(*(n.words() for n in self.nodes))
        work()
        written = {}
        for node in self.nodes:
            written |= {w: (node.name, t) for w, t in node.words().items() if w not in before}
        self.serve(links)
        settle(self.nodes, "all hold the same")
        listed = set().union(*(listed_words(n.conflicts()) for n in self.nodes))
        for node in self.nodes:
            shown = node.words()
            lost = {w: at for w, at in written.items() if w not in shown and w not in listed}
            self.test.assertEqual(lost, {}, f"lost at {node.name}")
        self.stop()
        return len(written)

    def mixed_round(self, migration, work):
        """As round(), while versions differ; tables of the new one are tracked too."""
        for node in self.nodes:
            run("track", node.path, "--all")
        self.learn()
        before = [n.words() for n in self.nodes]
        work()
        words = [n.words() for n in self.nodes]

        def must_stay(word):
            """It is new, or the only one, and nobody has deleted or overwritten it."""
            is_new = all(word not in b for b in before)
            return is_new or all(
                len(b.get(word, ())) == 1 and word in now for b, now in zip(before, words)
            )

        written = {
            w: (node.name, tables)
            for node, shown in zip(self.nodes, words)
            for w, tables in shown.items()
            if must_stay(w)
        }
        self.serve(FULL)
        settle_versions(self.nodes, "nothing moves any more")
        listed = set().union(*(listed_words(n.conflicts()) for n in self.nodes))
        listed = listed.union(*(n.words() for n in self.nodes))
        lost = {w: at for w, at in written.items() if w not in listed}
        self.test.assertEqual(lost, {}, "shown nowhere")
        for node in self.nodes[1:]:
            self.test.assertEqual(difference(self.nodes[0], node, set(migration.columns)), "")
        for node in self.nodes:
            self.test.assertEqual(good("check", node.path), "sound")
        self.stop()
        self.learn()

    def mend(self, node):
        """Deletes what dangles: some migrations do not begin otherwise."""
        db = node.connect()
        while found := db.execute("PRAGMA foreign_key_check").fetchall():
            for table, rowid, *_ in found:
                db.execute(f"DELETE FROM {quote(table)} WHERE rowid = ?", (rowid,))
        db.close()

    def not_tracked(self, node):
        """Ordinary tables that are there, but are not tracked."""
        db = node.connect()
        names = db.execute(
            "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND "
            "name NOT LIKE 'mycelial%' AND name NOT LIKE 'sqlite%'"
        ).fetchall()
        db.close()
        return {n for n, in names} - set(node.tracked())

    def live_round(self, transactions):
        """They write while they are connected."""
        self.serve(FULL)
        self.write(transactions)
        settle(self.nodes, "all hold the same")
        self.stop()

    def check(self):
        """All tables are equal everywhere, and every file is in order."""
        test, (a, *others) = self.test, self.nodes
        db = a.connect()
        tables = list(read_tables(db, a.tracked()).values())
        db.close()
        expected = a.rows(tables)
        for node in others:
            for name, rows in node.rows(tables).items():
                test.assertEqual(rows, expected[name], f"{name} at a and {node.name}")
        for node in self.nodes:
            test.assertEqual(good("check", node.path), "sound")
            db = node.connect()
            test.assertEqual(db.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
            for fts, content in self.application.fts.items():
                self.check_fts(db, fts, *content)
            db.close()

    def check_fts(self, db, fts, table, key, column):
        """What triggers of the application keep answers for rows of peers too."""
        name = quote(fts)
        db.execute(f"INSERT INTO {name}({name}, rank) VALUES('integrity-check', 1)")
        rows = db.execute(f"SELECT {key}, {column} FROM {table}").fetchall()
        for number, text in rows:
            word = str(text).split()
            if not word:
                continue
            found = db.execute(
                f"SELECT rowid FROM {name} WHERE {name} MATCH ?", (f'"{word[0]}"',)
            ).fetchall()
            self.test.assertIn((number,), found, f"{fts} does not find {text}")

    def dangling(self):
        db = self.nodes[0].connect()
        try:
            return len(db.execute("PRAGMA foreign_key_check").fetchall())
        finally:
            db.close()

    def untrack(self):
        for node in self.nodes:
            good("untrack", node.path, "--all")
            self.test.assertEqual(node.schema(), self.original)

    def untrack_versions(self):
        """Of an upgraded file only the application's schema is left, too."""
        for node in self.nodes:
            had = ("table", "sqlite_sequence") in [r[:2] for r in self.original[0]]
            before = [
                row
                for row in node.schema()[0]
                if "mycelial" not in row[1] and (had or row[1] != "sqlite_sequence")
            ]
            good("untrack", node.path, "--all")
            self.test.assertEqual(node.schema()[0], before)


class Schemas(unittest.TestCase):
    maxDiff = 2000
    application, seed, rounds = None, 1, 1
    every = True  # step of a migration, or only some of a long one

    def fleet(self, create=None):
        fleet = Fleet(self, self.application, create or self.application.create, self.seed)
        return fleet

    def says(self, fleet, what):
        fired = sum(w.done for w in fleet.writers.values())
        refused = sum(sum(w.refused.values()) for w in fleet.writers.values())
        conflicts = len(fleet.nodes[0].conflicts())
        print(
            f"{self.application.name}, {what}: {len(fleet.writers['a'].tables)} tables, "
            f"{fired} statements, {refused} that SQLite refused, {conflicts} conflicts listed, "
            f"{fleet.dangling()} references dangle",
            flush=True,
        )

    def test_rows_converge(self):
        fleet = self.fleet()
        said = fleet.track()
        for table, why in sorted(said.items()):
            print("skipped", table, why)
        self.assertEqual(set(said), set(self.application.refused))
        for table, why in said.items():
            self.assertIn(self.application.refused[table], why)
        work = lambda: fleet.write(10 + 2 * len(fleet.writers["a"].tables))
        written = fleet.round(fleet.fill)
        fleet.check()
        for i in range(self.rounds):
            written += fleet.round(work, (FULL, LINE)[i % 2])
            fleet.check()
        fleet.live_round(20)
        fleet.check()
        self.assertGreater(written, 100)
        self.says(fleet, "written to")
        for note in fleet.nodes[0].status()["notes"]:
            print("note", note)
            self.assertTrue(any(n in note for n in self.application.notes), note)
        fleet.untrack()


    def test_versions_meet(self):
        """One node gets the new version first, then the others."""
        for name, migration in self.application.migrations.items():
            with self.subTest(name):
                self.migrate(name, migration)

    def migrate(self, name, migration):
        fleet = self.fleet(migration.before)
        fleet.track()
        fleet.round(fleet.fill)
        fleet.round(lambda: fleet.write(40))
        fleet.check()
        steps = migration.steps()
        if migration.independent and not self.every:
            steps = steps[:: len(steps) // FEW]
        if migration.together:
            upgrade_together(fleet, migration, steps)
        else:
            self.upgrade_in_turn(fleet, migration, steps)
        for node in fleet.nodes:
            left = fleet.not_tracked(node)
            self.assertEqual(left, left & set(self.application.refused), node.name)
        fleet.round(lambda: fleet.write(60))
        fleet.check()
        self.says(fleet, f"{name} in {len(steps)} steps")
        fleet.untrack_versions()

    def upgrade_in_turn(self, fleet, migration, steps):
        first, *others = fleet.nodes
        fleet.mend(first)
        upgrade(first, migration, steps)
        fleet.mixed_round(migration, lambda: fleet.write(60))
        for node in others:
            fleet.mend(node)
            if migration.under_engine:
                node.serve()
            upgrade(node, migration, steps)
            if node.process:
                node.stop()
        fleet.mixed_round(migration, lambda: None)


def upgrade_together(fleet, migration, steps):
    """Equal files that were untracked, changed in the same way, and tracked are equal again."""
    for node in fleet.nodes:
        good("untrack", node.path, "--all")
        upgrade(node, migration, steps)
        good("track", node.path, "--all")
    fleet.learn()


def upgrade(node, migration, steps):
    for step in [migration.prepare, *steps]:
        if callable(step):
            step(node.path)
        else:
            db = sqlite3.connect(node.path, timeout=20, isolation_level=None)
            if node.process:  # docs/guide/busy.md
                step = re.sub(r"\bBEGIN( TRANSACTION)?;", "BEGIN IMMEDIATE;", step)
            db.executescript(step)
            db.close()


if __name__ == "__main__":
    name, *numbers = sys.argv[1:]
    Schemas.application = applications.ALL[name]
    Schemas.every = bool(numbers)
    if numbers:
        Schemas.seed, Schemas.rounds = int(numbers[0]), int(numbers[1])
    try:
        probe = tempfile.mkdtemp(prefix="mycelial-schemas-")
        Schemas.application.create(os.path.join(probe, "probe.db"))
    except Absent as e:
        print(f"skipped: {e}")
        sys.exit(SKIPPED)
    finally:
        shutil.rmtree(probe, ignore_errors=True)
    unittest.main(argv=sys.argv[:1], verbosity=2)
