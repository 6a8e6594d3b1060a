import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.case import Case
from assay.emulator.index import ABSTAINED, Index, digest_of, entry
from assay.emulator.wrong import wrong_value
from assay.errors import UsageError
from assay.keys import JSON, canonical
from assay.message import Message, Reply, Text, say
from assay.scorers.exact import exact
from assay.scorers.structured import json_exact
from assay.scorers.text import numeric
from assay.trial import Outcome, Status, Transcript, Trial

ASKED = (say("system", "Be brief."), say("user", "How many?"))
LEAVES = (
    st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.floats(-1e6, 1e6) | st.text(max_size=20)
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


def trial_of(target: JSON, text: str) -> Trial:
    return Trial(
        run="r",
        key="k",
        case=Case("id", "name", target=target),
        model="m",
        repeat=0,
        seed=0,
        status=Status.PLAYED,
        transcript=Transcript((), Outcome("answered"), final=Reply(text)),
    )


def test_the_digest_is_of_system_text_and_first_user_message_alone():
    later = (*ASKED, say("assistant", "Three."), say("user", "Sure?"))
    split = (say("system", "Be brief."), Message("user", (Text("How "), Text("many?"))))
    assert digest_of(later) == digest_of(ASKED) == digest_of(split)
    assert digest_of(ASKED[1:]) != digest_of(ASKED)
    assert digest_of((say("user", "Be brief."), say("user", "How many?"))) != digest_of(ASKED)


@pytest.mark.parametrize(
    ("target", "right"),
    [
        ("seven", "seven"),
        (7, "7"),
        (0.5, "0.5"),
        (True, "true"),
        ({"any_of": ["7", "seven"]}, "7"),
        ({"qty": 2, "имя": "филе"}, '{"qty":2,"имя":"филе"}'),
        ([1, 2], "[1,2]"),
        ({"calls": []}, ABSTAINED),
    ],
)
def test_the_right_answer_is_the_target_as_a_text(target, right):
    made = entry(ASKED, target)
    assert made is not None
    assert made.right.text == right
    assert made.wrong != made.right


def test_of_several_allowed_arguments_the_first_is_said():
    rate = {"any_of": [0.2, 0.25], "optional": True}
    arguments = {"bill": {"any_of": [50]}, "rate": rate, "never": {"any_of": [], "optional": True}}
    made = entry((say("user", "x"),), {"calls": [{"name": "tip", "arguments": arguments}]})
    assert made.right.calls == (("tip", '{"bill":50,"rate":0.2}'),)
    assert json.loads(made.wrong.calls[0][1]) != {"bill": 50, "rate": 0.2}


def test_a_target_of_calls_becomes_tool_calls_and_a_wrong_argument():
    target = {"calls": [{"name": "tip", "arguments": {"bill": 50, "rate": 0.2}}]}
    made = entry(ASKED, target)
    assert made is not None
    assert made.right.calls == (("tip", '{"bill":50,"rate":0.2}'),)
    assert made.wrong.calls[0][0] == "tip"
    assert json.loads(made.wrong.calls[0][1]) != {"bill": 50, "rate": 0.2}
    ids = [call.id for call in made.right.tool_calls(made.digest)]
    assert ids == [f"call_{made.digest[:12]}_0"]


def test_a_case_without_a_target_is_not_in_the_index():
    index = Index()
    index.add(entry(ASKED, None))
    assert len(index) == 0


def test_of_equal_prompts_the_first_stays():
    index = Index(filter(None, [entry(ASKED, "1"), entry(ASKED, "2")]))
    found = index.find(digest_of(ASKED))
    assert found is not None
    assert found.right.text == "1"


@given(st.text(min_size=1, max_size=40).filter(str.strip))
def test_no_scorer_takes_a_wrong_text_for_right(target):
    made = entry(ASKED, target)
    assert made is not None
    trial = trial_of(target, made.wrong.text)
    assert exact().check(trial)[0].value is False
    assert numeric().check(trial)[0].value is not True


@given(st.integers() | st.floats(allow_nan=False, allow_infinity=False))
def test_no_scorer_takes_a_wrong_number_for_right_even_with_a_tolerance(target):
    made = entry(ASKED, target)
    assert made is not None
    trial = trial_of(target, made.wrong.text)
    assert exact().check(trial)[0].value is False
    assert numeric(rel=0.05, abs=0.5).check(trial)[0].value is False


@given(VALUES.filter(lambda value: isinstance(value, (dict, list))))
def test_no_scorer_takes_a_wrong_object_for_right(target):
    made = entry(ASKED, target)
    if "any_of" in target or "calls" in target or made is None:
        return
    assert json_exact().check(trial_of(target, made.right.text))[0].value is True
    assert json_exact().check(trial_of(target, made.wrong.text))[0].value is False


@given(st.lists(st.sampled_from(["A", "B", "C", "yes", "no", "12", "13", "14", "unknown"]), min_size=1))
def test_a_wrong_answer_is_none_of_the_accepted_ones(accepted):
    target = {"any_of": accepted}
    made = entry(ASKED, target)
    assert made is not None
    assert exact().check(trial_of(target, made.wrong.text))[0].value is False


@given(VALUES)
def test_the_wrong_value_is_the_same_at_every_call(value):
    assert canonical(wrong_value(value, [value], None)) == canonical(wrong_value(value, [value], None))


def test_a_wrong_object_still_obeys_the_schema_where_one_change_can():
    schema = {
        "type": "object",
        "properties": {"kind": {"enum": ["order", "invoice"]}, "total": {"type": "integer", "maximum": 40}},
        "required": ["kind", "total"],
        "additionalProperties": False,
    }
    assert wrong_value({"kind": "order", "total": 40}, [], schema) == {"kind": "invoice", "total": 40}
    plain = {
        **schema,
        "properties": {"kind": {"const": "order"}, "total": {"type": "integer", "maximum": 40}},
    }
    assert wrong_value({"kind": "order", "total": 40}, [], plain) == {"kind": "order", "total": 32}


def test_plausible_wrong_answers_are_of_the_same_kind():
    assert wrong_value("18", ["18"], None) == "22"
    assert wrong_value("$1,234.50", ["$1,234.50"], None) == "$1,481.50"
    assert wrong_value("Yes", ["Yes"], None) == "No"
    assert wrong_value("B", ["B"], None) == "C"


def test_an_index_is_read_back_from_its_lines():
    targets = ["seven", 7, {"a": [1]}, {"calls": [{"name": "f", "arguments": {"x": 1}}]}]
    asked = [(say("user", f"question {n}"),) for n in range(len(targets))]
    index = Index(filter(None, map(entry, asked, targets)))
    again = Index.from_lines(index.lines())
    assert list(again) == list(index)


@pytest.mark.parametrize("line", [b"{", b"[]", b'{"digest": 1}', b'{"digest":"d","right":{"calls":[1]}}'])
def test_a_bad_line_of_an_index_names_file_and_line(line):
    with pytest.raises(UsageError, match=r"known\.jsonl, line 2"):
        Index.from_lines([b'{"digest":"d","right":"x","wrong":"y"}', line], "known.jsonl")
