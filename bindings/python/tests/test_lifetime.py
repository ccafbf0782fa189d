# SPDX-License-Identifier: Apache-2.0
"""Handles that are closed late, twice, by others, or not at all."""

import gc
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import unittest
import weakref

import mycelial

from .support import FilesTest, connect, rows


class Lifetime(FilesTest):
    def test_a_forgotten_replica_is_closed(self):
        replica = mycelial.open(self.a)
        replica.on_change(lambda change: None)
        gone = weakref.ref(replica)
        del replica
        gc.collect()
        self.assertIsNone(gone())
        mycelial.open(self.a).close()  # its lease is free

    def test_a_program_may_end_without_closing(self):
        script = (
            "import mycelial, sqlite3, sys, time\n"
            "a, b = (mycelial.open(path) for path in sys.argv[1:])\n"
            "for replica in (a, b): replica.track('t')\n"
            "b.on_change(lambda change: time.sleep(0.001))\n"
            "b.connect(a.listen('tcp://127.0.0.1:0'))\n"
            "db = sqlite3.connect(sys.argv[1], timeout=10, isolation_level=None)\n"
            "for i in range(200): db.execute('INSERT INTO t VALUES(?, 1)', (i,))\n"
            "print('done')\n"
        )
        for _ in range(3):
            done = subprocess.run(
                [sys.executable, "-c", script, str(self.a), str(self.b)],
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "done\n", ""))
            with connect(self.a) as db:
                db.execute("DELETE FROM t")

    def test_a_wait_can_be_interrupted(self):
        script = (
            "import mycelial, socket, sys\n"
            "silent = socket.create_server(('127.0.0.1', 0))\n"
            "with mycelial.open(sys.argv[1]) as a:\n"
            "    print('waiting', flush=True)\n"
            "    a.sync('tcp://127.0.0.1:%d' % silent.getsockname()[1], 3600)\n"
        )
        child = subprocess.Popen(
            [sys.executable, "-c", script, str(self.a)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.assertEqual(child.stdout.readline(), "waiting\n")
        child.send_signal(signal.SIGINT)
        _, errors = child.communicate(timeout=60)
        self.assertIn("KeyboardInterrupt", errors)
        mycelial.open(self.a).close()

    def test_opening_and_closing_leaks_nothing(self):
        def count():
            status = pathlib.Path("/proc/self/status").read_text(encoding="ascii")
            threads = int(re.search(r"Threads:\s*(\d+)", status).group(1))
            return len(os.listdir("/proc/self/fd")), threads

        def cycle():
            with mycelial.open(self.a) as a, mycelial.open(self.b) as b:
                a.track("t")
                b.track("t")
                b.on_change(lambda change: None)
                b.sync(a.listen("tcp://127.0.0.1:0"), 30)

        cycle()
        before = count()
        for _ in range(10):
            cycle()
        self.assertEqual(count(), before)

    def test_threads_may_use_and_close_it_at_once(self):
        for _ in range(10):
            a = mycelial.open(self.a)
            a.track("t")
            started = threading.Barrier(5)
            strange = []

            def use(replica=a, barrier=started, out=strange):
                barrier.wait()
                try:
                    while True:
                        replica.status()
                        replica.digest()
                except mycelial.MycelialError as error:
                    if error.code != mycelial.Code.CLOSED:
                        out.append(error)

            users = [threading.Thread(target=use) for _ in range(4)]
            for user in users:
                user.start()
            started.wait()
            closers = [threading.Thread(target=a.close) for _ in range(2)]
            for thread in closers:
                thread.start()
            for thread in users + closers:
                thread.join()
            self.assertEqual(strange, [])

    def test_a_callback_may_be_replaced_and_dropped_while_rows_arrive(self):
        a, b = self.open(self.a), self.open(self.b)
        b.connect(a.listen("tcp://127.0.0.1:0"))
        seen = []
        with connect(self.a) as db:
            for i in range(100):
                b.on_change(lambda change, i=i: seen.append(i) if i % 3 else None)
                if i % 5 == 0:
                    b.on_change(None)
                    gc.collect()
                db.execute("INSERT INTO t VALUES (?, 'x')", (i,))
        self.eventually(lambda: len(rows(self.b)) == 100)
        b.on_change(None)
        told = len(seen)
        with connect(self.a) as db:
            db.execute("INSERT INTO t VALUES (1000, 'x')")
        self.eventually(lambda: len(rows(self.b)) == 101)
        self.assertEqual(len(seen), told, "nobody is told any more")
        self.assertEqual(b._callbacks, {})

    def test_a_callback_that_holds_the_replica_keeps_no_one_alive(self):
        a = mycelial.open(self.a)
        a.on_change(lambda change: a.path)
        gone = weakref.ref(a)
        a.close()
        del a
        gc.collect()
        self.assertIsNone(gone())

    def test_errors_name_what_they_are_about(self):
        a = self.open(self.a)
        for call, word in (
            (lambda: mycelial.open(self.folder / "absent.db"), "absent.db"),
            (lambda: mycelial.open(self.folder), str(self.folder)),
            (lambda: mycelial.open(self.a), str(os.getpid())),
            (lambda: a.track("no such table"), "no such table"),
            (lambda: a.untrack("nothing"), "nothing"),
            (lambda: a.listen("tcp://127.0.0.1"), "tcp://127.0.0.1"),
            (lambda: a.sync("tcp://127.0.0.1:1", 5), "127.0.0.1:1"),
            (lambda: a.connect("odd://x"), "odd://x"),
        ):
            with self.assertRaises(mycelial.MycelialError) as caught:
                call()
            self.assertIn(word, caught.exception.message)
            self.assertIn(caught.exception.code.name.lower(), str(caught.exception))


class Readme(FilesTest):
    def test_the_snippet_runs(self):
        readme = pathlib.Path(__file__).resolve().parents[3] / "README.md"
        snippets = re.findall(r"```python\n(.*?)```", readme.read_text(encoding="utf-8"), re.S)
        self.assertTrue(snippets)
        with connect(self.folder / "drone.db") as db:
            db.execute("CREATE TABLE drones(drone_id INTEGER, latitude REAL)")
        back = os.getcwd()
        self.addCleanup(os.chdir, back)
        os.chdir(self.folder)
        for snippet in snippets:
            exec(re.sub(r":\d{4}\b", ":0", snippet), {})  # any free port will do


if __name__ == "__main__":
    unittest.main()
