"""The public way to run a plan from Python: `await assay.run(plan)`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from assay import loop
from assay.errors import UsageError
from assay.exchanges.conversation.exchange import Conversation
from assay.keys import JSON
from assay.loading.bind import bound, bound_to_score
from assay.loading.environment import Environment, read_environment
from assay.loading.plans import plan_to_score, read_plan, stored_plan
from assay.plan import Bound, ModelChoice, Plan
from assay.ports import Run, Stop, Store, Watcher, Where
from assay.reports.summary import Summary, summarise
from assay.store.joined import SharedStore
from assay.store.sqlite import SqliteStore
from assay.watchers.session_end import SessionEnd
from assay.watchers.telemetry import telemetry

if TYPE_CHECKING:  # an extra
    import polars as pl

STORE = Path(".assay/assay.db")


@dataclass(frozen=True, slots=True)
class Result:
    """A run that has ended, what it came to, and where its record lies."""

    run: Run
    summary: Summary
    store: Path


async def run(
    plan: Plan | str | Path,
    *,
    store: str | Path = STORE,
    run_id: str | None = None,
    watchers: Sequence[Watcher] = (),
    stop: Stop | None = None,
    environment: Environment | None = None,
    on_bound: Callable[[Bound], None] | None = None,
) -> Result:
    """Plays a plan (or a plan file) and returns its figures; the same `run_id` resumes a run.

    Raises UsageError before anything runs for whatever a person can mend, and StoreError when the
    record cannot be kept. `on_bound` is shown the bound plan before the first trial.
    """
    chosen = plan if isinstance(plan, Plan) else read_plan(Path(plan))
    where, stop = Path(store), stop or Stop()
    environment = environment or read_environment()
    watchers = (*watchers, *telemetry(environment.values))
    async with bound(chosen, environment, run_id=run_id) as ready:
        record = open_store(where, stop)
        try:
            if on_bound is not None:
                on_bound(ready)
            ends = session_end(ready, record, where)
            watchers = watchers if ends is None else (*watchers, ends)
            if chosen.workers:
                from assay.crew import crew

                ended = await crew.run(ready, record, watchers, stop, environment=environment.values)
            else:
                ended = await loop.run(ready, record, watchers, stop)
            if ends is not None:
                await ends.drained()
            summary = await asyncio.to_thread(summarise, record.trials(Where(run=ended.id)), ended)
        finally:
            await record.close()
    return Result(ended, summary, where)


def session_end(bound: Bound, record: Store, path: Path) -> SessionEnd | None:
    """What tells the session webhook of each conversation's end, where it wants to be told."""
    webhook = bound.exchange.webhook if isinstance(bound.exchange, Conversation) else None
    if webhook is None or not webhook.settings.end:
        return None
    return SessionEnd(webhook, record, path, bound.run.plan.get("prompt_version"))


async def rescore(
    run: str,
    *,
    scorers: Sequence[JSON] = (),
    judge: ModelChoice | None = None,
    store: str | Path = STORE,
    watchers: Sequence[Watcher] = (),
    stop: Stop | None = None,
    environment: Environment | None = None,
) -> Result:
    """Scores a stored run anew and returns its figures; no candidate is called.

    `run` is an id, its beginning or end, or "last". `scorers` are names (with the settings that the
    run's plan or task gives them) or names with settings; none means the run's own. `judge` takes
    the judge's seat. A score that is stored by the same scorer, settings and models is not made
    again. The headline stays the run's own. Raises UsageError as `run` does.
    """
    where, stop = Path(store), stop or Stop()
    record = SqliteStore.open(where, create=False, patient=_patient(stop))
    try:
        found = record.find_run(run)
        if found.state == "running":
            raise UsageError(
                f"{found.id} is still running", fix="wait until it has ended, then score it anew"
            )
        plan = plan_to_score(stored_plan(found.plan), scorers, judge)
        environment = environment or read_environment()
        watchers = (*watchers, *telemetry(environment.values))
        async with bound_to_score(plan, found, environment) as ready:
            await loop.rescore(ready, record, watchers, stop)
        summary = summarise(record.trials(Where(run=found.id)), found)
    finally:
        await record.close()
    return Result(found, summary, where)


def frame(run: str = "last", *, store: str | Path = STORE) -> pl.DataFrame:
    """The trials of a stored run as a Polars data frame, a row a trial; it needs the extra `frames`.

    `run` is an id, its beginning or end, or "last". The columns are those of an export, and one for
    each score (`score.NAME`) and each tag (`tag.NAME`). Raises UsageError where there is no such run or
    store, and where Polars is not installed.
    """
    from assay.store import frames

    frames.import_polars()
    record = SqliteStore.open(Path(store), create=False)
    found = record.find_run(run)
    return frames.frame(record.trials(Where(run=found.id)), found.task.partition(" ")[0])


def open_store(path: Path, stop: Stop) -> SharedStore:
    """The store at `path`, made with its folder where there is none.

    It waits while the disk is full, until the run is cancelled.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as failure:
        raise UsageError(
            f"the store {path} cannot be made: {failure.strerror}", fix="name another file with --store FILE"
        ) from None
    return SharedStore.open(path, patient=_patient(stop))


def _patient(stop: Stop) -> Callable[[], bool]:
    return lambda: stop.reason != "cancelled"
