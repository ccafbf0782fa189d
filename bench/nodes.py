# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks of running nodes share: files that are tracked, and processes that serve."""

import sqlite3
import subprocess

SCHEMA = "CREATE TABLE drones(drone_id INTEGER, latitude REAL, longitude REAL, timestamp TEXT)"


def track(program, path):
    """A new file with the table, tracked."""
    sqlite3.connect(path).executescript(SCHEMA).close()
    subprocess.run([program, "track", path, "--all"], check=True, stdout=subprocess.DEVNULL)


def serve(program, path, peer):
    """The process, and the endpoint at which it listens."""
    words = [program, "serve", path, "--listen", "tcp://127.0.0.1:0"]
    if peer:
        words += ["--peer", peer]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return process, process.stdout.readline().split()[1]
