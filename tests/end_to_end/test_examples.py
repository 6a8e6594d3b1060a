"""Every example plan is played against the emulator; its figures must be those of the ledger."""

from decimal import Decimal
from pathlib import Path
from statistics import fmean

import pytest
from msgspec import structs

from assay import api
from assay.emulator.behaviour import Asked
from assay.emulator.index import Index, entry
from assay.emulator.registry import behaviour_for
from assay.loading.bind import emulator, load_task
from assay.loading.environment import Environment
from assay.loading.files import read_yaml
from assay.loading.plans import read_plan
from assay.plan import Plan
from assay.ports import Where
from assay.stats.quantiles import type7
from assay.store.sqlite import SqliteStore
from assay.trial import Status

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
PLANS = sorted(path.name for path in EXAMPLES.glob("*.yaml"))


def addressed(plan: Plan, url: str) -> Plan:
    """The plan with all its models on one server."""
    return structs.replace(
        plan,
        models=tuple(structs.replace(model, base_url=url) for model in plan.models),
        cast={role: structs.replace(model, base_url=url) for role, model in plan.cast.items()},
    )


def is_right(trial, index) -> bool:
    """What the emulator's own rule says of the trial's first request to the model under test."""
    call = next(c for c in trial.calls if c.role in {"candidate", "agent"})
    request = call.request
    asked = Asked(
        model=call.model.removeprefix("emulated/"),
        messages=request.messages,
        tools=request.tools,
        format=request.format,
        schema=request.schema,
        seed=request.sampling.seed,
    )
    behaviour = behaviour_for(asked.model, index)
    assert behaviour is not None
    return bool(behaviour.answer(asked).truth["right"])


def test_there_is_an_example_for_each_kind_of_job():
    assert PLANS == ["evaluate.yaml", "load.yaml", "rounds.yaml", "simulate.yaml"]


@pytest.mark.parametrize("name", PLANS)
async def test_an_example_gives_the_figures_that_the_emulators_ledger_gives(name, tmp_path):
    plan, environment = read_plan(EXAMPLES / name), Environment({})
    task, _ = load_task(plan, environment)
    async with emulator(plan, task) as server:
        result = await api.run(
            addressed(plan, server.url), store=tmp_path / "assay.db", environment=environment
        )
        ledger = server.ledger.records()
    store = SqliteStore.open(result.store, create=False)
    trials = list(store.trials(Where(run=result.run.id)))
    calls = [call for trial in trials for call in trial.calls]

    # Nothing was asked that is not recorded, nothing recorded that was not asked.
    assert result.run.state == "completed"
    assert len(calls) == len(ledger)
    usages = [call.reply.usage for call in calls]
    assert sum(u.input for u in usages) == sum(record.input for record in ledger)
    assert sum(u.output for u in usages) == sum(record.output for record in ledger)

    # Where an answer is a whole trial, the ledger itself counts the right ones.
    if not plan.cast:
        right = sum(score.value for t in trials for score in t.scores if score.name == task.headline)
        assert right == sum(record.truth["right"] for record in ledger)

    # Quality: a trial counts as right exactly where the emulator's rule says that it answered right.
    index = Index()
    for case in task:
        index.add(entry(task.exchange.opening(case), case.target, case.schema))
    assert {trial.status for trial in trials} == {Status.SCORED}
    for model in result.summary.models:
        mine = [t for t in trials if t.model == model.model and t.phase == "window"]
        truth: dict[str, list[bool]] = {}
        for trial in mine:
            truth.setdefault(trial.case.id, []).append(is_right(trial, index))
        assert model.headline.value == pytest.approx(fmean(map(fmean, truth.values())), abs=1e-12)
        assert 0 < model.headline.value < 1
        assert model.headline.low < model.headline.value < model.headline.high

        # Speed: the summary's quantiles are those of the calls.
        tested = [c for t in mine for c in t.calls if c.role == model.role]
        assert model.latency.p50.value == type7(sorted(c.latency for c in tested), 0.5)
        if plan.stream:
            assert model.speed.ttft.p50.value == type7(sorted(c.ttft for c in tested), 0.5)
        assert model.cost_usd == sum(
            (c.cost for t in trials if t.model == model.model for c in t.calls), Decimal(0)
        )

    # One clock on both sides: a reply is stamped when the server has written it, not when we wake.
    sent, arrived = fmean(c.reply.instants.sent for c in calls), fmean(r.arrived for r in ledger)
    assert sent <= arrived
    if plan.stream:
        came = fmean(c.reply.arrivals.token_stamps()[0] for c in calls)
        left = fmean(record.first_content for record in ledger)
    else:
        came = fmean(c.reply.instants.ended for c in calls)
        left = fmean(record.done_sent for record in ledger)
    assert abs(came - left) < 0.25 * (came - sent)


@pytest.mark.parametrize("name", PLANS)
def test_an_example_is_data_alone(name):
    """No plan names code of its own."""
    document, text = read_yaml(EXAMPLES / name)
    assert "python:" not in text
    assert set(document) <= set(Plan.__struct_fields__)
