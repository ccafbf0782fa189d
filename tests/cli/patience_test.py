# SPDX-License-Identifier: Apache-2.0
"""What needs half a minute."""

import json
import signal
import unittest

from fleet import FleetTest, good, until


class Patience(FleetTest):
    def test_a_lock_is_named_and_waited_out(self):
        self.wait_out_a_lock(30)

    def connected(self, db):
        peers = json.loads(good("status", db.path, "--json"))["peers"]
        return len([p for p in peers if p["connected"]])

    def test_a_stopped_peer_is_found_dead_and_comes_back(self):
        a, b, c = self.tracked("a"), self.tracked("b"), self.tracked("c")
        a.serve()
        b.serve(a.port)
        c.serve(a.port)
        self.assert_alive(a, b)
        until("a third", lambda: c.digest() == a.digest())
        b.process.send_signal(signal.SIGSTOP)
        a.script("INSERT INTO log VALUES('meanwhile', 1)")
        until("others go on", lambda: c.digest() == a.digest())
        until("the dead link is found", lambda: "silent for" in a.said(), 40)
        until("the dead peer is not listed", lambda: self.connected(a) == 1)
        b.process.send_signal(signal.SIGCONT)
        until("it comes back", lambda: b.digest() == a.digest(), 60)
        self.assert_alive(a, b)


if __name__ == "__main__":
    unittest.main()
