from msgspec import structs

from assay.case import Case, case_id, identified
from assay.message import ToolSpec, say

CASE = Case(id="", name="a", input="What?", target="x", tags={"d": "easy"})


def test_what_is_never_sent_is_not_in_the_identity():
    for change in ({"target": "y"}, {"tags": {}}, {"name": "b"}, {"id": "z"}):
        assert case_id(structs.replace(CASE, **change)) == case_id(CASE)


def test_each_sent_part_is_in_the_identity():
    changes = (
        {"input": "Which?"},
        {"input": (say("user", "What?"),)},
        {"schema": {"type": "object"}},
        {"tools": (ToolSpec("t", "", {}),)},
        {"facts": {"SEED": 1}},
    )
    ids = {case_id(structs.replace(CASE, **change)) for change in changes}
    assert len(ids) == len(changes)
    assert case_id(CASE) not in ids


def test_equal_cases_differ_by_occurrence_and_keep_their_first_identity():
    other = structs.replace(CASE, input="Else?")
    first, second, third = identified([CASE, other, CASE])
    assert first.id == case_id(CASE)
    assert second.id == case_id(other)
    assert third.id not in {first.id, second.id}


def test_the_text_of_a_dialogue_is_its_messages():
    assert Case(id="", name="", input=(say("user", "a"), say("assistant", "b"))).input_text == "a\nb"
