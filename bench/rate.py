#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How many rows a second one writer can bring to all of its peers, and what the nodes need for it.

usage: bench/rate.py MYCELIAL [--seconds S] [--rows-a-commit N] [--peers 1,4,16] [--rounds N]

One `mycelial serve` for the writer's file and one for each peer, on the loopback. A plain sqlite3
client commits for S seconds as fast as it can; the clock stops when the last peer has all rows.
"""

import argparse
import os
import sqlite3
import statistics
import tempfile
import time

from nodes import serve, track

INSERT = "INSERT INTO drones VALUES(?, ?, -74.006, 'now')"


def usage(process):
    """CPU seconds so far and MiB at the peak."""
    with open(f"/proc/{process.pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    with open(f"/proc/{process.pid}/status", encoding="ascii") as f:
        status = dict(line.split(":", 1) for line in f.read().splitlines())
    cpu = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return cpu, int(status["VmHWM"].split()[0]) / 1024


def write(path, seconds, batch):
    """Rows that were committed, and the seconds that it took."""
    db = sqlite3.connect(path, timeout=30, isolation_level=None)
    rows, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        db.execute("BEGIN IMMEDIATE")
        db.executemany(INSERT, [(i, i * 0.001) for i in range(rows, rows + batch)])
        db.execute("COMMIT")
        rows += batch
    db.close()
    return rows, time.perf_counter() - start


def wait_for(paths, rows):
    for path in paths:
        db = sqlite3.connect(path, timeout=30)
        while db.execute("SELECT count(*) FROM drones").fetchone()[0] != rows:
            time.sleep(0.01)
        db.close()


def measure(program, peers, seconds, batch):
    """Rows a second; how long peers were behind; CPU and peak MiB: the writer's, a peer's."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [os.path.join(folder, f"{i}.db") for i in range(peers + 1)]
        for path in paths:
            track(program, path)
        nodes = []
        try:
            first, endpoint = serve(program, paths[0], None)
            nodes = [first] + [serve(program, path, endpoint)[0] for path in paths[1:]]
            time.sleep(2)
            start = time.perf_counter()
            rows, wrote_s = write(paths[0], seconds, batch)
            wait_for(paths[1:], rows)
            all_s = time.perf_counter() - start
            spent = [usage(n) for n in nodes]
        finally:
            for n in nodes:
                n.terminate()
            for n in nodes:
                n.wait(20)
    return {
        "rows/s": rows / all_s,
        "behind": all_s - wrote_s,
        "us": spent[0][0] / rows * 1e6,
        "peer us": statistics.mean(s[0] for s in spent[1:]) / rows * 1e6,
        "MiB": spent[0][1],
        "peer MiB": max(s[1] for s in spent[1:]),
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rows-a-commit", type=int, default=100)
    parser.add_argument("--peers", default="1,4,16")
    parser.add_argument("--rounds", type=int, default=3)
    a = parser.parse_args()
    print("| peers | rows/s to all | spread | behind at the end | CPU us a row: writer's node, a "
          "peer | peak MiB: writer's node, a peer |")
    print("|---|---|---|---|---|---|")
    for peers in map(int, a.peers.split(",")):
        runs = [measure(a.program, peers, a.seconds, a.rows_a_commit) for _ in range(a.rounds)]
        mid = {k: statistics.median(r[k] for r in runs) for k in runs[0]}
        rates = [r["rows/s"] for r in runs]
        print(
            f"| {peers} | {mid['rows/s']:.0f} | {min(rates):.0f} .. {max(rates):.0f} | "
            f"{mid['behind']:.1f} s | {mid['us']:.1f}, {mid['peer us']:.1f} | "
            f"{mid['MiB']:.0f}, {mid['peer MiB']:.0f} |",
            flush=True,
        )


main()
