"""Scenario files: their forms, their errors, what becomes of a scenario."""

import json

import pytest
from ruamel.yaml import YAML

from assay.errors import UsageError
from assay.keys import JSON
from assay.loading.bind import load_task
from assay.loading.environment import Environment
from assay.loading.scenarios import ScenarioFile, let_cases_go, scenario_case
from assay.loading.tasks import BUILT_IN
from assay.loading.worlds import read_world
from assay.plan import Plan

SHOP = read_world(BUILT_IN / "phone_orders" / "world.yaml")
CLASSIC = {"PERSONALITY": "спокойный", "AMB_LEVEL": 0, "PATIENCE": 2, "CURRENT_DATE": "2025-06-08 Sunday"}


GOAL = '[{"name": "молоко", "qty": 1}]'


def item(name="s", goal=GOAL, **more) -> dict[str, JSON]:
    given = {**CLASSIC, "ORDER_GOAL": goal, **more.pop("variables", {})}
    return {"name": name, "variables": given, **more}


@pytest.fixture
def written(tmp_path):
    """Writes a scenario file and opens it."""

    def write(content, name="f.json", **how) -> ScenarioFile:
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
        return ScenarioFile(path, SHOP, **how)

    return write


def told(written, content, name="f.json", **how) -> UsageError:
    with pytest.raises(UsageError) as error:
        written(content, name, **how)
    return error.value


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("f.json", json.dumps([item()])),
        ("f.json", json.dumps({"scenarios": [item()]})),
        ("f.json", json.dumps({"version": 1, "defaults": {"language": "en"}, "scenarios": [item()]})),
        ("f.jsonl", json.dumps(item()) + "\n\n"),
        ("f.yaml", json.dumps([item()], ensure_ascii=False)),
        ("f.yml", json.dumps({"version": 1, "scenarios": [item()]}, ensure_ascii=False)),
    ],
)
def test_all_forms_of_a_file_hold_the_same_case(written, name, content):
    (case,) = written(content, name)
    (reference,) = written([item()])
    assert case == reference
    assert len(case.id) == 16


BAD_GOAL = '[{"name":"филе" "qty":2}]'


def test_a_goal_that_is_no_json_is_shown_with_a_caret(written):
    error = told(written, [item("ok"), item("angry", BAD_GOAL)], "scenarios.json")
    assert error.problem.endswith(
        'scenarios.json, scenario 1 "angry", variables.ORDER_GOAL: not JSON at character 17: '
        "expecting ',' delimiter"
    )
    assert error.excerpt == f"{BAD_GOAL}\n{' ' * 16}^"
    assert "put a comma at the mark" in error.fix
    assert error.pointer == "/1/variables/ORDER_GOAL"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"AMB_LEVEL": 7}, "variables.AMB_LEVEL: is '7'"),
        ({"PATIENCE": True}, "variables.PATIENCE: is 'True'"),
        ({"PATIENCE": "4"}, "variables.PATIENCE: is '4'"),
        ({"SEED": -1}, "variables.SEED"),
        ({"SEED": 2**53}, "variables.SEED"),
        ({"CURRENT_DATE": "2025-06-08 Monday"}, "that day is a Sunday"),
        ({"CURRENT_DATE": "2025-06-08 среда"}, "that day is a Sunday"),
        ({"CURRENT_DATE": "tomorrow"}, "is no date"),
        ({"ORDER_GOAL": [{"name": "филе", "qty": 0}]}, "variables.ORDER_GOAL[0].qty"),
        ({"ORDER_GOAL": [{"name": "филе", "qty": 1, "unti": "кг"}]}, "ORDER_GOAL[0].unti: unknown field"),
        ({"ORDER_GOAL": {"name": "филе"}}, "variables.ORDER_GOAL"),
    ],
)
def test_a_bad_variable_is_refused_with_its_place_and_name(written, change, says):
    error = told(written, [item(), item(), item(), item("angry", variables=change)])
    assert 'scenario 3 "angry"' in error.problem
    assert says in error.problem


UNKNOWN = [
    ({"variabels": {}}, "variabels", "did you mean variables?"),
    ({"client": {"opennig": "x"}}, "client.opennig", "did you mean opening?"),
    ({"client": {"known": [{"id": "a", "text": "t", "volonteer": "always"}]}}, "volonteer", "did you mean"),
    ({"expect": {"stat": []}}, "expect.stat", "did you mean state?"),
    ({"expect": {"state": [{"addded": {}}]}}, "expect.state[0].addded", "did you mean added?"),
    ({"expect": {"state": [{"unchanged": {"exept": []}}]}}, "exept", "did you mean except?"),
    ({"start": {"mesages": []}}, "start.mesages", "did you mean messages?"),
    ({"faults": {"rules": [{"toll": "x"}]}}, "toll", "did you mean tool?"),
]


@pytest.mark.parametrize(("more", "where", "fix"), UNKNOWN, ids=str)
def test_an_unknown_key_is_an_error_that_names_the_key_that_was_meant(written, more, where, fix):
    error = told(written, [item(**more)])
    assert where in error.problem
    assert fix in error.fix


CRITERIA = [
    ([{"id": "a", "about": "x", "weight": 0}], "[0].weight"),
    ([{"id": "a", "about": "x", "weight": -1}], "[0].weight"),
    ([{"id": "a", "about": "x", "weight": "2"}], "[0].weight"),
    ([{"id": "a", "about": "x", "weight": True}], "[0].weight"),
    ([{"id": "a", "about": "x", "weight": 1001}], "[0].weight"),
    ([{"id": "a", "about": "x"}, {"id": "a", "about": "y"}], "[1].id"),
    ([{"id": "a b", "about": "x"}], "[0].id"),
    ([{"id": "", "about": "x"}], "[0].id"),
    ([{"id": "a", "about": ""}], "[0].about"),
    ([{"id": "a", "about": "x", "wieght": 1}], "[0].wieght"),
    ([{"id": f"a{n}", "about": "x"} for n in range(21)], ""),
]


@pytest.mark.parametrize(("criteria", "where"), CRITERIA, ids=str)
def test_a_bad_criterion_is_refused_with_file_index_and_pointer(written, criteria, where):
    error = told(written, [item(), item("bad", expect={"judge": {"criteria": criteria}})])
    assert f'f.json, scenario 1 "bad", expect.judge.criteria{where}: ' in error.problem
    steps = where.replace("[", "/").replace("].", "/")
    assert error.pointer == f"/1/expect/judge/criteria{steps}"
    assert error.fix


def test_criteria_reach_the_case_with_their_weights_and_leave_the_state_to_the_goal(written):
    criteria = [{"id": "a", "about": "x", "weight": 2.0}, {"id": "b", "about": "y"}]
    (case,) = written([item(expect={"judge": {"rubric": "default", "weight": None, "criteria": criteria}})])
    assert case.target == {"expect": {"judge": {"criteria": criteria}}}
    assert case.id == written([item()]).case(0).id  # neither side sees it


def test_unknown_keys_can_be_warnings(written):
    file = written([item(variabels={}, client={"opennig": "x", "delivery": "завтра"})], allow_unknown=True)
    assert file.case(0).facts["CLIENT"] == {"delivery": "завтра"}
    assert len(file.warnings) == 2
    assert "did you mean opening?" in " ".join(file.warnings)
    assert told(written, {"scenarios": [item()], "verison": 1}).fix == "did you mean version?"
    assert written({"scenarios": [item()], "verison": 1}, allow_unknown=True).warnings


def test_errors_of_yaml_and_json_lines_name_the_line(written):
    text = """
scenarios:
  - name: fine
    variables: {ORDER_GOAL: "[]"}
  - name: bad
    client: &shared {opening: Алло}
    variables:
      ORDER_GOAL: "[]"
      AMB_LEVEL: 9
"""
    error = told(written, text, "f.yaml")
    assert 'f.yaml, line 9, scenario 1 "bad", variables.AMB_LEVEL' in error.problem
    assert error.pointer == "/scenarios/1/variables/AMB_LEVEL"
    lines = f"{json.dumps(item())}\n\n{json.dumps(item('bad', variables={'PATIENCE': 9}))}\n"
    assert 'f.jsonl, line 3, scenario 1 "bad", variables.PATIENCE' in told(written, lines, "f.jsonl").problem


def test_a_date_in_yaml_needs_no_quotes_and_a_name_that_is_no_text_is_told(written):
    form = "scenarios:\n- name: a\n  variables: {{CURRENT_DATE: 2025-06-08, ORDER_GOAL: '{}', {}}}\n"
    (case,) = written(form.format("[]", "X: 1"), "f.yaml")
    assert case.facts["CURRENT_DATE"] == "2025-06-08"
    error = told(written, form.format("[]", "1: 2"), "f.yaml")
    assert error.problem.endswith('line 3, scenario 0 "a", variables: a name in it is no text')


def test_a_key_that_stands_twice_in_yaml_is_refused(written):
    error = told(written, "- name: a\n  name: b\n  variables: {}\n", "f.yaml")
    assert "line 2" in error.problem


def test_aliases_that_blow_up_are_refused(written):
    lines = ["a: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"b{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    assert "more than" in told(written, "\n".join(lines), "f.yaml").problem


@pytest.mark.parametrize("document", [{"cases": []}, {"scenarios": {}}, 3])
def test_a_document_without_scenarios_is_refused(written, document):
    assert "no list of scenarios" in told(written, document).problem


@pytest.mark.parametrize("bad", ["text", [1], None])
def test_a_scenario_that_is_no_object_is_refused(written, bad):
    assert "scenario 1: is no object" in told(written, [item(), bad]).problem


def test_a_level_as_a_text_is_a_number_with_a_warning(written):
    file = written([item(variables={"AMB_LEVEL": "2", "PATIENCE": "0"}), item(variables={"AMB_LEVEL": "1"})])
    assert (file.case(0).facts["AMB_LEVEL"], file.case(0).facts["PATIENCE"]) == (2, 0)
    assert file.case(0).tags["ambiguity"] == "2"
    assert [text.partition(": ")[2] for text in file.warnings] == [
        "AMB_LEVEL is a text; it is taken as a number (and in 1 more)",
        "PATIENCE is a text; it is taken as a number",
    ]


def test_a_matrix_is_a_case_for_each_combination_with_its_factors_as_slices(written):
    matrix = {"PERSONALITY": ["спокойный", "растерянный"], "AMB_LEVEL": [0, 3], "SHOP": ["a"]}
    file = written([item("calm", GOAL, matrix=matrix, tags=["t"])])
    assert [case.name for case in file] == [
        "calm[AMB_LEVEL=0,PERSONALITY=спокойный,SHOP=a]",
        "calm[AMB_LEVEL=0,PERSONALITY=растерянный,SHOP=a]",
        "calm[AMB_LEVEL=3,PERSONALITY=спокойный,SHOP=a]",
        "calm[AMB_LEVEL=3,PERSONALITY=растерянный,SHOP=a]",
    ]
    assert file.case(3).facts["AMB_LEVEL"] == 3
    assert file.case(3).tags == {
        "t": "t",
        "personality": "растерянный",
        "ambiguity": "3",
        "patience": "2",
        "shop": "a",
    }
    assert len({case.id for case in file}) == 4


@pytest.mark.parametrize(
    ("matrix", "says"),
    [
        ({"AMB_LEVEL": []}, "has no values"),
        ({"level": [1]}, "is no variable's name"),
        ({"X": 1}, "matrix.X: is no list of values"),
        ({"X": [1, 2], "sample": [5]}, "matrix.sample: is '[5]'"),
        ({"X": [1, 2], "sample": 0}, "matrix.sample"),
        ({"X": [1, 2], "sample": True}, "matrix.sample"),
        ({"X": [1, 2], "sample": 3}, "matrix.sample: asks for 3 of 2 combinations"),
        ({"X": [1, 2], "pairwise": 1}, "matrix.pairwise"),
        ({"X": [1, 2], "pairwise": True}, "matrix.pairwise: needs two factors"),
        ({"X": [1], "Y": [1], "pairwise": True, "sample": 1}, "matrix.pairwise: stands beside sample"),
        ({"X": [1, 2], "seed": 1}, "matrix.seed: draws nothing"),
        ({"X": [1, 2], "sample": 1, "seed": -1}, "matrix.seed"),
        ({"X": list(range(101)), "Y": list(range(100)), "pairwise": True}, "10100 cells at least"),
        ({f"F{n}": [0, 1] for n in range(150)} | {"pairwise": True}, "pairs of values"),
        ({"AMB_LEVEL": [5]}, "AMB_LEVEL"),
        ({f"F{n}": list(range(10)) for n in range(5)}, "100000 cells"),
    ],
)
def test_a_matrix_that_cannot_be_is_refused(written, matrix, says):
    assert says in told(written, [item(matrix=matrix)]).problem


MANY = {f"F{n}": ["a", "b", "c"] for n in range(12)}


def chosen(written, **more) -> list[tuple[str, ...]]:
    """The factors' values of each case of a matrix over MANY."""
    file = written([item("m", matrix={**MANY, **more})])
    assert len({case.id for case in file}) == len(file)
    assert all(case.tags["f3"] == case.facts["F3"] for case in file)
    return [tuple(str(case.facts[name]) for name in MANY) for case in file]


def test_a_sample_of_a_grid_too_large_to_play_is_even_and_that_of_its_seed(written):
    rows = chosen(written, sample=30)
    assert len(set(rows)) == 30
    for column in zip(*rows, strict=True):
        assert {value: column.count(value) for value in "abc"} == {"a": 10, "b": 10, "c": 10}
    assert rows == chosen(written, sample=30)
    assert rows != chosen(written, sample=30, seed=1)


def test_pairwise_is_few_cases_in_which_any_two_values_meet(written):
    rows = chosen(written, pairwise=True)
    assert len(rows) < 27
    for a in range(12):
        for b in range(a):
            assert len({(row[a], row[b]) for row in rows}) == 9
    assert rows == chosen(written, pairwise=True)
    assert len(chosen(written, pairwise=True, seed=7)) < 27


def test_a_misspelt_way_of_a_matrix_names_the_one_that_was_meant(written):
    error = told(written, [item(matrix={**MANY, "smaple": 3})])
    assert error.fix == "did you mean sample?"
    assert error.pointer == "/0/matrix/smaple"
    grid = told(written, [item(matrix=MANY)])
    assert "531441 cells" in grid.problem
    assert "sample: N or pairwise: true" in grid.fix


def test_repeats_are_kept_by_case(written):
    file = written([item("a", GOAL, repeats=3), item("b", GOAL), item("c", repeats=2, matrix={"X": [1, 2]})])
    assert file.repeats == (3, 1, 2, 2)
    assert written([item(), item()]).repeats is None
    error = told(written, [item(repeats=0)])
    assert "repeats" in error.problem
    assert error.fix == "give a whole number from 1 to 1000"


def test_selection_keeps_the_identity_of_equal_scenarios(written):
    whole = list(written([item("a"), item("b"), item("c", tags=["x"])]))
    assert len({case.id for case in whole}) == 3
    assert list(written([item("a"), item("b"), item("c", tags=["x"])], offset=1, limit=1)) == [whole[1]]
    kept = written([item("a"), item("b"), item("c", tags=["x"])], keep=lambda case: "x" in case.tags)
    assert list(kept) == [whole[2]]


def test_the_clients_sheet_the_start_and_the_faults_are_facts_and_the_expectation_the_target(written):
    sheet = {"delivery": "завтра", "known": [{"id": "addr", "text": "ул. Мира, 5"}]}
    state = {"products": {"FILE-1": {"stock": 0}}}
    rule = {"tool": "place_order", "kind": "commit_then_timeout", "when": {"nth": 1}}
    (case,) = written(
        [
            item(
                client=sheet,
                start={"state": state, "messages": [{"role": "agent", "text": "Алло?"}]},
                expect={"acts": "forbidden", "policy": ["no_foreign_customer"]},
                faults={"rules": [rule]},
            )
        ]
    )
    assert case.facts["CLIENT"] == sheet
    assert case.facts["START"] == state
    assert case.facts["FAULTS"] == {"rules": [rule]}
    assert case.target == {"expect": {"acts": "forbidden", "policy": ["no_foreign_customer"]}}
    assert [(message.role, message.text) for message in case.input] == [("assistant", "Алло?")]


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ({"tool": "place_oder", "kind": "error", "when": {"nth": 1}}, "no tool 'place_oder'"),
        ({"tool": "place_order", "kind": "error", "when": {}}, "neither or both"),
        ({"tool": "place_order", "kind": "error", "when": {"nth": 1, "probability": 0.1}}, "neither or both"),
        ({"tool": "place_order", "kind": "stale_read", "when": {"nth": 1}}, "place_order writes"),
        ({"tool": "check_stock", "kind": "commit_then_timeout", "when": {"nth": 1}}, "only reads"),
        ({"tool": "*", "kind": "fire", "when": {"nth": 1}}, "fire"),
        ({"tool": "*", "kind": "error", "when": {"probability": 2}}, "probability"),
    ],
)
def test_a_fault_that_can_never_strike_is_refused(written, rule, says):
    assert says in told(written, [item(faults={"rules": [rule]})]).problem


def test_a_start_of_an_unknown_table_is_refused_when_it_is_read(written):
    assert "no table 'money'" in told(written, [item(start={"state": {"money": {}}})]).problem


def test_a_start_that_no_tool_could_read_is_refused_when_it_is_read(written):
    error = told(written, [item(start={"state": {"orders": {"ORD-1": 5}}})])
    assert "orders, record 'ORD-1': is no object" in error.problem


@pytest.mark.parametrize(
    ("entry", "where"),
    [
        ({"added": {"table": "order"}}, "expect.state[0].added.table"),
        ({"changed": {"table": "order"}}, "expect.state[0].changed.table"),
        ({"unchanged": {"except": ["order"]}}, "expect.state[0].unchanged.except"),
    ],
)
def test_an_expectation_of_an_unknown_table_is_refused(written, entry, where):
    error = told(written, [item(expect={"state": [entry]})])
    assert f"{where}: there is no table 'order'" in error.problem
    assert error.fix == "did you mean orders?"


def test_a_goal_that_names_no_product_is_warned_of(written):
    file = written([item(goal='[{"name": "ананас", "qty": 1}]'), item(goal=GOAL)])
    (warning,) = file.warnings
    assert "no verdict on the state: ананас" in warning
    quiet = written([item(goal='[{"name": "ананас", "qty": 1}]', expect={"acts": "forbidden"})])
    assert quiet.warnings == ()


REFERENCE = [
    {"tool": "get_customer", "arguments": {"phone": "$CUSTOMER"}},
    {"tool": "add_to_cart", "arguments": {"sku": "MOLO-1", "qty": 1}},
    {"tool": "reserve_slot", "arguments": {"slot_id": "MSK-12"}},
    {"tool": "place_order", "arguments": {"phone": "$CUSTOMER"}},
]
PHONE = {"CUSTOMER_PHONE": "+79001112233"}


def test_a_reference_is_replayed_on_a_fresh_world(written):
    (case,) = written([item(goal=GOAL, variables=PHONE, expect={"reference": REFERENCE})])
    reached = case.target["expect"]["reached"]
    (order,) = reached["orders"]["added"].values()
    assert order["items"] == [{"sku": "MOLO-1", "qty": 1}]
    assert case.target["expect"]["ignored"]["sessions"] == ["*"]


def test_a_reference_that_fails_on_a_write_is_refused_unless_it_may(written):
    expect = {"reference": [*REFERENCE, {"tool": "place_order", "arguments": {"phone": "$CUSTOMER"}}]}
    error = told(written, [item(goal=GOAL, variables=PHONE, expect=expect)])
    assert "expect.reference[4]: place_order answers EMPTY_CART" in error.problem
    assert len(written([item(variables=PHONE, expect={**expect, "allow_reference_errors": True})])) == 1
    failing_read = {"reference": [{"tool": "check_stock", "arguments": {"sku": "NONE"}}]}
    assert len(written([item(expect=failing_read)])) == 1
    unknown = {"reference": [{"tool": "chek_stock", "arguments": {}}]}
    assert "UNKNOWN_TOOL" in told(written, [item(expect=unknown)]).problem


def test_what_is_said_in_an_expectation_without_a_state_leaves_the_state_to_the_goal(written):
    (case,) = written([item(goal=GOAL, expect={"says": [{"any_of": ["номер"]}]})])
    assert case.target == {"expect": {"says": [{"any_of": ["номер"]}]}}


def test_one_scenario_is_read_without_a_file():
    assert scenario_case(item("alone", GOAL), SHOP).name == "alone"
    with pytest.raises(UsageError, match=r'scenarios, scenario 0 "s", variabels'):
        scenario_case(item(variabels={}))


def test_yaml_is_read_by_its_own_rules(written):
    """YAML 1.2: `no` is a text; a date stays one where it is quoted."""
    document = YAML(typ="safe").load('- {name: "no", variables: {ORDER_GOAL: "[]", PERSONALITY: no}}')
    (case,) = written(json.dumps(document), "f.yaml")
    assert case.facts["PERSONALITY"] == "no"


def test_an_item_of_a_list_in_yaml_has_the_line_on_which_it_begins(written):
    text = "scenarios:\n- name: fine\n  variables: {}\n- 3\n"
    assert "f.yaml, line 4, scenario 1: is no object" in told(written, text, "f.yaml").problem


def test_cases_are_let_go_when_their_task_is_played_no_more(tmp_path):
    path = tmp_path / "f.json"
    path.write_text(json.dumps([item("a"), item("b")]), "utf-8")
    plan = Plan(task="phone_orders", models=(), data=str(path), exchange={"client": "rules"})
    task, _ = load_task(plan, Environment({}))
    assert len(task) == 2
    let_cases_go(task)
    assert len(task) == 0
    lines = Plan(task="arithmetic", models=())
    other, _ = load_task(lines, Environment({}))
    let_cases_go(other)
    assert len(other) > 0  # read by offsets: there is nothing to let go
