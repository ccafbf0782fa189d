# SPDX-License-Identifier: Apache-2.0
"""An application of another process that reads, thinks and writes in a file that is served."""

import json
import sqlite3
import unittest

from fleet import FleetTest, good, until


class BusyTest(FleetTest):
    def test_a_reader_that_stays_is_overtaken_and_counted(self):
        here, there = self.pair()
        there.sql("INSERT INTO log VALUES('first', 0)")
        until("the peers meet", lambda: here.sql("SELECT count(*) FROM log") == [(1,)])
        reader = here.connect()
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM log").fetchone()
        there.sql("INSERT INTO log VALUES('second', 0)")
        until("a row comes", lambda: here.sql("SELECT count(*) FROM log") == [(2,)])
        with self.assertRaises(sqlite3.OperationalError) as caught:
            reader.execute("INSERT INTO log VALUES('late', 0)")
        if hasattr(caught.exception, "sqlite_errorname"):
            self.assertEqual(caught.exception.sqlite_errorname, "SQLITE_BUSY_SNAPSHOT")
        reader.close()

        def collisions():
            return json.loads(good("status", here.path, "--json"))["collisions"]

        until("status counts it", lambda: collisions() > 0)
        self.assertIn("overtook", good("status", here.path))


if __name__ == "__main__":
    unittest.main()
