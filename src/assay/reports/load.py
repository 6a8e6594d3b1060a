"""Load figures of a model: what was offered, sent and answered, and how late the client was."""

from __future__ import annotations

from msgspec import Struct

from assay.keys import JSON
from assay.reports.figures import Percentiles, percentiles
from assay.reports.tally import ModelTally
from assay.trial import Status


class LoadSummary(Struct, frozen=True):
    """Load over the window of `seconds`. Rates are trials a second.

    `offered` were due (in a closed loop: started) in the window, `sent` of these went out,
    `completed` were answered, `failed` were not; `correct` have a headline of 1. `lag` is from due
    to started and `response` from due to ended, both for an open schedule only, in seconds.
    """

    open: bool
    seconds: float
    trials: int
    offered: float
    sent: float
    completed: float
    failed: float
    correct: float
    lag: Percentiles | None
    response: Percentiles | None


def load_summary(tally: ModelTally, plan: JSON) -> LoadSummary | None:
    """Load figures where the plan has a window, an open schedule or a number of requests.

    None for a plain evaluation.
    """
    settings = plan if isinstance(plan, dict) else {}
    window = settings.get("window") or {}
    is_open = (settings.get("schedule") or {}).get("kind", "closed") != "closed"
    times, trials = tally.times, tally.phases["window"]
    if not (window or is_open or settings.get("requests")) or not times.lag:
        return None
    seconds = float(window.get("seconds", 0)) or _span(tally, is_open=is_open)
    if not seconds:
        return None
    statuses = tally.window_statuses
    failed = statuses[Status.FAILED] + statuses[Status.INVALID]
    answered = len(times.lag) - failed - statuses[Status.SKIPPED]
    return LoadSummary(
        open=is_open,
        seconds=seconds,
        trials=trials,
        offered=trials / seconds,
        sent=len(times.lag) / seconds,
        completed=answered / seconds,
        failed=failed / seconds,
        correct=tally.right / seconds,
        lag=percentiles(times.lag) if is_open else None,
        response=percentiles(times.response) if is_open else None,
    )


def _span(tally: ModelTally, *, is_open: bool) -> float:
    """The seconds that n arrivals stand for: n / (n - 1) of those from the first to the last.

    In a closed loop, where many start at once: from the first start to the last end.
    """
    times, n = tally.times, len(tally.times.lag)
    if not is_open:
        return times.last_end - times.first_start
    return (times.last_due - times.first_due) * n / (n - 1) if n > 1 else 0.0


def lags(load: LoadSummary) -> bool:
    """Whether the p99 of the schedule lag passes 5 ms and 1 % of the median response."""
    if load.lag is None or load.response is None:
        return False
    return load.lag.p99.value > max(0.005, 0.01 * load.response.p50.value)
