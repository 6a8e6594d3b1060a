"""Scenario documents and their items, as cases."""

import pytest

from assay.errors import UsageError
from assay.exchanges.conversation import scenario_case, scenarios
from assay.loading.tasks import BUILT_IN
from assay.loading.worlds import read_world

SHOP = read_world(BUILT_IN / "phone_orders" / "world.yaml")
CLASSIC = {"PERSONALITY": "спокойный", "AMB_LEVEL": 0, "PATIENCE": 2, "CURRENT_DATE": "2025-06-08 Sunday"}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"ORDER_GOAL": "[{"}, "ORDER_GOAL is not JSON at character 2"),
        ({"AMB_LEVEL": 7}, "AMB_LEVEL is '7'"),
        ({"SEED": -1}, "SEED"),
        ({"CURRENT_DATE": "2025-06-08 Monday"}, "that day is a Sunday"),
        ({"CURRENT_DATE": "tomorrow"}, "is no date"),
    ],
)
def test_a_bad_scenario_is_refused_with_its_place_and_name(change, says):
    item = {"name": "s", "variables": {**CLASSIC, "ORDER_GOAL": "[]", **change}}
    with pytest.raises(UsageError, match=r"f\.json, scenario 3 \(s\)") as told:
        scenario_case(item, SHOP, "f.json, scenario 3")
    assert says in told.value.problem


def test_unknown_keys_of_a_scenario_are_refused():
    with pytest.raises(UsageError, match="variabels"):
        scenario_case({"name": "s", "variables": {}, "variabels": {}})


def test_a_document_without_scenarios_is_refused():
    with pytest.raises(UsageError, match="no list of scenarios"):
        scenarios({"cases": []})


def test_traits_and_tags_are_slices_and_the_clients_sheet_is_a_fact():
    item = {
        "name": "s",
        "tags": ["reorder"],
        "variables": {**CLASSIC, "ORDER_GOAL": "[]"},
        "client": {"delivery": "завтра"},
        "start": {"state": {"products": {"FILE-1": {"stock": 0}}}},
        "expect": {"acts": "forbidden"},
    }
    case = scenario_case(item, SHOP)
    assert case.tags == {"reorder": "reorder", "personality": "спокойный", "ambiguity": "0", "patience": "2"}
    assert case.facts["CLIENT"] == {"delivery": "завтра"}
    assert case.facts["START"] == {"products": {"FILE-1": {"stock": 0}}}
    assert case.target == {"expect": {"acts": "forbidden"}}


def test_a_start_of_an_unknown_table_is_refused_when_it_is_read():
    item = {"name": "s", "variables": {**CLASSIC, "ORDER_GOAL": "[]"}, "start": {"state": {"money": {}}}}
    with pytest.raises(UsageError, match="no table 'money'"):
        scenario_case(item, SHOP)
