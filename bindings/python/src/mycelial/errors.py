# SPDX-License-Identifier: Apache-2.0
"""What can go wrong."""

import enum


class Code(enum.IntEnum):
    """What the program should do about a failure. Numbers as in mycelial.h."""

    OK = 0
    INVALID_ARGUMENT = 1
    NOT_FOUND = 2
    BUSY = 3
    CORRUPT = 4
    IO = 5
    SCHEMA = 6
    UNSUPPORTED = 7
    VERSION = 8
    CLOSED = 9
    CANCELED = 10
    OUT_OF_MEMORY = 11
    INTERNAL = 12


class MycelialError(Exception):
    """A call failed. `code` is for programs, the message for people."""

    def __init__(self, code, message, retryable=False):
        super().__init__(message)
        try:
            self.code = Code(code)
        except ValueError:  # of a newer library
            self.code = Code.INTERNAL
        self.message = message
        self.retryable = retryable

    def __str__(self):
        return f"{self.code.name.lower()}: {self.message}"
