"""What a run will take: from earlier runs, from prompts' lengths, and what cannot be told."""

import math
from decimal import Decimal
from random import Random

import pytest
from msgspec import structs

from assay.api import open_store, run
from assay.loading.bind import bound
from assay.loading.environment import Environment
from assay.message import Sampling
from assay.plan import ModelChoice, Plan, PriceChoice, Window
from assay.ports import Stop, Where
from assay.reports.forecast import Past, _total, forecast, past_of, roles_of
from assay.reports.needs import Span
from assay.schedule import Closed, Constant

PRICE = PriceChoice(input=Decimal(1), output=Decimal(2))


async def forecast_of(bench, plan, past=None):
    async with bound(plan, Environment({}), checked=False) as ready:
        return forecast(ready, past or [None] * len(ready.places))


def priced(bench, **fields):
    plan = bench.plan(**fields)
    choice = ModelChoice("openai-compatible/x", base_url="http://127.0.0.1:9/v1", price=PRICE)
    return structs.replace(plan, models=(choice,))


async def test_a_total_lies_in_its_range_nineteen_times_in_twenty():
    draw, inside, rounds = Random(3), 0, 2000
    for _ in range(rounds):
        seen = [draw.lognormvariate(0, 0.5) for _ in range(60)]
        to_come = math.fsum(draw.lognormvariate(0, 0.5) for _ in range(200))
        span = _total(seen, 200)
        inside += span.low <= to_come <= span.high
    assert 0.93 < inside / rounds < 0.97


def test_one_earlier_trial_tells_little():
    assert _total([2.0], 10) == Span(0.0, 20.0, pytest.approx(20 * 2.96))


async def test_without_an_earlier_run_the_prompts_lengths_bound_the_cost(bench):
    found = await forecast_of(bench, priced(bench, sampling=Sampling(max_tokens=50)))
    (model,) = found.models
    sent = sum(len(f"What is {n} + 1?") for n in range(20))
    assert model.cost_usd is not None
    assert model.cost_usd.high == pytest.approx((sent / 2.5 + 20 * 50 * 2) / 1e6, rel=0.1)
    assert model.cost_usd.low < model.cost_usd.likely < model.cost_usd.high
    assert (found.calls, found.seconds) == (Span(20, 20, 20), None)
    unbounded = await forecast_of(bench, priced(bench))
    assert unbounded.cost_usd is not None
    assert unbounded.cost_usd.high is None


async def test_a_model_without_a_price_has_no_cost(bench):
    plan = priced(bench)
    unpriced = ModelChoice("openai-compatible/x", base_url="http://127.0.0.1:9/v1")
    found = await forecast_of(bench, structs.replace(plan, models=(unpriced,)))
    assert found.cost_usd is None


async def test_an_earlier_run_tells_calls_cost_time_and_rate(bench):
    first = await bench.run(bench.plan("emulated/skill-0.8", repeats=2))
    store = open_store(bench.store, Stop())
    async with bound(bench.plan("emulated/skill-0.8", limit=10), Environment({})) as ready:
        past = past_of(store, ready.run, "emulated/skill-0.8", roles_of(ready))
        assert past is not None
        assert (past.run, len(past.seconds)) == (first.run.id, 40)
        assert past_of(store, ready.run, "emulated/skill-0.9", roles_of(ready)) is None
        found = forecast(ready, [past])
    await store.close()
    assert found.calls == Span(10, 10, 10)
    assert found.cost_usd is not None
    assert found.cost_usd.likely == pytest.approx(float(first.summary.cost_usd) / 4, rel=0.2)
    assert found.models[0].basis == f"40 trials of {first.run.id}"
    assert found.seconds is not None
    assert 0 < found.seconds.low <= found.seconds.likely <= found.seconds.high


async def test_a_replayed_trial_tells_nothing_of_time(bench):
    await bench.run(bench.plan("emulated/skill-0.8"))
    again = await bench.run(bench.plan("emulated/skill-0.8", cache="read"))
    store = open_store(bench.store, Stop())
    async with bound(bench.plan("emulated/skill-0.8"), Environment({})) as ready:
        past = past_of(store, ready.run, "emulated/skill-0.8", roles_of(ready))
    await store.close()
    assert past is not None
    assert past.run != again.run.id


def past_with(seconds: float, rate: float = 0.5) -> Past:
    return Past("run_x", (1.0,) * 50, (0.001,) * 50, (seconds,) * 50, rate)


async def test_slots_and_arrivals_set_the_time(bench):
    closed = await forecast_of(bench, bench.plan(schedule=Closed(4)), [past_with(2.0)])
    assert closed.seconds == Span(10.0, 10.0, 10.0)
    opened = await forecast_of(bench, bench.plan(schedule=Constant(5.0)), [past_with(2.0)])
    assert opened.seconds == Span(4.0, 6.0, None)
    windowed = await forecast_of(bench, bench.plan(window=Window(30.0, 5.0)), [past_with(2.0)])
    assert (windowed.seconds, windowed.calls, windowed.planned) == (Span(35.0, 35.0, None), None, None)


async def test_the_smallest_difference_shrinks_with_the_cases_and_away_from_one_half(bench):
    twenty = await forecast_of(bench, bench.plan())
    ten = await forecast_of(bench, bench.plan(limit=10))
    assert twenty.detectable == pytest.approx(2.8016 * math.sqrt(0.25 / 20), rel=1e-3)
    assert ten.detectable == pytest.approx(twenty.detectable * math.sqrt(2))
    sure = await forecast_of(bench, bench.plan(), [past_with(1.0, rate=0.95)])
    assert sure.detectable < twenty.detectable
    two = bench.plan("emulated/skill-0.8", "emulated/skill-0.9")
    both = await forecast_of(bench, two)
    assert both.detectable == pytest.approx(2.8016 * math.sqrt(0.5 / 20), rel=1e-3)


async def test_what_another_plans_judge_cost_is_not_counted_and_a_judge_needs_a_run_with_one(bench):
    judged = bench.plan("emulated/skill-0.8", scorers=("exact", "judge"), limit=5)
    judged = structs.replace(judged, cast={"judge": ModelChoice("emulated/judge")})
    await bench.run(judged)
    plain = bench.plan("emulated/skill-0.8")
    store = open_store(bench.store, Stop())
    async with bound(plain, Environment({})) as ready:
        past = past_of(store, ready.run, "emulated/skill-0.8", roles_of(ready))
        assert past is not None
        assert past.calls == (1.0,) * 5
    async with bound(judged, Environment({})) as ready:
        past = past_of(store, ready.run, "emulated/skill-0.8", roles_of(ready))
        assert past is not None
        assert past.calls == (2.0,) * 5
    await store.close()
    bench.store = bench.folder / "other.db"
    await bench.run(plain)
    store = open_store(bench.store, Stop())
    async with bound(judged, Environment({})) as ready:
        assert past_of(store, ready.run, "emulated/skill-0.8", roles_of(ready)) is None
    await store.close()


def conversation(**more) -> Plan:
    """Conversations that were never run, with everything that bounds what they say."""
    brief = Sampling(max_tokens=200)
    cast = {role: ModelChoice(f"emulated/{role}", sampling=brief) for role in ("client", "judge")}
    models = (ModelChoice("emulated/agent", sampling=brief),)
    return Plan(task="phone_orders", limit=4, models=models, cast=cast, **more)


async def test_a_conversation_that_was_never_run_is_bounded_by_its_limits_and_takes_no_more(tmp_path):
    async with bound(conversation(), Environment({})) as ready:
        found = forecast(ready, [None])
    result = await run(conversation(), store=tmp_path / "a.db", environment=Environment({}))
    trials = list(open_store(tmp_path / "a.db", Stop()).trials(Where(run=result.run.id)))
    calls = [call for trial in trials for call in trial.calls]
    used = sum(call.reply.usage.input + call.reply.usage.output for call in calls if call.reply.usage)
    assert found.calls is not None
    assert found.tokens is not None
    assert found.cost_usd is not None
    assert found.calls.high == 4 * (87 + 45 + 2)
    assert found.calls.low <= len(calls) <= found.calls.high
    assert 0.5 < found.calls.likely / len(calls) < 2
    assert found.tokens.low < used < found.tokens.high
    assert 0.3 < found.tokens.likely / used < 3
    assert found.cost_usd.low < float(result.summary.cost_usd) < found.cost_usd.high
    assert "limits" in found.models[0].basis


async def test_without_a_limit_of_its_replies_a_conversation_has_a_bound_of_calls_alone():
    plan = conversation()
    loose = structs.replace(plan, models=(ModelChoice("emulated/agent"),))
    async with bound(loose, Environment({})) as ready:
        found = forecast(ready, [None])
    assert found.calls is not None
    assert found.calls.high is not None
    assert found.tokens is not None
    assert found.tokens.high is None
    assert found.cost_usd is not None
    assert found.cost_usd.high is None


async def test_narrower_limits_and_more_verdicts_move_the_bound():
    narrow = conversation(exchange={"limits": {"max_turns": 4, "max_tool_calls_per_turn": 1}})
    judge = {"judge": {"rubric": "phone_order", "repeats": 3}}
    judged = structs.replace(narrow, scorers=("state", judge))
    async with bound(judged, Environment({})) as ready:
        found = forecast(ready, [None])
    assert found.calls == Span(4.0, 4 * (6 + 2 + 3), 4 * (11 + 6 + 6))


async def test_a_judged_task_is_bounded_by_the_question_that_a_judge_may_be_asked_again(bench):
    judged = bench.plan("emulated/skill-0.8", scorers=("exact", "judge"), limit=5)
    judged = structs.replace(judged, cast={"judge": ModelChoice("emulated/judge")})
    async with bound(judged, Environment({})) as ready:
        found = forecast(ready, [None])
    assert found.calls == Span(5, 10, 15)


class Own:
    """An exchange of somebody's own, which says nothing of what it asks."""

    seats, spec = ("candidate",), ["own"]

    def opening(self, case):
        return ()


async def test_an_exchange_of_ones_own_is_taken_to_ask_once_and_has_no_bound(bench):
    async with bound(bench.plan(limit=5), Environment({})) as ready:
        ready.exchange = Own()
        found = forecast(ready, [None])
    assert (found.calls, found.tokens, found.cost_usd) == (Span(0, 5, None), None, None)
    assert found.models[0].basis == "no earlier run of it"
