"""One request, one reply: what a model cannot be held to, and how likely it takes the target to be."""

from msgspec import structs

from assay.case import Case
from assay.errors import CallError, ErrorClass
from assay.exchanges.single import Single
from assay.keys import JSON
from assay.message import Reply, ToolCall
from assay.ports import Capabilities
from assay.trial import EventKind

CASE = Case("id", "name", "question", {"a": 1}, {"type": "object"})


class Seat:
    """Says its replies in order and keeps what it was asked."""

    role = "candidate"

    def __init__(self, *replies, **capabilities) -> None:
        self.replies = list(replies)
        self.capabilities = structs.replace(Capabilities(), **capabilities)
        self.asked: list[dict[str, JSON]] = []

    async def ask(self, messages, **how):
        self.asked.append(how)
        reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply


class Table:
    def __init__(self, seat) -> None:
        self.seats = {"candidate": seat}

    def emit(self, event) -> None:
        """Nobody watches."""


async def play(exchange, *replies, case=CASE, **capabilities):
    seat = Seat(*replies, **capabilities)
    return await exchange.play(case, Table(seat)), seat


async def test_a_model_that_can_is_held_to_the_schema():
    transcript, seat = await play(Single(response="json_schema"), Reply("{}"))
    assert seat.asked == [{"tools": (), "format": "json_schema", "schema": {"type": "object"}}]
    assert transcript.outcome.detail == ""


async def test_a_model_that_cannot_is_asked_by_the_prompt_alone_and_the_outcome_says_so():
    transcript, seat = await play(Single(response="json_schema"), Reply("{}"), json_schema=False)
    assert seat.asked == [{"tools": ()}]
    assert transcript.outcome.detail == "asked by the prompt alone: the model takes no json_schema"
    transcript, seat = await play(Single(response="tool"), Reply("{}"), tools=False)
    assert seat.asked == [{"tools": ()}]


async def test_the_arguments_of_the_reply_tool_are_the_reply():
    call = ToolCall("c", "reply", '{"a": 1}')
    transcript, _ = await play(Single(response="tool"), Reply("", (call,)))
    assert transcript.final is not None
    assert transcript.final.text == '{"a": 1}'


async def test_a_model_that_can_is_also_asked_how_likely_the_target_is():
    told = Reply(logprobs=(-1.0, -2.0), call="candidate.1.1")
    transcript, seat = await play(Single(likelihood=True), Reply("no"), told, likelihood=True)
    assert seat.asked[1] == {"continuation": '{"a": 1}'}
    event = transcript.events[-1]
    assert (event.kind, event.call) == (EventKind.LIKELIHOOD, "candidate.1.1")
    assert event.data == {"of": '{"a": 1}', "logprobs": [-1.0, -2.0]}
    assert transcript.final is not None
    assert transcript.final.text == "no"


async def test_one_that_cannot_is_not_asked_and_the_transcript_says_why():
    transcript, seat = await play(Single(likelihood=True), Reply("no"))
    assert len(seat.asked) == 1
    assert "gives no log-probabilities" in transcript.events[-1].data["missing"]


async def test_a_likelihood_that_fails_leaves_the_reply():
    failure = CallError(ErrorClass.CONTEXT_OVERFLOW, "too long")
    transcript, _ = await play(Single(likelihood=True), Reply("no"), failure, likelihood=True)
    assert transcript.outcome.reason == "answered"
    assert "too long" in transcript.events[-1].data["missing"]


async def test_without_a_target_nothing_is_asked_of_it():
    transcript, seat = await play(
        Single(likelihood=True), Reply("no"), case=Case("i", "n", "q"), likelihood=True
    )
    assert len(seat.asked) == 1
    assert transcript.events[-1].kind is EventKind.SAID


def test_only_a_likelihood_changes_what_enters_the_play_key():
    assert Single().spec == ["single", [None, None], "prompt", None]
    assert Single(likelihood=True).spec == [*Single().spec, "likelihood"]
