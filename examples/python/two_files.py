#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Two SQLite files, two sites, one network. The application writes with plain sqlite3."""

import pathlib
import sqlite3
import tempfile

import mycelial


def sql(path, statement, *values):
    db = sqlite3.connect(path, timeout=10)
    try:
        with db:
            return db.execute(statement, values).fetchall()
    finally:
        db.close()


def main():
    with tempfile.TemporaryDirectory() as folder:
        drone, humvee = (pathlib.Path(folder) / name for name in ("drone.db", "humvee.db"))
        for path in (drone, humvee):
            sql(path, "CREATE TABLE drones(drone_id, latitude, longitude, altitude, timestamp)")
        with mycelial.open(drone) as a, mycelial.open(humvee) as b:
            a.track("drones")
            b.track("drones")
            b.on_change(lambda change: print("humvee.db changed:", change.rows, "row(s)"))
            sql(
                drone,
                "INSERT INTO drones VALUES (?, ?, ?, ?, ?)",
                *(1, 40.7128, -74.0060, 500, "2023-09-11 12:34:56"),
            )
            b.sync(a.listen("tcp://127.0.0.1:0"))
            rows = sql(humvee, "SELECT * FROM drones ORDER BY timestamp DESC LIMIT 1")
            print(rows)
            assert rows == [(1, 40.7128, -74.0060, 500, "2023-09-11 12:34:56")]
            assert a.digest() == b.digest()


if __name__ == "__main__":
    main()
