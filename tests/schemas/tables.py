# SPDX-License-Identifier: Apache-2.0
"""What a schema says of its tables."""

from dataclasses import dataclass, field


def quote(name):
    return '"' + name.replace('"', '""') + '"'


@dataclass
class Column:
    name: str
    affinity: str
    not_null: bool
    has_default: bool


@dataclass
class Table:
    name: str
    columns: list
    key: list  # names of columns
    automatic: bool  # the key is an alias of the rowid
    uniques: list = field(default_factory=list)  # lists of names
    parents: dict = field(default_factory=dict)  # column -> (table, column)

    @property
    def names(self):
        return [c.name for c in self.columns]

    @property
    def sql_name(self):
        return quote(self.name)


def affinity_of(declared):
    """The rules of SQLite's documentation, "Determination Of Column Affinity"."""
    text = declared.upper()
    for words, affinity in (
        (("INT",), "integer"),
        (("CHAR", "CLOB", "TEXT"), "text"),
        (("BLOB",), "blob"),
        (("REAL", "FLOA", "DOUB"), "real"),
    ):
        if any(w in text for w in words):
            return affinity
    return "numeric" if text else "blob"


def read_table(db, name):
    columns, key = [], []
    for row in db.execute("SELECT * FROM pragma_table_xinfo(?)", (name,)):
        _, column, declared, not_null, default, place, hidden = row
        if hidden:
            continue
        columns.append(Column(column, affinity_of(declared), bool(not_null), default is not None))
        if place:
            key.append((place, column))
    table = Table(name, columns, [c for _, c in sorted(key)], False)
    indexes = db.execute(
        'SELECT name, origin, partial FROM pragma_index_list(?) WHERE "unique"', (name,)
    ).fetchall()
    table.automatic = len(table.key) == 1 and not any(i[1] == "pk" for i in indexes)
    for index, origin, partial in indexes:
        parts = [r[0] for r in db.execute("SELECT name FROM pragma_index_info(?)", (index,))]
        if origin != "pk" and not partial and None not in parts:
            table.uniques.append(parts)
    for row in db.execute(
        'SELECT "table", "from", "to" FROM pragma_foreign_key_list(?)', (name,)
    ):
        table.parents[row[1]] = (row[0], row[2])
    return table


def read_tables(db, names):
    tables = {name: read_table(db, name) for name in names}
    for table in tables.values():
        for column, (parent, to) in list(table.parents.items()):
            if parent not in tables:
                del table.parents[column]
            elif to is None:
                table.parents[column] = (parent, tables[parent].key[0])
    return tables


def rows(db, table):
    """All rows, in an order of their own, with the types of their values."""
    columns = ", ".join(quote(c) for c in sorted(table.names, key=str.lower))
    return sorted(repr(r) for r in db.execute(f"SELECT {columns} FROM {table.sql_name}"))
