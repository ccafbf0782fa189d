#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How a new replica gets all rows: the time, the bytes, and what a kill on the way costs.

usage: bootstrap.py MYCELIAL [ROWS] [MBIT]

Makes a database of ROWS (a million), lets a new file sync with it over a link of MBIT megabits a
second (100) on the loopback, then does so again with a process that is killed half-way and begins
anew. Prints seconds, bytes, how much of the link was used, and what was sent twice.
"""

import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

SCHEMA = "CREATE TABLE reading(id INTEGER PRIMARY KEY, sensor TEXT, at INTEGER, value REAL)"


class Link:
    """Passes bytes on between a port of its own and another one, at a rate."""

    def __init__(self, target, bits_per_second):
        self.target, self.rate, self.bytes = target, bits_per_second / 8, 0
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            near, _ = self.socket.accept()
            far = socket.create_connection(("127.0.0.1", self.target))
            for pair in ((near, far), (far, near)):
                threading.Thread(target=self.carry, args=pair, daemon=True).start()

    def carry(self, source, sink):
        free = time.monotonic()
        try:
            while data := source.recv(16384):
                free = max(free, time.monotonic()) + len(data) / self.rate
                time.sleep(max(0, free - time.monotonic()))
                sink.sendall(data)
                self.bytes += len(data)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def fill(path, rows):
    draw = random.Random(1)
    db = sqlite3.connect(path)
    db.execute(SCHEMA)
    db.executemany(
        "INSERT INTO reading VALUES(?, ?, ?, ?)",
        (
            (i, f"sensor {draw.randrange(500)}", 1700000000 + i * 3, draw.random())
            for i in range(rows)
        ),
    )
    db.commit()
    db.close()


def main():
    mycelial = sys.argv[1]
    rows = int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000
    mbit = float(sys.argv[3]) if len(sys.argv) > 3 else 100
    with tempfile.TemporaryDirectory() as folder:
        first = os.path.join(folder, "first.db")
        fill(first, rows)
        subprocess.run([mycelial, "track", first, "--all"], check=True)
        server = subprocess.Popen(
            [mycelial, "serve", first, "--listen", "tcp://127.0.0.1:0"],
            stdout=subprocess.PIPE,
            text=True,
        )
        port = int(server.stdout.readline().rsplit(":", 1)[1])
        size = os.path.getsize(first)

        def newcomer(name):
            path = os.path.join(folder, name)
            sqlite3.connect(path).execute(SCHEMA)
            subprocess.run([mycelial, "track", path, "--all"], check=True)
            link = Link(port, mbit * 1e6)
            words = [mycelial, "sync", path, f"tcp://127.0.0.1:{link.port}", "--timeout", "3000"]
            return path, link, words

        def count(path):
            return sqlite3.connect(path).execute("SELECT count(*) FROM reading").fetchone()[0]

        path, link, words = newcomer("new.db")
        began = time.monotonic()
        subprocess.run(words, check=True)
        took = time.monotonic() - began
        assert count(path) == rows
        ideal = link.bytes / link.rate
        print(f"{rows} rows, a file of {size / 1e6:.1f} MB, {mbit:g} Mbit/s")
        print(
            f"new replica: {took:.1f} s, {link.bytes / 1e6:.1f} MB "
            f"({link.bytes / rows:.1f} bytes a row); the link alone takes {ideal:.1f} s"
        )
        whole = link.bytes

        path, link, words = newcomer("killed.db")
        process = subprocess.Popen(words)
        while link.bytes < whole / 2:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        before = link.bytes
        subprocess.run(words, check=True)
        assert count(path) == rows
        print(
            f"killed after {before / 1e6:.1f} MB, begun anew: {link.bytes / 1e6:.1f} MB in all, "
            f"{(link.bytes - whole) / 1e6:.2f} MB more than without"
        )
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
