# SPDX-License-Identifier: Apache-2.0
"""A fleet of six: plain SQL on six files, six processes, a line of links that break."""

import os
import shutil
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import traceback

MYCELIAL = os.path.abspath(sys.argv[1])
NAMES = ["drone1", "drone2", "humvee1", "humvee2", "drone3", "drone4"]
TABLES = ("drones", "humvees", "battery_status", "threats")
SCHEMA = """
CREATE TABLE drones (drone_id INTEGER, latitude REAL, longitude REAL, altitude REAL,
                     timestamp TEXT);
CREATE TABLE humvees (humvee_id INTEGER, latitude REAL, longitude REAL, speed REAL,
                      timestamp TEXT);
CREATE TABLE battery_status (drone_id INTEGER, level INTEGER, timestamp TEXT);
CREATE TABLE threats (threat_id TEXT PRIMARY KEY, kind TEXT, latitude REAL, longitude REAL,
                      timestamp TEXT);
"""
LATEST = [
    "SELECT * FROM drones ORDER BY timestamp DESC LIMIT 1",
    "SELECT * FROM humvees ORDER BY timestamp DESC LIMIT 1",
]


class Failed(Exception):
    pass


class Radio:
    """A TCP link to a node. It can be cut, and counts what it carries."""

    def __init__(self, target):
        self.target, self.bytes, self.is_cut, self.open = target, 0, False, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            near, _ = self.listener.accept()
            try:
                if self.is_cut:
                    raise OSError("out of range")
                far = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                near.close()
                continue
            for s in (near, far):
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.open += [near, far]
            for source, to in ((near, far), (far, near)):
                threading.Thread(target=self.carry, args=(source, to), daemon=True).start()

    def carry(self, source, to):
        try:
            while data := source.recv(65536):
                self.bytes += len(data)
                to.sendall(data)
        except OSError:
            pass
        hang_up([source, to])

    def cut(self):
        self.is_cut = True
        hang_up(self.open)
        self.open.clear()

    def heal(self):
        self.is_cut = False


def hang_up(sockets):
    for s in list(sockets):
        try:
            s.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        s.close()


class Node:
    """A file, the process that serves it, and the radio through which the next node reaches it."""

    def __init__(self, folder, name):
        self.name, self.path = name, os.path.join(folder, name + ".db")
        self.process = self.radio = self.peer = None
        db = sqlite3.connect(self.path)
        db.executescript(SCHEMA)
        db.close()
        mycelial("track", self.path, "--all")

    def start(self):
        words = [MYCELIAL, "serve", self.path, "--listen", "tcp://127.0.0.1:0"]
        if self.peer:
            words += ["--peer", f"tcp://127.0.0.1:{self.peer.radio.port}"]
        self.process = subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        line = self.process.stdout.readline()
        if not line.startswith("listening "):
            raise Failed(f"{self.name} did not start")
        port = int(line.rsplit(":", 1)[1])
        if self.radio:
            self.radio.target = port
        else:
            self.radio = Radio(port)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def shell(self, sql):
        """Writes with the stock sqlite3 shell, which has never heard of mycelial."""
        subprocess.run(
            ["sqlite3", "-cmd", ".timeout 10000", self.path, sql],
            check=True,
            stdout=subprocess.DEVNULL,
        )

    def connect(self):
        return sqlite3.connect(self.path, timeout=10, isolation_level=None)

    def query(self, sql):
        db = self.connect()
        try:
            return db.execute(sql).fetchall()
        finally:
            db.close()

    def rows(self):
        return sum(self.query(f"SELECT count(*) FROM {table}")[0][0] for table in TABLES)

    def digest(self):
        return mycelial("digest", self.path)

    def memory(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            return next(int(s.split()[1]) for s in status if s.startswith("VmRSS")) / 1024


def mycelial(*words):
    done = subprocess.run([MYCELIAL, *words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failed(f"mycelial {' '.join(words)}: {done.stdout}{done.stderr}")
    return done.stdout.strip()


def wait(what, seconds, condition):
    """Milliseconds until the condition holds."""
    start = time.perf_counter()
    while not condition():
        if time.perf_counter() - start > seconds:
            raise Failed(f"{what}: not within {seconds} s")
        time.sleep(0.0005)
    return (time.perf_counter() - start) * 1000


def say(text):
    print(f"  {time.strftime('%H:%M:%S')}  {text}", flush=True)


def draw(nodes, cut=None, dead=None):
    """The line of six, as it is."""
    line = ""
    for node in nodes:
        if node.peer:
            line += " -x  x- " if node is cut else " ------ "
        line += f"({node.name} is dead)" if node is dead else node.name
    print(f"\n            {line}\n", flush=True)


def telemetry(node, number, minutes, count, failures):
    """Writes positions with Python's sqlite3 module: an application like any other."""
    table = "drones" if node.name.startswith("drone") else "humvees"
    try:
        db = node.connect()
        for i in range(count):
            db.execute(
                f"INSERT INTO {table} VALUES (?, ?, ?, ?, ?)",
                (
                    number,
                    40.7 + i / 1000,
                    -74.0,
                    500 + i,
                    f"2023-09-11 12:{minutes + i // 60:02}:{i % 60:02}.{number}",
                ),
            )
        db.close()
    except sqlite3.Error as error:
        failures.append(f"{node.name} could not write: {error}")


def all_write(nodes, minutes, count):
    failures = []
    writers = [
        threading.Thread(target=telemetry, args=(node, i + 1, minutes, count, failures))
        for i, node in enumerate(nodes)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    if failures:
        raise Failed("; ".join(failures))


def latencies(source, to, count):
    """Milliseconds from a commit on one node until it can be read on another, one by one."""
    writer, reader, out = source.connect(), to.connect(), []
    for i in range(count):
        stamp = f"2023-09-11 12:30:{i % 60:02}.{to.name}"
        writer.execute("INSERT INTO drones VALUES (1, 40.7, -74.0, 500, ?)", (stamp,))
        seen = "SELECT 1 FROM drones WHERE timestamp = ?"
        out.append(wait("a position", 20, lambda: reader.execute(seen, (stamp,)).fetchone()))
        time.sleep(0.02)
    writer.close()
    reader.close()
    return sorted(out)


def fleet(nodes):
    drone1, drone2, humvee1, humvee2, drone3, drone4 = nodes
    for before, node in zip([None] + nodes, nodes):
        node.peer = before
        node.start()
    say("six processes serve six files; each talks to its neighbours only")
    draw(nodes)

    drone1.shell(
        "INSERT INTO drones(drone_id, latitude, longitude, altitude, timestamp)"
        " VALUES (1, 40.7128, -74.0060, 500, '2023-09-11 12:29:56')"
    )
    ms = wait("the first row", 20, lambda: drone4.query("SELECT 1 FROM drones"))
    say(f"drone1 writes its position with the sqlite3 shell; drone4, five links away: {ms:.0f} ms")
    near, far = latencies(drone1, drone2, 40), latencies(drone1, drone4, 40)
    for hops, ms in ((1, near), (5, far)):
        say(
            f"40 positions one by one over {hops} link{'s' if hops > 1 else ''}: "
            f"median {statistics.median(ms):.1f} ms, worst {ms[-1]:.1f} ms"
        )
    all_write(nodes, 35, 200)
    rows = 81 + 200 * len(nodes)
    ms = wait("telemetry", 30, lambda: all(n.rows() == rows for n in nodes))
    say(f"all six write telemetry at once; all {rows} rows are everywhere {ms:.0f} ms later")

    drone4.peer.radio.cut()
    say("drone4 flies out of range")
    draw(nodes, cut=drone4)
    drone4.shell("INSERT INTO battery_status VALUES (4, 17, '2023-09-11 12:40:00')")
    say("it writes its battery status to its own file, and nobody hears of it")
    start = time.perf_counter()
    drone1.shell(
        "INSERT INTO threats VALUES ('T-1', 'vehicle', 40.71, -74.01, '2023-09-11 12:41:00')"
    )
    wait("the threat", 20, lambda: humvee2.query("SELECT 1 FROM threats"))
    ms = (time.perf_counter() - start) * 1000
    say(f"drone1 sees a threat; humvee2 knows, three hops away, {ms:.0f} ms after")

    humvee1.kill()
    say("humvee1's process dies (SIGKILL): the line is in three parts")
    draw(nodes, cut=drone4, dead=humvee1)
    all_write(nodes, 42, 50)
    rows = rows + 50 * len(nodes)
    humvee1.shell("UPDATE threats SET kind = 'tank' WHERE threat_id = 'T-1'")
    humvee2.shell("INSERT INTO humvees VALUES (2, 40.72, -74.02, 33.5, '2023-09-11 12:45:00')")
    say("all six go on writing, also to humvee1's file, which no process serves")
    if any(n.query("SELECT 1 FROM battery_status") for n in nodes[:5]):
        raise Failed("the battery status crossed a link that was cut")

    humvee1.start()
    ms = wait("the update", 30, lambda: drone3.query("SELECT 1 FROM threats WHERE kind = 'tank'"))
    say(f"humvee1 is back; what was written into its file reaches drone3 within {ms:.0f} ms")
    drone4.peer.radio.heal()
    ms = wait(
        "the battery status",
        40,
        lambda: all(n.query("SELECT 1 FROM battery_status") for n in nodes),
    )
    say(f"drone4 is back in range; its late battery status is everywhere within {ms:.0f} ms")
    draw(nodes)
    wait("equal digests", 40, lambda: len({n.digest() for n in nodes}) == 1)
    return rows + 3  # a threat, a battery status, a humvee


def report(nodes, rows):
    for sql in LATEST:
        answers = {str(n.query(sql)[0]) for n in nodes}
        print(f"  {sql}\n      all six: {' but '.join(sorted(answers))}")
        if len(answers) != 1:
            raise Failed("the six do not agree")
    print(f"\n  {'node':9}{'rows':>6}  {'digest':14}{'memory':>9}   link to the next")
    for node in nodes:
        if mycelial("check", node.path) != "sound":
            raise Failed(f"{node.name} is not sound")
        if node.rows() != rows:
            raise Failed(f"{node.name} has {node.rows()} rows, not {rows}")
        carried = f"{node.radio.bytes / 1024:.0f} KiB" if node is not nodes[-1] else ""
        print(
            f"  {node.name:9}{node.rows():6}  {node.digest()[:12]:14}"
            f"{node.memory():5.1f} MiB   {carried}"
        )
    if len({n.digest() for n in nodes}) != 1:
        raise Failed("the digests differ")


def main():
    folder = tempfile.mkdtemp(prefix="mycelial-demo-")
    nodes = []
    start = time.monotonic()
    print("\nmycelial: four drones and two humvees, in sync over links that break\n")
    try:
        nodes += [Node(folder, name) for name in NAMES]
        report(nodes, fleet(nodes))
        print(f"\nPASSED in {time.monotonic() - start:.1f} s: six files, the same rows.\n")
        return 0
    except (Failed, OSError, sqlite3.Error, subprocess.SubprocessError) as error:
        if not isinstance(error, Failed):
            traceback.print_exc()
        print(f"\nFAILED: {error}\n")
        for node in nodes:
            print(
                subprocess.run(
                    [MYCELIAL, "status", node.path], capture_output=True, text=True, check=False
                ).stdout
            )
        return 1
    finally:
        for node in nodes:
            if node.process and node.process.poll() is None:
                node.process.terminate()
        for node in nodes:
            if node.process:
                try:
                    node.process.wait(5)
                except subprocess.TimeoutExpired:
                    node.process.kill()
        shutil.rmtree(folder, ignore_errors=True)


sys.exit(main())
