"""The truth of what was asked, sent and billed: one record a request, one line a moment in a file."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from assay.errors import UsageError
from assay.keys import JSON

Moment = Literal["arrived", "headers_sent", "first_content", "done_sent", "client_gone"]
Billing = Literal["arrival", "first_token", "completion"]


class Price(Struct, frozen=True):
    """Dollars for a million tokens."""

    input: Decimal = Decimal(0)
    output: Decimal = Decimal(0)

    def of(self, input_tokens: int, output_tokens: int) -> Decimal:
        """Dollars for so many tokens, exact."""
        return (self.input * input_tokens + self.output * output_tokens).scaleb(-6)


class Record(Struct, gc=False):
    """One request. The instants are monotonic ns, 0 where that moment never came.

    Not frozen: it is filled in while its reply goes out. `input` and `output` are the reply's
    tokens, charged where `billed`. `status` 0 means that no head was sent.
    """

    n: int
    conn: int
    arrived: int
    request: str
    prompt: str
    model: str
    attempt: int
    fault: str
    stream: bool
    status: int
    input: int = 0
    output: int = 0
    may_bill: bool = False
    billed: bool = False
    text: str = ""
    truth: JSON = None
    headers_sent: int = 0
    first_content: int = 0
    done_sent: int = 0
    client_gone: int = 0

    def view(self, price: Price) -> dict[str, JSON]:
        """The record as the ledger shows it."""
        tokens = (self.input, self.output) if self.billed else (0, 0)
        truth = self.truth if isinstance(self.truth, dict) else {}
        return {
            "n": self.n,
            "conn": self.conn,
            "t_mono": self.arrived,
            "request": self.request,
            "prompt": self.prompt,
            "model": self.model,
            "attempt": self.attempt,
            "fault": self.fault,
            "stream": self.stream,
            "status": self.status,
            "state": {moment: getattr(self, moment) for moment in _MOMENTS},
            "billed": self.billed,
            "tokens": {"input": tokens[0], "output": tokens[1]},
            "price": str(price.of(*tokens)),
            "right": truth.get("right"),
            "indexed": truth.get("indexed"),
            "text": self.text,
            "truth": self.truth,
        }


_MOMENTS: tuple[Moment, ...] = ("arrived", "headers_sent", "first_content", "done_sent", "client_gone")
_BILLED_AT: dict[Moment, Billing] = {
    "arrived": "arrival",
    "first_content": "first_token",
    "done_sent": "completion",
}


class Ledger:
    """Keeps every record in memory, and in `path` a line for each moment as it comes, unbuffered.

    Tokens are charged at the moment that `billing` names, all at once; what a fault that is not
    billed answers is never charged. Raises UsageError for a path that cannot be written.
    """

    def __init__(
        self, path: Path | None = None, *, price: Price | None = None, billing: Billing = "arrival"
    ) -> None:
        self.price = Price() if price is None else price
        self._billing = billing
        self._records: list[Record] = []
        self._attempts: Counter[str] = Counter()
        self._file = -1 if path is None else _opened(path)
        if self._file >= 0:
            self._write({"moment": "started", "t_mono": time.monotonic_ns()})

    def attempt(self, request: str) -> int:
        """Counts one more attempt at an equal request: its number, from 1."""
        self._attempts[request] += 1
        return self._attempts[request]

    @property
    def next_number(self) -> int:
        return len(self._records) + 1

    def add(self, record: Record) -> None:
        """Enters a request as it arrived."""
        self._records.append(record)
        self._bill(record, "arrived")
        if self._file >= 0:
            self._write({**record.view(self.price), "moment": "arrived"})

    def stamp(self, record: Record, moment: Moment) -> None:
        """That moment has come for that record, now; the first time counts."""
        if not getattr(record, moment):
            setattr(record, moment, time.monotonic_ns())
            self._bill(record, moment)
            if self._file >= 0:
                self._write(_line(record, moment, self.price))

    def _bill(self, record: Record, moment: Moment) -> None:
        if record.may_bill and _BILLED_AT.get(moment) == self._billing:
            record.billed = True

    def _write(self, row: JSON) -> None:
        os.write(self._file, msgspec.json.encode(row) + b"\n")

    def records(self, since: int = 0) -> list[Record]:
        """The records after number `since`, in order of arrival."""
        return self._records[since:]

    def lines(self, since: int = 0) -> Iterator[bytes]:
        """The records as JSON Lines."""
        return (msgspec.json.encode(each.view(self.price)) + b"\n" for each in self.records(since))

    def stats(self) -> dict[str, JSON]:
        """Counts over all records."""
        views = [record.view(self.price) for record in self._records]
        spent = sum((Decimal(view["price"]) for view in views), Decimal(0))
        return {
            "requests": len(views),
            "distinct": len(self._attempts),
            "by_model": dict(Counter(view["model"] for view in views)),
            "by_fault": dict(Counter(view["fault"] for view in views)),
            "by_status": dict(Counter(str(view["status"]) for view in views)),
            "right": sum(view["right"] is True for view in views),
            "wrong": sum(view["right"] is False for view in views),
            "done": sum(bool(record.done_sent) for record in self._records),
            "client_gone": sum(bool(record.client_gone) for record in self._records),
            "billed": sum(record.billed for record in self._records),
            "input_tokens": sum(view["tokens"]["input"] for view in views),
            "output_tokens": sum(view["tokens"]["output"] for view in views),
            "price": str(spent),
        }

    def reset(self) -> None:
        """Forgets all records and attempts; the file keeps its lines and gets one that says so."""
        self._records = []
        self._attempts.clear()
        if self._file >= 0:
            self._write({"moment": "reset", "t_mono": time.monotonic_ns()})

    def close(self) -> None:
        """Closes the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def _opened(path: Path) -> int:
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    except OSError as problem:
        raise UsageError(
            f"the ledger {path} cannot be written: {problem.strerror}",
            fix="name a file in a folder that exists and is yours",
        ) from problem


def _line(record: Record, moment: Moment, price: Price) -> dict[str, JSON]:
    view = record.view(price)
    return {
        "moment": moment,
        "n": record.n,
        "t_mono": view["state"][moment],
        **{key: view[key] for key in ("billed", "tokens", "price")},
    }


def records_of(lines: Iterable[bytes]) -> list[dict[str, JSON]]:
    """The records that a ledger's file tells of, as `Record.view` shows them.

    A last line that a kill cut off is left out. After a reset only what follows it counts; a
    server started again on the same file numbers from 1 again, and its records follow.
    """
    found: dict[tuple[int, int], dict[str, JSON]] = {}
    start = 0
    for line in lines:
        if not line.endswith(b"\n"):
            break
        row = msgspec.json.decode(line)
        moment = row.pop("moment")
        if moment == "reset":
            found.clear()
        elif moment == "started":
            start += 1
        elif moment == "arrived":
            found[start, row["n"]] = row
        elif (start, row["n"]) in found:
            known = found[start, row["n"]]
            known["state"][moment] = row["t_mono"]
            known.update({key: row[key] for key in ("billed", "tokens", "price")})
    return list(found.values())
