# SPDX-License-Identifier: Apache-2.0
"""A TCP link that tests can break: cut, swallowing everything, or slow."""

import random
import socket
import threading
import time


class Wire:
    """Listens on a port of its own and carries what comes to `target`, the way `mode` says:
    "up", "cut" (refused and closed), "hole" (open, but nothing passes), "slow" (`rate` bytes/s),
    "late" (what comes waits up to half a second, on every connection and way by itself)."""

    def __init__(self, target=0, rate=20_000):
        self.target, self.rate, self.mode = target, rate, "up"
        self.bytes, self.open = 0, True
        self.lock, self.pairs = threading.Lock(), []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def set(self, mode):
        self.mode = mode
        if mode == "cut":
            self.drop()

    def drop(self):
        """Ends the connections that are open; new ones may come."""
        with self.lock:
            pairs, self.pairs = self.pairs, []
        for pair in pairs:
            end(*pair)

    def close(self):
        self.open = False
        end(self.listener)
        self.drop()

    def accept(self):
        while self.open:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            try:
                if self.mode == "cut" or not self.open:
                    raise OSError
                far = socket.create_connection(("127.0.0.1", self.target), timeout=5)
                far.settimeout(None)
            except OSError:
                near.close()
                continue
            for s in (near, far):
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                self.pairs.append((near, far))
            for source, to in ((near, far), (far, near)):
                threading.Thread(target=self.carry, args=(source, to), daemon=True).start()

    def carry(self, source, to):
        try:
            while data := source.recv(1024 if self.mode == "slow" else 65536):
                while self.mode == "hole" and self.open:
                    time.sleep(0.01)
                if self.mode == "late":
                    time.sleep(random.random() / 2)
                if self.mode == "slow":
                    time.sleep(len(data) / self.rate)
                to.sendall(data)
                self.bytes += len(data)
        except OSError:
            pass
        end(source, to)


def end(*sockets):
    for s in sockets:
        try:
            s.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        s.close()
