"""Runs, trials and calls made by hand for the pages, and a page of them."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import pytest

from assay.case import Case
from assay.errors import ErrorClass
from assay.message import Arrivals, Finish, Instants, Kind, Message, Reply, Request, Usage, say
from assay.ports import Run
from assay.reports.page import Page, Source, read_page
from assay.trial import Call, CallState, Event, EventKind, Outcome, Score, Status, Transcript, Trial

MS = 1_000_000


class Maker:
    """Makes the values; what is not said is plain."""

    def run(self, *models: str, **changes: Any) -> Run:
        fields: dict[str, Any] = {
            "id": "run_20261121_1",
            "plan": {"task": "sums", "seed": 7},
            "task": "sums v1",
            "fingerprint": "f",
            "headline": "exact",
            "models": models or ("openai/m",),
            "planned": None,
            "seed": 7,
            "wall": 0,
            "version": "0",
            "state": "completed",
        }
        return Run(**{**fields, **changes})

    def call(self, text: str = "2", *, latency_ms: int = 200, **changes: Any) -> Call:
        arrivals = Arrivals()
        arrivals.append((1000 + latency_ms // 2) * MS, Kind.CONTENT, 1, 0)
        arrivals.append((1000 + latency_ms) * MS, Kind.CONTENT, 1, 1)
        reply = Reply(
            text,
            finish=Finish.STOP,
            usage=Usage(10, 2),
            instants=Instants(sent=1000 * MS, ended=5000 * MS),
            arrivals=arrivals,
            call="candidate.0.1",
        )
        fields: dict[str, Any] = {
            "run": "run_20261121_1",
            "trial": "k",
            "role": "candidate",
            "ordinal": 0,
            "attempt": 1,
            "model": "openai/m",
            "request": Request((), stream=True),
            "request_hash": "h",
            "occurrence": 0,
            "began": 0,
            "state": CallState.DONE,
            "reply": reply,
            "cost": Decimal("0.001"),
        }
        return Call(**{**fields, **changes})

    def trial(
        self,
        number: int = 0,
        value: bool | float | str | None = True,
        text: str = "2",
        *,
        model: str = "openai/m",
        name: str | None = None,
        error: ErrorClass | None = None,
        more: Iterable[Event] = (),
        **changes: Any,
    ) -> Trial:
        call = self.call(text, model=model)
        said = Event(
            EventKind.SAID, "candidate", Message("assistant", say("assistant", text).content), call.id
        )
        asked = Event(EventKind.PROMPT, "candidate", say("user", f"question {number}"))
        failed = error is not None
        fields: dict[str, Any] = {
            "run": "run_20261121_1",
            "key": f"{number:016x}{model.encode(errors='surrogatepass').hex()}",
            "case": Case(f"id{number}", name or f"case-{number}", target="2", tags={"odd": str(number % 2)}),
            "model": model,
            "repeat": 0,
            "seed": 0,
            "status": Status.FAILED if failed else Status.SCORED,
            "detail": error.value if error is not None else "",
            "started": number / 10,
            "ended": number / 10 + 0.2,
            "transcript": Transcript(
                (asked, *more, said),
                Outcome("error" if failed else "answered", error),
                None if failed else call.reply,
            ),
            "calls": (call,),
            "scores": () if failed or value is None else (Score("exact", value, reason=f"said {text[:20]}"),),
        }
        return Trial(**{**fields, **changes})

    def page(self, trials: Iterable[Trial], run: Run | None = None) -> Page:
        return read_page([self.source(trials, run)])

    def source(self, trials: Iterable[Trial], run: Run | None = None) -> Source:
        kept = list(trials)
        models = dict.fromkeys(trial.model for trial in kept)
        return Source(run or self.run(*models), kept, {trial.key: trial for trial in kept}.__getitem__)

    def duel(self, cases: int = 40) -> list[Trial]:
        """Two models: `good/a` errs in every 10th case, `bad/b` in every second."""
        return [
            self.trial(n, bool(n % (10 if model == "good/a" else 2)), f"{model} says {n}", model=model)
            for n in range(cases)
            for model in ("good/a", "bad/b")
        ]


@pytest.fixture
def make() -> Maker:
    return Maker()
