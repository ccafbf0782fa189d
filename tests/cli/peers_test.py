# SPDX-License-Identifier: Apache-2.0
"""Peers and links that misbehave: a clear word, and nothing is lost."""

import json
import socket
import struct
import time
import unittest

from fleet import FleetTest, good, until
from wire import Wire

PREFACE = b"MYCEL\r\n\x01"


def frame(message):
    return struct.pack(">I", len(message)) + message


def message(major=1, field=4, body=b"\x0a\x10" + b"x" * 16):
    """A message of the protocol by hand (docs/wire.md); by default a digest."""
    head = b"\x08" + bytes([major]) + b"\x12\x10" + b"s" * 16 + b"\x19" + b"12345678"
    return head + bytes([field * 8 + 2, len(body)]) + body


def garbage(rng):
    good_message = frame(message())
    yield b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"
    yield b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + rng.randbytes(500)  # TLS
    yield b"\xff" * 64
    yield rng.randbytes(5000)
    yield PREFACE[:5]
    yield PREFACE[:7] + b"\x09"  # another version of the framing
    yield PREFACE + struct.pack(">I", 0xFFFFFFFF)
    yield PREFACE + struct.pack(">I", 2 << 20) + b"x" * 1000
    yield PREFACE + frame(rng.randbytes(3000))
    yield PREFACE + frame(message(major=2))
    yield PREFACE + frame(message(field=7, body=rng.randbytes(90)))
    yield PREFACE + good_message[: len(good_message) // 2]
    yield PREFACE + good_message * 50 + frame(b"\x00")


class Peers(FleetTest):
    def test_garbage_from_a_stranger_harms_nothing(self):
        rng = self.random()
        a, b = self.pair()
        before = a.digest()
        for noise in garbage(rng):
            with socket.create_connection(("127.0.0.1", a.port)) as s:
                s.sendall(noise)
                if rng.random() < 0.5:
                    s.shutdown(socket.SHUT_WR)
        self.assertEqual(a.digest(), before)
        self.assert_alive(a, b)

    def test_garbage_from_whom_we_dial_is_named_and_retried(self):
        a = self.tracked("a")
        listener = socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        a.serve(port)
        for noise, word in (
            (b"HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak mycelial"),
            (PREFACE[:7] + b"\x09", "version 9 of the TCP framing"),
            (PREFACE + struct.pack(">I", 0xFFFFFFFF), "announced a frame of 4294967295 bytes"),
            (PREFACE + frame(message(major=2)), "version 2"),
        ):
            peer, _ = listener.accept()
            with peer:
                peer.sendall(noise)
                until(word, lambda w=word: w in good("status", a.path))
        listener.close()
        b = self.tracked("b")
        b.port = port
        b.serve()
        self.assert_alive(a, b)

    def test_a_newer_protocol_is_refused_by_name(self):
        a, b = self.pair()
        with socket.create_connection(("127.0.0.1", a.port)) as s:
            s.sendall(PREFACE + frame(message(major=2)))
            said = b""
            while data := s.recv(65536):
                said += data
        self.assertIn(b"version 2", said)  # goodbye says why
        until("the reason", lambda: "version 2" in good("status", a.path))
        self.assert_alive(a, b)

    def test_those_who_say_nothing_are_shown_out(self):
        a, b = self.pair()
        quiet = [socket.create_connection(("127.0.0.1", a.port)) for _ in range(60)]
        slow = socket.create_connection(("127.0.0.1", a.port))
        self.assert_alive(a, b)
        began = time.monotonic()
        for s in quiet:
            s.settimeout(30)
            while s.recv(4096):
                pass
            s.close()
        for byte in PREFACE[:-1]:  # one byte a second is no better
            try:
                slow.sendall(bytes([byte]))
            except OSError:
                break
            time.sleep(0.1)
        slow.settimeout(30)
        try:
            while slow.recv(4096):
                pass
        except ConnectionError:
            pass
        self.assertGreater(time.monotonic() - began, 1)
        self.assert_alive(a, b)

    def test_links_that_swallow_and_crawl(self):
        a, b = self.tracked("a"), self.tracked("b")
        a.serve()
        wire = Wire(a.port, rate=100_000)
        self.addCleanup(wire.close)
        b.serve(wire.port)
        self.assert_alive(a, b)
        wire.set("hole")
        a.script(
            "INSERT INTO log SELECT 'x', randomblob(1000) FROM item_numbers(200)".replace(
                "item_numbers(200)",
                "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
                "WHERE i < 200) SELECT i FROM n)",
            )
        )
        time.sleep(0.5)
        self.assertEqual(b.sql("SELECT count(*) FROM log WHERE a = 'x'"), [(0,)])
        wire.set("slow")
        until("a slow link brings it", lambda: a.digest() == b.digest(), 60)
        wire.set("cut")
        b.script("INSERT INTO log VALUES('cut off', 1)")
        until(
            "the cut shows",
            lambda: not json.loads(good("status", b.path, "--json"))["peers"][0]["connected"],
        )
        wire.set("up")
        self.assert_alive(a, b)


if __name__ == "__main__":
    unittest.main()
