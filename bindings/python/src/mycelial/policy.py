# SPDX-License-Identifier: Apache-2.0
"""Merge policies of your own, in Python."""

import contextlib
import ctypes
import itertools
import threading
from ctypes import byref, c_void_p
from typing import Dict, NamedTuple, Union

from . import _ffi
from .errors import Code

SqlValue = Union[None, int, float, str, bytes]

_NULL, _INTEGER, _REAL, _TEXT, _BLOB = range(5)


class PolicyVersion(NamedTuple):
    """What one site has made of a column."""

    value: SqlValue
    time_ms: int  #: When it was written, milliseconds since 1970.
    site: str  #: Hexadecimal site id of the writer.


class MergePolicy:
    """Makes one value of two. See MergePolicy in mycelial/merge_policy.hpp.

    Subclass it, give it a `name`, and pass an instance to open(policies=[...]) wherever a file
    that uses it is opened. An exception stops the replica from syncing for good.
    """

    #: The same on all replicas and for good: 1 to 64 of a-z 0-9 _ - . /
    name = ""

    def merge(self, a: PolicyVersion, b: PolicyVersion) -> SqlValue:
        """Pure: equal arguments give equal values, in every process."""
        raise NotImplementedError


def _read(value: _ffi.Value) -> SqlValue:
    if value.type == _INTEGER:
        return value.integer
    if value.type == _REAL:
        return value.real
    if value.type in (_TEXT, _BLOB):
        data = ctypes.string_at(value.bytes, value.size) if value.size else b""
        return data.decode("utf-8", "surrogateescape") if value.type == _TEXT else data
    return None


def _write(out: c_void_p, value: SqlValue) -> None:
    to = _ffi.Value()
    data = b""
    if value is None:
        to.type = _NULL
    elif isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise OverflowError(f"{value} does not fit into an SQLite integer")
        to.type, to.integer = _INTEGER, value
    elif isinstance(value, float):
        to.type, to.real = _REAL, value
    elif isinstance(value, str):
        to.type, data = _TEXT, value.encode("utf-8", "surrogateescape")
    elif isinstance(value, (bytes, bytearray, memoryview)):
        to.type, data = _BLOB, bytes(value)
    else:
        raise TypeError(f"a merge policy gave {type(value).__name__}, which SQLite does not have")
    buffer = ctypes.create_string_buffer(data, len(data) + 1)
    to.bytes, to.size = ctypes.cast(buffer, c_void_p), len(data)
    _ffi.library().mycelial_merged_set(out, byref(to))


# Policies live here until the library destroys them: ctypes callbacks must outlive their last call.
_policies: Dict[int, MergePolicy] = {}
_numbers = itertools.count(1)
_lock = threading.Lock()


@_ffi.MERGE
def _merge(context, a, b, out, error):
    try:
        versions = (
            PolicyVersion(_read(v[0].value), v[0].time_ms, v[0].site.decode()) for v in (a, b)
        )
        _write(out, _policies[context].merge(*versions))
        return int(Code.OK)
    except BaseException as failure:  # cannot cross C: told as the reason
        words = f"{type(failure).__name__}: {failure}".encode("utf-8", "replace")
        error[0].message = words[:500]
        return int(Code.INTERNAL)


@_ffi.DESTROY
def _destroy(context):
    with _lock:
        _policies.pop(context, None)


@contextlib.contextmanager
def handles(policies):
    """The policies as the library takes them, for as long as it takes to open a replica."""
    made = (c_void_p * len(policies))()
    try:
        for i, policy in enumerate(policies):
            number = next(_numbers)
            with _lock:
                _policies[number] = policy
            handle = c_void_p()
            _ffi.call(
                "mycelial_policy_new",
                _ffi.text(policy.name),
                _merge,
                number,
                _destroy,
                byref(handle),
            )
            made[i] = handle
        yield made
    finally:
        for handle in made:
            _ffi.library().mycelial_policy_free(handle)
