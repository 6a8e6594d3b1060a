"""The rendered beginning of a dialogue: a system and a user template filled from a case."""

from __future__ import annotations

from dataclasses import dataclass

from assay.case import Case
from assay.keys import JSON
from assay.message import Message, say
from assay.templates import Template


@dataclass(frozen=True, slots=True)
class Prompt:
    """`user` defaults to the input as it is. A case whose input is messages keeps them as they are."""

    system: Template | None = None
    user: Template | None = None

    @property
    def spec(self) -> JSON:
        """What enters the play key: the templates' texts."""
        return [t.text if t is not None else None for t in (self.system, self.user)]

    def render(self, case: Case) -> tuple[Message, ...]:
        """The first messages: system (if any), then the user's."""
        values = {**case.facts, "INPUT": case.input_text}
        system = (say("system", self.system.render(values)),) if self.system is not None else ()
        if not isinstance(case.input, str):
            return (*system, *case.input)
        text = case.input if self.user is None else self.user.render(values)
        return (*system, say("user", text))
