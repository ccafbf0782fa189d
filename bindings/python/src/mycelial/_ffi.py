# SPDX-License-Identifier: Apache-2.0
"""The C interface (mycelial.h) by ctypes. Nothing here has an opinion."""

import ctypes
import ctypes.util
import os
import pathlib
from ctypes import (
    CFUNCTYPE,
    POINTER,
    Structure,
    byref,
    c_char,
    c_char_p,
    c_double,
    c_int,
    c_int32,
    c_int64,
    c_size_t,
    c_uint32,
    c_uint64,
    c_void_p,
    sizeof,
)

from .errors import Code, MycelialError

ABI_VERSION = 1
RESTORE, DISMISS, CHANGE = 1, 2, 3  # mycelial_resolve


class Error(Structure):
    _fields_ = [("code", c_int32), ("retryable", c_uint32), ("message", c_char * 512)]


class Options(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("create", c_uint32),
        ("exclusive", c_uint32),
        ("watch", c_uint32),
        ("debounce_ms", c_uint32),
        ("busy_timeout_ms", c_uint32),
        ("tail_bytes_max", c_uint64),
        ("policies", POINTER(c_void_p)),
        ("policy_count", c_size_t),
        ("conflicts_max", c_uint32),
        ("reserved", c_uint32),
        ("retention_s", c_uint64),
        ("receive_bytes_per_second_max", c_uint64),
    ]


class Value(Structure):
    _fields_ = [
        ("type", c_uint32),
        ("reserved", c_uint32),
        ("integer", c_int64),
        ("real", c_double),
        ("bytes", c_void_p),
        ("size", c_size_t),
    ]


class PolicyVersion(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("reserved", c_uint32),
        ("value", Value),
        ("time_ms", c_uint64),
        ("site", c_char_p),
    ]


class Member(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("is_self", c_uint32),
        ("holds_back", c_uint32),
        ("forgotten", c_uint32),
        ("silent_s", c_uint64),
        ("lacks_sets", c_uint64),
        ("site", c_char_p),
        ("last_heard", c_char_p),
    ]


class PolicyInfo(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("known", c_uint32),
        ("table", c_char_p),
        ("column", c_char_p),
        ("policy", c_char_p),
    ]


class Change(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("table_count", c_uint32),
        ("tables", POINTER(c_char_p)),
        ("rows", c_uint64),
    ]


class Conflict(Structure):
    _fields_ = [("struct_size", c_uint32), ("reserved", c_uint32)] + [
        (name, c_char_p)
        for name in ("table", "row", "column", "kind", "value", "winner", "rule", "since", "id")
    ]


class LinkCaps(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("delay_ms", c_uint32),
        ("message_bytes_max", c_uint64),
        ("bytes_per_second", c_uint64),
        ("group", c_uint32),
        ("reserved", c_uint32),
    ]


DESTROY = CFUNCTYPE(None, c_void_p)
PROGRESS = CFUNCTYPE(None, c_void_p, c_uint64, c_uint64)
CHANGED = CFUNCTYPE(None, c_void_p, POINTER(Change))
SEND = CFUNCTYPE(c_int32, c_void_p, c_void_p, c_size_t)
CONSUMED = CFUNCTYPE(None, c_void_p, c_size_t)
CALL = CFUNCTYPE(None, c_void_p)
MERGE = CFUNCTYPE(
    c_int32,
    c_void_p,
    POINTER(PolicyVersion),
    POINTER(PolicyVersion),
    c_void_p,
    POINTER(Error),
)
LISTEN = CFUNCTYPE(
    c_int32, c_void_p, c_char_p, c_void_p, POINTER(c_char), c_size_t, POINTER(Error)
)
DIAL = CFUNCTYPE(c_int32, c_void_p, c_char_p, c_void_p, POINTER(Error))


class LinkOps(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("reserved", c_uint32),
        ("send", SEND),
        ("consumed", CONSUMED),
        ("close", CALL),
        ("destroy", DESTROY),
    ]


class TransportOps(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("reserved", c_uint32),
        ("scheme", c_char_p),
        ("listen", LISTEN),
        ("dial", DIAL),
        ("stop", CALL),
        ("destroy", DESTROY),
    ]


_ERROR = POINTER(Error)
_SIGNATURES = {
    "mycelial_abi_version": (c_uint32, []),
    "mycelial_version": (c_char_p, []),
    "mycelial_text_data": (c_char_p, [c_void_p]),
    "mycelial_text_free": (None, [c_void_p]),
    "mycelial_options_init": (None, [POINTER(Options), c_uint32]),
    "mycelial_open": (c_int32, [c_char_p, POINTER(Options), POINTER(c_void_p), _ERROR]),
    "mycelial_shutdown": (None, [c_void_p]),
    "mycelial_close": (None, [c_void_p]),
    "mycelial_track": (c_int32, [c_void_p, c_char_p, _ERROR]),
    "mycelial_untrack": (c_int32, [c_void_p, c_char_p, _ERROR]),
    "mycelial_untrack_all": (c_int32, [c_void_p, _ERROR]),
    "mycelial_alter": (c_int32, [c_void_p, c_char_p, _ERROR]),
    "mycelial_resolve": (c_int32, [c_void_p, c_char_p, c_uint32, c_char_p, c_char_p, _ERROR]),
    "mycelial_get_members": (c_int32, [c_void_p, POINTER(c_void_p), _ERROR]),
    "mycelial_members_next": (c_int, [c_void_p, POINTER(Member)]),
    "mycelial_members_free": (None, [c_void_p]),
    "mycelial_forget": (c_int32, [c_void_p, c_char_p, _ERROR]),
    "mycelial_set_policy": (c_int32, [c_void_p, c_char_p, c_char_p, c_char_p, _ERROR]),
    "mycelial_get_policies": (c_int32, [c_void_p, POINTER(c_void_p), _ERROR]),
    "mycelial_policies_next": (c_int, [c_void_p, POINTER(PolicyInfo)]),
    "mycelial_policies_free": (None, [c_void_p]),
    "mycelial_policy_new": (
        c_int32,
        [c_char_p, MERGE, c_void_p, DESTROY, POINTER(c_void_p), _ERROR],
    ),
    "mycelial_policy_free": (None, [c_void_p]),
    "mycelial_merged_set": (None, [c_void_p, POINTER(Value)]),
    "mycelial_track_all": (c_int32, [c_void_p, POINTER(c_void_p), _ERROR]),
    "mycelial_tables_count": (c_size_t, [c_void_p]),
    "mycelial_tables_name": (c_char_p, [c_void_p, c_size_t]),
    "mycelial_tables_tracked": (c_uint32, [c_void_p, c_size_t]),
    "mycelial_tables_reason": (c_char_p, [c_void_p, c_size_t]),
    "mycelial_tables_free": (None, [c_void_p]),
    "mycelial_listen": (c_int32, [c_void_p, c_char_p, POINTER(c_void_p), _ERROR]),
    "mycelial_connect": (c_int32, [c_void_p, c_char_p, _ERROR]),
    "mycelial_sync": (
        c_int32,
        [c_void_p, c_char_p, c_uint32, PROGRESS, c_void_p, DESTROY, _ERROR],
    ),
    "mycelial_seal": (c_int32, [c_void_p, _ERROR]),
    "mycelial_digest": (c_int32, [c_void_p, POINTER(c_void_p), _ERROR]),
    "mycelial_on_change": (c_int32, [c_void_p, CHANGED, c_void_p, DESTROY, _ERROR]),
    "mycelial_get_status": (c_int32, [c_void_p, POINTER(c_void_p), _ERROR]),
    "mycelial_status_json": (c_char_p, [c_void_p]),
    "mycelial_status_free": (None, [c_void_p]),
    "mycelial_get_conflicts": (c_int32, [c_void_p, POINTER(c_void_p), _ERROR]),
    "mycelial_conflicts_next": (c_int, [c_void_p, POINTER(Conflict)]),
    "mycelial_conflicts_free": (None, [c_void_p]),
    "mycelial_check": (c_int32, [c_void_p, POINTER(c_void_p), _ERROR]),
    "mycelial_link_caps_init": (None, [POINTER(LinkCaps), c_uint32]),
    "mycelial_add_transport": (c_int32, [c_void_p, POINTER(TransportOps), c_void_p, _ERROR]),
    "mycelial_acceptor_link": (
        c_int32,
        [
            c_void_p,
            POINTER(LinkOps),
            c_void_p,
            POINTER(LinkCaps),
            c_char_p,
            c_int,
            c_char_p,
            POINTER(c_void_p),
            _ERROR,
        ],
    ),
    "mycelial_acceptor_dial_failed": (None, [c_void_p, c_char_p, c_int32, c_char_p]),
    "mycelial_link_message": (None, [c_void_p, c_char_p, c_size_t]),
    "mycelial_link_writable": (None, [c_void_p]),
    "mycelial_link_closed": (None, [c_void_p, c_int32, c_char_p]),
}

_library = None
_path = None


def _candidates():
    chosen = os.environ.get("MYCELIAL_LIBRARY")
    if chosen:
        yield chosen
        return
    here = pathlib.Path(__file__).resolve().parent
    yield from (str(path) for path in sorted(here.glob("libmycelial.so*")))
    found = ctypes.util.find_library("mycelial")
    if found:
        yield found
    yield "libmycelial.so.0.1"


def library():
    """The loaded library, with signatures. Raises ImportError where there is none."""
    global _library, _path
    if _library is not None:
        return _library
    failures = []
    for path in _candidates():
        try:
            loaded = ctypes.CDLL(path)
        except OSError as error:
            failures.append(str(error))
            continue
        for name, (result, arguments) in _SIGNATURES.items():
            function = getattr(loaded, name)
            function.restype = result
            function.argtypes = arguments
        if loaded.mycelial_abi_version() != ABI_VERSION:
            raise ImportError(
                f"{path} has ABI version {loaded.mycelial_abi_version()}, "
                f"this package was made for {ABI_VERSION}"
            )
        _library, _path = loaded, path
        return loaded
    raise ImportError(
        "libmycelial was not found; set MYCELIAL_LIBRARY to its path (" + "; ".join(failures) + ")"
    )


def library_path():
    """Where the shared library was found."""
    library()
    return _path


def library_version():
    """The version of the shared library, such as "0.1.0"."""
    return library().mycelial_version().decode()


def call(name, *arguments):
    """Calls a function that reports through a mycelial_error; raises MycelialError."""
    error = Error()
    code = getattr(library(), name)(*arguments, byref(error))
    if code != Code.OK:
        message = error.message.decode("utf-8", "replace")
        raise MycelialError(code, message, bool(error.retryable))


def text(value):
    """UTF-8 from a str, refusing what C would cut off."""
    if not isinstance(value, str):
        raise TypeError(f"expected str, not {type(value).__name__}")
    encoded = value.encode("utf-8")
    if b"\0" in encoded:
        raise MycelialError(Code.INVALID_ARGUMENT, "the text holds a NUL character")
    return encoded


def take_text(handle):
    """The content of a mycelial_text, which is freed."""
    try:
        return library().mycelial_text_data(handle).decode("utf-8", "replace")
    finally:
        library().mycelial_text_free(handle)


def sized(kind):
    """A struct of the caller's with its size filled in."""
    out = kind()
    out.struct_size = sizeof(kind)
    return out
