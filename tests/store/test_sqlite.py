"""The record as the loop and the seats use it."""

import asyncio
import stat
from decimal import Decimal

import pytest
from msgspec import structs

from assay.errors import ErrorClass, StoreError, UsageError
from assay.message import say
from assay.ports import Effect, Held, Store, Where
from assay.store.reader import PAGE
from assay.store.sqlite import SqliteStore
from assay.trial import CallState, Outcome, Score, Status, Transcript


@pytest.fixture
async def store(place, sample):
    store = SqliteStore.open(place)
    await store.open_run(sample.run())
    yield store
    await store.close()


def test_it_is_a_store(place, opened) -> None:
    store: Store = opened(place)
    assert store.lookup("none", "k") == Held()


def test_only_its_owner_may_read_the_file(place, opened) -> None:
    opened(place)
    assert stat.S_IMODE(place.stat().st_mode) == 0o600


def test_each_store_has_a_secret_of_its_own(place, tmp_path, opened) -> None:
    first, other = opened(place), opened(tmp_path / "other.db")
    assert len(first.secret) == 64
    assert first.secret == opened(place).secret != other.secret


async def test_a_played_trial_is_held_at_once_and_scored_later(store, sample) -> None:
    assert store.has("run-1", "k1") is None
    await sample.played(store, "k1")
    assert store.has("run-1", "k1") is Status.PLAYED
    await store.add_scores("run-1", "k1", [Score("exact", True)], Status.SCORED, "")
    assert store.has("run-1", "k1") is Status.SCORED
    (trial,) = store.trials(Where(run="run-1"))
    assert (trial.status, trial.scores) == (Status.SCORED, (Score("exact", True),))


async def test_an_intent_is_committed_when_reserve_returns(store, place, sample, opened) -> None:
    await store.reserve(sample.call())
    other = opened(place)
    assert other.lookup("run-1", "k1").calls == (sample.call(),)


async def test_a_resumed_run_knows_what_it_holds_and_what_was_in_flight(store, place, sample, opened) -> None:
    await sample.played(store, "finished")
    await store.add_scores("run-1", "finished", [Score("exact", True)], Status.SCORED, "")
    settled = sample.done(sample.call("cut"))
    await store.reserve(sample.call("cut"))
    store.settle(settled)
    await store.reserve(sample.call("cut", ordinal=1))
    await store.close()

    again = opened(place)
    await again.open_run(sample.run())
    assert again.has("run-1", "finished") is Status.SCORED
    assert again.has("run-1", "cut") is None
    assert again.lookup("run-1", "cut").calls == (settled, sample.call("cut", ordinal=1))
    assert again.lookup("run-1", "cut").calls[1].state is CallState.RESERVED
    assert again.lookup("run-1", "new") == Held()
    await again.close()


async def test_a_resumed_trial_is_read_with_the_calls_of_both_plays(store, place, sample, opened) -> None:
    first = sample.done(sample.call("k"))
    await store.reserve(sample.call("k"))
    store.settle(first)
    await store.close()

    again = opened(place)
    await again.open_run(sample.run())
    second = sample.done(sample.call("k", ordinal=1))
    await again.reserve(second)
    again.settle(second)
    trial = sample.trial(second)
    replayed = structs.replace(first, origin="resumed")
    await again.add(structs.replace(trial, calls=(replayed, second)))
    (read,) = again.trials(Where())
    assert read == structs.replace(trial, calls=(first, second))
    await again.close()


async def test_an_answer_brought_by_a_replayed_call_is_found(store, place, sample, opened) -> None:
    call = sample.done(sample.call("k"))
    await store.reserve(call)
    store.settle(call)
    await store.close()

    again = opened(place)
    await again.open_run(sample.run())
    await again.add(sample.trial(structs.replace(call, origin="resumed")))
    (read,) = again.trials(Where(calls=False))
    assert read.transcript.final == structs.replace(call.reply, call=call.id)
    await again.close()


async def test_an_answer_that_differs_from_its_calls_reply_is_kept_as_it_is(store, sample) -> None:
    call = sample.done(sample.call())
    await store.reserve(call)
    store.settle(call)
    final = structs.replace(call.reply, call=call.id, text="mended")
    trial = structs.replace(sample.trial(call), transcript=Transcript((), Outcome("stop"), final))
    await store.add(trial)
    assert next(store.trials(Where())) == trial


async def test_a_new_run_finds_nothing_but_what_it_made_itself(store, sample) -> None:
    assert store.lookup("run-1", "k1") == Held()
    await store.reserve(sample.call("k1", role="judge"))
    assert store.lookup("run-1", "k1").calls == (sample.call("k1", role="judge"),)


async def test_other_runs_successes_are_found_when_asked_for_newest_first(store, sample) -> None:
    await sample.played(store, "k1", text="old")
    failed = structs.replace(sample.call("k1", ordinal=5), state=CallState.FAILED, error=ErrorClass.TIMEOUT)
    await store.reserve(failed)
    store.settle(failed)
    await store.open_run(sample.run("run-2"))
    await sample.played(store, "k1", "run-2", text="new")
    await store.open_run(sample.run("run-3"))
    await store.reserve(sample.call("k1", "run-3"))
    assert store.lookup("run-4", "k1").calls == ()
    held = store.lookup("run-3", "k1", cached=True).calls
    assert [(call.run, call.reply.text) for call in held] == [
        ("run-3", ""),
        ("run-2", "new"),
        ("run-1", "old"),
    ]


async def test_calls_that_nobody_reserved_are_written_with_their_trial(store, sample) -> None:
    trial = sample.trial(sample.done(sample.call()))
    await store.add(trial)
    assert next(store.trials(Where())) == trial


async def test_a_trial_played_again_takes_the_place_of_the_first(store, sample) -> None:
    failed = structs.replace(
        sample.trial(sample.done(sample.call("a"))),
        status=Status.FAILED,
        transcript=Transcript((), Outcome("error", ErrorClass.TIMEOUT)),
    )
    await store.add(failed)
    await store.add_scores("run-1", "a", [Score("old", 0.5)], Status.FAILED, "timeout")
    await sample.played(store, "b")
    retried = structs.replace(failed, status=Status.PLAYED, transcript=Transcript((), Outcome("stop")))
    await store.add(retried)
    assert [(t.key, t.status, t.scores) for t in store.trials(Where())] == [
        ("b", Status.PLAYED, ()),
        ("a", Status.PLAYED, ()),
    ]


async def test_of_scores_with_one_name_the_newest_counts(store, sample) -> None:
    await sample.played(store, "k1")
    first = [Score("exact", False, scorer="exact:1"), Score("f1", 0.5)]
    await store.add_scores("run-1", "k1", first, Status.SCORED, "")
    again = Score("exact", True, scorer="exact:2")
    await store.add_scores("run-1", "k1", [again], Status.SCORED, "")
    assert next(store.trials(Where())).scores == (Score("f1", 0.5), again)


async def test_scores_of_a_trial_that_is_not_recorded_are_refused(store) -> None:
    with pytest.raises(StoreError, match=r"runs\.db"):
        await store.add_scores("run-1", "nothing", [Score("exact", True)], Status.SCORED, "")


async def test_one_attempt_reserved_twice_is_refused_and_its_neighbours_are_kept(store, sample) -> None:
    await store.reserve(sample.call("k0"))
    twice = [store.reserve(sample.call(f"k{n}")) for n in range(4)]
    results = await asyncio.gather(*twice, return_exceptions=True)
    assert [type(result) for result in results] == [StoreError, type(None), type(None), type(None)]
    assert all(store.lookup("run-1", f"k{n}").calls for n in range(4))


async def test_the_first_settlement_stays(store, place, sample, opened) -> None:
    await store.reserve(sample.call())
    store.settle(sample.done(sample.call(), "first"))
    store.settle(sample.done(sample.call(), "second"))
    await store.close()
    (call,) = opened(place).lookup("run-1", "k1").calls
    assert call.reply.text == "first"


async def test_settling_what_was_never_reserved_is_refused(store, sample) -> None:
    with pytest.raises(StoreError, match="never reserved"):
        store.settle(sample.done(sample.call()))


async def test_a_record_of_an_unknown_run_is_refused(store, sample) -> None:
    with pytest.raises(StoreError, match="no run nowhere"):
        await store.reserve(sample.call(run="nowhere"))


async def test_an_effect_is_unsettled_until_its_outcome_is_known(store, place, opened) -> None:
    effect = Effect("run-1", "k1", "webhook", "start")
    await store.reserve_effect(effect)
    await store.reserve_effect(effect)
    other = opened(place)
    assert other.lookup("run-1", "k1").effects == (effect,)
    settled = structs.replace(effect, settled=True, result={"ok": [1, 2]})
    store.settle_effect(settled)
    store.settle_effect(structs.replace(settled, result="again"))
    await store.close()
    assert other.lookup("run-1", "k1").effects == (settled,)
    assert other.lookup("run-9", "k1", cached=True).effects == (settled,)


async def test_trials_come_in_the_order_of_their_recording_by_any_filter(store, sample) -> None:
    keys = [f"{(n * 37) % 100:03}" for n in range(100)]
    for key in keys:
        await sample.played(store, key)
    await store.open_run(sample.run("run-2"))
    await sample.played(store, "050", "run-2")
    await store.add_scores("run-1", "007", [Score("exact", True)], Status.SCORED, "")

    def found(**where) -> list[str]:
        return [trial.key for trial in store.trials(Where(**where))]

    assert found() == [*keys, "050"]
    assert found(run="run-1") == keys
    assert found(run="run-1", status=Status.SCORED) == ["007"]
    assert found(key="050") == ["050", "050"]
    assert found(case="c" * 16, run="run-2") == ["050"]
    assert found(model="another") == found(run="another") == []


async def test_no_trial_is_missed_between_two_pages(store, sample) -> None:
    trial = structs.replace(
        sample.trial(sample.done(sample.call())), calls=(), transcript=Transcript((), Outcome("stop"))
    )
    keys = [f"{n}" for n in range(PAGE * 3)]
    for key in keys:
        await store.add(structs.replace(trial, key=key))
    assert [read.key for read in store.trials(Where())] == keys


async def test_trials_may_be_scored_while_they_are_read(store, sample) -> None:
    for n in range(80):
        await sample.played(store, f"k{n}")
    for trial in store.trials(Where(run="run-1", status=Status.PLAYED)):
        await store.add_scores("run-1", trial.key, [Score("exact", True)], Status.SCORED, "")
    assert {store.has("run-1", f"k{n}") for n in range(80)} == {Status.SCORED}


async def test_a_run_goes_from_running_to_its_end(store, sample) -> None:
    assert [run.state for run in store.runs()] == ["running"]
    assert store.latest_unfinished().id == "run-1"
    await store.end_run("run-1", "stopped", "budget")
    (run,) = store.runs()
    assert (run.state, run.stop) == ("stopped", "budget")
    assert run.ended > run.wall
    await store.open_run(sample.run())
    assert (next(store.runs()).state, next(store.runs()).ended) == ("running", None)
    await store.end_run("run-1", "completed", None)
    assert store.latest_unfinished() is None


async def test_a_run_that_nobody_writes_any_more_is_interrupted(store, place, opened) -> None:
    await store.close()
    assert [run.state for run in opened(place).runs()] == ["interrupted"]


async def test_runs_are_found_by_a_part_of_their_id(store, sample) -> None:
    for name in ("2026-ab", "2026-cd"):
        await store.open_run(sample.run(name))
    assert [run.id for run in store.runs()] == ["2026-cd", "2026-ab", "run-1"]
    assert store.find_run("last").id == "2026-cd"
    assert store.find_run("ab").id == "2026-ab"
    assert store.find_run("run").id == "run-1"
    with pytest.raises(UsageError, match="2 runs") as ambiguous:
        store.find_run("2026")
    assert "2026-cd" in ambiguous.value.problem
    with pytest.raises(UsageError, match="no run 2026-xb") as unknown:
        store.find_run("2026-xb")
    assert "2026-ab" in unknown.value.fix


def test_an_empty_store_says_how_to_fill_it(place, opened) -> None:
    with pytest.raises(UsageError, match="no run yet"):
        opened(place).find_run("last")


async def test_what_a_run_has_spent_counts_live_calls_only(store, sample) -> None:
    await sample.played(store, "a")
    await sample.played(store, "b")
    cached = structs.replace(sample.done(sample.call("c")), origin="cached")
    await store.reserve(cached)
    store.settle(cached)
    await store.reserve(sample.call("d"))
    unpriced = structs.replace(sample.done(sample.call("e")), cost=None)
    await store.reserve(unpriced)
    store.settle(unpriced)
    await store.end_run("run-1", "completed", None)
    spent = store.spent("run-1")
    assert (spent.calls, spent.unknown, spent.unpriced, spent.failed) == (4, 1, 1, 0)
    assert (spent.input, spent.output, spent.cost) == (36, 9, Decimal("0.000025"))


async def test_a_conversation_stores_each_message_once(store, place, sample) -> None:
    history = [say("system", "s" * 200)]
    for turn in range(30):
        history.append(say("user", f"{turn}" * 100))
        call = sample.call("talk", ordinal=turn)
        call = structs.replace(call, request=structs.replace(call.request, messages=tuple(history)))
        await store.reserve(call)
        settled = sample.done(call, f"answer {turn} " * 10)
        store.settle(settled)
        history.append(settled.reply.message)
    await store.end_run("run-1", "completed", None)
    calls = store.lookup("run-1", "talk").calls
    assert len(calls[-1].request.messages) == 60
    bodies = store._reader._connection.execute("SELECT count(*) FROM bodies").fetchone()[0]
    assert bodies == 61


async def test_reading_needs_no_writer_and_makes_no_session(store, place, sample, opened) -> None:
    await sample.played(store, "k1")
    reader = opened(place, create=False)
    assert [trial.key for trial in reader.trials(Where())] == ["k1"]
    assert reader.has("run-1", "k1") is Status.PLAYED
    assert store._reader._connection.execute("SELECT count(*) FROM sessions").fetchone() == (1,)
    await reader.close()


async def test_a_damaged_record_is_a_store_error_that_names_the_file(store, place, sample) -> None:
    await sample.played(store, "k1")
    await store._writer.do(lambda connection: connection.execute("UPDATE trials SET transcript = x'00'"))
    with pytest.raises(StoreError, match=r"runs\.db"):
        list(store.trials(Where()))
    await store._writer.do(lambda connection: connection.execute("DELETE FROM bodies"))
    with pytest.raises(StoreError, match="lacks the body"):
        store._reader.held(1, "k1")
