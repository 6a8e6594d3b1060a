"""A run as Prometheus text (format 0.0.4): trials, scores, call times, tokens and dollars."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import TextIO, TypeAlias

from assay.ports import Run
from assay.reports.figures import Figure
from assay.reports.summary import Summary, summarise
from assay.reports.tally import OTHERS
from assay.trial import CallState, Trial

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
"""Upper ends of the histogram's buckets, in seconds."""

MOST = 50
"""Models, roles of a model and scores of a model beyond so many are left out or counted together."""

LABEL_ROOM = 200

Labels: TypeAlias = Mapping[str, str]


class Histogram:
    """Call times of one model and role."""

    def __init__(self) -> None:
        self.counts = array("Q", [0] * (len(BUCKETS) + 1))
        self.sum = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(BUCKETS, seconds)] += 1
        self.sum += seconds


class CallTally:
    """What is kept of the calls while the trials go by: live calls of every role and phase."""

    def __init__(self) -> None:
        self.seconds: dict[tuple[str, str], Histogram] = {}
        self.errors: Counter[tuple[str, str, str]] = Counter()
        self._names: set[tuple[str, str]] = set()

    def passing(self, trials: Iterable[Trial]) -> Iterator[Trial]:
        """The trials as they are, each looked at."""
        for trial in trials:
            for call in trial.calls:
                if call.origin != "live":
                    continue
                name = self._bounded(trial.model, call.role)
                if call.error is not None:
                    self.errors[(*name, call.error.value)] += 1
                latency = call.latency if call.state is CallState.DONE and not call.paused else None
                if latency is not None:
                    self.seconds.setdefault(name, Histogram()).add(latency)
            yield trial

    def _bounded(self, model: str, role: str) -> tuple[str, str]:
        if (model, role) not in self._names and len(self._names) >= MOST:
            return OTHERS, OTHERS
        self._names.add((model, role))
        return model, role


def prometheus(trials: Iterable[Trial], run: Run, out: TextIO) -> int:
    """Writes the run's metrics to `out` from its trials, read once; how many trials there were."""
    calls = CallTally()
    summary = summarise(calls.passing(trials), run)
    parts = (_trials(summary), _scores(summary), _calls(summary, calls), _spend(summary))
    out.writelines(line + "\n" for part in parts for line in part)
    return sum(summary.statuses.values())


def _base(summary: Summary, model: str) -> dict[str, str]:
    return {"run": summary.run_id, "task": summary.task, "model": model}


def _trials(summary: Summary) -> Iterator[str]:
    yield from _head("assay_trials_total", "counter", "Trials by where they ended.")
    for model in summary.models[:MOST]:
        for status, count in model.statuses.items():
            yield sample("assay_trials_total", {**_base(summary, model.model), "status": status}, count)


def _scores(summary: Summary) -> Iterator[str]:
    figures = [
        (_base(summary, model.model) | {"score": figure.name}, figure)
        for model in summary.models[:MOST]
        for figure in (model.headline, *[score.figure for score in list(model.scores.values())[:MOST]])
        if figure.value is not None
    ]
    yield from _head("assay_score", "gauge", "Mean over cases; the headline counts failures as 0.")
    for labels, figure in figures:
        yield sample("assay_score", labels, _value(figure))
    for end, words in (("low", "Lower"), ("high", "Upper")):
        yield from _head(f"assay_score_{end}", "gauge", f"{words} end of the 95 % interval of assay_score.")
        for labels, figure in figures:
            value = getattr(figure, end)
            if value is not None:
                yield sample(f"assay_score_{end}", labels, value)
    yield from _head("assay_score_cases", "gauge", "Cases behind assay_score.")
    for labels, figure in figures:
        yield sample("assay_score_cases", labels, figure.n)


def _value(figure: Figure) -> float:
    return figure.value if figure.value is not None else float("nan")


def _calls(summary: Summary, calls: CallTally) -> Iterator[str]:
    name = "assay_call_seconds"
    yield from _head(name, "histogram", "Seconds from sending to the last token, live answered calls.")
    for (model, role), histogram in calls.seconds.items():
        labels, below = {**_base(summary, model), "role": role}, 0
        for end, count in zip((*BUCKETS, float("inf")), histogram.counts, strict=True):
            below += count
            yield sample(f"{name}_bucket", {**labels, "le": _number(end)}, below)
        yield sample(f"{name}_sum", labels, histogram.sum)
        yield sample(f"{name}_count", labels, below)
    yield from _head("assay_call_errors_total", "counter", "Failed attempts by error class.")
    for (model, role, error), count in calls.errors.items():
        labels = {**_base(summary, model), "role": role, "class": error}
        yield sample("assay_call_errors_total", labels, count)


def _spend(summary: Summary) -> Iterator[str]:
    roles = [
        (_base(summary, model.model) | {"role": role}, found)
        for model in summary.models[:MOST]
        for role, found in list(model.roles.items())[:MOST]
    ]
    yield from _head("assay_tokens_total", "counter", "Tokens of live calls; input includes cached ones.")
    for labels, found in roles:
        for kind in ("input", "cached", "output", "reasoning"):
            yield sample("assay_tokens_total", {**labels, "kind": kind}, getattr(found.tokens, kind))
    yield from _head("assay_cost_usd_total", "counter", "Dollars of live calls with a known price.")
    for labels, found in roles:
        yield sample("assay_cost_usd_total", labels, found.cost_usd)
    yield from _head("assay_unpriced_replies_total", "counter", "Replies whose price is not known.")
    for labels, found in roles:
        yield sample("assay_unpriced_replies_total", labels, found.unpriced)


def _head(name: str, kind: str, words: str) -> Iterator[str]:
    yield f"# HELP {name} {words}"
    yield f"# TYPE {name} {kind}"


def sample(name: str, labels: Labels, value: float | Decimal) -> str:
    """One line of the text format."""
    inside = ",".join(f'{key}="{escaped(text)}"' for key, text in labels.items())
    return f"{name}{{{inside}}} {_number(value)}"


def escaped(text: str) -> str:
    r"""A label's value: backslash, quote and line end as the format wants them, bounded, valid UTF-8."""
    cut = text[:LABEL_ROOM].encode("utf-8", "backslashreplace").decode()
    return cut.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float | Decimal) -> str:
    if isinstance(value, Decimal):
        return f"{value:f}"
    if value == float("inf"):
        return "+Inf"
    return repr(value)
