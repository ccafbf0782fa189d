# SPDX-License-Identifier: Apache-2.0
"""Clocks two hours behind and ten years ahead: nobody is frozen out, nothing is lost."""

import json
import os
import subprocess
import time
import unittest

from fleet import Database, FleetTest, good, until

HOURS, YEARS = 3600, 365 * 24 * 3600
SCHEMA = """
CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE log(a, b);
CREATE TABLE badge(label TEXT UNIQUE, v);
"""


def environment(seconds):
    return {
        **os.environ,
        "CLOCK_SHIFT": str(seconds),
        "LD_PRELOAD": os.environ["CLOCK_SHIFT_LIBRARY"],
        "ASAN_OPTIONS": "verify_asan_link_order=0",
    }


class Machine(Database):
    """A file on a machine with a wrong clock: whoever writes it there has that clock, too."""

    shift = 0

    def sql_there(self, text):
        subprocess.run(
            ["sqlite3", "-cmd", ".timeout 20000", self.path, text],
            env=environment(self.shift),
            stdout=subprocess.DEVNULL,
            check=True,
        )


class Clocks(FleetTest):
    def machine(self, name, shift):
        node = Machine(self.folder.path, name, SCHEMA)
        self.folder.databases.append(node)
        node.shift = shift
        good("track", node.path, "--all")
        return node

    def start(self, node, *peers):
        node.serve(*peers, env=environment(node.shift))

    def equal(self, *nodes):
        until("equal digests", lambda: len({n.digest() for n in nodes}) == 1)
        for node in nodes:
            self.assertEqual(good("check", node.path), "sound")

    def test_the_shift_works(self):
        there = subprocess.run(
            ["sqlite3", ":memory:", "SELECT strftime('%s', 'now')"],
            env=environment(10 * YEARS),
            capture_output=True,
            check=True,
        ).stdout
        self.assertGreater(int(there), time.time() + 9 * YEARS)

    def test_a_wrong_clock_freezes_nobody(self):
        late, right, fast = (
            self.machine("late", -2 * HOURS),
            self.machine("right", 0),
            self.machine("fast", 10 * YEARS),
        )
        nodes = (late, right, fast)
        for node in nodes:  # while nobody serves: each by its own clock
            node.sql_there(f"INSERT INTO log VALUES('{node.shift}', 1)")
            node.sql_there(f"INSERT INTO item(name) VALUES('of {node.shift}')")
        fast.sql_there("INSERT INTO item VALUES(100, 'fast')")
        self.start(late)
        self.start(right, late.port)
        self.start(fast, right.port)
        self.equal(*nodes)
        for node in nodes:
            self.assertEqual(len(node.sql("SELECT * FROM log")), 3)
            self.assertEqual(len(node.sql("SELECT * FROM item")), 4)

        # Whoever has seen a value overwrites it, whatever his clock and its stamp.
        for turn in range(3):
            for node in (right, late, fast, late):
                value = f"turn {turn} {node.shift}"
                node.sql_there(f"UPDATE item SET name = '{value}' WHERE id = 100")
                for other in nodes:
                    until(
                        value,
                        lambda o=other, v=value: o.sql("SELECT name FROM item WHERE id = 100")
                        == [(v,)],
                    )
        until(
            "the fast clock is named",
            lambda: any(
                "clock" in note and "ahead" in note
                for note in json.loads(good("status", right.path, "--json"))["notes"]
            ),
        )
        fast.sql_there("DELETE FROM item WHERE id = 100")
        until("the delete", lambda: not late.sql("SELECT 1 FROM item WHERE id = 100"))
        late.sql_there("INSERT INTO item VALUES(100, 'back')")
        for node in nodes:
            until("the insert", lambda n=node: n.sql("SELECT 1 FROM item WHERE id = 100"))
        self.equal(*nodes)
        for node in nodes:
            self.assertEqual(node.stop(), 0)

    def test_a_clock_that_is_put_right_does_not_undo_later_writes(self):
        a, b = self.machine("a", 10 * YEARS), self.machine("b", 0)
        self.start(a)
        self.start(b, a.port)
        a.sql_there("INSERT INTO item VALUES(1, 'with a fast clock')")
        until("the row", lambda: b.sql("SELECT name FROM item"))
        a.stop()
        a.shift = -2 * HOURS
        self.start(a)
        a.sql_there("UPDATE item SET name = 'put right'")
        a.sql_there("INSERT INTO badge VALUES('x', 'of a')")
        until("the update", lambda: b.sql("SELECT name FROM item") == [("put right",)])
        until("the badge", lambda: b.sql("SELECT v FROM badge") == [("of a",)])
        b.sql_there("UPDATE badge SET v = 'of b'")
        until("the badge is b's", lambda: a.sql("SELECT v FROM badge") == [("of b",)])
        self.equal(a, b)


if __name__ == "__main__":
    unittest.main()
