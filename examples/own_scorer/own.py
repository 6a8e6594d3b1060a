"""A scorer and a model of one's own."""  # noqa: INP001  a user's folder, not a package

from __future__ import annotations

import re

from assay.message import Finish, Reply, Request
from assay.ports import Capabilities, OnRead
from assay.scorers.rule import Rule
from assay.trial import Score, Trial


def brief(*, words: int = 3) -> Rule:
    """A scorer: whether the reply has at most that many words."""

    def check(trial: Trial) -> tuple[Score, ...]:
        reply = trial.transcript.final
        if reply is None:
            return (Score("brief", value=False, reason="no reply"),)
        found = len(reply.text.split())
        return (Score("brief", value=found <= words, reason=f"{found} words"),)

    return Rule("brief", 1, {"words": words}, check)


class Adder:
    """A model that is no model: it adds the numbers that it finds in the question."""

    name = "adder"
    capabilities = Capabilities(stream=False, tools=False, timed=False)

    async def ask(self, request: Request, on_read: OnRead | None = None) -> Reply:
        del on_read  # nobody watches it write
        total = sum(int(digits) for digits in re.findall(r"\d+", request.messages[-1].text))
        return Reply(str(total), finish=Finish.STOP)

    async def close(self) -> None:
        """Holds nothing open."""


def adder() -> Adder:
    return Adder()
