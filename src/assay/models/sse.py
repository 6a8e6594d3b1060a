"""Server-sent events out of bytes in any slicing."""

from __future__ import annotations

COMMENT = b": comment"
"""Stands for a comment in the list of events; known by identity."""

NAMED_ERROR = b"event: error"
"""Stands before the data of an event that is named `error`; known by identity."""


class EventSplitter:
    """Splits a stream into the data of its events.

    Lines may end in LF, CRLF or CR; data may follow `data:` with or without a space and may have
    many lines. Work is linear in the bytes, also for a line or an event that never ends.
    """

    __slots__ = ("_data", "_error", "_more", "_tail")

    def __init__(self) -> None:
        self._tail: list[bytes] = []  # pieces of a line that has not ended
        self._data: bytes | None = None  # the last data line of the event being read
        self._more: list[bytes] = []  # the data lines before it
        self._error = False

    @property
    def between(self) -> bool:
        """Whether all events have ended, so that the next byte begins one."""
        return self._data is None and not self._tail and not self._error

    def feed(self, data: bytes) -> list[bytes]:
        """The data of each event that these bytes have ended, COMMENT and NAMED_ERROR among them."""
        if b"\n" not in data and b"\r" not in data:
            self._tail.append(data)
            return []
        if self._tail:
            self._tail.append(data)
            data = b"".join(self._tail)
            self._tail.clear()
        held = b""
        if b"\r" in data:
            if data.endswith(b"\r"):  # the first half of a CRLF, perhaps
                data, held = data[:-1], b"\r"
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        lines = data.split(b"\n")
        if rest := lines.pop() + held:
            self._tail.append(rest)
        return self._lines(lines)

    def end(self) -> list[bytes]:
        """The data of a last event whose closing blank line never came."""
        return self.feed(b"\n\n")

    def _lines(self, lines: list[bytes]) -> list[bytes]:
        events: list[bytes] = []
        for line in lines:
            if not line:
                if self._data is not None:
                    self._dispatch(events)
                self._error = False
            elif line[:6] == b"data: ":
                if self._data is not None:
                    self._more.append(self._data)
                self._data = line[6:]
            else:
                self._other(line, events)
        return events

    def _dispatch(self, events: list[bytes]) -> None:
        if self._error:
            events.append(NAMED_ERROR)
        if self._more:
            events.append(b"\n".join([*self._more, self._data or b""]))
            self._more.clear()
        elif self._data is not None:
            events.append(self._data)
        self._data = None

    def _other(self, line: bytes, events: list[bytes]) -> None:
        field, _, value = line.partition(b":")
        if not field:
            events.append(COMMENT)
        elif field == b"data":
            if self._data is not None:
                self._more.append(self._data)
            self._data = value
        elif field == b"event":
            self._error = value.strip() == b"error"
