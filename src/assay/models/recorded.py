"""A model that answers from replies which were made before, by the case that asks."""

from __future__ import annotations

from collections.abc import Mapping

from assay.errors import CallError, ErrorClass
from assay.message import Finish, Reply, Request
from assay.ports import Capabilities, OnRead


class RecordedModel:
    """Answers each case with its recorded text: `answers` maps `Request.case` to it.

    It takes no time, so its calls are not timed. Raises CallError(REJECTED) for a case that has
    no answer.
    """

    def __init__(self, name: str, answers: Mapping[str, str]) -> None:
        self._name = name
        self._answers = answers

    @property
    def name(self) -> str:
        return self._name

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(timed=False)

    async def ask(self, request: Request, on_read: OnRead | None = None) -> Reply:
        """The recorded answer."""
        text = None if request.case is None else self._answers.get(request.case)
        if text is None:
            raise CallError(ErrorClass.REJECTED, f"no recorded answer for case {request.case}")
        if on_read is not None:
            on_read(text)
        return Reply(text, finish=Finish.STOP)

    async def close(self) -> None:
        """Nothing is held."""
