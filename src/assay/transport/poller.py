"""One epoll for all connections of a client: it watches them, and the event loop watches it."""

from __future__ import annotations

import asyncio
import select
import sys
from collections.abc import Callable

MOST = 256
"""Sockets read in one turn of the event loop; those left over are read in the next one."""


class Poller:
    """Calls a socket's reader when something has arrived there.

    The event loop's own bookkeeping for a file that has become readable costs as much as all
    else that a token's read costs outside the kernel; so it is done once for hundreds of them.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._readers: dict[int, Callable[[], None]] = {}
        self._epoll = select.epoll() if sys.platform == "linux" else None
        if self._epoll is not None:
            self._loop.add_reader(self._epoll.fileno(), self._serve)

    def watch(self, file: int, reader: Callable[[], None]) -> None:
        """Has `reader` called as long as the file can be read."""
        if self._epoll is None:
            self._loop.add_reader(file, reader)
        else:
            self._readers[file] = reader
            self._epoll.register(file, select.EPOLLIN)

    def forget(self, file: int) -> None:
        """Calls its reader no more. To be called before the file is closed."""
        if self._epoll is None:
            self._loop.remove_reader(file)
        elif self._readers.pop(file, None) is not None:
            self._epoll.unregister(file)

    def close(self) -> None:
        """Ends the watch; closing twice does nothing."""
        if self._epoll is not None and not self._epoll.closed:
            self._loop.remove_reader(self._epoll.fileno())
            self._epoll.close()

    def _serve(self) -> None:
        if self._epoll is None:
            return
        readers = self._readers
        for file, _ in self._epoll.poll(0, MOST):
            reader = readers.get(file)
            if reader is not None:  # None: closed by the reader of another one just now
                reader()
