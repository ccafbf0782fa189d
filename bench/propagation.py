#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How long a commit takes to be visible elsewhere, and what a node costs that has nothing to do.

usage: bench/propagation.py MYCELIAL [--hops N] [--commits N] [--idle SECONDS]

A line of `mycelial serve` processes on the loopback. A plain sqlite3 client commits to the first
file, another reads the last. Figures are of this machine as it is; run it on a quiet one.
"""

import argparse
import os
import sqlite3
import statistics
import tempfile
import time

from nodes import serve, track


def propagation(paths, commits):
    """Milliseconds from the return of each commit until the row is visible."""
    writer = sqlite3.connect(paths[0], timeout=10, isolation_level=None)
    reader = sqlite3.connect(paths[-1], timeout=10, isolation_level=None)
    out = []
    for i in range(commits):
        writer.execute("INSERT INTO drones VALUES(?, 40.7128, -74.006, 'now')", (i,))
        start = time.perf_counter()
        while reader.execute("SELECT max(rowid) FROM drones").fetchone()[0] != i + 1:
            time.sleep(0.0002)
        out.append((time.perf_counter() - start) * 1000)
        time.sleep(0.03)
    writer.close()
    reader.close()
    return sorted(out)


def usage(pid):
    """CPU seconds, bytes handed to write(), bytes for the disk, wake-ups, MiB resident."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    cpu = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    with open(f"/proc/{pid}/io", encoding="ascii") as f:
        io = dict(line.split(": ") for line in f.read().splitlines())
    switches = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/status", encoding="ascii") as f:
            status = dict(line.split(":", 1) for line in f.read().splitlines())
        switches += int(status["voluntary_ctxt_switches"])
    resident = int(status["VmRSS"].split()[0]) / 1024
    return cpu, int(io["wchar"]), int(io["write_bytes"]), switches, resident


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--hops", type=int, default=1)
    parser.add_argument("--commits", type=int, default=300)
    parser.add_argument("--idle", type=float, default=30)
    a = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        paths = [os.path.join(folder, f"{i}.db") for i in range(a.hops + 1)]
        nodes, peer = [], None
        for path in paths:
            track(a.program, path)
        try:
            for path in paths:
                process, peer = serve(a.program, path, peer)
                nodes.append(process)
            time.sleep(2)
            ms = propagation(paths, a.commits)
            print(
                f"{a.commits} commits, {a.hops} hop(s): median {statistics.median(ms):.1f} ms, "
                f"p99 {ms[int(len(ms) * 0.99) - 1]:.1f} ms, worst {ms[-1]:.1f} ms"
            )
            time.sleep(5)
            before = [usage(n.pid) for n in nodes]
            time.sleep(a.idle)
            for i, (n, b) in enumerate(zip(nodes, before)):
                cpu, wchar, disk, switches, resident = usage(n.pid)
                print(
                    f"node {i}, idle for {a.idle:.0f} s: CPU {(cpu - b[0]) / a.idle * 100:.2f} %, "
                    f"{wchar - b[1]} bytes written, {disk - b[2]} of them to disk, "
                    f"{(switches - b[3]) / a.idle:.1f} wake-ups/s, {resident:.1f} MiB resident"
                )
        finally:
            for n in nodes:
                n.terminate()
            for n in nodes:
                n.wait(10)


main()
