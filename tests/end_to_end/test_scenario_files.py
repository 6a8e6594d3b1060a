"""The scenario files that come with assay, played whole against the emulator: every good end is reached."""

import json
from pathlib import Path

import pytest

from assay.cli.transcript import event_lines
from assay.loading.defaults import with_defaults
from assay.loading.environment import Environment
from assay.loading.scenarios import ScenarioFile
from assay.loading.tasks import BUILT_IN
from assay.loading.worlds import read_world
from assay.plan import ModelChoice, Plan
from assay.ports import Where
from assay.reports.talks import talk_of
from assay.store.sqlite import SqliteStore

SCENARIOS = Path(__file__).parents[2] / "examples" / "scenarios"
SHOP = read_world(BUILT_IN / "phone_orders" / "world.yaml")


async def played(bench, name, agent="emulated/agent"):
    plan = Plan(
        task="phone_orders",
        data=str(SCENARIOS / name),
        models=(ModelChoice(agent),),
        exchange={"client": "rules"},
        scorers=("state", "policy", "says"),
        seed=3,
    )
    result = await bench.run(with_defaults(plan, SCENARIOS / name), environment=Environment({}))
    store = SqliteStore.open(bench.store, create=False)
    return result, list(store.trials(Where(run=result.run.id)))


@pytest.mark.parametrize(
    ("name", "cases", "trials"), [("phone_orders.json", 20, 20), ("phone_orders.yaml", 40, 43)]
)
async def test_an_agent_that_does_all_right_reaches_every_good_end(bench, name, cases, trials):
    result, held = await played(bench, name)
    assert result.run.planned == len(held) == trials
    assert len({trial.case.id for trial in held}) == cases
    values = {score.name: set() for trial in held for score in trial.scores}
    for trial in held:
        for score in trial.scores:
            values[score.name].add(score.value if score.unscored is None else score.unscored)
    assert values["state"] == {True}
    assert values["policy"] == {True}
    assert values["says"] <= {True, "not_applicable"}
    assert str(result.run.plan["prompt_version"]).startswith("sha256:")


async def test_an_agent_that_errs_is_told_apart_by_state_and_by_policy(bench):
    _, held = await played(bench, "phone_orders.json", "emulated/agent-0")
    wrong = {trial.case.name: {s.name: s for s in trial.scores} for trial in held}
    failed = [scores for scores in wrong.values() if scores["state"].value is False]
    assert len(failed) >= 15
    claimed = [scores for scores in failed if scores["no_claim_without_tool"].value is False]
    assert claimed
    for scores in claimed:
        assert scores["policy"].value is False
        assert scores["policy"].details["breaches"][0]["check"] == "no_claim_without_tool"
        assert "orders: 0 added" in scores["state"].reason
    assert any("qty" in scores["state"].reason for scores in failed)


def test_the_classic_examples_cover_what_a_shop_meets():
    cases = list(ScenarioFile(SCENARIOS / "phone_orders.json", SHOP))
    seen = {tag: {case.tags.get(tag) for case in cases} for tag in ("personality", "ambiguity")}
    assert seen["personality"] == {"спокойный", "нетерпеливый", "растерянный"}
    assert seen["ambiguity"] == {"0", "1", "2", "3"}
    assert {"reorder", "out_of_stock", "slot", "change"} <= {tag for case in cases for tag in case.tags}


@pytest.mark.parametrize("name", ["scenarios.json", "post_body.json"])
def test_the_forms_of_the_classic_service_load_unchanged(tmp_path, name):
    """The two documents as the classic service's users have them."""
    variables = {
        "PERSONALITY": "спокойный",
        "AMB_LEVEL": 0,
        "PATIENCE": 2,
        "ORDER_GOAL": '[{"name":"филе", "qty":2, "from_history":true}]',
        "CURRENT_DATE": "2025-06-08 Sunday",
        "LOCATIONS": "Москва, Санкт-Петербург, Екатеринбург",
        "DELIVERY_DAYS": "1-2 рабочих дня",
        "PURCHASE_HISTORY": "Ранее заказывал филе курицы 3 раза",
        "SEED": 12345,
    }
    items = [{"name": "calm_reorder", "variables": variables}]
    document = items if name == "scenarios.json" else {"scenarios": items}
    path = tmp_path / name
    path.write_text(json.dumps(document, ensure_ascii=False), "utf-8")
    file = ScenarioFile(path, SHOP)
    assert file.warnings == ()
    assert file.case(0).facts | variables == file.case(0).facts


async def test_a_fault_that_was_injected_is_marked_where_its_call_is_shown(bench):
    _, held = await played(bench, "phone_orders.yaml")
    trial = next(trial for trial in held if trial.case.name == "stumbling_tools")
    struck = [line for line in event_lines(trial) if "injected: commit_then_timeout" in line]
    assert len(struck) == 1
    assert "place_order" in struck[0]
    talk = talk_of(trial)
    assert talk is not None
    assert talk.tool_faults >= 1
    assert talk.recovered == talk.lost_answers >= 1
    errors = [e for e in trial.transcript.events if isinstance(e.data, dict) and e.data.get("error")]
    assert talk.tool_errors == sum("injected" not in e.data for e in errors) < len(errors)
