"""What arrived and when, in few bytes: the steps between stamps, and columns as narrow as their values."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import accumulate, chain, groupby, repeat
from operator import sub

from assay.message import Arrivals

_NARROW = b"\xff\xff\xff\xff"  # the first form began with a count of events, which is never so great
_MOST = 1 << 24  # events of one reply: more than its bytes allow
_SAME = b"="


def pack(arrivals: Arrivals) -> bytes:
    """The arrivals as bytes, in native order: groups, then runs of equal kinds, then lengths."""
    runs = [(kind, len(list(run))) for kind, run in groupby(arrivals.kind)]
    return b"".join(
        (
            _NARROW,
            len(arrivals.stamps).to_bytes(4, "little"),
            len(runs).to_bytes(4, "little"),
            _first(arrivals.stamps),
            _first(arrivals.reads),
            _column(_steps(arrivals.stamps)),
            _column(_steps(arrivals.reads)),
            _column(arrivals.counts.tolist()),
            _column([kind for kind, _ in runs]),
            _column([count for _, count in runs]),
            _column(arrivals.length.tolist()),
        )
    )


def unpack(raw: bytes) -> Arrivals:
    """The inverse of `pack`; reads the first form too. Raises ValueError for other bytes."""
    try:
        return _narrow(raw) if raw.startswith(_NARROW) else _wide(raw)
    except OverflowError as error:
        raise ValueError("arrivals beyond their widths") from error


def _narrow(raw: bytes) -> Arrivals:
    columns, found = _Columns(raw), Arrivals()
    groups, runs = columns.count(), columns.count()
    if not groups:
        return found
    stamp, read = columns.number(8), columns.number(8)
    found.stamps.extend(accumulate(columns.take(groups - 1), initial=stamp))
    found.reads.extend(accumulate(columns.take(groups - 1), initial=read))
    found.counts.extend(iter(columns.take(groups)))
    kinds, counts = columns.take(runs), columns.take(runs)
    events = sum(counts)
    if events != sum(found.counts) or events > _MOST:
        raise ValueError("arrivals whose counts do not agree")
    found.kind.extend(chain.from_iterable(map(repeat, kinds, counts)))
    found.length.extend(iter(columns.take(events)))
    return found


def _first(values: array[int]) -> bytes:
    return values[0].to_bytes(8, "little", signed=True) if values else b""


def _steps(values: array[int]) -> list[int]:
    """How far it is from each to the next."""
    return list(map(sub, values[1:], values))


def _column(values: list[int]) -> bytes:
    """A letter that says how wide, then the values; of equal ones a single one."""
    if not values:
        return b""
    if values.count(values[0]) == len(values):
        return _SAME + values[0].to_bytes(8, "little", signed=True)
    try:
        return b"B" + bytes(values)
    except ValueError:  # not all of them fit; to ask for the greatest first takes longer
        pass
    for code in ("H", "I"):
        try:
            return code.encode() + array(code, values).tobytes()
        except OverflowError:
            continue
    return b"q" + array("q", values).tobytes()


class _Columns:
    """Bytes that are read from front to back."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._at = len(_NARROW)

    def number(self, size: int) -> int:
        self._at += size
        return int.from_bytes(self._raw[self._at - size : self._at], "little", signed=True)

    def count(self) -> int:
        count = self.number(4)
        if not 0 <= count <= _MOST:
            raise ValueError("arrivals of too many events")
        return count

    def take(self, count: int) -> Sequence[int]:
        """The next column, of so many values."""
        if not count:
            return ()
        code, start = self._raw[self._at : self._at + 1], self._at + 1
        if code == _SAME:
            self._at = start
            return (self.number(8),) * count
        if code not in (b"B", b"H", b"I", b"q"):
            raise ValueError("arrivals of an unknown width")
        column = array(code.decode())
        self._at = start + count * column.itemsize
        column.frombytes(self._raw[start : self._at])
        if len(column) != count:
            raise ValueError("arrivals that are cut short")
        return column


def _wide(raw: bytes) -> Arrivals:
    """The first form: a count, then for each event stamp, kind, length and read."""
    count, offset = int.from_bytes(raw[:4], "little"), 4
    columns: list[array[int]] = []
    for code in "qHII":
        column = array(code)
        column.frombytes(raw[offset : offset + count * column.itemsize])
        offset += count * column.itemsize
        columns.append(column)
    found = Arrivals()
    for at, kind, length, read in zip(*columns, strict=True):
        found.append(at, kind, length, read)
    return found
