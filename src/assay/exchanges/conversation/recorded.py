"""The client's lines of a recorded run: what a replaying client repeats."""

from __future__ import annotations

from collections.abc import Iterable
from typing import get_args

from assay.agenda import Reason
from assay.errors import UsageError
from assay.exchanges.conversation.clients import Recorded
from assay.exchanges.conversation.loops import Spoken
from assay.keys import JSON
from assay.trial import EventKind, Transcript, Trial


class RecordedRun:
    """Recorded conversations by case; of several repeats the one with the trial's seed, else the first.

    With `single` every case repeats the one conversation that is there.
    """

    def __init__(self, trials: Iterable[Trial], where: str, *, single: bool = False) -> None:
        self._where = where
        self._single = single
        self._by_case: dict[str, list[Recorded]] = {}
        for trial in trials:
            held = recorded_of(trial.transcript, trial.seed)
            if held is not None:
                self._by_case.setdefault("" if single else trial.case.id, []).append(held)

    def __call__(self, case: str, seed: int) -> Recorded:
        """Raises UsageError for a case that was not played there."""
        held = self._by_case.get("" if self._single else case)
        if not held:
            raise UsageError(
                f"{self._where} holds no conversation of case {case}",
                fix="replay a run of the same scenarios",
            )
        return next((each for each in held if each.seed == seed), held[0])


def recorded_of(transcript: Transcript, seed: int) -> Recorded | None:
    """The conversation of a transcript; None where the client said nothing."""
    lines, reason = [], None
    for event in transcript.events:
        if event.kind is not EventKind.SAID or not event.delivered or event.message is None:
            continue
        if event.role in ("agent", "client"):
            lines.append(Spoken("agent" if event.role == "agent" else "client", event.message.text))
            reason = _hung_up(event.data)
    if not any(line.side == "client" for line in lines):
        return None
    return Recorded(tuple(lines), reason or _reason(transcript.outcome.reason), seed)


def _hung_up(data: JSON) -> Reason | None:
    return _reason(data.get("hang_up")) if isinstance(data, dict) else None


def _reason(text: JSON) -> Reason | None:
    return next((reason for reason in get_args(Reason) if reason == text), None)
