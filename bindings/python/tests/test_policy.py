# SPDX-License-Identifier: Apache-2.0
import mycelial

from .support import FilesTest, connect, rows


class Longest(mycelial.MergePolicy):
    name = "longest"

    def merge(self, a, b):
        assert len(a.site) == 32 and a.time_ms > 0
        return max(a.value or "", b.value or "", key=lambda v: (len(v), v))


class Broken(mycelial.MergePolicy):
    name = "broken"

    def merge(self, a, b):
        raise ValueError("out of ideas")


class Policies(FilesTest):
    def meet(self, a, b):
        b.sync(a.listen("tcp://127.0.0.1:0"), 30)

    def test_a_counter(self):
        for path in (self.a, self.b):
            with connect(path) as db:
                db.execute("CREATE TABLE hits(page TEXT PRIMARY KEY, n INTEGER)")
        a, b = self.open(self.a), self.open(self.b)
        a.track("hits")
        b.track("hits")
        a.set_policy("hits", "n", "counter")
        for path in (self.a, self.b, self.b):
            with connect(path) as db:
                db.execute("INSERT INTO hits VALUES ('/', 1) ON CONFLICT DO UPDATE SET n = n + 1")
        self.meet(a, b)
        for path in (self.a, self.b):
            with connect(path) as db:
                self.assertEqual(db.execute("SELECT n FROM hits").fetchall(), [(3,)])
        self.assertEqual(b.policies(), [mycelial.Policy("hits", "n", "counter", True)])
        with self.assertRaisesRegex(mycelial.MycelialError, "no merge policy"):
            a.set_policy("hits", "n", "biggest")

    def test_a_policy_in_python(self):
        policies = [Longest()]
        a, b = (self.open(path, policies=policies) for path in (self.a, self.b))
        a.set_policy("t", "v", "longest")
        with connect(self.a) as db:
            db.execute("INSERT INTO t VALUES (1, 'first')")
        self.meet(a, b)
        with connect(self.a) as db:
            db.execute("UPDATE t SET v = 'the longest \u00e9'")
        with connect(self.b) as db:
            db.execute("UPDATE t SET v = 'short'")
        self.meet(a, b)
        self.assertEqual(rows(self.a), [(1, "the longest \u00e9")])
        self.assertEqual(rows(self.b), rows(self.a))

    def test_an_exception_stops_the_replica(self):
        a = self.open(self.a, policies=[Broken()])
        a.set_policy("t", "v", "broken")
        with connect(self.a) as db:
            db.execute("INSERT INTO t VALUES (1, 'one')")
        a.seal()
        with connect(self.a) as db:
            db.execute("UPDATE t SET v = 'two'")
        with self.assertRaisesRegex(mycelial.MycelialError, "ValueError: out of ideas"):
            a.seal()
        self.assertEqual(rows(self.a), [(1, "two")])
