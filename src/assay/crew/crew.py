"""A run whose trials are played by worker processes; this one records, hands out, and holds the budget."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Mapping, Sequence

from assay.crew.desk import Desk
from assay.crew.messages import Ended, Heard, Opened, Welcome
from assay.crew.share import crew_size, share_of
from assay.crew.work import TRIES, Item, Work
from assay.errors import UsageError
from assay.loop import Loop
from assay.plan import Bound
from assay.ports import Run, Stop, Watcher
from assay.store.joined import SharedStore
from assay.trial import Outcome, Phase, Score, Status, Transcript, Trial, status_after_play

STALLED_SECONDS = 30.0
"""A worker that gives no sign of life for so long is ended, and its trials are handed out again."""
START_SECONDS = 600.0
LOOK_SECONDS = 1.0
FALSE_STARTS = 5


async def run(
    bound: Bound,
    store: SharedStore,
    watchers: Sequence[Watcher],
    stop: Stop,
    *,
    environment: Mapping[str, str],
    stalled: float | None = None,
) -> Run:
    """As `loop.run`, the trials played by as many processes as the plan says.

    `environment` is what the workers bind the plan in. A worker that dies or stands still for
    `stalled` seconds is replaced; without it for 30 s, and longer than the code of a trial may compute.
    """
    if stalled is None:
        stalled = max(STALLED_SECONDS, 1.5 * bound.plan.code_limit)
    return await Crew(bound, store, watchers, stop, environment=environment, stalled=stalled).run()


class Crew(Loop):
    """The loop of a run with workers. Implements `Foreman`."""

    def __init__(
        self,
        bound: Bound,
        store: SharedStore,
        watchers: Sequence[Watcher],
        stop: Stop,
        *,
        environment: Mapping[str, str],
        stalled: float,
    ) -> None:
        super().__init__(bound, store, watchers, stop)
        self._shared = store
        self._environment = dict(environment)
        self._stalled = stalled
        self._size = crew_size(bound.plan)
        self._desks: dict[int, Desk] = {}
        self._waiting: set[int] = set(range(self._size))
        arrivals = map(Item, bound.positions(), bound.schedule.dues())
        self._work = Work(arrivals, self._phase)

    async def play_all(self) -> None:
        """Has every planned trial that the record does not hold played by a worker."""
        async with asyncio.TaskGroup() as group:
            keeping = [group.create_task(self._keep(number)) for number in range(self._size)]
            looking = group.create_task(self._look_after())
            await asyncio.wait(keeping)
            looking.cancel()
        self.stopped_by = self.stopped_by or self._stop.closing

    async def _keep(self, number: int) -> None:
        """One worker, and another one in its place whenever it dies."""
        false_starts = 0
        while not (self._work.done or self._stop.closing):
            desk = Desk(number, self, self._shared, self._bound.budget, self._stop)
            self._desks[number] = desk
            try:
                await desk.serve(await self._welcome(number))
            finally:
                del self._desks[number]
            if desk.finished:
                return
            false_starts = 0 if desk.begun_any else false_starts + 1
            if false_starts == FALSE_STARTS:
                raise UsageError(
                    f"a worker died {FALSE_STARTS} times before it played anything ({desk.how_it_ended})",
                    fix="see what it printed, or play without --workers",
                )
            for position in self._work.lost(number):
                await self._give_up(position, desk.how_it_ended)
            self._hand_out()

    async def _welcome(self, number: int) -> Welcome:
        bound = self._bound
        return Welcome(
            plan=share_of(bound.plan, number, self._size),
            run=bound.run,
            membership=await self._shared.admit(bound.run.id),
            environment=self._environment,
            path=sys.path,
            emulator=bound.emulator,
            workers=self._size,
            budgeted=bound.budget.limit is not None,
            watched=bool(self._watchers),
        )

    async def _look_after(self) -> None:
        """Passes on that the run stops, and ends workers that stand still while this process does not."""
        told, seen = (False, False), time.monotonic()
        while True:
            if self._stop.reason is None:
                await self._stop.wait(LOOK_SECONDS)
            else:
                await asyncio.sleep(LOOK_SECONDS)
            ending = (self._stop.closing is not None, self._stop.reason is not None)
            if ending != told:
                told = ending
                for desk in self._desks.values():
                    desk.halt()
            now = time.monotonic()
            stood_still = now - seen > 2 * LOOK_SECONDS
            seen = now
            for desk in self._desks.values():
                if stood_still:
                    desk.signs = now
                elif now - desk.signs > (self._stalled if desk.ready else START_SECONDS):
                    desk.kill()

    def ready(self, desk: Desk) -> None:
        """Second 0 of the run is when all first workers are there; a later one joins in."""
        if not self._waiting:
            desk.begin(self._zero)
        self._waiting.discard(desk.number)
        if not self._waiting and not self._zero:
            self._zero = time.monotonic()
            for each in self._desks.values():
                if each.ready:
                    each.begin(self._zero)
        desk.halt()

    def wants(self, desk: Desk) -> None:
        """Hands a worker what it can take, as far as there is something."""
        while desk.wanted and not self._stop.closing and (item := self._work.take(desk.number)) is not None:
            desk.play(item.position, item.due, again=self._work.again(item.position))
        self._close()

    def began(self, desk: Desk, position: int) -> None:
        self._work.began(desk.number, position)

    def ended(self, desk: Desk, message: Ended) -> None:
        if message.not_run:
            self._stopped(message.not_run)
        self._work.ended(desk.number, message.position)
        self.wants(desk)

    def heard(self, message: Heard) -> None:
        for watcher in self._watchers:
            if message.call is not None:
                watcher.on_call(message.call)
            elif message.trial is not None:
                watcher.on_trial(message.trial)
            elif message.event is not None:
                watcher.on_event(message.key, message.event)

    def opened(self, desk: Desk, message: Opened) -> None:
        for each in self._desks.values():
            if each is not desk:
                each.say(message)

    def _hand_out(self) -> None:
        """Gives every worker what it can take."""
        for desk in list(self._desks.values()):
            self.wants(desk)
        self._close()

    def _close(self) -> None:
        if self._work.done:
            for desk in self._desks.values():
                desk.no_more()

    def _phase(self, due: float) -> Phase:
        return self._bound.phase(due if self._bound.schedule.open else self._now())

    async def _give_up(self, position: int, how: str) -> None:
        """Records a trial that has killed its workers: spoilt, or without a score where that did it."""
        planned = self._bound.at(position)
        why = f"its worker died {TRIES} times, with this trial alone in play ({how})"
        run = self._bound.run.id
        self._shared.expect(run, planned.key)
        if self._shared.has(run, planned.key) is Status.PLAYED:
            score = Score(self._bound.headline, None, why, unscored="scorer_error")
            scores, status = [score], Status.UNSCORED
            await self._store.add_scores(run, planned.key, scores, status, "scorer_error")
            return
        outcome = Outcome("worker_died", detail=why)
        status, detail = status_after_play(outcome)
        trial = Trial(
            run=run,
            key=planned.key,
            case=planned.case,
            model=planned.model,
            repeat=planned.repeat,
            seed=planned.seed,
            status=status,
            detail=detail,
            wall=time.time_ns(),
            transcript=Transcript((), outcome),
        )
        await self._store.add(trial)
        self._tell(trial)
