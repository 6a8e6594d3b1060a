import asyncio
from decimal import Decimal

import pytest

from assay.errors import CallError, ErrorClass, ReplayMiss, StaleConnection, Stopped
from assay.message import Finish, Reply, Usage, say
from assay.ports import Held
from assay.seat.record import request_hash
from assay.seat.retry import Retry
from assay.trial import CallState

ASK = [say("user", "hello")]
PAID = Reply("hi", finish=Finish.STOP, usage=Usage(3, 2))


def overloaded():
    return CallError(ErrorClass.OVERLOADED, "busy", status=503)


async def test_each_attempt_is_a_call_and_numbering_goes_on(setting):
    table, _ = setting.table([overloaded(), overloaded(), PAID])
    reply = await table.seats["candidate"].ask(ASK)
    assert (reply.text, reply.call) == ("hi", "candidate.0.3")
    assert [(c.attempt, c.state, c.error) for c in table.calls] == [
        (1, CallState.FAILED, ErrorClass.OVERLOADED),
        (2, CallState.FAILED, ErrorClass.OVERLOADED),
        (3, CallState.DONE, None),
    ]


async def test_the_last_failure_comes_out_when_the_policy_gives_up(setting):
    setting.retry = Retry(retries=1, base=0.0)
    table, model = setting.table([overloaded()] * 5)
    with pytest.raises(CallError, match="busy"):
        await table.seats["candidate"].ask(ASK)
    assert len(model.requests) == 2


async def test_a_fault_of_the_request_is_not_tried_again(setting):
    table, model = setting.table([CallError(ErrorClass.REJECTED, "bad")] * 2)
    with pytest.raises(CallError):
        await table.seats["candidate"].ask(ASK)
    assert len(model.requests) == 1


async def test_a_stale_connection_is_sent_once_more_even_without_retries(setting):
    setting.retry = Retry(retries=0)
    stale = StaleConnection(ErrorClass.TRANSPORT, "stale")
    table, _ = setting.table([stale, PAID])
    assert (await table.seats["candidate"].ask(ASK)).text == "hi"
    assert [call.state for call in table.calls] == [CallState.FAILED, CallState.DONE]
    table, model = setting.table([stale, stale, PAID], trial="k2")
    with pytest.raises(StaleConnection):
        await table.seats["candidate"].ask(ASK)
    assert len(model.requests) == 2


async def test_the_intent_is_in_the_store_before_the_model_is_asked(setting):
    seen = []

    def script(request):
        seen.append(setting.store.lookup("run_1", "k"))
        return PAID

    table, model = setting.table([])
    model._next = script
    await table.seats["candidate"].ask(ASK)
    assert [call.state for call in seen[0].calls] == [CallState.RESERVED]


async def test_a_recorded_success_is_replayed_without_a_call(setting):
    table, _ = setting.table([overloaded(), PAID])
    await table.seats["candidate"].ask(ASK)
    again, model = setting.table([], held=Held(calls=table.calls))
    assert (await again.seats["candidate"].ask(ASK)).text == "hi"
    assert model.requests == []
    assert [call.origin for call in again.calls] == ["resumed"]


async def test_the_second_time_of_one_request_is_another_occurrence(setting):
    table, _ = setting.table([PAID, Reply("two", finish=Finish.STOP)])
    seat = table.seats["candidate"]
    assert [(await seat.ask(ASK)).text for _ in range(2)] == ["hi", "two"]
    again, _ = setting.table([], held=Held(calls=table.calls))
    seat = again.seats["candidate"]
    assert [(await seat.ask(ASK)).text for _ in range(2)] == ["hi", "two"]


async def test_numbering_goes_on_over_a_failed_attempt_of_an_earlier_play(setting):
    setting.retry = Retry(retries=0)
    table, _ = setting.table([overloaded()])
    with pytest.raises(CallError):
        await table.seats["candidate"].ask(ASK)
    again, _ = setting.table([PAID], held=Held(calls=table.calls))
    assert (await again.seats["candidate"].ask(ASK)).call == "candidate.0.2"


async def test_strict_replay_makes_no_call(setting):
    table, model = setting.table([PAID], strict=True)
    with pytest.raises(ReplayMiss, match="request 0 of the candidate"):
        await table.seats["candidate"].ask(ASK)
    assert model.requests == []


async def test_a_refused_account_opens_the_breaker_for_later_trials(setting):
    table, _ = setting.table([CallError(ErrorClass.DENIED, "no quota", status=429)])
    with pytest.raises(CallError):
        await table.seats["candidate"].ask(ASK)
    other, model = setting.table([PAID], trial="k2")
    with pytest.raises(Stopped, match="circuit"):
        await other.seats["candidate"].ask(ASK)
    assert model.requests == []


async def test_a_stopped_run_takes_no_more_calls(setting):
    setting.stop.now("cancelled")
    table, model = setting.table([PAID])
    with pytest.raises(Stopped, match="cancelled"):
        await table.seats["candidate"].ask(ASK)
    assert model.requests == []


async def test_a_stop_ends_the_wait_between_attempts(setting):
    setting.retry = Retry(retries=3, base=1e6, cap=1e6)
    table, _ = setting.table([overloaded(), PAID])
    asking = asyncio.create_task(table.seats["candidate"].ask(ASK))
    while not table.calls:
        await asyncio.sleep(0.001)
    setting.stop.now("cancelled")
    with pytest.raises(Stopped):
        await asking


async def test_the_budget_stops_before_it_is_passed(setting):
    setting.budget.limit = Decimal(21)
    table, model = setting.table([PAID] * 20)
    seat = table.seats["candidate"]
    with pytest.raises(Stopped, match="budget"):
        for turn in range(20):
            await seat.ask([say("user", str(turn))])
    # A call may cost 10 and costs 2: the sixth could have passed 21, so five calls and one more fit.
    assert len(model.requests) == 6
    assert setting.budget.spent == 12


async def test_an_unknown_cost_is_counted_at_its_worst(setting):
    setting.budget.limit = Decimal(100)
    table, _ = setting.table([Reply("no usage", finish=Finish.STOP)])
    await table.seats["candidate"].ask(ASK)
    assert table.calls[0].cost is None
    assert setting.budget.spent == 10


async def test_a_refused_request_costs_nothing(setting):
    setting.retry = Retry(retries=0)
    table, _ = setting.table([overloaded()])
    with pytest.raises(CallError):
        await table.seats["candidate"].ask(ASK)
    assert table.calls[0].cost == 0


async def test_a_cancelled_attempt_stays_reserved_and_counts_at_its_worst(setting):
    setting.budget.limit = Decimal(100)
    table, model = setting.table([])

    async def ask(request, on_read=None):
        await asyncio.Event().wait()

    model.ask = ask
    asking = asyncio.create_task(table.seats["candidate"].ask(ASK))
    while not setting.store.lookup("run_1", "k").calls:
        await asyncio.sleep(0.001)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert [c.state for c in setting.store.lookup("run_1", "k").calls] == [CallState.RESERVED]
    assert setting.budget.spent == 10


async def test_the_trials_seed_is_sent_and_settings_lie_over_the_places(setting):
    from assay.message import Sampling

    setting.sampling = Sampling(temperature=0, max_tokens=5)
    table, model = setting.table([PAID])
    await table.seats["candidate"].ask(ASK, sampling=Sampling(max_tokens=9))
    assert model.requests[0].sampling == Sampling(temperature=0, max_tokens=9, seed=7)


def test_the_request_hash_leaves_out_what_changes_no_answer():
    from msgspec import structs

    from assay.message import Request

    request = Request((say("user", "x"),))
    assert request_hash("m", request) == request_hash(
        "m", structs.replace(request, case="other", stream=True)
    )
    assert request_hash("m", request) != request_hash("n", request)
    assert request_hash("m", request) != request_hash("m", structs.replace(request, tool_choice="none"))
