"""A played trial as scorers get it."""

from collections.abc import Callable

import pytest

from assay.case import Case
from assay.message import Finish, Reply, ToolCall, ToolSpec
from assay.trial import Outcome, Status, Transcript, Trial


def _played(  # one reply to one case
    text: str | None = "",
    target=None,
    *,
    calls=(),
    tools=(),
    schema=None,
    finish=Finish.STOP,
    refusal="",
) -> Trial:
    made = tuple(ToolCall(f"c{n}", name, arguments) for n, (name, arguments) in enumerate(calls))
    reply = None if text is None else Reply(text, made, finish, refusal=refusal)
    offered = tuple(ToolSpec(name, "", parameters) for name, parameters in tools)
    case = Case("id", "name", "question", target, schema, offered)
    end = Outcome("answered" if reply is not None else "max_turns")
    return Trial("run", "key", case, "m", 0, 7, Status.PLAYED, transcript=Transcript((), end, reply))


@pytest.fixture
def played() -> Callable[..., Trial]:
    return _played
