# SPDX-License-Identifier: Apache-2.0
"""Keeps ordinary SQLite databases in sync, peer to peer, over any network.

    import mycelial

    with mycelial.open("drone.db") as replica:
        replica.track("positions")
        replica.sync("tcp://base.local:4100")

The application goes on using the file with sqlite3, in this or any other process.
"""

from ._ffi import library_path, library_version
from .errors import Code, MycelialError
from .policy import MergePolicy, PolicyVersion
from .replica import Change, Conflict, Member, Peer, Policy, Replica, Status, Table, open
from .transport import Link, Transport

__version__ = "0.1.0"

__all__ = [
    "Change",
    "Code",
    "Conflict",
    "Link",
    "Member",
    "MergePolicy",
    "MycelialError",
    "Peer",
    "Policy",
    "PolicyVersion",
    "Replica",
    "Status",
    "Table",
    "Transport",
    "library_path",
    "library_version",
    "open",
]
