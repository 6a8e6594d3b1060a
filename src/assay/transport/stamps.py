"""Receive stamps of the kernel, brought to the monotonic clock."""

from __future__ import annotations

import socket
import struct
import sys
import time

_SO_TIMESTAMPNS = 35  # Linux's number; Python's socket module does not name it
_TIMESPEC = struct.Struct("qq")

ANCILLARY = socket.CMSG_SPACE(_TIMESPEC.size) if sys.platform == "linux" else 0
"""Room for one stamp beside the data of a recvmsg."""


def ask_for_stamps(sock: socket.socket) -> bool:
    """Asks the kernel to stamp what arrives; False where it cannot."""
    if not ANCILLARY:
        return False
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    except OSError:
        return False
    return True


def wall_offset() -> int:
    """The wall clock minus the monotonic clock in ns, right to about a microsecond.

    Taken anew for each request, so that a step of the wall clock spoils no later stamp.
    """
    best, offset = 1 << 62, 0
    for _ in range(4):
        before = time.monotonic_ns()
        wall = time.time_ns()
        width = time.monotonic_ns() - before
        if width < best:
            best, offset = width, wall - before - width // 2
        if width < 1_000:
            break
    return offset


def stamp_of(ancillary: list[tuple[int, int, bytes]]) -> int | None:
    """Wall-clock ns of the last byte that a recvmsg returned, if the kernel said so."""
    for _, kind, raw in ancillary:
        if kind == _SO_TIMESTAMPNS and len(raw) == _TIMESPEC.size:
            seconds: int
            nanoseconds: int
            seconds, nanoseconds = _TIMESPEC.unpack(raw)
            return seconds * 1_000_000_000 + nanoseconds
    return None
