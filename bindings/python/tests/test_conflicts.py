# SPDX-License-Identifier: Apache-2.0
import mycelial

from .support import FilesTest, connect, rows


class Conflicts(FilesTest):
    def setUp(self):
        super().setUp()
        for path in (self.a, self.b):
            with connect(path) as db:
                db.execute("CREATE TABLE badge(k TEXT PRIMARY KEY, u UNIQUE)")

    def pair(self):
        a, b = self.open(self.a), self.open(self.b)
        for replica in (a, b):
            replica.track("badge")
        return a, b, a.listen("tcp://127.0.0.1:0")

    def write(self, path, sql):
        with connect(path) as db:
            db.execute(sql)

    def test_a_value_is_restored_or_dismissed(self):
        a, b, address = self.pair()
        self.write(self.a, "INSERT INTO t VALUES (1, '0'), (2, '0')")
        b.sync(address)
        a.close()
        self.write(self.a, "UPDATE t SET v = 'a'")
        self.write(self.b, "UPDATE t SET v = 'b'")
        a = self.open(self.a)
        b.sync(a.listen("tcp://127.0.0.1:0"))
        first, second = sorted(b.conflicts(), key=lambda c: c.row)
        self.assertEqual((first.table, first.row, first.kind), ("t", "1", "superseded"))
        b.restore(first)
        b.dismiss(second.id)
        self.assertEqual(b.conflicts(), [])
        self.assertEqual(rows(self.b), [(1, first.value.strip("'")), (2, second.winner.strip("'"))])
        with self.assertRaises(mycelial.MycelialError) as caught:
            b.dismiss(second)
        self.assertEqual(caught.exception.code, mycelial.Code.NOT_FOUND)

    def test_a_hidden_row_gets_another_value(self):
        a, b, address = self.pair()
        values = (2.5, "it's", b"\x00\xff", True, None, -(2**63), float("inf"))
        for i in range(len(values)):
            self.write(self.a, f"INSERT INTO badge VALUES ('x{i}', {100 + i})")
            self.write(self.b, f"INSERT INTO badge VALUES ('y{i}', {100 + i})")
        b.sync(address)
        hidden = b.conflicts()
        self.assertEqual(len(hidden), len(values))
        with self.assertRaises(TypeError):
            b.change(hidden[0], "u", object())
        for conflict, value in zip(hidden, values):
            with self.subTest(value=value):
                b.change(conflict, "u", value)
                changed = f"SELECT u FROM badge WHERE k = {conflict.row}"
                self.assertEqual(rows(self.b, changed), [(value,)])
        self.assertEqual(b.conflicts(), [])
        a.seal()
        b.sync(address)
        self.assertEqual(a.digest(), b.digest())

    def test_a_column_is_dropped(self):
        a, b, address = self.pair()
        self.write(self.a, "INSERT INTO t VALUES (1, 'v')")
        b.alter("ALTER TABLE t DROP COLUMN v")
        b.sync(address)
        self.assertEqual(rows(self.b, "SELECT * FROM t"), [(1,)])
        with self.assertRaisesRegex(mycelial.MycelialError, "ALTER TABLE"):
            b.alter("DROP TABLE t")
