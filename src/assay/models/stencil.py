"""The bytes around the content of a stream's events, where they are the same from one event to the next.

Most events of a stream differ in a few letters only. To see that the rest is what it was takes a
tenth of the time of reading it all again.
"""

from __future__ import annotations

from array import array
from typing import NamedTuple


class Stencil(NamedTuple):
    """`before` and `after` enclose the content of one event, line and blank line included; `between` is
    `after` and `before`, as they stand between two contents.
    """

    before: bytes
    after: bytes
    between: bytes

    def fits(self, event: bytes) -> bool:
        """Whether one event, line and blank line included, is this one but for the content."""
        return event.startswith(self.before) and event.endswith(self.after)

    def single(self, data: bytes) -> str | None:
        """The content of data that is one event which fits, where that is plain and not empty."""
        before, after, _ = self
        if data.startswith(before) and data.endswith(after):
            return plain(data[len(before) : -len(after)]) or None
        return None

    def split(self, data: bytes) -> tuple[bytes, list[bytes], bytes] | None:
        """What comes before the first event that fits, the contents of those up to the last one that
        fits, and what comes after it; None if none does, or if others stand among them.

        Whether contents are plain is left open: those that are not must be read in full.
        """
        before, after, between = self
        start = 0 if data.startswith(before) else data.find(b"\n" + before) + 1
        end = len(data) if data.endswith(after) else data.rfind(after) + len(after)
        fitting = data[start:end]
        first, last = len(before), 2 - len(after)
        contents = [event[first:last] for event in fitting.split(b"\n\n")[:-1]]
        if not contents or before + between.join(contents) + after != fitting:
            return None
        return data[:start], contents, data[end:]

    def enclosed(self, content: bytes) -> bytes:
        """The bytes of the event with that content."""
        return self.before + content + self.after


class Paced:
    """Events that come one a read and fit a stencil: their texts, stamps and reads, kept until they are
    asked for. This is what a token of a paced stream costs, so it is written out in one place.
    """

    __slots__ = ("_after", "_before", "_end", "_start", "reads", "stamps", "texts")

    def __init__(self, stencil: Stencil) -> None:
        self._before, self._after, _ = stencil
        self._start, self._end = len(stencil.before), -len(stencil.after)
        self.texts: list[str] = []
        self.stamps = array("q")
        self.reads = array("I")

    def took(self, data: bytes, at: int, read: int) -> bool:
        """Takes the data of one read in, if that is one event which fits and whose content is plain."""
        if not (data.startswith(self._before) and data.endswith(self._after)):
            return False
        content = data[self._start : self._end]
        if not content or b'"' in content or b"\\" in content:
            return False
        try:
            text = content.decode()
        except UnicodeDecodeError:
            return False
        if not text.isprintable():
            return False
        self.texts.append(text)
        self.stamps.append(at)
        self.reads.append(read)
        return True


def cut(event: bytes, content: str) -> Stencil | None:
    """The stencil of an event's data, by the first place after `"content"` where that text stands.

    That it is the place is for the caller to prove, by reading the event with another content.
    """
    try:
        quoted = b'"' + content.encode() + b'"'
    except UnicodeEncodeError:
        return None
    at = event.find(quoted, event.find(b'"content"') + len(b'"content"'))
    if at < 0 or b"\n" in event:
        return None
    before = b"data: " + event[: at + 1]
    after = event[at + len(quoted) - 1 :] + b"\n\n"
    return Stencil(before, after, after + before)


def plain(content: bytes) -> str | None:
    """The text of what stands between the quotes of a JSON string; None where it must be read in full.

    That is so where there are quotes or escapes, control characters, or bytes that are no UTF-8.
    """
    if b'"' in content or b"\\" in content:
        return None
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return None
    return text if text.isprintable() else None


def all_plain(contents: list[bytes]) -> list[str] | None:
    """The texts of many, none of them empty; None where one of them is not plain."""
    together = b"".join(contents)
    if b'"' in together or b"\\" in together or not all(contents):
        return None
    try:
        texts = [content.decode() for content in contents]
    except UnicodeDecodeError:
        return None
    return texts if "".join(texts).isprintable() else None
