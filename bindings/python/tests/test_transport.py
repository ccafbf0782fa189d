# SPDX-License-Identifier: Apache-2.0
"""A network written in Python."""

import queue
import threading
import unittest

import mycelial

from .support import FilesTest, connect, rows


class QueueLink(mycelial.Link):
    message_bytes_max = 2000

    def __init__(self):
        self.inbox = queue.Queue()
        self.other = None
        self.is_closed = False

    def send(self, message):
        if self.is_closed or self.other.is_closed:
            return 2
        self.other.inbox.put(message)
        return 0

    def close(self):
        for end in (self, self.other):
            end.is_closed = True
            end.inbox.put(None)

    def serve(self):
        """On a thread of its own: hands over what comes."""
        while (message := self.inbox.get()) is not None:
            self.received(message)
        self.closed("hung up")


class QueueTransport(mycelial.Transport):
    scheme = "queue"
    listeners = {}

    def __init__(self):
        self.links, self.threads = [], []

    def listen(self, endpoint, acceptor):
        if endpoint in self.listeners:
            raise mycelial.MycelialError(mycelial.Code.BUSY, f"{endpoint} is taken")
        self.listeners[endpoint] = (self, acceptor)

    def dial(self, endpoint, acceptor):
        if endpoint not in self.listeners:
            self.dial_failed(acceptor, endpoint, "nobody is there")
            return
        peer, peer_acceptor = self.listeners[endpoint]
        mine, theirs = QueueLink(), QueueLink()
        mine.other, theirs.other = theirs, mine
        self.link_up(acceptor, mine, endpoint, True, endpoint)
        peer.link_up(peer_acceptor, theirs, "queue://caller", False, endpoint)
        for owner, link in ((self, mine), (peer, theirs)):
            owner.links.append(link)
            owner.threads.append(threading.Thread(target=link.serve))
            owner.threads[-1].start()

    def stop(self):
        for endpoint, (owner, _) in list(self.listeners.items()):
            if owner is self:
                del self.listeners[endpoint]
        for link in self.links:
            link.close()
        for thread in self.threads:
            thread.join()


class OwnTransport(FilesTest):
    def test_rows_travel_over_it(self):
        a, b = self.open(self.a), self.open(self.b)
        a.add_transport(QueueTransport())
        b.add_transport(QueueTransport())
        with connect(self.a) as db:
            db.executemany("INSERT INTO t VALUES (?, ?)", ((i, "x" * 100) for i in range(500)))
        with connect(self.b) as db:
            db.execute("INSERT INTO t VALUES (1000, 'back')")
        self.assertEqual(a.listen("queue://a"), "queue://a")
        b.connect("queue://a")
        self.eventually(lambda: len(rows(self.b)) == 501 and len(rows(self.a)) == 501)
        self.assertEqual(a.digest(), b.digest())
        a.close()
        b.close()

    def test_its_failures_arrive(self):
        a = self.open(self.a)
        a.add_transport(QueueTransport())
        with self.assertRaises(mycelial.MycelialError) as caught:
            a.sync("queue://nobody", 5)
        self.assertEqual(caught.exception.code, mycelial.Code.IO)
        self.assertIn("nobody is there", caught.exception.message)
        a.listen("queue://once")
        with self.assertRaises(mycelial.MycelialError) as caught:
            a.listen("queue://once")
        self.assertEqual(caught.exception.code, mycelial.Code.BUSY)
        with self.assertRaises(mycelial.MycelialError) as caught:
            a.add_transport(QueueTransport())
        self.assertEqual(caught.exception.code, mycelial.Code.BUSY)


if __name__ == "__main__":
    unittest.main()
