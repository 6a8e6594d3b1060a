"""The one loop: the only place that starts trials.

A trial's way: already held? else wait until due, take a slot, play, give the slot back, store,
score, store the scores. A slot is taken before the task exists, so that a million planned trials
are never a million tasks; it is given back before scoring, so that judging changes no load.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import aclosing

from msgspec import structs

from assay.errors import AssayError, CallError, Stopped
from assay.overrun import Overrun, Watch
from assay.plan import Bound, Planned, Scored
from assay.ports import Run, RunState, Stop, Store, Watcher, Where
from assay.seat.table import TrialTable
from assay.trial import (
    Outcome,
    Phase,
    Score,
    Status,
    Transcript,
    Trial,
    status_after_play,
    status_after_scoring,
)
from assay.turnstile import Turnstile

SCORING_ROOM = 256
"""Trials that may wait for their scores before no new one starts: the loop's back-pressure."""


async def run(bound: Bound, store: Store, watchers: Sequence[Watcher], stop: Stop) -> Run:
    """Plays what the record does not hold yet, scores it, and returns the run as it ended.

    Raises StoreError when the record cannot be kept; a failed trial is data, not an error.
    """
    return await Loop(bound, store, watchers, stop).run()


async def rescore(bound: Bound, store: Store, watchers: Sequence[Watcher], stop: Stop) -> None:
    """Scores the stored trials of a run that were played, whatever scores they have; plays nothing.

    What a trial already has by the same scorer, settings and models is not made again.
    """
    for watcher in watchers:
        watcher.on_start(bound.run, 0)
    await Loop(bound, store, watchers, stop).rescore()
    for watcher in watchers:
        watcher.on_end(bound.run)


_PLAYED = frozenset({Status.PLAYED, Status.SCORED, Status.UNSCORED})


class Loop:
    """One run of a bound plan over a store."""

    def __init__(self, bound: Bound, store: Store, watchers: Sequence[Watcher], stop: Stop) -> None:
        self.stopped_by = stop.reason
        self._bound = bound
        self._store = store
        self._watchers = watchers
        self._stop = stop
        self._slots = asyncio.Semaphore(bound.schedule.slots)
        self._room = asyncio.Semaphore(bound.schedule.slots + SCORING_ROOM)
        self._counted = 0  # window trials in play: load goes on until they have ended
        self._zero = 0.0
        self._watch = Watch(bound.plan.code_limit)

    async def run(self) -> Run:
        """The whole run, as `run` says."""
        bound, store = self._bound, self._store
        await store.open_run(bound.run)
        bound.recall_spent(store)
        held = store.held(bound.run.id)
        for watcher in self._watchers:
            watcher.on_start(bound.run, held)
        try:
            with self._watch:
                await self.play_all()
                await self.score_played()
        except BaseException:
            await store.end_run(bound.run.id, "interrupted", self._stop.reason)
            raise
        ended = structs.replace(bound.run, state=self.end_state, stop=self.stopped_by, ended=time.time_ns())
        await store.end_run(ended.id, ended.state, ended.stop)
        for watcher in self._watchers:
            watcher.on_end(ended)
        return ended

    async def play(self) -> None:
        """Plays what it is given of a run that another process opens and ends."""
        with self._watch:
            await self.play_all()

    async def rescore(self) -> None:
        """Scores all that was played, as `rescore` says."""
        with self._watch:
            await self.score_stored(_PLAYED)

    @property
    def end_state(self) -> RunState:
        """How the run ended: completed where every trial has its end, else stopped."""
        return "completed" if self.stopped_by is None else "stopped"

    async def play_all(self) -> None:
        """Starts every planned trial that the record does not hold, each when it is due."""
        bound, turns = self._bound, Turnstile()
        self._zero = time.monotonic() if bound.zero is None else bound.zero
        async with asyncio.TaskGroup() as plays, aclosing(bound.arrivals()) as arrivals:
            async for planned, due in arrivals:
                if bound.holds(self._store.has(bound.run.id, planned.key)):
                    continue
                if (ahead := due - self._now()) > 0:
                    await self._stop.wait(ahead)
                await self._room.acquire()
                await self._slots.acquire()
                await turns.turn()
                phase = bound.phase(due if bound.schedule.open else self._now())
                if self._stop.closing is not None or bound.load_ends(phase, self._counted):
                    break
                self._counted += phase == "window"
                plays.create_task(self._trial(planned, due, phase))
        self.stopped_by = self.stopped_by or self._stop.closing

    async def _trial(self, planned: Planned, due: float, phase: Phase) -> None:
        """One trial from its start to its scores."""
        try:
            trial = await self._play(planned, due, phase)
        finally:
            self._slots.release()
            self._counted -= phase == "window"
        try:
            if trial.status is Status.NOT_RUN:  # never stored: a resumed run plays it
                self._tell(trial)
                return
            await self._store.add(trial)
            self._tell(trial)
            if trial.status is Status.PLAYED and not self._bound.scores_after:
                await self.score(trial)
        finally:
            self._room.release()

    async def _play(self, planned: Planned, due: float, phase: Phase) -> Trial:
        """The trial as it was played, whatever came of it."""
        started, wall = self._now(), time.time_ns()
        table = self._bound.table(planned, self._store, self._watchers, self._stop)
        transcript = await self._transcript(planned, table)
        status, detail = status_after_play(transcript.outcome)
        if status is Status.NOT_RUN:
            self._stopped(detail)
        return Trial(
            run=self._bound.run.id,
            key=planned.key,
            case=planned.case,
            model=planned.model,
            repeat=planned.repeat,
            seed=planned.seed,
            status=status,
            detail=detail,
            phase=phase,
            due=due if self._bound.schedule.open else started,
            started=started,
            ended=self._now(),
            wall=wall,
            transcript=transcript,
            calls=table.calls,
        )

    async def _transcript(self, planned: Planned, table: TrialTable) -> Transcript:
        """What the exchange gives. A bug in it spoils its own trial, and the record names it."""
        try:
            return await self._watch.within(self._bound.exchange.play(planned.case, table))
        except AssayError:
            raise
        except (Exception, Overrun) as bug:  # noqa: BLE001  recorded: one poisonous case must not end the run
            return Transcript((), Outcome("exchange_error", detail=f"{type(bug).__name__}: {bug}"))

    async def score_played(self) -> None:
        """Scores what was played but not scored: after a load run, or before a kill."""
        if self._stop.closing is not None:
            return
        await self.score_stored(frozenset({Status.PLAYED}))

    async def score_stored(self, statuses: frozenset[Status]) -> None:
        """Scores the recorded trials of these statuses."""
        only = next(iter(statuses)) if len(statuses) == 1 else None
        async with asyncio.TaskGroup() as scorings:
            for trial in self._store.trials(Where(run=self._bound.run.id, status=only)):
                if trial.status not in statuses:
                    continue
                await self._room.acquire()
                if self._stop.reason is not None:
                    break
                scorings.create_task(self._score_in_room(trial))

    async def _score_in_room(self, trial: Trial) -> None:
        try:
            await self.score(trial)
        finally:
            self._room.release()

    async def score(self, trial: Trial) -> None:
        """Every scorer's scores that the trial lacks, stored; stopped on the way, it stays as it is."""
        held = {score.scorer for score in trial.scores if score.unscored != "scorer_error"}
        scores: list[Score] = []
        calls = list(trial.calls)
        for scored in self._bound.scorers:
            if scored.identity in held:
                continue
            table = self._bound.scoring_table(trial, scored, self._store, self._watchers, self._stop)
            try:
                given = await self._scores(scored, trial, table)
            except Stopped as stopped:
                self._stopped(stopped.reason)
                return
            scores += (structs.replace(score, scorer=scored.identity) for score in given)
            calls += table.calls
        every = {score.name: score for score in (*trial.scores, *scores)}
        status, detail = status_after_scoring(self._bound.headline, every.values())
        if scores or status is not trial.status:
            await self._store.add_scores(trial.run, trial.key, scores, status, detail)
        self._tell(
            structs.replace(
                trial, status=status, detail=detail, scores=tuple(every.values()), calls=tuple(calls)
            )
        )

    async def _scores(self, scored: Scored, trial: Trial, table: TrialTable) -> Sequence[Score]:
        """One scorer's scores; its failure leaves the trial unscored, never a number."""
        try:
            return await self._watch.within(scored.scorer.score(trial, table))
        except CallError as failure:
            return [Score(scored.scorer.name, None, str(failure), unscored="scorer_error")]
        except AssayError:
            raise
        except (Exception, Overrun) as bug:  # noqa: BLE001  recorded: a scorer's bug must not end the run
            reason = f"{type(bug).__name__}: {bug}"
            return [Score(scored.scorer.name, None, reason, unscored="scorer_error")]

    def _stopped(self, reason: str) -> None:
        """Keeps why trials were not run. A spent budget stops the run, an open breaker its model."""
        if reason == "budget":
            self._stop.now("budget")
        self.stopped_by = self._stop.reason or "circuit"

    def _tell(self, trial: Trial) -> None:
        for watcher in self._watchers:
            watcher.on_trial(trial)

    def _now(self) -> float:
        return time.monotonic() - self._zero
