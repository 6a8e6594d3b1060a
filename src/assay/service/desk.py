"""Takes batches in and says where they stand: what stands behind each endpoint, without HTTP."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

from msgspec import structs

from assay.keys import run_uuid
from assay.loading.batches import Checked, Intake, Unplayable, batch_plan
from assay.loading.bind import new_run_id
from assay.loading.plans import plan_json
from assay.plan import Plan
from assay.ports import Where
from assay.reports.scores import BatchSummary
from assay.service import reading
from assay.service.alone import Alone
from assay.service.answers import BatchCost, BatchLine, BatchList, BatchStatus, Launched
from assay.service.collector import Collector
from assay.service.problems import Refusal, refused
from assay.service.progress import Progress
from assay.service.settings import Settings
from assay.service.worker import Worker
from assay.store import figures
from assay.store.batches import Batch, Batches
from assay.store.forms import Form, made_folder, pieces
from assay.store.results import (
    CRITERIA,
    GOAL,
    GRADE,
    ResultRow,
    TranscriptLine,
    result_row,
    transcript_lines,
    utc,
)
from assay.store.sqlite import SqliteStore
from assay.trial import Status, Trial

LAUNCHED = "launched"
LONGEST_KEY = 255
INTAKES = 2
"""Bodies that are checked at once: more would hold every thread, and results and conversations with them."""


class Desk:
    """One service's batches. Lives in the event loop of its store."""

    def __init__(self, settings: Settings) -> None:
        """Raises UsageError where the service's own task, prompts, webhook or folders are at fault."""
        made_folder(settings.results)
        made_folder(settings.logs)
        self._settings = settings
        self._intake = Intake(settings.plan, settings.environment)
        self._intakes = asyncio.Semaphore(INTAKES)
        self._alone = Alone(settings.store)
        self._store = SqliteStore.open(settings.store)
        self._batches = Batches(self._store)
        self._collector = Collector()
        self._worker = Worker(settings, self._store, self._batches, self._collector)

    def open(self) -> None:
        """Begins to play, with what an earlier process left."""
        self._worker.start()

    async def close(self) -> None:
        """Leaves what is not finished to the next process."""
        await self._worker.close()
        self._batches.close()
        await self._store.close()
        self._alone.close()

    @property
    def healthy(self) -> bool:
        return self._worker.alive

    async def accept(self, body: bytes, key: str | None, *, partial: bool) -> Launched:
        """Keeps a batch, and then says so. The same key and body give the same batch.

        Raises Refusal, Unplayable, TooMany and QueueFull.
        """
        if key is not None and not (0 < len(key) <= LONGEST_KEY and key.isprintable()):
            raise Refusal(400, "the Idempotency-Key is empty, too long or not printable", "send a UUID")
        async with self._intakes:
            with self._collector.still():
                checked = await asyncio.to_thread(self._intake.read, body)
        if not checked.cases or (checked.faults and not partial):
            raise Unplayable(checked.faults)
        if checked.posted.webhook_url is not None:
            self._check_host(checked.posted.webhook_url)
            await asyncio.to_thread(self._intake.check_webhook, checked.posted)
        plan = batch_plan(self._settings.plan, checked.posted)
        digest = await asyncio.to_thread(lambda: hashlib.sha256(b"%d" % partial + body).hexdigest())
        batch = self._batch(checked, plan, key, digest)
        kept = await self._batches.add(
            batch, checked.played, checked.cases, self._settings.queue, checked.repeats
        )
        if kept.digest != batch.digest:
            raise Refusal(422, "this Idempotency-Key was used with another body", "send a new key")
        self._worker.wake()
        total = reading.scenarios(kept)
        return Launched(kept.id, LAUNCHED, total, kept.run, refused(checked.faults))

    def _batch(self, checked: Checked, plan: Plan, key: str | None, posted: str) -> Batch:
        run = new_run_id()
        once = sum(checked.repeats) or len(checked.cases)
        return Batch(
            id=run_uuid(run),
            run=run,
            idempotency=key,
            digest=posted,
            plan=plan_json(plan),
            trials=once * plan.repeats * len(plan.models),
            scenarios=len(checked.cases),
            prompt=None,
            created=time.time_ns(),
        )

    def _check_host(self, url: str) -> None:
        """A batch's own webhook must be on the service's list; so nobody makes the service call anywhere."""
        listed = (self._settings.environment.get("WEBHOOK_ALLOW_HOSTS") or "").replace(",", " ").split()
        try:
            parts = urlsplit(url)
            host, port = (parts.hostname or "").lower(), parts.port
        except ValueError:
            host, port = "", None
        if not {host, f"{host}:{port}"} & {each.lower() for each in listed}:
            raise Refusal(
                403,
                "the host of webhook_url is not among those that batches may name",
                "leave it out, or have the service's WEBHOOK_ALLOW_HOSTS name the host",
            )

    def _found(self, id: str) -> Batch:
        batch = self._batches.find(id)
        if batch is None:
            raise Refusal(404, "there is no batch of that id", "list them: GET /api/batches")
        return batch

    async def status(self, id: str) -> BatchStatus:
        """Where a batch stands."""
        batch = self._found(id)
        playing = self._worker.playing
        if batch.state == "queued" or (batch.figures is not None and not self._went_on(batch)):
            return reading.status(batch, reading.kept(batch))
        if playing is not None and playing.batch.id == id:
            if playing.bound is not None:  # what held it up has passed
                batch = structs.replace(batch, error=playing.progress.trouble)
            return reading.status(batch, playing.progress.figures, slots=self._settings.plan.schedule.slots)
        counted = await self._counted(batch)
        if batch.terminal:
            counted.close_open()
        return reading.status(batch, counted.figures)

    def _went_on(self, batch: Batch) -> bool:
        """Whether the run of a batch that had ended was resumed from the command line."""
        return figures.last_end(self._settings.store, batch.run) > (batch.ended or 0)

    async def _counted(self, batch: Batch) -> Progress:
        """The progress of a batch that nobody plays now, from its record."""
        path = self._settings.store
        ended = await asyncio.to_thread(figures.ended, path, batch.run)
        spent = await asyncio.to_thread(figures.spending, path, batch.run)
        own = await asyncio.to_thread(self._batches.repeats, batch.id)
        return await asyncio.to_thread(Progress, reading.a_case(batch), ended, spent, own)

    async def summary(self, id: str) -> BatchSummary:
        """What a batch has come to."""
        batch, status = self._found(id), await self.status(id)
        grades, goals, criteria = [
            await asyncio.to_thread(figures.numbers, self._settings.store, batch.run, name)
            for name in (GRADE, GOAL, CRITERIA)
        ]
        return reading.summary(batch, status, grades, goals, criteria)

    async def cost(self, id: str) -> BatchCost:
        """What a batch has cost."""
        batch = self._found(id)
        spent = await asyncio.to_thread(figures.spending, self._settings.store, batch.run)
        return reading.cost(batch, spent)

    async def cancel(self, id: str) -> BatchStatus:
        """Ends a batch; one that has ended stays as it is."""
        self._found(id)
        await self._worker.cancel(id)
        self._worker.wake()
        return await self.status(id)

    def page(self, limit: int, offset: int) -> BatchList:
        """Batches, newest first."""
        lines = [
            BatchLine(b.id, b.state, reading.scenarios(b), utc(b.created), b.run, b.outcome)
            for b in self._batches.page(limit, offset)
        ]
        return BatchList(lines, self._batches.count())

    def results(self, id: str, form: Form, *, ordered: bool, transcripts: bool) -> Iterator[str]:
        """A batch's results as text, a piece at a time; read as it goes, in whatever thread asks for it."""
        batch = self._found(id)
        trials = self._trials(batch, ordered=ordered)
        if transcripts:
            return pieces(transcript_lines(trials), TranscriptLine, Form("ndjson"))
        rows = (result_row(trial, batch.prompt) for trial in trials)
        form = structs.replace(form, batch=batch.id, partial=not batch.terminal)
        return pieces(rows, ResultRow, form)

    def _trials(self, batch: Batch, *, ordered: bool) -> Iterator[Trial]:
        """The conversations that have ended; while more come, those that wait for scores are left out."""
        found = self._in_order(batch) if ordered else self._store.trials(Where(run=batch.run))
        return (trial for trial in found if batch.terminal or trial.status is not Status.PLAYED)

    def _in_order(self, batch: Batch) -> Iterator[Trial]:
        for key in figures.in_order(self._settings.store, batch.run, self._batches.cases(batch.id)):
            yield from self._store.trials(Where(run=batch.run, key=key))
