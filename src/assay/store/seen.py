"""A small memory of many keys: it may say yes to one that it never saw, but never no to one that it did."""

from __future__ import annotations

BITS_A_KEY = 16
PROBES = 4
LEAST_BITS = 1 << 16
MOST_BITS = 1 << 27


class Seen:
    """A Bloom filter for about `room` keys: with so many, one key in 400 is taken for seen.

    Two bytes a key, so that the memory of a run hardly grows with its length; the file has the truth.
    """

    def __init__(self, room: int) -> None:
        bits = LEAST_BITS
        while bits < min(room * BITS_A_KEY, MOST_BITS):
            bits *= 2
        self._mask = bits - 1
        self._bits = bytearray(bits // 8)

    def add(self, key: str) -> None:
        at, step = self._places(key)
        for _ in range(PROBES):
            self._bits[at >> 3] |= 1 << (at & 7)
            at = (at + step) & self._mask

    def __contains__(self, key: str) -> bool:
        at, step = self._places(key)
        for _ in range(PROBES):
            if not self._bits[at >> 3] & 1 << (at & 7):
                return False
            at = (at + step) & self._mask
        return True

    def _places(self, key: str) -> tuple[int, int]:
        """Where the first probe is and how far the next is from it (odd, so that they differ)."""
        drawn = hash(key)
        return drawn & self._mask, (drawn >> 32) & self._mask | 1
