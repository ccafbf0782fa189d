# SPDX-License-Identifier: Apache-2.0
"""An application at one site: random rows that the schema allows, and statements of every kind."""

import sqlite3

from tables import quote

COMMON = 6  # so many values are everybody's: they compete for keys and UNIQUE values


class Writer:
    """Writes with plain SQL. Every other value that it writes is nobody else's."""

    def __init__(self, site, random, tables, values, recursive):
        self.site, self.random, self.tables, self.values = site, random, tables, values
        self.recursive = recursive  # may triggers fire themselves?
        self.written = 0
        self.done, self.refused = 0, {}

    def word(self):
        """A word that nobody wrote before."""
        self.written += 1
        return f"{self.site}{self.written:05d}{self.random.randrange(10**6):06d}x"

    def value(self, db, table, column):
        special = self.values.get((table.name, column.name)) or self.values.get(column.name)
        if special:
            return special(self)
        parent = table.parents.get(column.name)
        if parent and (not column.not_null or self.random.random() < 0.97):
            found = self.some(db, *parent)
            if found is not None or not column.not_null:
                return found
        if not column.not_null and self.random.random() < 0.15:
            return None
        contested = [column.name] in table.uniques or column.name in table.key
        common = self.random.random() < (0.3 if contested else 0.15)
        number = self.random.randrange(COMMON)
        if column.affinity in ("integer", "numeric"):
            return number if common else self.random.randrange(10**9, 2**53)
        if column.affinity == "real":
            return number + 0.5 if common else self.random.random()
        text = f"common {number}" if common else f"{self.word()} of {column.name}"
        return text.encode() if column.affinity == "blob" else text

    def some(self, db, table, column):
        """A value that the column has, or NULL."""
        return self.row(db, table, [column])[0]

    def row(self, db, table, columns):
        """Values of one row of the table; NULLs if it is empty."""
        names = ", ".join(quote(c) for c in columns)
        found = db.execute(
            f"SELECT {names} FROM {quote(table)} LIMIT 1 OFFSET "
            f"abs(random()) % max(1, (SELECT count(*) FROM {quote(table)}))"
        ).fetchone()
        return found or [None] * len(columns)

    def new_row(self, db, table):
        """Names and values; now and then the key or columns with defaults are left out."""
        out = {}
        for c in table.columns:
            if table.automatic and c.name in table.key and c.name not in table.parents:
                if self.random.random() < 0.8:
                    continue
            elif (c.has_default or not c.not_null) and self.random.random() < 0.2:
                if c.name not in table.key:
                    continue
            out[c.name] = self.value(db, table, c)
        return out

    def insert(self, db, table, verb="INSERT", tail=""):
        row = self.new_row(db, table)
        if not row:
            return db.execute(f"{verb} INTO {table.sql_name} DEFAULT VALUES")
        names = ", ".join(quote(n) for n in row)
        marks = ", ".join("?" for _ in row)
        return db.execute(
            f"{verb} INTO {table.sql_name}({names}) VALUES({marks}){tail}", list(row.values())
        )

    def insert_many(self, db, table):
        """INSERT .. SELECT of a row that is there, with what must differ made anew."""
        fixed = table.key + [c for u in table.uniques for c in u]
        others = [n for n in table.names if n not in fixed]
        new = [c for c in table.columns if c.name in fixed]
        if table.automatic and not table.parents.get(table.key[0]):
            new = [c for c in new if c.name not in table.key]
        names = ", ".join(quote(c.name) for c in new) + (", " if new and others else "")
        names += ", ".join(quote(n) for n in others)
        marks = ", ".join(["?"] * len(new) + [quote(n) for n in others])
        values = [self.value(db, table, c) for c in new]
        db.execute(
            f"INSERT OR IGNORE INTO {table.sql_name}({names}) "
            f"SELECT {marks} FROM {table.sql_name} LIMIT 1",
            values,
        )

    def where(self, db, table):
        """A condition that holds for one row, if there is one."""
        columns = table.key or self.random.sample(table.names, min(2, len(table.names)))
        values = self.row(db, table.name, columns)
        return " AND ".join(f"{quote(c)} IS ?" for c in columns), list(values)

    def update(self, db, table, verb="UPDATE", columns=None, only_one=True):
        if columns is None:
            free = [c for c in table.columns if c.name not in table.key]
            if not free:
                return self.insert(db, table)
            columns = self.random.sample(free, self.random.randint(1, min(3, len(free))))
        sets = ", ".join(f"{quote(c.name)} = ?" for c in columns)
        values = [self.value(db, table, c) for c in columns]
        where, which = self.where(db, table)
        if not only_one:
            column = quote(self.random.choice(table.names))
            where = f"{column} IS (SELECT {column} FROM {table.sql_name} WHERE {where} LIMIT 1)"
        return db.execute(f"{verb} {table.sql_name} SET {sets} WHERE {where}", values + which)

    def update_key(self, db, table):
        if not table.key:
            return self.update(db, table)
        name = self.random.choice(table.key)
        column = next(c for c in table.columns if c.name == name)
        return self.update(db, table, columns=[column])

    def delete(self, db, table, only_one=True):
        where, which = self.where(db, table)
        if not only_one:
            column = quote(self.random.choice(table.names))
            where = f"{column} = (SELECT {column} FROM {table.sql_name} WHERE {where} LIMIT 1)"
        db.execute(f"DELETE FROM {table.sql_name} WHERE {where}", which)

    def upsert(self, db, table):
        targets = ([table.key] if table.key else []) + table.uniques
        free = [c for c in table.columns if c.name not in table.key]
        if not targets or not free:
            return self.insert(db, table)
        target = ", ".join(quote(c) for c in self.random.choice(targets))
        changed = quote(self.random.choice(free).name)
        tail = f" ON CONFLICT({target}) DO UPDATE SET {changed} = excluded.{changed}"
        return self.insert(db, table, tail=tail)

    def statement(self, db):
        table = self.tables[self.random.choice(sorted(self.tables))]
        kinds = (
            (30, self.insert),
            (4, lambda d, t: self.insert(d, t, "INSERT OR IGNORE")),
            (6, lambda d, t: self.insert(d, t, "REPLACE")),
            (6, self.insert_many),
            (24, self.update),
            (3, lambda d, t: self.update(d, t, "UPDATE OR REPLACE")),
            (3, lambda d, t: self.update(d, t, only_one=False)),
            (4, self.update_key),
            (7, self.delete),
            (1, lambda d, t: self.delete(d, t, only_one=False)),
            (8, self.upsert),
        )
        kind = self.random.choices([k for _, k in kinds], [w for w, _ in kinds])[0]
        try:
            kind(db, table)
            self.done += 1
        except sqlite3.IntegrityError as e:
            said = str(e)
            self.refused[said] = self.refused.get(said, 0) + 1

    def transaction(self, db):
        """Up to five statements; now and then it is rolled back."""
        db.execute(f"PRAGMA foreign_keys = {self.random.choice(('ON', 'ON', 'OFF'))}")
        recursive = self.recursive and self.random.choice((True, False))
        db.execute(f"PRAGMA recursive_triggers = {'ON' if recursive else 'OFF'}")
        db.execute("BEGIN IMMEDIATE")
        for _ in range(self.random.randint(1, 5)):
            self.statement(db)
        if self.random.random() < 0.05:
            db.execute("ROLLBACK")
            return
        try:
            db.execute("COMMIT")
        except sqlite3.IntegrityError:  # a deferred foreign key
            db.execute("ROLLBACK")

    def fill(self, db, each):
        """Rows for every table, those of parents first."""
        db.execute("PRAGMA foreign_keys = ON")
        left, filled = dict(self.tables), set()
        while left:
            ready = [
                n
                for n, t in sorted(left.items())
                if all(p in filled or p == n for p, _ in t.parents.values())
            ] or sorted(left)
            for name in ready:
                table = left.pop(name)
                filled.add(name)
                self.fill_table(db, table, each)

    def fill_table(self, db, table, each):
        rows = 0
        for _ in range(each * 4):
            db.execute("BEGIN IMMEDIATE")
            try:
                self.insert(db, table)
                db.execute("COMMIT")
                rows += 1
            except sqlite3.IntegrityError as e:
                self.refused[str(e)] = self.refused.get(str(e), 0) + 1
                db.execute("ROLLBACK")
            if rows == each:
                break
        self.done += rows
