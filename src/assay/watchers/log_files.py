"""The log files of a run: what happened, what went wrong, what each call used, what each side said."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from assay.keys import JSON, run_uuid
from assay.ports import Run
from assay.trial import Call, Event, EventKind, Status, Trial
from assay.watchers.log_lines import LogFolder

Content: TypeAlias = Literal["full", "hash", "none"]
"""How much of what was said goes into the log: the text, the hash of the text, nothing."""

TROUBLE = frozenset({Status.FAILED, Status.INVALID, Status.UNSCORED})


class LogFiles:
    """A watcher that writes `app_*.log`, `error_*.log`, `tokens_*.log` (a line a call) and
    `conversations_*.jsonl` (a line an event) into a folder, all of them JSON. `session` is the
    trial's key, as in the results; `secrets` appear in none of them.
    """

    def __init__(
        self, folder: Path, *, secrets: Iterable[str] = (), content: Content = "full", debug: bool = False
    ) -> None:
        self._lines = LogFolder(folder, secrets)
        self._content = content
        self._debug = debug
        self._run = self._batch = ""
        self._turns: Counter[str] = Counter()
        self._ended: set[str] = set()

    def on_start(self, run: Run, held: int) -> None:
        self._run, self._batch = run.id, run_uuid(run.id)
        what = {"task": run.task, "models": run.models, "planned": run.planned, "held": held}
        self._app("info", "the run begins", what)

    def on_event(self, trial: str, event: Event) -> None:
        if event.kind is EventKind.PROMPT:
            return  # the same for every conversation of a run, and in its record
        if event.kind is EventKind.SAID and event.delivered:
            self._turns[trial] += 1
        text = event.message.text if event.message is not None else None
        line: dict[str, JSON] = {"kind": event.kind.value, "text": self._shown(text), "call": event.call}
        if event.message is not None and event.message.tool_calls:
            line["tool_calls"] = self._shown(msgspec.to_builtins(event.message.tool_calls))
        if event.data is not None:
            line["data"] = self._shown(event.data)
        if not event.delivered:
            line["delivered"] = False
        self._conversation(trial, event.role, line)
        heard = event.data.get("heard") if isinstance(event.data, dict) else None
        if event.kind is EventKind.SAID and isinstance(heard, str):
            other = "client" if event.role == "agent" else "agent"
            self._conversation(trial, other, {"kind": "heard", "text": self._shown(heard)})

    def on_call(self, call: Call) -> None:
        usage = call.reply.usage
        line = {"call": call.id, "role": call.role, "model": call.model, "attempt": call.attempt}
        figures: dict[str, JSON] = {
            "state": call.state,
            "origin": call.origin,
            "input_tokens": usage.input if usage is not None else None,
            "output_tokens": usage.output if usage is not None else None,
            "cached_tokens": usage.cached if usage is not None else None,
            "reasoning_tokens": usage.reasoning if usage is not None else None,
            "usage_estimated": usage is not None and usage.source != "provider",
            "ttft_ms": _ms(call.ttft),
            "latency_ms": _ms(call.latency),
            "cost_usd": call.cost,
        }
        self._lines.write("tokens", "log", {**self._of(call.trial), **line, **figures})
        if self._debug:
            self._app("debug", "a call ended", {**self._of(call.trial), **line, "state": call.state})
        if call.error is not None:
            fault = {"error": call.error, "detail": call.detail, "status": call.status}
            self._lines.write("error", "log", {"level": "warning", **self._of(call.trial), **line, **fault})
            self._conversation(call.trial, call.role, {"kind": "fault", "call": call.id, **fault})

    def on_trial(self, trial: Trial) -> None:
        key, status = trial.key, trial.status
        if key not in self._ended:
            outcome = trial.transcript.outcome
            end = {"kind": "end", "reason": outcome.reason, "detail": outcome.detail}
            self._conversation(key, "exchange", end)
        if status is Status.PLAYED:
            self._ended.add(key)
            return
        self._ended.discard(key)
        self._turns.pop(key, None)
        scores = {score.name: score.value for score in trial.scores}
        seconds = round(trial.ended - trial.started, 3)
        line = {**self._of(key), "scenario": trial.case.name, "status": status, "detail": trial.detail}
        self._app("info", "a conversation ended", {**line, "scores": scores, "seconds": seconds})
        if status in TROUBLE:
            self._lines.write("error", "log", {"level": "error", "message": "a conversation failed", **line})

    def on_end(self, run: Run) -> None:
        self._app(
            "info",
            "the run has ended",
            {"state": run.state, "stop": run.stop, "lines_lost": self._lines.lost},
        )
        self._lines.close()

    def _of(self, trial: str) -> dict[str, JSON]:
        """What each line of a conversation begins with."""
        return {"batch": self._batch, "run": self._run, "session": trial, "trial": f"{self._run}/{trial}"}

    def _conversation(self, trial: str, role: str, line: dict[str, JSON]) -> None:
        kind = {"turn": self._turns[trial], "role": role}
        self._lines.write("conversations", "jsonl", {**self._of(trial), **kind, **line})

    def _app(self, level: str, message: str, line: dict[str, JSON]) -> None:
        own = {"level": level, "message": message, "batch": self._batch, "run": self._run}
        self._lines.write("app", "log", {**own, **line})

    def _shown(self, said: JSON) -> JSON:
        """What was said, as much as the log may hold of it."""
        if said is None or self._content == "full":
            return said
        if self._content == "none":
            return None
        raw = said if isinstance(said, str) else msgspec.json.encode(said, order="sorted").decode()
        return "sha256:" + hashlib.sha256(raw.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _ms(seconds: float | None) -> float | None:
    return round(seconds * 1e3, 3) if seconds is not None else None
