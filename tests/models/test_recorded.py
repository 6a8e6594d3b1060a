"""Recorded and scripted models."""

from __future__ import annotations

import pytest

from assay.errors import CallError, ErrorClass
from assay.message import Finish, Instants, Reply, Request, say
from assay.models.recorded import RecordedModel
from assay.models.scripted import ScriptedModel
from assay.ports import Model

HELLO = Request((say("user", "hello"),))


async def test_a_recorded_model_answers_by_the_case_and_takes_no_time():
    model: Model = RecordedModel("recorded/a", {"c1": "42", "c2": ""})
    seen: list[str] = []
    reply = await model.ask(Request((say("user", "x"),), case="c1"), seen.append)
    assert (reply.text, reply.finish, reply.instants, seen) == ("42", Finish.STOP, Instants(), ["42"])
    assert (await model.ask(Request((), case="c2"))).text == ""
    assert not model.capabilities.timed


@pytest.mark.parametrize("case", ["c9", None])
async def test_a_case_without_a_recorded_answer_is_rejected_by_name(case):
    model = RecordedModel("recorded/a", {"c1": "42"})
    with pytest.raises(CallError, match=f"no recorded answer for case {case}") as caught:
        await model.ask(Request((), case=case))
    assert caught.value.error is ErrorClass.REJECTED


async def test_a_scripted_model_follows_its_lines_and_keeps_what_it_was_asked():
    fault = CallError(ErrorClass.OVERLOADED, "busy")
    model: Model = ScriptedModel("scripted", ["one", fault, Reply("two", finish=Finish.LENGTH)])
    assert (await model.ask(HELLO)).text == "one"
    with pytest.raises(CallError, match="busy"):
        await model.ask(HELLO)
    assert (await model.ask(HELLO)).finish is Finish.LENGTH
    with pytest.raises(CallError, match="no more lines"):
        await model.ask(HELLO)
    assert isinstance(model, ScriptedModel)
    assert model.requests == [HELLO] * 4


async def test_a_scripted_model_may_be_a_function_of_the_request():
    model = ScriptedModel("scripted", lambda request: request.messages[-1].text.upper())
    seen: list[str] = []
    assert (await model.ask(HELLO, seen.append)).text == "HELLO"
    assert seen == ["HELLO"]
    await model.close()
    assert model.closed
