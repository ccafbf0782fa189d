# SPDX-License-Identifier: Apache-2.0
"""Replica: an SQLite file that stays in sync with its peers."""

import atexit
import json
import math
import os
import threading
import weakref
from ctypes import byref, c_void_p, sizeof
from typing import Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple, Union

from . import _ffi, policy
from .errors import Code, MycelialError
from .policy import MergePolicy
from .transport import Transport


class Table(NamedTuple):
    name: str
    tracked: bool
    reason: str  #: Why not, and what to do; empty for a tracked table.


class Peer(NamedTuple):
    endpoint: str
    site: str
    connected: bool
    in_sync: bool
    they_lack_sets: int
    we_lack_sets: int
    last_error: str


class Status(NamedTuple):
    path: str
    site: str
    tables: List[Table]
    peers: List[Peer]
    journal_entries: int
    sets_held: int
    streams: int
    tail_sets: int
    tail_bytes: int
    own_sets: int  #: Sealed here.
    own_sets_elsewhere: int  #: Of these, known to be held by some other replica.
    own_sets_everywhere: int  #: And by every member that is not forgotten.
    hidden_rows: int
    parked_rows: int
    superseded: int
    collisions: int
    retention_s: int
    conflicts_max: int
    last_error: str
    notes: List[str]
    sqlite_warning: str  #: What this version of SQLite can do to the file; empty: nothing is known.


class Conflict(NamedTuple):
    table: str
    row: str
    column: str
    kind: str
    value: str
    winner: str
    rule: str
    since: str  #: UTC, ISO 8601.
    id: str  #: For Replica.resolve(); the same on all replicas.


class Member(NamedTuple):
    """What is known of one replica of the fleet: at first hand, or because others said it."""

    site: str
    is_self: bool
    last_heard: str  #: UTC, ISO 8601. Empty for this replica.
    silent_s: int
    lacks_sets: int  #: Sets held here that it is not known to hold.
    holds_back: bool  #: Deaths and sets that it lacks are kept for it.
    forgotten: bool  #: Nobody here waits for it, until it is heard of again.


class Policy(NamedTuple):
    """A merge policy that somebody chose."""

    table: str
    column: str  #: Empty: the table.
    policy: str
    known: bool  #: False: a policy of another program; the last write shows here.


class Change(NamedTuple):
    """Rows of other sites became visible."""

    tables: Tuple[str, ...]
    rows: int


def _literal(value) -> bytes:
    """As SQL."""
    if value is None:
        return b"NULL"
    if isinstance(value, str):
        return _ffi.text("'" + value.replace("'", "''") + "'")
    if isinstance(value, (bytes, bytearray, memoryview)):
        return b"x'" + bytes(value).hex().encode() + b"'"
    if isinstance(value, float) and math.isinf(value):
        return b"9e999" if value > 0 else b"-9e999"
    if isinstance(value, (int, float)) and value == value:  # NaN is not
        return repr(value + 0).encode()  # + 0: True is 1
    raise TypeError(f"{type(value).__name__} is no type of SQLite's")


def open(  # noqa: A001 - reads as mycelial.open()
    path,
    *,
    create: bool = False,
    exclusive: bool = True,
    watch: bool = True,
    debounce_ms: int = 3,
    busy_timeout_ms: int = 10000,
    tail_bytes_max: int = 0,
    policies: Sequence[MergePolicy] = (),
    conflicts_max: int = 0,
    retention_s: int = 0,
    receive_bytes_per_second_max: int = 0,
) -> "Replica":
    """Opens an SQLite file for syncing. See ReplicaOptions in mycelial/replica.hpp."""
    return Replica(
        path,
        create,
        exclusive,
        watch,
        debounce_ms,
        busy_timeout_ms,
        tail_bytes_max,
        policies,
        conflicts_max,
        retention_s,
        receive_bytes_per_second_max,
    )


# Threads of the library must not call into an interpreter that is being taken down.
_open = weakref.WeakSet()


@atexit.register
def _close_all():
    for replica in list(_open):
        replica.close()


class Replica:
    """Made by open(). May be used from any thread, but not from inside its own callbacks.

    Always close it, or use it in a `with` statement.
    """

    def __init__(
        self,
        path,
        create,
        exclusive,
        watch,
        debounce_ms,
        busy_timeout_ms,
        tail_bytes_max,
        policies,
        conflicts_max,
        retention_s,
        receive_bytes_per_second_max,
    ):
        self._handle = None
        options = _ffi.Options()
        _ffi.library().mycelial_options_init(byref(options), sizeof(options))
        options.create = create
        options.exclusive = exclusive
        options.watch = watch
        options.debounce_ms = debounce_ms
        options.busy_timeout_ms = busy_timeout_ms
        options.tail_bytes_max = tail_bytes_max
        options.conflicts_max = conflicts_max
        options.retention_s = retention_s
        options.receive_bytes_per_second_max = receive_bytes_per_second_max
        handle = c_void_p()
        name = os.fsencode(path)
        if b"\0" in name:
            raise MycelialError(Code.INVALID_ARGUMENT, "the path holds a NUL character")
        with policy.handles(policies) as made:
            options.policies, options.policy_count = made, len(policies)
            _ffi.call("mycelial_open", name, byref(options), byref(handle))
        self._handle = handle
        self._condition = threading.Condition()
        self._calls = 0  # calls that are using the handle
        self._callbacks: Dict[int, tuple] = {}  # kept alive until the library lets go
        self._last_callback = 0
        self._destroy = _ffi.DESTROY(self._forget)
        self._transports: List[Transport] = []
        _open.add(self)

    def __enter__(self) -> "Replica":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def __del__(self):
        self.close()

    def close(self) -> None:
        """Stops links and closes the file; calls of other threads end with CLOSED. Idempotent."""
        if getattr(self, "_handle", None) is None:
            return
        with self._condition:
            handle, self._handle = self._handle, None
        if handle is None:
            return
        _ffi.library().mycelial_shutdown(handle)
        with self._condition:
            self._condition.wait_for(lambda: self._calls == 0)
        _ffi.library().mycelial_close(handle)

    def _forget(self, context) -> None:
        self._callbacks.pop(context or 0, None)

    def _keep(self, *callbacks) -> int:
        """A context number for a callback, which lives until the library destroys it."""
        with self._condition:
            self._last_callback += 1
            self._callbacks[self._last_callback] = callbacks
            return self._last_callback

    def _call(self, name, *arguments) -> None:
        with self._condition:
            if self._handle is None:
                raise MycelialError(Code.CLOSED, "the replica is closed")
            handle = self._handle
            self._calls += 1
        try:
            _ffi.call(name, handle, *arguments)
        finally:
            with self._condition:
                self._calls -= 1
                self._condition.notify_all()

    def _text(self, name, *arguments) -> str:
        out = c_void_p()
        self._call(name, *arguments, byref(out))
        return _ffi.take_text(out)

    def _entries(self, what, kind):
        """Each entry of a list that the library makes; it is valid until the next one."""
        library = _ffi.library()
        cursor = c_void_p()
        self._call(f"mycelial_get_{what}", byref(cursor))
        try:
            entry = _ffi.sized(kind)
            while getattr(library, f"mycelial_{what}_next")(cursor, byref(entry)):
                yield entry
        finally:
            getattr(library, f"mycelial_{what}_free")(cursor)

    def track(self, table: str) -> None:
        """Starts capturing a table. Rows that are there become the baseline. Idempotent."""
        self._call("mycelial_track", _ffi.text(table))

    def track_all(self) -> List[Table]:
        """Tracks every ordinary table; those that cannot be are listed with the reason."""
        out = c_void_p()
        self._call("mycelial_track_all", byref(out))
        library = _ffi.library()
        try:
            return [
                Table(
                    library.mycelial_tables_name(out, i).decode(),
                    bool(library.mycelial_tables_tracked(out, i)),
                    library.mycelial_tables_reason(out, i).decode(),
                )
                for i in range(library.mycelial_tables_count(out))
            ]
        finally:
            library.mycelial_tables_free(out)

    def untrack(self, table: str) -> None:
        """Leaves the table as if it had never been tracked."""
        self._call("mycelial_untrack", _ffi.text(table))

    def untrack_all(self) -> None:
        self._call("mycelial_untrack_all")

    def alter(self, sql: str) -> None:
        """Runs ALTER TABLE statements, all or none.

        Needed for DROP COLUMN alone, which SQLite refuses to others while triggers name the column.
        """
        self._call("mycelial_alter", _ffi.text(sql))

    def set_policy(self, table: str, column: str, policy: str) -> None:
        """Chooses how concurrent writes of a column merge, or of a table's columns (column "").

        "lww" (the default), "fww", "max", "min", "counter", "set", "json", the name of a policy
        given to open(), or, for a table, "row". For a column of a foreign key also what becomes of
        rows whose parent a peer deletes: "keep" (the default), "delete", "restore". The choice
        travels to all replicas.
        """
        self._call("mycelial_set_policy", _ffi.text(table), _ffi.text(column), _ffi.text(policy))

    def policies(self) -> List[Policy]:
        """What has been chosen, for tables that are tracked here."""
        return [
            Policy(p.table.decode(), p.column.decode(), p.policy.decode(), bool(p.known))
            for p in self._entries("policies", _ffi.PolicyInfo)
        ]

    def members(self) -> List[Member]:
        """The replicas that this one knows of."""
        return [
            Member(
                m.site.decode(),
                bool(m.is_self),
                m.last_heard.decode(),
                m.silent_s,
                m.lacks_sets,
                bool(m.holds_back),
                bool(m.forgotten),
            )
            for m in self._entries("members", _ffi.Member)
        ]

    def forget(self, site: str) -> None:
        """Does not wait for a member any more, until it is heard of again.

        site: its id, or the start of it if no other begins like that.
        """
        self._call("mycelial_forget", _ffi.text(site))

    def add_transport(self, transport: Transport) -> None:
        """Adds a network of your own; see mycelial.Transport."""
        ops = transport._ops()
        self._call("mycelial_add_transport", byref(ops), None)
        self._transports.append(transport)

    def listen(self, endpoint: str) -> str:
        """Accepts peers. Gives the endpoint really bound."""
        return self._text("mycelial_listen", _ffi.text(endpoint))

    def connect(self, endpoint: str) -> None:
        """Keeps a link to a peer up from now on, retrying for ever."""
        self._call("mycelial_connect", _ffi.text(endpoint))

    def sync(
        self,
        endpoint: str,
        timeout: float = 60.0,
        progress: Optional[Callable[[int, int], None]] = None,
    ) -> None:
        """Connects, waits until both sides hold the union, and returns. Seconds.

        Ctrl-C interrupts the wait; what was begun goes on until its time is over.
        """
        failure = []

        def tell(_, here, there):
            try:
                if progress is not None and not failure:
                    progress(here, there)
            except BaseException as error:  # carried out of the library, raised below
                failure.append(error)

        callback = _ffi.PROGRESS(tell) if progress is not None else _ffi.PROGRESS()
        milliseconds = max(0, min(int(timeout * 1000), 2**32 - 1))
        arguments = (_ffi.text(endpoint), milliseconds, callback, None, _ffi.DESTROY())

        def run():
            try:
                self._call("mycelial_sync", *arguments)
            except BaseException as error:  # raised below, in the thread that asked
                failure.append(error)

        # Signals do not interrupt a call of C; they do interrupt waiting for a thread.
        worker = threading.Thread(target=run, daemon=True)
        worker.start()
        worker.join()
        if failure:
            raise failure[0]

    def seal(self) -> None:
        """Turns captured writes into a change set now."""
        self._call("mycelial_seal")

    def digest(self) -> str:
        """Equal if and only if tracked tables hold equal rows."""
        return self._text("mycelial_digest")

    def check(self) -> List[str]:
        """Verifies the bookkeeping; names what is wrong. Empty: sound."""
        return self._text("mycelial_check").splitlines()

    def status(self) -> Status:
        out = c_void_p()
        self._call("mycelial_get_status", byref(out))
        try:
            text = _ffi.library().mycelial_status_json(out).decode("utf-8", "replace")
        finally:
            _ffi.library().mycelial_status_free(out)
        fields = json.loads(text)
        fields["tables"] = [Table(**table) for table in fields["tables"]]
        fields["peers"] = [Peer(**peer) for peer in fields["peers"]]
        return Status(**{name: fields[name] for name in Status._fields})

    def conflicts(self) -> List[Conflict]:
        """What is not shown as it was written, and why."""
        return [
            Conflict(*(getattr(c, name).decode("utf-8", "replace") for name in Conflict._fields))
            for c in self._entries("conflicts", _ffi.Conflict)
        ]

    def restore(self, conflict: Union[Conflict, str]) -> None:
        """Lets show what is listed; what hid it or overruled it gives way. On all replicas.

        conflict: of conflicts(), or its id.
        """
        self._resolve(conflict, _ffi.RESTORE)

    def dismiss(self, conflict: Union[Conflict, str]) -> None:
        """Gives up what is listed: deletes a hidden row, does not list a value any more."""
        self._resolve(conflict, _ffi.DISMISS)

    def change(self, conflict: Union[Conflict, str], column: str, value) -> None:
        """Gives a hidden row another value in a column, with which it can be shown."""
        self._resolve(conflict, _ffi.CHANGE, _ffi.text(column), _literal(value))

    def _resolve(self, conflict, how, column=None, value=None):
        name = conflict.id if isinstance(conflict, Conflict) else conflict
        self._call("mycelial_resolve", _ffi.text(name), how, column, value)

    def on_change(self, callback: Optional[Callable[[Change], None]]) -> None:
        """Calls back after rows of other sites became visible, on a thread of the replica.

        None unsubscribes. What the callback raises goes to sys.unraisablehook.
        """
        if callback is None:
            self._call("mycelial_on_change", _ffi.CHANGED(), None, _ffi.DESTROY())
            return

        def tell(_, change):
            tables = tuple(
                change.contents.tables[i].decode("utf-8", "replace")
                for i in range(change.contents.table_count)
            )
            callback(Change(tables, change.contents.rows))

        function = _ffi.CHANGED(tell)
        context = self._keep(function)
        try:
            self._call("mycelial_on_change", function, context, self._destroy)
        except MycelialError:
            self._forget(context)
            raise
