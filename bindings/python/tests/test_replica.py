# SPDX-License-Identifier: Apache-2.0
import os
import signal
import subprocess
import sys
import threading
import unittest

import mycelial

from .support import FilesTest, connect, rows


class Replica(FilesTest):
    def test_the_main_path(self):
        changes = []
        a, b = self.open(self.a), self.open(self.b)
        b.on_change(changes.append)
        with connect(self.a) as db:
            db.execute("INSERT INTO t VALUES (1, 'one'), (2, 'two')")
        with connect(self.b) as db:
            db.execute("INSERT INTO t VALUES (3, 'three')")
        told = []
        b.sync(a.listen("tcp://127.0.0.1:0"), 30, lambda here, there: told.append((here, there)))
        everything = [(1, "one"), (2, "two"), (3, "three")]
        self.assertEqual(rows(self.a), everything)
        self.assertEqual(rows(self.b), everything)
        self.assertEqual(a.digest(), b.digest())
        self.assertEqual(a.check(), [])
        self.assertEqual(sum(change.rows for change in changes), 2)
        self.assertEqual({change.tables for change in changes}, {("t",)})
        b.on_change(None)
        self.assertEqual(b._callbacks, {})
        status = b.status()
        self.assertEqual(status.tables, [mycelial.Table("t", True, "")])
        self.assertEqual(status.last_error, "")
        self.assertEqual(len(status.site), 32)
        self.assertEqual(b.conflicts(), [])

    def test_writers_in_this_process_while_it_syncs(self):
        a, b = self.open(self.a), self.open(self.b)
        b.connect(a.listen("tcp://127.0.0.1:0"))

        def write(path, first):
            with connect(path) as db:
                for i in range(first, first + 300):
                    db.execute("INSERT INTO t VALUES (?, ?)", (i, f"row {i}"))
                    if i % 3 == 0:
                        db.execute("UPDATE t SET v = v || '!' WHERE id = ?", (i,))

        threads = [
            threading.Thread(target=write, args=arguments)
            for arguments in ((self.a, 0), (self.a, 1000), (self.b, 2000), (self.b, 3000))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.eventually(lambda: len(rows(self.a)) == 1200 and rows(self.a) == rows(self.b))
        wanted = [
            (i, f"row {i}" + ("!" if i % 3 == 0 else ""))
            for first in (0, 1000, 2000, 3000)
            for i in range(first, first + 300)
        ]
        self.assertEqual(rows(self.a), wanted)

    def test_closing_and_opening_again_loses_nothing(self):
        with mycelial.open(self.a) as a:
            a.track("t")
            site = a.status().site
        with connect(self.a) as db:
            db.execute("INSERT INTO t VALUES (1, 'written while nobody served')")
        a, b = self.open(self.a), self.open(self.b)
        self.assertEqual(a.status().site, site)
        b.sync(a.listen("tcp://127.0.0.1:0"))
        self.assertEqual(rows(self.b), [(1, "written while nobody served")])

    def test_a_killed_writer_loses_nothing_that_it_had_committed(self):
        script = (
            "import mycelial, sqlite3, sys\n"
            "replica = mycelial.open(sys.argv[1])\n"
            "replica.track('t')\n"
            "replica.connect(sys.argv[2])\n"
            "db = sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None)\n"
            "for i in range(100000):\n"
            "    db.execute('INSERT INTO t VALUES (?, ?)', (i, 'x'))\n"
            "    print(i, flush=True)\n"
        )
        b = self.open(self.b)
        endpoint = b.listen("tcp://127.0.0.1:0")
        child = subprocess.Popen(
            [sys.executable, "-c", script, str(self.a), endpoint],
            stdout=subprocess.PIPE,
            text=True,
        )
        last = -1
        for line in child.stdout:
            last = int(line)
            if last == 150:
                os.kill(child.pid, signal.SIGKILL)
        child.stdout.close()
        child.wait()
        self.assertGreaterEqual(last, 150)
        a = self.open(self.a)
        a.sync(endpoint)
        self.assertGreaterEqual(len(rows(self.a)), last + 1)
        self.assertEqual(rows(self.a), rows(self.b))
        self.assertEqual(a.digest(), b.digest())

    def test_failures_have_codes(self):
        def code(function, *arguments, **options):
            with self.assertRaises(mycelial.MycelialError) as caught:
                function(*arguments, **options)
            self.assertTrue(caught.exception.message)
            return caught.exception.code

        Code = mycelial.Code
        a = self.open(self.a)
        self.assertEqual(code(mycelial.open, self.folder / "absent"), Code.NOT_FOUND)
        self.assertEqual(code(mycelial.open, self.a), Code.BUSY)
        self.assertEqual(code(a.track, "absent"), Code.NOT_FOUND)
        self.assertEqual(code(a.track, "t\0t"), Code.INVALID_ARGUMENT)
        self.assertEqual(code(a.connect, "nonsense"), Code.INVALID_ARGUMENT)
        self.assertEqual(code(a.connect, "odd://x"), Code.UNSUPPORTED)
        self.assertIn(code(a.sync, "tcp://127.0.0.1:1", 5), (Code.IO, Code.CANCELED))
        with self.assertRaises(TypeError):
            a.track(7)
        a.close()
        a.close()
        self.assertEqual(code(a.seal), Code.CLOSED)

    def test_close_ends_a_waiting_call(self):
        a = self.open(self.a)
        started, ended = threading.Event(), []

        class Silent(mycelial.Transport):
            scheme = "silent"

            def dial(self, endpoint, acceptor):
                started.set()

            def stop(self):
                pass

        a.add_transport(Silent())

        def wait():
            try:
                a.sync("silent://nobody", 600)
            except mycelial.MycelialError as error:
                ended.append(error.code)

        thread = threading.Thread(target=wait)
        thread.start()
        started.wait()
        a.close()
        thread.join()
        self.assertEqual(ended, [mycelial.Code.CLOSED])

    def test_exceptions_in_callbacks_do_no_harm(self):
        a, b = self.open(self.a), self.open(self.b)

        def progress(here, there):
            raise KeyError("mine")

        endpoint = a.listen("tcp://127.0.0.1:0")
        with connect(self.a) as db:
            db.execute("INSERT INTO t VALUES (1, 'one')")
        with self.assertRaises(KeyError):
            b.sync(endpoint, 30, progress)
        self.assertEqual(rows(self.b), [(1, "one")])

    def test_a_callback_may_not_call_in(self):
        a, b = self.open(self.a), self.open(self.b)
        codes = []

        def called(change):
            try:
                b.seal()
            except mycelial.MycelialError as error:
                codes.append(error.code)

        b.on_change(called)
        with connect(self.a) as db:
            db.execute("INSERT INTO t VALUES (1, 'one')")
        b.sync(a.listen("tcp://127.0.0.1:0"))
        self.assertEqual(codes, [mycelial.Code.INVALID_ARGUMENT])


if __name__ == "__main__":
    unittest.main()
