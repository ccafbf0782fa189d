# SPDX-License-Identifier: Apache-2.0
"""A network of your own, in Python.

Subclass Transport, and call its link_up() for each link that comes up. A link carries whole
messages; it may lose, double, reorder and delay them.
"""

import ctypes
import itertools
import threading
from ctypes import byref, c_void_p
from typing import Dict, Optional

from . import _ffi
from .errors import Code, MycelialError

ACCEPTED, WOULD_BLOCK, CLOSED = 0, 1, 2


class Link:
    """One open pipe. Override send() and close(); report with the received/writable/closed methods.

    send() and close() are called from any thread and must not block. Reports of one link must
    not overlap, and must not be made from inside send() or close().
    """

    #: The largest message that send() takes; at least 128.
    message_bytes_max = 64 * 1024
    bytes_per_second = 0
    delay_ms = 20
    group = False

    _handle: Optional[c_void_p] = None

    def send(self, message: bytes) -> int:
        """Gives ACCEPTED, WOULD_BLOCK (writable() follows) or CLOSED."""
        raise NotImplementedError

    def consumed(self, size: int) -> None:
        """The receiver is done with so many bytes."""

    def close(self) -> None:
        """Idempotent; closed() follows."""
        raise NotImplementedError

    def received(self, message: bytes) -> None:
        if self._handle is not None:
            _ffi.library().mycelial_link_message(self._handle, message, len(message))

    def writable(self) -> None:
        if self._handle is not None:
            _ffi.library().mycelial_link_writable(self._handle)

    def closed(self, reason: str = "closed", code: int = Code.CLOSED) -> None:
        handle, self._handle = self._handle, None
        if handle is not None:
            _ffi.library().mycelial_link_closed(handle, int(code), reason.encode())


# Links live here until the library destroys them: ctypes callbacks must outlive their last call.
_links: Dict[int, Link] = {}
_numbers = itertools.count(1)
_lock = threading.Lock()


def _guarded(default):
    """Exceptions cannot cross C: they go to sys.unraisablehook by ctypes, with this result."""

    def wrap(function):
        def run(*arguments):
            try:
                return function(*arguments)
            except BaseException as error:
                run.report(error)
                return default

        def report(error):
            import sys
            import types

            sys.unraisablehook(
                types.SimpleNamespace(
                    exc_type=type(error),
                    exc_value=error,
                    exc_traceback=error.__traceback__,
                    err_msg="in a callback of mycelial",
                    object=function,
                )
            )

        run.report = report
        return run

    return wrap


@_ffi.SEND
@_guarded(CLOSED)
def _send(context, message, size):
    return int(_links[context].send(ctypes.string_at(message, size)))


@_ffi.CONSUMED
@_guarded(None)
def _consumed(context, size):
    _links[context].consumed(size)


@_ffi.CALL
@_guarded(None)
def _close(context):
    _links[context].close()


@_ffi.DESTROY
@_guarded(None)
def _destroy(context):
    with _lock:
        _links.pop(context, None)


class Transport:
    """Brings links up. Override listen(), dial() and stop(); set `scheme`."""

    #: The part of an endpoint before "://".
    scheme = ""

    def listen(self, endpoint: str, acceptor) -> Optional[str]:
        """Accepts links at the endpoint; gives the endpoint really bound, or None for as asked."""
        raise NotImplementedError

    def dial(self, endpoint: str, acceptor) -> None:
        """Keeps one link to the endpoint up until stop(). Unreachable is no error."""
        raise NotImplementedError

    def stop(self) -> None:
        """Closes everything. After it, no report may be made. Idempotent."""
        raise NotImplementedError

    def link_up(self, acceptor, link: Link, remote: str, dialed: bool, endpoint: str) -> None:
        """A link is up. Raises MycelialError (CLOSED) if it is not wanted."""
        caps = _ffi.LinkCaps()
        _ffi.library().mycelial_link_caps_init(byref(caps), ctypes.sizeof(caps))
        caps.message_bytes_max = link.message_bytes_max
        caps.bytes_per_second = link.bytes_per_second
        caps.delay_ms = link.delay_ms
        caps.group = link.group
        ops = _ffi.sized(_ffi.LinkOps)
        ops.send, ops.consumed, ops.close, ops.destroy = _send, _consumed, _close, _destroy
        with _lock:
            number = next(_numbers)
            _links[number] = link
        handle = c_void_p()
        _ffi.call(
            "mycelial_acceptor_link",
            acceptor,
            byref(ops),
            number,
            byref(caps),
            _ffi.text(remote),
            int(dialed),
            _ffi.text(endpoint),
            byref(handle),
        )
        link._handle = handle

    def dial_failed(self, acceptor, endpoint: str, reason: str, code: int = Code.IO) -> None:
        _ffi.library().mycelial_acceptor_dial_failed(
            acceptor, _ffi.text(endpoint), int(code), reason.encode()
        )

    def _ops(self) -> _ffi.TransportOps:
        """The C face. Kept alive by self, which the replica keeps."""

        def fill(error, failure):
            code = failure.code if isinstance(failure, MycelialError) else Code.IO
            text = failure.message if isinstance(failure, MycelialError) else repr(failure)
            error.contents.message = text.encode()[:500]
            return int(code)

        def listen(_, endpoint, acceptor, bound, size, error):
            try:
                real = (self.listen(endpoint.decode(), acceptor) or "").encode()
                if len(real) >= size:
                    raise MycelialError(Code.INVALID_ARGUMENT, "the endpoint is too long")
                ctypes.memmove(bound, real + b"\0", len(real) + 1)
                return 0
            except BaseException as failure:
                return fill(error, failure)

        def dial(_, endpoint, acceptor, error):
            try:
                self.dial(endpoint.decode(), acceptor)
                return 0
            except BaseException as failure:
                return fill(error, failure)

        ops = _ffi.sized(_ffi.TransportOps)
        ops.scheme = _ffi.text(self.scheme)
        ops.listen = _ffi.LISTEN(listen)
        ops.dial = _ffi.DIAL(dial)
        ops.stop = _ffi.CALL(_guarded(None)(lambda _: self.stop()))
        self._c_ops = ops
        return ops
