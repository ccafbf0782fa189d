#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What peers cost the application: its commits, while its file is served to nobody, to a peer that
reads, to one that is stopped, to one behind a slow link, and to one that sends nonsense.

usage: MYCELIAL=build/release/tools/mycelial python3 bench/peers.py [ROUNDS]

Rounds of 300 commits (one row each, synchronous = NORMAL, WAL) in turns; prints medians over the
rounds as ratios to a served file without peers, and the spread.
"""

import os
import random
import signal
import socket
import statistics
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tests/cli"))

from fleet import Folder, good  # noqa: E402
from wire import Wire  # noqa: E402

SCHEMA = "CREATE TABLE log(at INTEGER, text TEXT)"
COMMITS = 300


class Nonsense:
    """Connects again and again, and sends the right preface and then anything."""

    def __init__(self, port):
        self.port, self.running = port, True
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while self.running:
            try:
                with socket.create_connection(("127.0.0.1", self.port), 5) as s:
                    s.sendall(b"MYCEL\r\n\x01" + b"\0\0\x10\0" + os.urandom(4096))
                    s.settimeout(1)
                    s.recv(100)
            except OSError:
                pass
            time.sleep(0.01)

    def close(self):
        self.running = False


class Case:
    def __init__(self, folder, name):
        self.name, self.times = name, []
        self.db = folder.database(name.replace(" ", "-"), SCHEMA)
        self.db.sql("PRAGMA journal_mode = WAL")
        good("track", self.db.path, "--all")
        self.db.serve(port=0)
        self.peer = self.wire = self.enemy = None
        if name in ("a peer", "a stopped peer", "a slow peer"):
            self.peer = folder.database(self.db.path.rsplit("/", 1)[1][:-3] + "-peer", SCHEMA)
            good("track", self.peer.path, "--all")
            self.wire = Wire(self.db.port, rate=2000)
            self.wire.set("slow" if name == "a slow peer" else "up")
            self.peer.serve(self.wire.port, port=0)
            time.sleep(1)
            if name == "a stopped peer":
                self.peer.process.send_signal(signal.SIGSTOP)
        if name == "nonsense":
            self.enemy = Nonsense(self.db.port)
        self.client = self.db.connect()
        self.client.execute("PRAGMA synchronous = NORMAL")

    def round(self):
        start = time.perf_counter()
        for i in range(COMMITS):
            self.client.execute("INSERT INTO log VALUES(?, ?)", (i, "x" * 100))
        self.times.append((time.perf_counter() - start) / COMMITS * 1e6)
        time.sleep(0.3)

    def close(self):
        if self.peer:
            self.peer.process.send_signal(signal.SIGCONT)
        if self.enemy:
            self.enemy.close()
        begun = time.perf_counter()
        self.client.close()
        self.db.stop()
        return time.perf_counter() - begun


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    names = ["nobody", "a peer", "a stopped peer", "a slow peer", "nonsense"]
    with Folder() as folder:
        cases = [Case(folder, name) for name in names]
        for _ in range(rounds):
            for case in random.sample(cases, len(cases)):
                case.round()
        base = statistics.median(cases[0].times)
        for case in cases:
            middle = statistics.median(case.times)
            low, high = min(case.times) / base, max(case.times) / base
            closing = case.close()
            print(
                f"{case.name:<15} x{middle / base:.2f} (x{low:.2f} to x{high:.2f}), "
                f"{middle:.0f} us a commit; stopped within {closing:.2f} s"
            )


main()
