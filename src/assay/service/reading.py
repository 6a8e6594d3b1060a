"""From what is recorded of a batch to what the service answers: pure functions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal

import msgspec

from assay.keys import digest
from assay.loading.bind import PRICES, read_prices
from assay.reports.scores import BatchSummary, batch_summary
from assay.service.answers import (
    BatchCost,
    BatchStatus,
    Spent,
)
from assay.service.progress import Figures
from assay.store.batches import Batch
from assay.store.figures import Spending
from assay.store.results import utc
from assay.trial import Status

NEARLY = 99.9
"""The most that the progress of an unfinished batch shows."""


def a_case(batch: Batch) -> int:
    """How many trials a scenario has that says nothing of repeats."""
    return int(batch.plan.get("repeats", 1)) * len(batch.plan["models"])


def scenarios(batch: Batch) -> int:
    """How many scenarios a batch has."""
    return batch.trials // a_case(batch) if batch.scenarios is None else batch.scenarios


def kept(batch: Batch) -> Figures:
    """The figures that were kept of a batch, or those of one that has not begun."""
    if batch.figures is None:
        return Figures({}, {}, Decimal(0), 0, None)
    return msgspec.convert(batch.figures, Figures, strict=False)


def status(batch: Batch, figures: Figures, slots: int = 0) -> BatchStatus:
    """Where a batch stands; `slots` is how many of its conversations may be in play."""
    counts, ended = Counter(figures.statuses), figures.scenarios
    failed = counts[Status.FAILED] + counts[Status.INVALID]
    left = batch.trials - counts.total()
    share = round(counts.total() / batch.trials * 100, 2)
    rate_per_min = figures.rate_per_min
    running = 0 if batch.terminal else min(slots, left)
    return BatchStatus(
        batch_id=batch.id,
        status=batch.state,
        progress=share if batch.terminal else min(share, NEARLY),
        total_scenarios=scenarios(batch),
        completed_scenarios=ended.get("completed", 0),
        failed_scenarios=ended.get("failed", 0),
        skipped_scenarios=ended.get("skipped", 0),
        created_at=utc(batch.created),
        started_at=None if batch.started is None else utc(batch.started),
        completed_at=None if batch.ended is None else utc(batch.ended),
        run_id=batch.run,
        outcome=batch.outcome,
        total_trials=batch.trials,
        completed=counts[Status.SCORED] + counts[Status.UNSCORED],
        failed=failed,
        skipped=counts[Status.SKIPPED],
        invalid=counts[Status.INVALID],
        unscored=counts[Status.UNSCORED],
        running=running,
        queued=0 if batch.terminal else left - running,
        not_run=left if batch.terminal else 0,
        cost_usd=figures.cost,
        tokens=figures.tokens,
        rate_per_min=rate_per_min,
        eta_s=round(left / rate_per_min * 60, 1) if rate_per_min and not batch.terminal else None,
        last_error=batch.error,
        resumable=not batch.terminal or left > 0,
        config_hash=digest({name: value for name, value in batch.plan.items() if name != "data"}, 16),
        prompt_version=batch.prompt,
    )


def summary(
    batch: Batch,
    standing: BatchStatus,
    grades: Sequence[float],
    goals: Sequence[float],
    criteria: Sequence[float],
) -> BatchSummary:
    """What a batch has come to."""
    ended = {
        "completed": standing.completed_scenarios,
        "failed": standing.failed_scenarios,
        "skipped": standing.skipped_scenarios,
    }
    return batch_summary(
        batch.id,
        standing.total_scenarios,
        ended,
        unscored=standing.unscored,
        grades=grades,
        goals=goals,
        criteria=criteria,
        partial=not batch.terminal,
    )


def cost(batch: Batch, spending: Sequence[Spending]) -> BatchCost:
    """What a batch has cost, by role and by model too; each sums to the whole."""
    total, requests = _spent(spending), sum(each.requests for each in spending)
    average = round(total.cost_usd / requests, 12) if total.cost_usd is not None and requests else None
    return BatchCost(
        batch_id=batch.id,
        total_cost_usd=total.cost_usd,
        total_tokens=total.input_tokens + total.output_tokens,
        total_requests=requests,
        average_cost_per_request=average,
        by_role={role: _spent([s for s in spending if s.role == role]) for role in _names(spending, "role")},
        by_model={
            model: _spent([s for s in spending if s.model == model]) for model in _names(spending, "model")
        },
        unpriced_calls=total.unpriced_calls,
        unknown_calls=sum(each.unknown for each in spending),
        price_table_date=read_prices(PRICES).date,
        partial=not batch.terminal,
    )


def _names(spending: Iterable[Spending], by: str) -> list[str]:
    return list(dict.fromkeys(str(getattr(each, by)) for each in spending))


def _spent(spending: Sequence[Spending]) -> Spent:
    requests, unpriced = sum(s.requests for s in spending), sum(s.unpriced for s in spending)
    priced = requests - unpriced - sum(s.unknown for s in spending)
    return Spent(
        requests=requests,
        failed_requests=sum(s.failed for s in spending),
        input_tokens=sum(s.input for s in spending),
        output_tokens=sum(s.output for s in spending),
        cached_tokens=sum(s.cached for s in spending),
        cost_usd=sum((s.cost for s in spending), Decimal(0)) if priced or not requests else None,
        unpriced_calls=unpriced,
    )
