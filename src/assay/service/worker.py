"""Plays the batches of a store, one after another: those that a kill cut first, then those that wait."""

from __future__ import annotations

import asyncio
import errno
import logging
from contextlib import ExitStack, suppress
from pathlib import Path

from msgspec import structs, to_builtins

from assay.api import Result, run
from assay.errors import AssayError, StoreError, UsageError
from assay.exchanges.conversation.guarded import warmed
from assay.loading.plans import stored_plan
from assay.loading.scenarios import let_cases_go
from assay.plan import Bound, Plan
from assay.ports import Run, Stop, Watcher, Where
from assay.reports.result_files import ResultFiles, conversation_figures
from assay.service.collector import Collector
from assay.service.progress import Progress
from assay.service.reading import a_case, scenarios
from assay.service.settings import Settings
from assay.store import figures
from assay.store.batches import Batch, Batches, BatchState, Outcome
from assay.store.forms import write_whole
from assay.store.heartbeat import Taken
from assay.store.removal import spooled
from assay.store.results import stamp_of
from assay.store.sqlite import SqliteStore
from assay.watchers.log_files import LogFiles

GRACE_SECONDS = 10.0
"""What conversations in play have to end in when their batch is cancelled."""

RETRY_SECONDS = 2.0
"""How long a batch waits that was begun and cannot go on for now: no server answers, the disk is full."""

_LOG = logging.getLogger("assay.service")


class Changed(AssayError):
    """A batch cannot go on as it began."""


class Playing:
    """The batch that is being played."""

    def __init__(self, batch: Batch, progress: Progress) -> None:
        self.batch = batch
        self.progress = progress
        self.stop = Stop()
        self.bound: Bound | None = None


class Worker:
    """One task of the service's event loop."""

    def __init__(
        self, settings: Settings, store: SqliteStore, batches: Batches, collector: Collector
    ) -> None:
        self._settings = settings
        self._collector = collector
        self._store = store
        self._batches = batches
        self._posted = asyncio.Event()
        self._closing = False
        self._task: asyncio.Task[None] | None = None
        self._graces: set[asyncio.Task[None]] = set()
        self.playing: Playing | None = None

    def start(self) -> None:
        """Begins to play, with what an earlier process left."""
        self._task = asyncio.create_task(self._work(), name="assay worker")

    @property
    def alive(self) -> bool:
        return self._task is not None and not self._task.done()

    def wake(self) -> None:
        """A batch was posted."""
        self._posted.set()

    async def cancel(self, id: str) -> None:
        """Ends a batch: no further conversation starts, and those in play have GRACE_SECONDS."""
        await self._batches.cancel(id)
        playing = self.playing
        if playing is not None and playing.batch.id == id:
            playing.stop.soon("cancelled")
            grace = asyncio.create_task(self._grace(playing.stop))
            self._graces.add(grace)
            grace.add_done_callback(self._graces.discard)

    async def close(self) -> None:
        """Stops at the next call of each conversation; the next process goes on with the batch."""
        self._closing = True
        self._posted.set()
        if self.playing is not None:
            self.playing.stop.now("cancelled")
        if self._task is not None:
            done, _ = await asyncio.wait({self._task}, timeout=GRACE_SECONDS)
            if not done:
                self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        for grace in self._graces:
            grace.cancel()

    async def _grace(self, stop: Stop) -> None:
        await asyncio.sleep(GRACE_SECONDS)
        stop.now("cancelled")

    async def _work(self) -> None:
        await asyncio.to_thread(warmed)
        while not self._closing:
            self._posted.clear()
            batch = None
            try:
                batch = self._batches.next()
                if batch is None:
                    await self._posted.wait()
                else:
                    await self._play(batch)
            except (AssayError, OSError, ExceptionGroup) as trouble:
                await self._not_now(batch, first_of(trouble))
            finally:
                await self._put_away()

    async def _put_away(self) -> None:
        """Frees what the batch played from, which takes a while, and looks at all again."""
        played, self.playing = self.playing, None
        if played is not None and played.bound is not None:
            await asyncio.to_thread(let_cases_go, played.bound.task)
        self._collector.take_back()

    async def _not_now(self, batch: Batch | None, trouble: Exception) -> None:
        """What broke off a batch is said in its status; it is tried again."""
        text = said(trouble)
        _LOG.warning("batch %s cannot go on for now: %s", batch.id if batch is not None else "-", text)
        if batch is not None:
            with suppress(StoreError):
                await self._batches.trouble(batch.id, text)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._posted.wait(), RETRY_SECONDS)

    async def _play(self, batch: Batch) -> None:
        await self._batches.begin(batch.id)
        held = await asyncio.to_thread(figures.ended, self._store.path, batch.run)
        spent = await asyncio.to_thread(figures.spending, self._store.path, batch.run)
        own = await asyncio.to_thread(self._batches.repeats, batch.id)
        file = await asyncio.to_thread(self._spooled, batch)
        progress = await asyncio.to_thread(Progress, a_case(batch), held, spent, own)
        playing = Playing(batch, progress)
        self.playing = playing
        now = self._batches.find(batch.id)  # after `playing` is set: a cancel is seen by one of the two
        if now is None or now.terminal:
            return
        if now.cancelled is not None:
            await self._end(playing, None)
            return
        _LOG.info("batch %s begins as %s: %d conversations", batch.id, batch.run, batch.trials)
        before = next((run for run in self._store.runs() if run.id == batch.run), None)
        try:
            plan = structs.replace(stored_plan(batch.plan), data=str(file))
            result = await self._run(playing, plan, before)
        except Exception as raised:
            trouble = first_of(raised)
            if passing(trouble, begun=before is not None, bound=playing.bound is not None):
                raise
            _LOG.exception("batch %s was broken off", batch.id)
            await self._end(playing, said(trouble))
        else:
            ended = result.run
            if not self._closing or ended.state == "completed":
                await self._end(playing, None if ended.stop is None else f"stopped: {ended.stop}")

    async def _run(self, playing: Playing, plan: Plan, before: Run | None) -> Result:
        reading = ExitStack()

        def bound(ready: Bound) -> None:
            self._collector.spare()
            reading.close()
            if before is not None and before.fingerprint != ready.run.fingerprint:
                raise Changed("the task or its prompts have changed since the batch began")
            playing.bound = ready

        watchers: list[Watcher] = [
            playing.progress,
            LogFiles(
                self._settings.logs,
                secrets=self._settings.environment.secrets,
                content=self._settings.content,
                debug=self._settings.debug,
            ),
        ]
        with reading:
            reading.enter_context(self._collector.still())
            return await run(
                plan,
                store=self._settings.store,
                run_id=playing.batch.run,
                watchers=watchers,
                stop=playing.stop,
                environment=self._settings.environment,
                on_bound=bound,
            )

    def _spooled(self, batch: Batch) -> Path:
        """The batch's scenarios as a file beside the store: written again wherever it is gone."""
        path = spooled(self._settings.store, batch.run)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        if not path.exists():
            write_whole(path, [self._batches.body(batch.id).decode()])
        return path

    async def _end(self, playing: Playing, error: str | None) -> None:
        """Writes the result files, then marks the end: a kill between them writes the files again.

        A full disk is waited for; else files that cannot be written hold up nothing: the results are in
        the record.
        """
        batch, progress = self._batches.find(playing.batch.id) or playing.batch, playing.progress
        progress.close_open()
        version = None if playing.bound is None else playing.bound.run.plan.get("prompt_version")
        if version is not None:
            await self._batches.prompts(batch.id, version)
        state, outcome = ended_as(batch, progress, error)
        try:
            await asyncio.to_thread(
                write_files, self._settings, batch, version or batch.prompt, scenarios(batch)
            )
        except UsageError as trouble:
            if disk_is_full(trouble.__cause__):
                raise
            _LOG.warning("the files of batch %s were not written: %s", batch.id, said(trouble))
            error = error or f"the result files were not written: {said(trouble)}"
        error = "; ".join(each for each in (error, progress.trouble) if each) or None
        await self._batches.end(batch.id, state, outcome, error, to_builtins(progress.figures))
        _LOG.info("batch %s has ended: %s, %d conversations", batch.id, outcome, progress.ended)


def ended_as(batch: Batch, progress: Progress, error: str | None) -> tuple[BatchState, Outcome]:
    """The state for a classic client (completed wherever there are results) and the finer outcome."""
    if batch.cancelled is not None:
        return "cancelled", "cancelled"
    if not progress.ended:
        return "failed", "failed"
    whole = progress.ended == batch.trials and not progress.scenarios["failed"] and error is None
    return "completed", "completed" if whole else "completed_with_errors"


def write_files(settings: Settings, batch: Batch, version: str | None, total: int) -> None:
    """The files that the classic service leaves of a batch, named after its start."""
    run, path = batch.run, settings.store
    files = ResultFiles(settings.results, batch.id, stamp_of(batch.started or batch.created))
    files.write(lambda: SqliteStore.open(path, create=False).trials(Where(run=run)), version)
    files.summarise(conversation_figures(path, run, batch.id, total))


def passing(trouble: Exception, *, begun: bool, bound: bool) -> bool:
    """Whether a batch can go on later: the store is full or taken, or what was begun cannot be bound
    for now, since its server does not answer or its key is gone.
    """
    if isinstance(trouble, (StoreError, Taken)):
        return True
    return isinstance(trouble, UsageError) and begun and not bound


def disk_is_full(trouble: BaseException | None) -> bool:
    """Whether room on the disk is all that was wanting."""
    return isinstance(trouble, OSError) and trouble.errno in (errno.ENOSPC, errno.EDQUOT)


def first_of(trouble: Exception) -> Exception:
    """The first error of a group."""
    while isinstance(trouble, ExceptionGroup):
        trouble = trouble.exceptions[0]
    return trouble


def said(trouble: Exception) -> str:
    """An error with its remedy, on one line."""
    if isinstance(trouble, UsageError):
        return f"{trouble.problem}; {trouble.fix}"
    return str(trouble) or type(trouble).__name__
