# SPDX-License-Identifier: Apache-2.0
"""A fleet of six: plain SQL on six files, six processes, a line of links that break."""

import os
import select
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

MYCELIAL = os.path.abspath(sys.argv[1])
NODES = ["drone1", "drone2", "humvee1", "humvee2", "drone3", "drone4"]
SCHEMA = """
CREATE TABLE drones (drone_id INTEGER, latitude REAL, longitude REAL, altitude REAL,
                     timestamp TEXT);
CREATE TABLE humvees (humvee_id INTEGER, latitude REAL, longitude REAL, speed REAL, timestamp TEXT);
CREATE TABLE battery_status (drone_id INTEGER, level INTEGER, timestamp TEXT);
CREATE TABLE threats (threat_id TEXT PRIMARY KEY, kind TEXT, latitude REAL, longitude REAL,
                      timestamp TEXT);
"""
LATEST = [
    "SELECT * FROM drones ORDER BY timestamp DESC LIMIT 1",
    "SELECT * FROM humvees ORDER BY timestamp DESC LIMIT 1",
]


class Radio:
    """A TCP link that can be cut, and that counts what it carries."""

    def __init__(self, port):
        self.target, self.bytes, self.cut, self.pairs = port, 0, False, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            if self.cut:
                near.close()
                continue
            try:
                far = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                near.close()
                continue
            self.pairs.append((near, far))
            threading.Thread(target=self.carry, args=(near, far), daemon=True).start()

    def carry(self, near, far):
        try:
            while True:
                for source in select.select([near, far], [], [])[0]:
                    data = source.recv(65536)
                    if not data:
                        return
                    self.bytes += len(data)
                    (far if source is near else near).sendall(data)
        except (OSError, ValueError):
            pass
        finally:
            near.close()
            far.close()

    def set_cut(self, cut):
        self.cut = cut
        if cut:
            for pair in self.pairs:
                for s in pair:
                    try:
                        s.shutdown(socket.SHUT_RDWR)
                    except OSError:
                        pass
            self.pairs.clear()


class Node:
    def __init__(self, folder, name):
        self.name, self.path = name, os.path.join(folder, name + ".db")
        self.process, self.port, self.radio = None, 0, None
        with sqlite3.connect(self.path) as db:
            db.executescript(SCHEMA)
        command("track", self.path, "--all")

    def start(self, peer=None):
        words = [MYCELIAL, "serve", self.path, "--listen", f"tcp://127.0.0.1:{self.port}"]
        if peer:
            words += ["--peer", f"tcp://127.0.0.1:{peer}"]
        self.peer = peer
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                        text=True)
        line = self.process.stdout.readline()
        if not line.startswith("listening "):
            raise SystemExit(f"{self.name} did not start")
        self.port = int(line.rsplit(":", 1)[1])

    def shell(self, sql):
        """Writes with the stock sqlite3 shell, which has never heard of mycelial."""
        subprocess.run(["sqlite3", "-cmd", ".timeout 5000", self.path, sql], check=True,
                       stdout=subprocess.DEVNULL)

    def query(self, sql):
        db = sqlite3.connect(self.path, timeout=5)
        try:
            return db.execute(sql).fetchall()
        finally:
            db.close()

    def memory(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            return next(int(l.split()[1]) for l in status if l.startswith("VmRSS")) / 1024


def command(*words):
    done = subprocess.run([MYCELIAL, *words], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def until(what, seconds, condition):
    start = time.monotonic()
    while not condition():
        if time.monotonic() - start > seconds:
            raise SystemExit(f"FAILED: {what} did not happen within {seconds} s")
        time.sleep(0.001)
    return (time.monotonic() - start) * 1000


def say(text):
    print(f"  {time.strftime('%H:%M:%S')}  {text}", flush=True)


def fleet(folder, nodes):
    by = {n.name: n for n in nodes}
    before = None
    for node in nodes:
        node.start(before.radio.port if before else None)
        node.radio = Radio(node.port)
        before = node
    say("six processes serve six files: " + " - ".join(NODES))

    by["drone1"].shell(
        "INSERT INTO drones(drone_id, latitude, longitude, altitude, timestamp)"
        " VALUES (1, 40.7128, -74.0060, 500, '2023-09-11 12:34:56')")
    ms = until("the first row", 20, lambda: by["drone4"].query("SELECT 1 FROM drones"))
    say("drone1 wrote its position with the sqlite3 shell; drone4, five links away, has it "
        f"({ms:.0f} ms)")

    writers = []
    for i, node in enumerate(nodes):
        kind = "drones" if node.name.startswith("drone") else "humvees"
        writers.append(threading.Thread(target=telemetry, args=(node, kind, i + 1)))
        writers[-1].start()
    for w in writers:
        w.join()
    rows = 200 * len(nodes) + 1
    count = "SELECT (SELECT count(*) FROM drones) + (SELECT count(*) FROM humvees)"
    ms = until("telemetry", 30, lambda: all(n.query(count)[0][0] == rows for n in nodes))
    say(f"all six wrote telemetry at once; every file has all {rows} rows "
        f"({ms:.0f} ms after the last write)")

    by["drone3"].radio.set_cut(True)  # between drone3 and drone4
    by["drone4"].shell("INSERT INTO battery_status VALUES (4, 17, '2023-09-11 12:40:00')")
    say("drone4 is cut off and writes its battery status")
    threat = time.monotonic()
    by["drone1"].shell("INSERT INTO threats VALUES "
                       "('T-1', 'vehicle', 40.71, -74.01, '2023-09-11 12:41:00')")
    until("the threat", 20, lambda: by["humvee2"].query("SELECT 1 FROM threats"))
    say("a threat seen by drone1 crossed three hops to humvee2 in "
        f"{(time.monotonic() - threat) * 1000:.0f} ms")

    humvee = by["humvee1"]
    humvee.process.send_signal(signal.SIGKILL)
    humvee.process.wait()
    by["humvee2"].shell("INSERT INTO humvees VALUES "
                        "(2, 40.72, -74.02, 33.5, '2023-09-11 12:45:00')")
    humvee.shell("UPDATE threats SET kind = 'tank' WHERE threat_id = 'T-1'")
    say("humvee1's process is killed (SIGKILL); its file is written all the same")
    humvee.start(humvee.peer)
    until("the update", 30, lambda: by["drone3"].query("SELECT 1 FROM threats WHERE kind = 'tank'"))
    say("humvee1 is back; what was written meanwhile has spread")

    assert not by["drone1"].query("SELECT 1 FROM battery_status")
    by["drone3"].radio.set_cut(False)
    ms = until("the battery row", 40,
               lambda: all(n.query("SELECT 1 FROM battery_status") for n in nodes))
    say(f"the link is healed; drone4's late battery row is everywhere {ms:.0f} ms later")

    until("agreement", 40, lambda: len({command("digest", n.path) for n in nodes}) == 1)
    print()
    for sql in LATEST:
        answers = {str(n.query(sql)) for n in nodes}
        print(f"  {sql}\n    all six: {answers.pop()}")
        if answers:
            raise SystemExit("FAILED: the six do not agree")
    print()
    for n in nodes:
        command("check", n.path)
        total = sum(n.query(f"SELECT count(*) FROM {t}")[0][0]
                    for t in ("drones", "humvees", "battery_status", "threats"))
        print(f"  {n.name:8} {total} rows, digest {command('digest', n.path)[:12]}, "
              f"{n.memory():.1f} MiB, {n.radio.bytes / 1024:.0f} KiB over its link")


def telemetry(node, table, number):
    """Writes with Python's sqlite3 module: an application like any other."""
    db = sqlite3.connect(node.path, timeout=10, isolation_level=None)
    for i in range(200):
        db.execute(f"INSERT INTO {table} VALUES (?, ?, ?, ?, ?)",
                   (number, 40.7 + i / 1000, -74.0, 500 + i,
                    f"2023-09-11 12:{35 + i // 60}:{i % 60:02}.{number}"))
    db.close()


def main():
    folder = tempfile.mkdtemp(prefix="mycelial-demo-")
    nodes = []
    start = time.monotonic()
    print("\nmycelial: a fleet in sync over broken links\n")
    try:
        nodes += [Node(folder, name) for name in NODES]
        fleet(folder, nodes)
        print(f"\nPASSED in {time.monotonic() - start:.1f} s: six files, the same rows.\n")
    finally:
        for n in nodes:
            if n.process and n.process.poll() is None:
                n.process.terminate()
        for n in nodes:
            if n.process:
                try:
                    n.process.wait(5)
                except subprocess.TimeoutExpired:
                    n.process.kill()
        shutil.rmtree(folder, ignore_errors=True)


main()
