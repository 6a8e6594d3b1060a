"""A coded body as it arrives, decoded no further than a response may be long."""

from __future__ import annotations

import zlib

from assay.errors import CallError, ErrorClass

GZIP = 31
"""zlib's number for a gzip header and the widest window."""


class Inflate:
    """Decodes gzip, which some proxies send although nobody asked for it.

    `limit` bounds the bytes that come out, so that a bomb is stopped while it is small.
    """

    __slots__ = ("_coder", "_limit", "_room")

    def __init__(self, limit: int) -> None:
        self._coder = zlib.decompressobj(GZIP)
        self._limit = limit
        self._room = limit

    def feed(self, data: bytes) -> bytes:
        """What these bytes bring. Raises CallError for bytes that are no gzip, and for too many."""
        try:
            out = self._coder.decompress(data, self._room + 1)
        except zlib.error as error:
            raise CallError(ErrorClass.MALFORMED, f"not gzip: {error}"[:200], raw=data[:1024]) from error
        self._room -= len(out)
        if self._room < 0:
            raise CallError(ErrorClass.TOO_LARGE, f"more than {self._limit} bytes once decoded")
        return out
