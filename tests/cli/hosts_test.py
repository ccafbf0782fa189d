# SPDX-License-Identifier: Apache-2.0
"""Hosts of their own: network namespaces, joined by links that are slow, lose packets and go down.

Three nodes write all the time. Of 100 packets to and from host b, 20 are lost; the link of host c
carries 128 kbit/s; each link goes down now and then, and one host is killed with all that runs on
it. Then all is well again, and all agree. Needs root, iproute2 and nftables; ends with 77 without.

Usage: hosts_test.py [SECONDS]
"""

import os
import random
import shutil
import subprocess
import sys
import time

from fleet import Folder, good, until

SCHEMA = """
CREATE TABLE log(who TEXT, n INTEGER, text TEXT);
CREATE TABLE place(who TEXT PRIMARY KEY, n);
"""
PORT = 7400
LOSS = """
table inet faults {
  chain in {
    type filter hook input priority 0;
    meta iifname "eth" numgen random mod 100 < 20 drop;
  }
  chain out {
    type filter hook output priority 0;
    meta oifname "eth" numgen random mod 100 < 20 drop;
  }
}
"""


def sh(*words, **more):
    subprocess.run(words, check=True, capture_output=True, text=True, **more)


class Network:
    """A bridge, and hosts on it; its names are its own, so that two tests can run at once."""

    def __init__(self):
        self.tag = f"my{os.getpid()}"
        self.hub, self.hosts = self.tag + "hub", []

    def __enter__(self):
        sh("ip", "netns", "add", self.hub)
        self.inside(self.hub, "ip", "link", "add", "bridge", "type", "bridge")
        self.inside(self.hub, "ip", "link", "set", "bridge", "up")
        return self

    def __exit__(self, *_):
        for name in [*self.hosts, self.hub]:
            subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)

    def inside(self, name, *words, **more):
        sh("ip", "netns", "exec", name, *words, **more)

    def add(self, number):
        """A host, its address, and the end of its cable at the bridge."""
        name, cable = f"{self.tag}h{number}", f"cable{number}"
        sh("ip", "netns", "add", name)
        self.hosts.append(name)
        ends = ("eth", "netns", name, "type", "veth", "peer", cable, "netns", self.hub)
        sh("ip", "link", "add", *ends)
        self.inside(self.hub, "ip", "link", "set", cable, "master", "bridge", "up")
        address = f"10.77.0.{number + 1}"
        self.inside(name, "ip", "address", "add", address + "/24", "dev", "eth")
        self.inside(name, "ip", "link", "set", "eth", "up")
        self.inside(name, "ip", "link", "set", "lo", "up")
        return name, address

    def slow(self, number, rate):
        shape = ("root", "tbf", "rate", rate, "burst", "8kb", "latency", "300ms")
        self.inside(self.hub, "tc", "qdisc", "add", "dev", f"cable{number}", *shape)
        self.inside(self.hosts[number], "tc", "qdisc", "add", "dev", "eth", *shape)

    def lossy(self, number):
        self.inside(self.hosts[number], "nft", "-f", "-", input=LOSS)

    def calm(self, number):
        self.inside(self.hosts[number], "nft", "flush", "ruleset")

    def link(self, number, state):
        self.inside(self.hub, "ip", "link", "set", f"cable{number}", state)


def torment(network, nodes, rng, seconds):
    """Writes everywhere; gives what was written."""
    end, written, down = time.monotonic() + seconds, set(), set()
    while time.monotonic() < end:
        i = rng.randrange(len(nodes))
        n = len(written) + 1
        nodes[i].script(
            f"BEGIN; INSERT INTO log VALUES('{i}', {n}, '{'x' * rng.randrange(300)}');"
            f"INSERT OR REPLACE INTO place VALUES('{i}', {n}); COMMIT"
        )
        written.add((str(i), n))
        if rng.random() < 0.05:
            (down.remove if i in down else down.add)(i)
            network.link(i, "down" if i in down else "up")
        if rng.random() < 0.02:
            nodes[i].kill()
            nodes[i].serve(port=PORT)
        time.sleep(rng.random() * 0.1)
    for i in range(len(nodes)):
        network.link(i, "up")
    return written


def main():
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    tools = all(shutil.which(tool) for tool in ("ip", "tc", "nft"))
    if os.geteuid() != 0 or not tools:
        print("needs root, iproute2 and nftables")
        return 77
    seed = random.randrange(10**6)
    print("seed", seed, flush=True)
    rng = random.Random(seed)
    with Folder() as folder, Network() as network:
        nodes = []
        for i in range(3):
            node = folder.database(f"n{i}", SCHEMA)
            name, node.host = network.add(i)
            node.prefix = ["ip", "netns", "exec", name]
            good("track", node.path, "--all")
            nodes.append(node)
        network.lossy(1)
        network.slow(2, "128kbit")
        for i, node in enumerate(nodes):
            peers = [f"tcp://{other.host}:{PORT}" for other in nodes[:i]]
            node.serve(*peers, port=PORT)
        written = torment(network, nodes, rng, seconds)
        network.calm(1)
        began = time.monotonic()
        until("equal digests", lambda: len({n.digest() for n in nodes}) == 1, 120)
        print(
            f"{len(written)} transactions; equal digests {time.monotonic() - began:.1f} s after "
            "the links healed"
        )
        for node in nodes:
            assert set(node.sql("SELECT who, n FROM log")) == written
            assert good("check", node.path) == "sound"
            assert node.stop() == 0
    return 0


sys.exit(main())
