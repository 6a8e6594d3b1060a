"""Dated log files of a run: one JSON object a line, readable by their owner alone."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import BinaryIO

import msgspec

from assay.keys import JSON
from assay.ports import Run
from assay.trial import Call, Event, Status, Trial


class LogFiles:
    """Writes `calls_*.jsonl` (tokens, time and cost a call), `conversations_*.jsonl` (an event a
    line) and `errors_*.jsonl` into a folder. Texts are JSON-escaped: no line can forge another.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, BinaryIO] = {}
        self._run = ""

    def on_start(self, run: Run, held: int) -> None:
        del held
        self._run = run.id
        self._folder.mkdir(parents=True, exist_ok=True)

    def on_event(self, trial: str, event: Event) -> None:
        self._write("conversations", {"trial": trial, "event": event})

    def on_call(self, call: Call) -> None:
        usage, line = call.reply.usage, {"trial": call.trial, "call": call.id, "model": call.model}
        figures: dict[str, JSON] = {
            "state": call.state,
            "origin": call.origin,
            "input_tokens": usage.input if usage is not None else None,
            "output_tokens": usage.output if usage is not None else None,
            "ttft_ms": _ms(call.ttft),
            "latency_ms": _ms(call.latency),
            "cost_usd": call.cost,
        }
        self._write("calls", {**line, **figures})
        if call.error is not None:
            self._write("errors", {**line, "error": call.error, "detail": call.detail})

    def on_trial(self, trial: Trial) -> None:
        if trial.status in {Status.FAILED, Status.INVALID, Status.UNSCORED}:
            self._write("errors", {"trial": trial.key, "status": trial.status, "detail": trial.detail})

    def on_end(self, run: Run) -> None:
        del run
        for file in self._files.values():
            file.close()
        self._files.clear()

    def _write(self, name: str, line: dict[str, JSON]) -> None:
        if name not in self._files:
            path = self._folder / f"{name}_{time.strftime('%Y%m%d', time.gmtime())}.jsonl"
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            self._files[name] = os.fdopen(descriptor, "ab")
        stamped = {"ts": time.time(), "mono_ns": time.monotonic_ns(), "run": self._run, **line}
        self._files[name].write(msgspec.json.encode(stamped) + b"\n")


def _ms(seconds: float | None) -> float | None:
    return round(seconds * 1e3, 3) if seconds is not None else None
