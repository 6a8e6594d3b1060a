"""One connection's response parser: httptools, with its callbacks kept to the fewest."""

from __future__ import annotations

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from assay.errors import CallError, ErrorClass
from assay.transport.sink import Headers

INTERIM_LIMIT = 1000
"""Answers before the answer (1xx) that are borne: each costs far more to read than its bytes say."""


class ResponseParser:
    """Parses the responses of one connection, one after another.

    `pieces` holds the body bytes of the read just fed; `headed` and `whole` say how far the
    response is; `keep` whether the connection may serve another request; `spoiled` that bytes
    came after the end of the response.
    """

    __slots__ = (
        "_interim",
        "_own",
        "_parser",
        "headed",
        "headers",
        "keep",
        "on_body",
        "pieces",
        "spoiled",
        "status",
        "whole",
    )

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.on_body = self.pieces.append
        self.reset()
        self._parser: HttpResponseParser | None = HttpResponseParser(self)

    def reset(self) -> None:
        """Ready for the next response."""
        self.status = self._own = self._interim = 0
        self.headers: Headers = {}
        self.headed = self.whole = self.keep = self.spoiled = False
        self.pieces.clear()

    def release(self) -> None:
        """Breaks the cycle between this and the parser."""
        self._parser = None

    def feed(self, data: bytes) -> None:
        """Parses what arrived. Raises CallError(PROTOCOL) for what is not HTTP/1."""
        if self._parser is None:
            return
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade as error:
            raise CallError(ErrorClass.PROTOCOL, "the server switches to another protocol") from error
        except HttpParserError as error:
            if self.whole:  # the answer itself was right; only the connection is spoiled
                self.spoiled = True
                del self.pieces[self._own :]
                return
            raise CallError(ErrorClass.PROTOCOL, f"not HTTP: {error}"[:200], raw=data[:1024]) from error
        if self._interim > INTERIM_LIMIT:
            raise CallError(ErrorClass.TOO_LARGE, f"more than {INTERIM_LIMIT} interim answers")
        if self.spoiled:
            del self.pieces[self._own :]

    @property
    def until_eof(self) -> bool:
        """Whether the end of the connection is the proper end of this body."""
        return (
            self.headed and b"content-length" not in self.headers and b"transfer-encoding" not in self.headers
        )

    def on_message_begin(self) -> None:
        if self.whole:
            self.spoiled = True

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.spoiled:
            self.headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        if self._parser is not None and not self.whole:
            self.status = self._parser.get_status_code()
            self.headed = self.status >= 200

    def on_message_complete(self) -> None:
        if not self.headed:  # 100, 103 and their like come before the answer
            self.headers = {}
            self._interim += 1
        elif self._parser is not None and not self.whole:
            self.whole = True
            self._own = len(self.pieces)
            self.keep = self._parser.should_keep_alive()
