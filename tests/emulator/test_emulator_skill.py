import pytest

from assay.emulator.behaviour import Asked
from assay.emulator.index import Index, digest_of, entry
from assay.emulator.skill import AFTER_TOOLS, FALLBACK, Echo, Skill, is_right
from assay.keys import unit
from assay.message import Finish, Message, ToolCall, ToolSpec, say

CASES = [(say("user", f"question {n}"),) for n in range(400)]


@pytest.fixture
def index():
    return Index(filter(None, [entry(messages, n) for n, messages in enumerate(CASES)]))


@pytest.mark.parametrize("skill", [0.0, 0.5, 0.8, 0.95, 1.0])
def test_the_set_of_right_cases_is_exactly_what_the_hash_predicts(index, skill):
    model = Skill(skill, index)
    said = {n for n, m in enumerate(CASES) if model.answer(Asked("m", m, seed=7)).text == str(n)}
    predicted = {n for n, m in enumerate(CASES) if unit("skill", skill, digest_of(m), 7) < skill}
    assert said == predicted
    assert abs(len(said) / len(CASES) - skill) < 0.1


def test_another_seed_draws_another_set(index):
    model = Skill(0.5, index)
    sets = [[model.answer(Asked("m", m, seed=seed)).text for m in CASES] for seed in (1, 2, None)]
    assert sets[0] != sets[1] != sets[2]


def test_the_draw_looks_at_nothing_but_first_prompt_seed_and_skill(index):
    model = Skill(0.5, index)
    more = (*CASES[3], say("assistant", "?"), say("user", "again"))
    one = model.answer(Asked("m", CASES[3], seed=1))
    assert model.answer(Asked("other", more, seed=1, max_tokens=5, format="json_object")) == one


def test_a_prompt_that_the_index_does_not_hold_gets_the_fallback(index):
    answer = Skill(1.0, index).answer(Asked("m", (say("user", "unheard of"),)))
    assert answer.text == FALLBACK
    assert answer.truth == {"indexed": False, "right": None, "answer": None}


def test_the_truth_says_whether_it_is_right_and_what_would_be(index):
    seed = next(s for s in range(100) if not is_right(0.5, digest_of(CASES[7]), s))
    answer = Skill(0.5, index).answer(Asked("m", CASES[7], seed=seed))
    assert answer.truth == {"indexed": True, "right": False, "answer": "7"}
    assert answer.text != "7"


def test_calls_are_made_once_and_then_the_model_is_done():
    asked = (say("user", "weather?"),)
    made = entry(asked, {"calls": [{"name": "weather", "arguments": {"city": "Oslo"}}]})
    model = Skill(1.0, Index(filter(None, [made])))
    first = model.answer(Asked("m", asked))
    assert first.finish is Finish.TOOL_CALLS
    assert [(call.name, call.arguments) for call in first.tool_calls] == [("weather", '{"city":"Oslo"}')]
    result = Message("tool", (), tool_call_id=first.tool_calls[0].id)
    second = model.answer(Asked("m", (*asked, Message("assistant", (), first.tool_calls), result)))
    assert (second.text, second.tool_calls) == (AFTER_TOOLS, ())


def test_a_text_goes_through_the_tool_that_must_be_called(index):
    tool = ToolSpec("reply", "", {})
    answer = Skill(1.0, index).answer(Asked("m", CASES[5], tools=(tool,), tool_choice="reply"))
    assert answer.text == ""
    assert answer.tool_calls == (ToolCall(answer.tool_calls[0].id, "reply", "5"),)
    free = Skill(1.0, index).answer(Asked("m", CASES[5], tools=(tool,), tool_choice="auto"))
    assert free.text == "5"


def test_echo_says_the_last_user_message():
    assert (
        Echo().answer(Asked("echo", (say("user", "a"), say("assistant", "x"), say("user", "b")))).text == "b"
    )
    assert Echo().answer(Asked("echo", (say("system", "s"),))).text == ""
