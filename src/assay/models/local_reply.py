"""One reply as local weights write it, token by token: its text so far, its stops, its end."""

from __future__ import annotations

from typing import Protocol

from assay.message import Arrivals, Finish, Kind, Request

BROKEN = "\ufffd"
"""What stands at the end of a text whose last character lacks bytes."""


class Decoder(Protocol):
    """What a reply needs to know of its model's tokens."""

    @property
    def ends(self) -> frozenset[int]:
        """Tokens that end a reply."""
        ...

    def text(self, tokens: list[int]) -> str: ...


class Row:
    """One request of a batch. `fresh` is the text that the last token made certain; `finish` is set
    by the token that ends it.

    Text is read from the tokens since the last whole character and those before it, so that the
    cost of a token does not grow with the reply. What may be the beginning of a stop is held back.
    """

    def __init__(self, request: Request, prompt: list[int], decoder: Decoder, limit: int) -> None:
        self.sampling = request.sampling
        self.prompt = prompt
        self.tokens: list[int] = []
        self.text = ""
        self.fresh = ""
        self.finish: Finish | None = None
        self.arrivals = Arrivals()
        self._decoder = decoder
        self.limit = limit
        self._shown = 0
        self._settled = self._read = 0

    def add(self, token: int) -> None:
        """Takes the next token."""
        self.tokens.append(token)
        if token in self._decoder.ends:
            self.finish = Finish.STOP
        else:
            self._decode()
        at = min((place for stop in self.sampling.stop if (place := self.text.find(stop)) >= 0), default=-1)
        if at >= 0:
            self.text, self.finish = self.text[:at], Finish.STOP
        elif self.finish is None and len(self.tokens) >= self.limit:
            self.finish = Finish.LENGTH
        if self.finish is not None and at < 0:
            self._decode(last=True)
        certain = len(self.text) if self.finish is not None else len(self.text) - self._held()
        self.fresh = self.text[self._shown : certain]
        self._shown = max(self._shown, certain)

    def arrived(self, at: int) -> None:
        """Notes the last token as an event of its own, at `at` monotonic ns."""
        kind = Kind.CONTENT | (Kind.FINISH | Kind.USAGE if self.finish is not None else Kind(0))
        self.arrivals.append(at, int(kind), len(self.fresh), len(self.tokens))

    def _decode(self, *, last: bool = False) -> None:
        end = len(self.tokens) - (self.tokens[-1] in self._decoder.ends)
        before = self._decoder.text(self.tokens[self._settled : self._read])
        now = self._decoder.text(self.tokens[self._settled : end])
        if len(now) <= len(before) or (now.endswith(BROKEN) and not last):
            return
        self.text += now[len(before) :]
        self._settled, self._read = self._read, end

    def _held(self) -> int:
        """Characters at the end of the text that may be the beginning of a stop."""
        longest = max((len(stop) for stop in self.sampling.stop), default=0)
        for size in range(min(longest - 1, len(self.text)), 0, -1):
            if any(stop.startswith(self.text[-size:]) for stop in self.sampling.stop):
                return size
        return 0
