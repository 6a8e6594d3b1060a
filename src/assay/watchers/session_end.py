"""Tells the session webhook how each conversation ended, at least once; a failure is only logged."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterator, Sequence
from decimal import Decimal
from pathlib import Path

from msgspec import Struct, structs, to_builtins

from assay.errors import CallError, StoreError
from assay.exchanges.conversation.webhook import Webhook, WebhookError
from assay.keys import JSON, random_stream, run_uuid, trial_id
from assay.ports import Effect, Run, Store, Where
from assay.store.ends import CHANNEL, end_key, ends
from assay.store.results import result_row
from assay.trial import Call, Event, Status, Trial

AT_ONCE = 16
WAITING = 1000
"""Ends that wait with what they post. Of more than these the record alone knows until the run has ended."""
PATIENCE = 60.0
"""Seconds after the run's last conversation in which no call comes to its end: then the rest is given up."""

_LOG = logging.getLogger("assay.webhook")


class _End(Struct, frozen=True):
    """One end to be told: its effect on record, and what is posted."""

    effect: Effect
    seed: int
    wall: int
    payload: dict[str, JSON]


class SessionEnd:
    """A watcher that posts `session.end` with the result row of each conversation that has its end.

    The record says what was told: the intent is committed before the call and settled once it got
    through. What a kill cut off, and what never got through, is told when the run is taken up again,
    under the same webhook-id. A conversation that is played again has a further end, of an id of its
    own (`.end.2`).
    """

    def __init__(self, webhook: Webhook, store: Store, path: Path, prompt_version: str | None = None) -> None:
        self._webhook = webhook
        self._store = store
        self._path = path
        self._version = prompt_version
        self._room = asyncio.Semaphore(AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()
        self._told: dict[str, set[int]] = {}
        self._known = asyncio.Event()
        self._later: list[str] = []
        self._fresh: set[str] = set()  # what ended here before the record was read

    def on_start(self, run: Run, held: int) -> None:
        if held:
            self._begin(self._take_up(run))
        else:
            self._known.set()

    def on_event(self, trial: str, event: Event) -> None: ...

    def on_call(self, call: Call) -> None: ...

    def on_trial(self, trial: Trial) -> None:
        if trial.status in (Status.PLAYED, Status.NOT_RUN, Status.SKIPPED):
            return
        if not self._known.is_set():
            self._fresh.add(trial.key)
        if len(self._tasks) < WAITING:
            self._begin(self._tell_new(self._end(trial)))
        else:
            self._later.append(trial.key)

    def on_end(self, run: Run) -> None:
        if self._later:
            self._begin(self._tell_all(run.id, self._later))

    async def drained(self) -> None:
        """Waits until what there is to tell is told; what takes too long is given up and logged."""
        while self._tasks:
            done, late = await asyncio.wait(
                self._tasks, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED
            )
            if done:
                continue
            for task in late:
                task.cancel()
            _LOG.warning("session.end: %d conversations were not told in time", len(late))
            await asyncio.wait(late)

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _take_up(self, run: Run) -> None:
        """Tells what an earlier process owed: as many at once as there is room for."""
        try:
            found = await asyncio.to_thread(ends, self._path, run.id)
        except StoreError as trouble:
            _LOG.warning("session.end: what was told before cannot be read: %s", trouble)
            self._known.set()
            return
        self._told = found.told
        self._known.set()
        owed = [key for key in found.owed if key not in self._fresh]
        self._fresh.clear()
        if owed:
            _LOG.info("session.end: %d conversations of %s are still to be told", len(owed), run.id)
        await self._tell_all(run.id, owed)

    async def _tell_all(self, run: str, keys: Sequence[str]) -> None:
        await self._known.wait()
        left = iter(keys)
        async with asyncio.TaskGroup() as hands:
            for _ in range(AT_ONCE):
                hands.create_task(self._tell_owed(run, left))

    async def _tell_owed(self, run: str, keys: Iterator[str]) -> None:
        """One hand of several: trials are read one by one, so that what waits is a key."""
        for key in keys:
            trial = next(self._store.trials(Where(run=run, key=key)), None)
            if trial is not None:
                await self._tell(self._end(trial))
                self._told.setdefault(key, set()).add(trial.wall)

    async def _tell_new(self, end: _End) -> None:
        await self._known.wait()
        await self._tell(end)

    async def _tell(self, end: _End) -> None:
        """One call, its intent before it on record; only what got through is settled."""
        others = len(self._told.get(end.effect.trial, set()) - {end.wall})
        name = f"{trial_id(end.effect.run, end.effect.trial)}.end" + (f".{others + 1}" if others else "")
        try:
            await self._store.reserve_effect(end.effect)
            async with self._room:
                await self._webhook.end(name, end.payload, random_stream(end.seed, "webhook.end"))
            self._store.settle_effect(structs.replace(end.effect, settled=True))
        except (CallError, WebhookError, StoreError) as failure:
            _LOG.warning("session.end of %s did not get through: %s", end.effect.trial, str(failure)[:200])

    def _end(self, trial: Trial) -> _End:
        row = result_row(trial, self._version)
        payload: dict[str, JSON] = {
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
        effect = Effect(trial.run, trial.key, CHANNEL, end_key(trial.wall))
        return _End(effect, trial.seed, trial.wall, payload)
