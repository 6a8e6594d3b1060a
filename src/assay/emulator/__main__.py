"""python -m assay.emulator: the emulator as a process; its first line is its base URL."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import msgspec

from assay.emulator.capacity import capacity_from
from assay.emulator.choice import Choice, mix_of, script_of
from assay.emulator.connection import Life
from assay.emulator.index import Index
from assay.emulator.ledger import Ledger, Price
from assay.emulator.pace import Timing, rhythms_of
from assay.emulator.server import Emulator
from assay.emulator.serving import serve
from assay.errors import UsageError


def _arguments(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m assay.emulator", description=__doc__)
    add = parser.add_argument
    add("--port", type=int, default=0, help="0 takes a free one")
    add("--index", type=Path, help='JSON Lines of {"digest", "right", "wrong"}')
    add("--ttft-ms", type=float, default=0.0, help="milliseconds to the first token")
    add("--itl-ms", type=float, default=0.0, help="milliseconds from one chunk to the next")
    add("--chunk-tokens", type=int, default=1, help="tokens in a chunk")
    add("--spread", type=float, default=0.0, help="share in [0, 1) by which times differ between requests")
    add("--seed", type=int, default=0, help="seed of the mix of faults")
    add("--mix", default="", help="weighted faults, such as ok=80,500=5,s_cut=5")
    add("--script", type=Path, help='JSON of {"prompt digest or *": ["500", "ok"]}')
    add("--timings", type=Path, help='JSON of {"prompt digest or *": {"ttft_ms": 100, "gaps_ms": [20]}}')
    add("--capacity", default="", help="limits, such as rpm=600,tpm=60000,concurrency=8,full=503")
    add("--idle-ms", type=float, help="milliseconds after which an idle connection is closed")
    add("--idle-end", choices=("fin", "rst"), default="fin", help="how it is closed")
    add("--max-requests", type=int, help="requests that a connection serves")
    add("--ledger", type=Path, help="file that gets a line for every moment")
    add("--billing", choices=("arrival", "first_token", "completion"), default="arrival")
    add("--price-input", type=Decimal, default=Decimal(0), help="dollars for a million input tokens")
    add("--price-output", type=Decimal, default=Decimal(0), help="dollars for a million output tokens")
    return parser.parse_args(words)


def emulator_of(words: Sequence[str]) -> Emulator:
    """The emulator that a command line asks for. Raises UsageError."""
    asked = _arguments(words)
    timing = Timing(asked.ttft_ms / 1e3, asked.itl_ms / 1e3, asked.chunk_tokens, asked.spread)
    if min(timing.ttft_s, timing.itl_s, timing.spread) < 0 or timing.chunk_tokens < 1 or timing.spread >= 1:
        raise UsageError("a time is negative, a chunk empty or a spread not below 1", fix="see --help")
    script = {} if asked.script is None else script_of(_json(asked.script))
    return Emulator(
        _index(asked.index),
        timing=timing,
        choice=Choice(script, mix_of(asked.mix), asked.seed),
        ledger=Ledger(
            asked.ledger, price=Price(asked.price_input, asked.price_output), billing=asked.billing
        ),
        capacity=capacity_from(asked.capacity),
        life=_life(asked),
        rhythms={} if asked.timings is None else rhythms_of(_json(asked.timings)),
        port=asked.port,
    )


def _life(asked: argparse.Namespace) -> Life:
    idle, most = asked.idle_ms, asked.max_requests
    if (idle is not None and not 0 <= idle < 1e9) or (most is not None and most < 1):
        raise UsageError("a connection's idle time is negative or its requests below 1", fix="see --help")
    return Life(None if idle is None else idle / 1e3, asked.idle_end, most)


def _index(path: Path | None) -> Index:
    if path is None:
        return Index()
    return Index.from_lines(_bytes(path).splitlines(), str(path))


def _json(path: Path) -> object:
    try:
        return msgspec.json.decode(_bytes(path))
    except msgspec.DecodeError as problem:
        raise UsageError(f"{path}: not JSON: {problem}", fix="see the help of --script") from problem


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as problem:
        raise UsageError(
            f"{path} cannot be read: {problem.strerror}", fix="name a file that exists"
        ) from problem


def main(words: Sequence[str]) -> int:
    """Serves until SIGTERM; the exit code is 0, or 2 where the command line is at fault."""
    try:
        emulator = emulator_of(words)
        asyncio.run(serve(emulator, lambda url: print(url, flush=True)))  # noqa: T201 - its first line
    except UsageError as problem:
        sys.stderr.write(f"error: {problem.problem}\nfix:   {problem.fix}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
