"""Posted scenarios: checked against world and prompts before anything is played."""

import json

import pytest

from assay.loading.batches import Intake, TooMany, Unplayable
from assay.loading.environment import Environment
from assay.plan import ModelChoice, Plan

CLASSIC = {"PERSONALITY": "спокойный", "AMB_LEVEL": 0, "PATIENCE": 2, "CURRENT_DATE": "2025-06-08"}
GOAL = '[{"name": "молоко", "qty": 1}]'


def scenario(name="s", drop=(), **more):
    variables = {**CLASSIC, "ORDER_GOAL": GOAL, **more.pop("variables", {})}
    return {"name": name, "variables": {k: v for k, v in variables.items() if k not in drop}, **more}


@pytest.fixture
def read():
    def reading(document, **exchange):
        plan = Plan(task="phone_orders", models=(ModelChoice("emulated/agent"),), exchange=exchange)
        return Intake(plan, Environment({})).read(json.dumps(document).encode())

    return reading


def test_a_variable_that_the_prompts_need_is_a_fault_of_the_scenario_that_lacks_it(read):
    found = read([scenario("a"), scenario("b", drop=["PERSONALITY"]), scenario("c", AMB=1), scenario("d")])
    assert [fault.pointer for fault in found.faults] == ["/1/variables", "/2/AMB"]
    assert "client_system.txt" in found.faults[0].detail
    assert "{{PERSONALITY}}" in found.faults[0].detail
    assert [item["name"] for item in json.loads(found.played)["scenarios"]] == ["a", "d"]
    assert len(found.cases) == 2


def test_a_variable_may_be_missing_where_no_model_reads_it_or_a_webhook_gives_it(read):
    lacking = [scenario(drop=["PERSONALITY"])]
    assert not read(lacking, client="rules").faults
    assert not read(lacking, prompts={"on_missing": "empty"}).faults
    assert not read({"scenarios": lacking, "webhook_url": "https://example.test/"}).faults


def test_cases_have_the_identity_with_which_they_are_played(read):
    whole = read([scenario(), scenario(matrix={"AMB_LEVEL": [0, 1]})])
    assert len(set(whole.cases)) == len(whole.cases) == 3
    empty = read([scenario(drop=["PERSONALITY"])], prompts={"on_missing": "empty"})
    blank = read([scenario(variables={"PERSONALITY": ""})], prompts={"on_missing": "empty"})
    assert empty.cases == blank.cases


def test_each_case_says_how_often_it_is_played(read):
    found = read(
        [scenario("a", repeats=3), scenario("b", matrix={"AMB_LEVEL": [0, 1]}, repeats=2), scenario("c")]
    )
    assert found.repeats == (3, 2, 2, 1)
    assert len(found.cases) == 4
    assert json.loads(found.played)["scenarios"][0]["repeats"] == 3
    assert read([scenario("a"), scenario("b")]).repeats == ()


@pytest.mark.parametrize("repeats", [0, -1, 1001, 1.5, "2", True, None])
def test_repeats_out_of_bounds_are_a_fault_with_their_place(read, repeats):
    (fault,) = read({"scenarios": [scenario(), scenario(repeats=repeats)]}).faults
    assert fault.pointer == "/scenarios/1/repeats"
    assert fault.fix == "give a whole number from 1 to 1000"


def test_repeats_count_towards_the_conversations_of_a_batch(read):
    assert len(read({"scenarios": [scenario(repeats=1000)] * 2, "repeats": 50}).cases) == 2
    with pytest.raises(TooMany):
        read({"scenarios": [scenario(repeats=1000)] * 2, "repeats": 51})


def test_matrices_are_not_expanded_beyond_what_a_batch_may_have(read):
    many = scenario(matrix={"AMB_LEVEL": [0, 1], "PATIENCE": [0, 3]}, repeats=1000)
    with pytest.raises(TooMany, match="first 26 scenarios"):
        read([many] * 5000)


def test_matrices_draw_no_more_than_a_service_has_time_for(read):
    factors = {f"F{n}": [0, 1] for n in range(100)}  # 19,800 pairs
    bad = scenario(matrix={**factors, "pairwise": True, "sample": 1})
    assert len(read([bad] * 3).faults) == 3
    wasted = scenario(matrix={**factors, "pairwise": True}, typo=1)
    with pytest.raises(TooMany, match="first 51 scenarios draw more than 1000000"):
        read([wasted] * 51)


@pytest.mark.parametrize("key", ["defaults", "version"])
def test_what_configures_a_run_is_not_taken_from_a_stranger(read, key):
    with pytest.raises(Unplayable, match=key):
        read({"scenarios": [scenario()], key: {}})


def test_a_matrix_over_a_long_text_is_refused_before_it_is_written_out(read):
    grid = {"A": list(range(100)), "B": list(range(100))}
    (fault,) = read([scenario(), scenario(variables={"X": "x" * 100_000}, matrix=grid)]).faults
    assert fault.pointer == "/1/matrix"
    assert "10000 cells of so much text" in fault.detail
