# SPDX-License-Identifier: Apache-2.0
"""Files that cannot be used, locked files, full disks: a clear word, and nothing is lost."""

import os
import resource
import shutil
import stat
import subprocess
import time
import unittest

from fleet import MYCELIAL, FleetTest, good, until


class Files(FleetTest):
    def test_files_that_cannot_be_used(self):
        a = self.tracked("a")
        port = a.serve().port
        path = self.folder.path
        shutil.copy(MYCELIAL, os.path.join(path, "mycelial"))
        os.chmod(path, 0o755)
        os.mkdir(os.path.join(path, "folder"))
        with open(os.path.join(path, "half.db"), "wb") as out, open(a.path, "rb") as whole:
            out.write(whole.read(3000))
        noise = os.path.join(path, "noise.db")
        with open(noise, "wb") as out:
            out.write(os.urandom(8192))
        for name, words in (
            ("absent.db", ["no such file"]),
            ("folder", ["directory"]),
            ("noise.db", ["not a database"]),
            ("half.db", ["half.db"]),
        ):
            for command in ("track", "serve", "status", "digest", "check", "sync"):
                more = {"track": ["--all"], "sync": [f"tcp://127.0.0.1:{port}"]}.get(command, [])
                said = self.fails(1, command, os.path.join(path, name), *more)
                for word in [name, *words]:
                    self.assertIn(word, said)
        self.assertFalse(os.path.exists(os.path.join(path, "absent.db")))

    def test_files_and_folders_that_cannot_be_written(self):
        a, b = self.tracked("a"), self.tracked("b")
        a.serve()
        peer = f"tcp://127.0.0.1:{a.port}"
        inside = os.path.join(self.folder.path, "inside")
        os.mkdir(inside)
        for name in ("b.db", "b.db-mycelial"):
            shutil.copy(os.path.join(self.folder.path, name), inside)
        program = os.path.join(self.folder.path, "mycelial")
        shutil.copy(MYCELIAL, program)
        os.chmod(self.folder.path, 0o755)

        def as_nobody(*words):
            user = {"user": "nobody", "group": "nogroup"} if os.geteuid() == 0 else {}
            return subprocess.run(
                [program, *words], capture_output=True, text=True, timeout=60, check=False, **user
            )

        locked = os.path.join(inside, "b.db")
        cases = [
            (b.path, lambda: os.chmod(b.path, stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH)),
            (locked, lambda: os.chmod(inside, 0o555)),
        ]
        for path, spoil in cases:
            spoil()
            for words in (("track", path, "item"), ("serve", path), ("sync", path, peer)):
                done = as_nobody(*words)
                self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
                self.assertIn(path, done.stderr)
                self.assertIn("writ", done.stderr)
        os.chmod(inside, 0o755)
        os.chmod(b.path, 0o644)
        good("sync", b.path, peer)

    def test_a_quota_like_a_full_disk_is_named_and_waited_out(self):
        a, b = self.tracked("a"), self.tracked("b")
        a.serve()
        limit = os.path.getsize(b.path) + 200_000
        b.serve(
            a.port,
            before=lambda: resource.setrlimit(
                resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY)
            ),
        )
        until("a link", lambda: "in sync" in good("status", b.path))
        for _ in range(30):
            a.script("INSERT INTO log SELECT 'x', randomblob(900) FROM sqlite_schema")
            time.sleep(0.02)
        until("a word in status", lambda: "writing failed" in good("status", b.path))
        self.assertIn("failed", b.said())
        self.assertEqual(good("check", b.path), "sound")
        resource.prlimit(
            b.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        )
        until("it goes on by itself", lambda: a.digest() == b.digest(), 60)
        until("the word is gone", lambda: "writing failed" not in good("status", b.path))
        self.assert_alive(a, b)

    def test_a_lock_is_named_and_waited_out(self):
        self.wait_out_a_lock(2)

    def test_serve_starts_and_ends_while_the_file_is_locked(self):
        a, b = self.tracked("a"), self.tracked("b")
        a.serve()
        db = self.hold_lock(b)
        self.addCleanup(db.close)
        b.serve(a.port)
        until("a link", lambda: '"connected":true' in good("status", b.path, "--json"))
        a.script("INSERT INTO log VALUES('from a', 2)")
        until("a word in status", lambda: "locked" in good("status", b.path))
        began = time.monotonic()
        self.assertEqual(b.stop(), 0)
        print(f"ended in {time.monotonic() - began:.2f} s", flush=True)
        b.serve(a.port)
        db.execute("COMMIT")
        self.assert_alive(a, b)

    def test_a_file_that_is_replaced_under_us_loses_nothing_of_others(self):
        a, b = self.pair()
        self.assert_alive(a, b)
        b.kill()
        for end in ("", "-wal", "-shm"):
            if os.path.exists(b.path + end):
                os.remove(b.path + end)
        b.script("CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT); CREATE TABLE log(a, b)")
        good("track", b.path, "--all")
        b.serve()
        self.assert_alive(a, b)
        self.assertGreaterEqual(len(b.sql("SELECT * FROM log")), 4)


if __name__ == "__main__":
    unittest.main()
