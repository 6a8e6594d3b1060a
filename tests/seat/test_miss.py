"""Strict replay says what is not as it was recorded."""

from assay.message import Message, Request, Sampling, ToolSpec, say
from assay.seat.miss import difference

HELD = Request((say("system", "Be brief."), say("user", "Hello"), say("assistant", "Hi")))


def asked(*messages, **parts) -> Request:
    return Request(tuple(messages) or HELD.messages, **parts)


def test_the_first_message_that_differs_is_named_with_what_stood_there():
    told = difference(HELD, asked(say("system", "Be brief!"), say("user", "Bye"), HELD.messages[2]))
    assert told == "message 1 (system) differs: recorded 'Be brief.', now 'Be brief!'"


def test_a_long_message_is_shown_around_the_difference():
    long = "x" * 1000
    told = difference(asked(say("user", f"{long}old{long}")), asked(say("user", f"{long}new{long}")))
    assert "old" in told
    assert "new" in told
    assert len(told) < 400


def test_a_message_more_or_less_is_counted():
    assert difference(HELD, asked(*HELD.messages[:2])) == "it has 2 messages, the recorded one has 3"


def test_other_parts_of_the_request_are_named():
    tools = (ToolSpec("t", "", {}),)
    assert difference(HELD, asked(tools=tools, sampling=Sampling(seed=1))) == "tools, sampling differ"
    assert difference(HELD, HELD) == "the model differs"
    spoken = asked(Message("user", HELD.messages[0].content))
    assert difference(HELD, spoken) == "message 1 (user) differs: recorded as system"
