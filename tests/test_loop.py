import asyncio
import socket
from collections import Counter
from dataclasses import replace

import pytest
from msgspec import structs

from assay.errors import StoreError
from assay.loading.bind import bound
from assay.loading.environment import Environment
from assay.loop import run
from assay.ports import Stop, Where
from assay.schedule import Closed, Constant
from assay.store.sqlite import SqliteStore
from assay.trial import Outcome, Score, Status, Transcript
from assay.turnstile import WIDTH


class Gate:
    """An exchange that holds every play until it is let go, and counts how many are in play."""

    seats = ("candidate",)
    spec = "gate"

    def __init__(self):
        self.now = self.most = 0
        self.let_go = asyncio.Event()

    def opening(self, case):
        return ()

    async def play(self, case, table):
        self.now += 1
        self.most = max(self.most, self.now)
        await self.let_go.wait()
        self.now -= 1
        return Transcript((), Outcome("answered"))


class Watch:
    def __init__(self):
        self.trials = []
        self.events = []

    def on_start(self, run, held):
        self.held = held

    def on_event(self, trial, event):
        self.events.append(event)

    def on_call(self, call):
        pass

    def on_trial(self, trial):
        self.trials.append(trial)

    def on_end(self, run):
        self.ended = run


async def play(bench, plan, *, change=None, stop=None, run_id=None, watch=None):
    """The run of a plan, its bound parts changed by the test."""
    async with bound(plan, Environment({}), run_id=run_id) as ready:
        if change is not None:
            change(ready)
        store = SqliteStore.open(bench.store)
        try:
            ended = await run(ready, store, [watch] if watch else [], stop or Stop())
            return ended, list(store.trials(Where(run=ended.id)))
        finally:
            await store.close()


async def test_every_planned_trial_is_played_scored_and_stored_once(bench):
    watch = Watch()
    ended, trials = await play(bench, bench.plan(repeats=2), watch=watch)
    assert ended.state == "completed"
    assert len({trial.key for trial in trials}) == len(trials) == 40
    assert {trial.status for trial in trials} == {Status.SCORED}
    assert [t.status for t in watch.trials].count(Status.PLAYED) == 40
    assert watch.ended.state == "completed"


async def test_no_more_trials_are_in_play_than_there_are_slots(bench):
    gate = Gate()

    def change(ready):
        ready.exchange = gate

    playing = asyncio.create_task(play(bench, bench.plan(schedule=Closed(3)), change=change))
    while gate.now < 3:
        await asyncio.sleep(0.001)
    for _ in range(50):
        await asyncio.sleep(0)
    assert gate.now == 3
    gate.let_go.set()
    _, trials = await playing
    assert gate.most == 3
    assert len(trials) == 20


async def test_a_slot_is_given_back_before_scoring(bench):
    """With one slot and a scorer that waits for all plays, the plays go on: else this would hang."""
    played = asyncio.Event()

    class Slow:
        name, version, settings, seats = "slow", 1, None, ()

        async def score(self, trial, table):
            await played.wait()
            return [Score("slow", 1.0)]

    class Last:
        def __init__(self):
            self.count = 0

        def on_start(self, run, held): ...
        def on_event(self, trial, event): ...
        def on_call(self, call): ...
        def on_end(self, run): ...

        def on_trial(self, trial):
            self.count += trial.status is Status.PLAYED
            if self.count == 20:
                played.set()

    from assay.plan import Scored

    def change(ready):
        ready.scorers, ready.headline = (Scored(Slow()),), "slow"

    _, trials = await play(bench, bench.plan(schedule=Closed(1)), change=change, watch=Last())
    assert {trial.status for trial in trials} == {Status.SCORED}


async def test_a_bug_in_an_exchange_spoils_its_own_trial_only(bench):
    class Poisoned(Gate):
        async def play(self, case, table):
            if case.name == "c7":
                raise ZeroDivisionError("poison")
            return Transcript((), Outcome("answered"))

    def change(ready):
        ready.exchange = Poisoned()

    ended, trials = await play(bench, bench.plan(), change=change)
    assert ended.state == "completed"
    bad = [trial for trial in trials if trial.status is Status.INVALID]
    assert [trial.case.name for trial in bad] == ["c7"]
    assert bad[0].transcript.outcome.detail == "ZeroDivisionError: poison"


async def test_an_exchange_that_never_ends_spoils_its_own_trial_only(bench):
    class Endless(Gate):
        async def play(self, case, table):
            while case.name == "c7":
                pass
            return Transcript((), Outcome("answered"))

    def change(ready):
        ready.exchange = Endless()

    ended, trials = await play(bench, bench.plan(code_limit=0.5), change=change)
    assert ended.state == "completed"
    bad = [trial for trial in trials if trial.status is Status.INVALID]
    assert [trial.case.name for trial in bad] == ["c7"]
    assert bad[0].transcript.outcome.detail == "Overrun: it computed for more than 0.5 s (code_limit)"


async def test_a_bug_in_a_scorer_leaves_the_trial_unscored(bench):
    class Broken:
        name, version, settings, seats = "broken", 1, None, ()

        async def score(self, trial, table):
            raise KeyError("target")

    from assay.plan import Scored

    def change(ready):
        ready.scorers, ready.headline = (Scored(Broken()),), "broken"

    _, trials = await play(bench, bench.plan(), change=change)
    assert {(t.status, t.detail) for t in trials} == {(Status.UNSCORED, "scorer_error")}
    assert trials[0].scores[0].reason == "KeyError: 'target'"


async def test_a_stopped_run_is_taken_up_by_its_id_and_pays_for_the_rest_only(bench):
    stop = Stop()

    class Stops(Watch):
        def on_trial(self, trial):
            super().on_trial(trial)
            if len([t for t in self.trials if t.status is Status.SCORED]) == 6:
                stop.now("cancelled")

    plan = bench.plan(schedule=Closed(2))
    first, before = await play(bench, plan, stop=stop, watch=Stops(), run_id="run_x")
    assert (first.state, first.stop) == ("stopped", "cancelled")
    assert 6 <= len(before) < 20
    watch = Watch()
    second, after = await play(bench, plan, run_id="run_x", watch=watch)
    assert second.state == "completed"
    assert watch.held == len(before)
    assert len({trial.key for trial in after}) == len(after) == 20
    assert [t.key for t in after[: len(before)]] == [t.key for t in before]
    assert sum(len(trial.calls) for trial in after) == 20


async def test_a_load_run_scores_after_its_window_from_the_store(bench):
    from assay.plan import Window

    plan = bench.plan(schedule=Constant(200.0), window=Window(seconds=0.2, warm_up=0.05))
    watch = Watch()
    _, trials = await play(bench, plan, watch=watch)
    statuses = [trial.status for trial in watch.trials]
    last_play = len(statuses) - 1 - statuses[::-1].index(Status.PLAYED)
    assert Status.SCORED not in statuses[:last_play]
    phases = [trial.phase for trial in trials]
    assert phases.count("warm_up") == 10
    assert phases.count("window") == 40
    assert {trial.status for trial in trials} == {Status.SCORED}


async def test_load_goes_on_until_the_windows_trials_have_ended(bench):
    """The tail rule: the slow ones are not measured on a server that empties."""
    from assay.plan import Window

    slow = asyncio.Event()

    class SlowFirst(Gate):
        async def play(self, case, table):
            self.now += 1
            if self.now == 1:
                await slow.wait()
            return Transcript((), Outcome("answered"))

    class Tail(Watch):
        def on_trial(self, trial):
            super().on_trial(trial)
            if sum(t.phase == "tail" and t.status is Status.PLAYED for t in self.trials) == 5:
                slow.set()

    def change(ready):
        ready.exchange = SlowFirst()

    plan = bench.plan(schedule=Constant(500.0), window=Window(seconds=0.02))
    watch = Tail()
    _, trials = await play(bench, plan, change=change, watch=watch)
    assert sum(trial.phase == "tail" for trial in trials) >= 5
    assert sum(trial.phase == "window" for trial in trials) == 10


async def test_a_run_whose_record_cannot_be_kept_ends_with_a_store_error(bench):
    class Full(Watch):
        def on_trial(self, trial):
            raise StoreError("assay.db: disk full")

    with pytest.raises(BaseExceptionGroup) as caught:
        await play(bench, bench.plan(), watch=Full())
    assert caught.group_contains(StoreError, match="disk full")


async def test_a_refused_account_leaves_the_rest_not_run_and_says_circuit(bench):
    ended, trials = await play(bench, bench.plan("emulated/fault-401", schedule=Closed(1)))
    assert (ended.state, ended.stop) == ("stopped", "circuit")
    assert [trial.status for trial in trials] == [Status.FAILED]


class Arriving:
    """An exchange during whose first play something arrives at a socket of the event loop."""

    seats = ("candidate",)
    spec = "arriving"

    def __init__(self):
        self.started = 0
        self.when_read = None
        self.ours, self.theirs = socket.socketpair()
        asyncio.get_running_loop().add_reader(self.ours.fileno(), self.read)

    def read(self):
        asyncio.get_running_loop().remove_reader(self.ours.fileno())
        self.when_read = self.started
        self.ours.close()
        self.theirs.close()

    def opening(self, case):
        return ()

    async def play(self, case, table):
        self.started += 1
        if self.started == 1:
            self.theirs.send(b"x")
        return Transcript((), Outcome("answered"))


async def test_what_arrives_is_read_between_the_starts_of_trials(bench):
    bench.write_cases(200)
    arriving = Arriving()

    def change(ready):
        ready.exchange = arriving

    _, trials = await play(bench, bench.plan(schedule=Closed(200)), change=change)
    assert len(trials) == arriving.started == 200
    assert arriving.when_read <= 2 * WIDTH


async def test_a_case_with_repeats_of_its_own_is_played_that_often(bench):
    own = tuple(3 if index == 1 else 1 for index in range(20))

    def change(ready):
        ready.task = replace(ready.task, repeats=own)
        ready.run = structs.replace(ready.run, planned=ready.total())

    ended, trials = await play(bench, bench.plan(repeats=2), change=change)
    counts = Counter(trial.case.id for trial in trials)
    assert ended.planned == len(trials) == 2 * (19 + 3)
    assert sorted(counts.values()) == [2] * 19 + [6]
    assert len({trial.key for trial in trials}) == len(trials)
    (often,) = (case for case, count in counts.items() if count == 6)
    assert sorted(trial.repeat for trial in trials if trial.case.id == often) == list(range(6))
