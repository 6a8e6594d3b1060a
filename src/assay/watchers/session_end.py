"""Tells the session webhook how each conversation ended; what does not get through is only logged."""

from __future__ import annotations

import asyncio
import logging
from decimal import Decimal

from msgspec import to_builtins

from assay.errors import CallError
from assay.exchanges.conversation.webhook import Webhook, WebhookError
from assay.keys import JSON, random_stream, run_uuid, trial_id
from assay.ports import Run
from assay.store.results import ResultRow, result_row
from assay.trial import Call, Event, Status, Trial

AT_ONCE = 16
PATIENCE = 60.0
"""Seconds after the run's last conversation in which what is left may still be told."""

_LOG = logging.getLogger("assay.webhook")


class SessionEnd:
    """A watcher that posts `session.end` with the result row of each conversation that has its end."""

    def __init__(self, webhook: Webhook, prompt_version: str | None = None) -> None:
        self._webhook = webhook
        self._version = prompt_version
        self._room = asyncio.Semaphore(AT_ONCE)
        self._posts: set[asyncio.Task[None]] = set()

    def on_start(self, run: Run, held: int) -> None: ...

    def on_event(self, trial: str, event: Event) -> None: ...

    def on_call(self, call: Call) -> None: ...

    def on_trial(self, trial: Trial) -> None:
        if trial.status in (Status.PLAYED, Status.NOT_RUN, Status.SKIPPED):
            return
        post = asyncio.create_task(self._post(trial, result_row(trial, self._version)))
        self._posts.add(post)
        post.add_done_callback(self._posts.discard)

    def on_end(self, run: Run) -> None: ...

    async def drained(self) -> None:
        """Waits until what there is to tell is told; what takes too long is given up and logged."""
        if self._posts:
            _, late = await asyncio.wait(self._posts, timeout=PATIENCE)
            for post in late:
                post.cancel()
            if late:
                _LOG.warning("session.end: %d conversations were not told in time", len(late))

    async def _post(self, trial: Trial, row: ResultRow) -> None:
        async with self._room:
            try:
                draw = random_stream(trial.seed, "webhook.end")
                await self._webhook.end(trial_id(trial.run, trial.key), self._payload(trial, row), draw)
            except (CallError, WebhookError) as failure:
                _LOG.warning("session.end of %s did not get through: %s", trial.key, str(failure)[:200])

    def _payload(self, trial: Trial, row: ResultRow) -> dict[str, JSON]:
        return {
            "batch_id": run_uuid(trial.run),
            "session_id": trial.key,
            "trial_id": trial_id(trial.run, trial.key),
            "scenario": trial.case.name,
            "case_id": trial.case.id,
            "repeat": trial.repeat,
            "seed": trial.seed,
            "prompt_version": self._version,
            "result": to_builtins(row, builtin_types=(Decimal,)),
        }
