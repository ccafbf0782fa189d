# SPDX-License-Identifier: Apache-2.0
"""Three files with their processes, and what must hold of them."""

import json
import os
import re
import sqlite3
import sys
from collections import Counter

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))

from fleet import Database, good, run, until  # noqa: E402
from tables import quote, read_tables, rows  # noqa: E402

WORD = re.compile(r"[abc]\d{11}x")


class Node(Database):
    def __init__(self, folder, name, application):
        super().__init__(folder, name, None)
        self.name, self.application = name, application

    def connect(self):
        db = super().connect()
        db.execute("PRAGMA synchronous = OFF")
        if self.application.functions:
            self.application.functions(db)
        return db

    def tracked(self):
        db = self.connect()
        try:
            return tracked_names(db)
        finally:
            db.close()

    def words(self):
        """The words that this node shows, with the table of each row that does: {word: [table]}."""
        out = {}
        db = self.connect()
        try:
            for name in tracked_names(db):
                for row in db.execute(f"SELECT * FROM {quote(name)}"):
                    for value in row:
                        for word in words_of(value):
                            out.setdefault(word, []).append(name)
        finally:
            db.close()
        return out

    def rows(self, tables):
        db = self.connect()
        try:
            return {t.name: rows(db, t) for t in tables}
        finally:
            db.close()

    def conflicts(self):
        return json.loads(good("conflicts", self.path, "--json"), strict=False)

    def status(self):
        return json.loads(good("status", self.path, "--json"), strict=False)

    def schema(self):
        db = sqlite3.connect(self.path)
        try:
            return db.execute(
                "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name"
            ).fetchall(), db.execute("PRAGMA journal_mode").fetchone()
        finally:
            db.close()


def tracked_names(db):
    return [
        r[0]
        for r in db.execute(
            "SELECT t.name FROM mycelial_table t JOIN sqlite_schema s ON s.name = t.name AND "
            "s.type = 'table' WHERE t.tracked ORDER BY t.name"
        )
    ]


def words_of(value):
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, int) and abs(value) >= 10**9:
        return [str(value)]
    return WORD.findall(value) if isinstance(value, str) else []


def listed_words(conflicts):
    """Words in what is listed: blobs are listed in hexadecimal."""
    out = set()
    for c in conflicts:
        for text in (c["value"], c["row"]):
            out.update(WORD.findall(text))
            out.update(re.findall(r"\d{10,}", text))
            for blob in re.findall(r"[xX]'([0-9a-fA-F]*)'", text):
                out.update(words_of(bytes.fromhex(blob)))
    return out


def serve(nodes, links):
    """Each node dials those that it is linked with and that came before it."""
    for node in nodes:
        node.serve(*[n.port for n in nodes if (n.name, node.name) in links and n.process])


def settled(nodes):
    states = [n.status() for n in nodes]
    return (
        all(s["journal_entries"] == 0 for s in states)
        and len({s["sets_held"] for s in states}) == 1
        and len({n.digest() for n in nodes}) == 1
    )


def settle(nodes, what, seconds=60):
    until(what, lambda: settled(nodes), seconds)


def settle_versions(nodes, what):
    """Nodes whose schemas differ have the same sets, and nothing moves any more."""
    seen = []

    def quiet():
        states = [n.status() for n in nodes]
        held = {s["sets_held"] for s in states}
        if any(s["journal_entries"] for s in states) or len(held) != 1:
            seen.clear()
            return False
        now = (held, [n.digest() for n in nodes])
        if seen and seen[-1] != now:
            seen.clear()
        seen.append(now)
        return len(seen) > 3

    until(what, quiet, 60)


def difference(a, b, may_differ):
    """Of what both have: the first table whose rows differ in the columns of both. A row may be
    hidden at one of them, if it is listed there: a schema may forbid what the other one allows."""
    x, y = a.connect(), b.connect()
    listed = [listed_words(n.conflicts()) for n in (a, b)]
    try:
        one, other = (read_tables(db, tracked_names(db)) for db in (x, y))
        for name in sorted(set(one) & set(other) - may_differ):
            both = sorted(set(one[name].names) & set(other[name].names))
            columns = ", ".join(quote(c) for c in both if (name, c) not in may_differ)
            sql = f"SELECT {columns} FROM {quote(name)}"
            rows_of_a, rows_of_b = (Counter(db.execute(sql).fetchall()) for db in (x, y))
            only_at_a = unlisted(rows_of_a - rows_of_b, listed[1])
            only_at_b = unlisted(rows_of_b - rows_of_a, listed[0])
            if only_at_a or only_at_b:
                return f"{name}: only at {a.name}: {only_at_a}, only at {b.name}: {only_at_b}"
    finally:
        x.close()
        y.close()
    return ""


def unlisted(rows_of_one, listed):
    """The first few of the rows that are not listed."""
    out = []
    for row in rows_of_one:
        words = {w for value in row for w in words_of(value)}
        if not words or not words <= listed:
            out.append(row)
    return out[:3]
