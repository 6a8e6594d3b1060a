"""One situation and what a good outcome is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from msgspec import Struct, structs, to_builtins

from assay.keys import JSON, digest, plain_text
from assay.message import Message, ToolSpec


class Case(Struct, frozen=True, omit_defaults=True):
    """One situation. `input`, `schema`, `tools` and `facts` are sent; `target` and `tags` never are.

    `id` is the identity: 16 hex digits over the sent parts (and an occurrence index where equal
    cases repeat), so that a cosmetic change of the file keeps it. `name` is what the file calls
    the case. `facts` are named values for prompts and worlds; `target` is what scorers compare
    with; `tags` are the slices.
    """

    id: str
    name: str
    input: str | tuple[Message, ...] = ""
    target: JSON = None
    schema: JSON = None
    tools: tuple[ToolSpec, ...] = ()
    tags: dict[str, str] = {}
    facts: dict[str, JSON] = {}

    @property
    def input_text(self) -> str:
        """The input as one text: what a prompt's {{INPUT}} stands for."""
        if isinstance(self.input, str):
            return self.input
        return "\n".join(message.text for message in self.input)

    @property
    def target_text(self) -> str | None:
        """The target as a reply would say it: of several accepted ones the first, other values as JSON."""
        target = self.target
        if isinstance(target, dict) and list(target) == ["any_of"] and isinstance(target["any_of"], list):
            target = target["any_of"][0] if target["any_of"] else None
        return target if target is None or isinstance(target, str) else plain_text(target)


def case_id(case: Case, occurrence: int = 0) -> str:
    """The identity of a case: 16 hex digits over its sent parts and its occurrence index."""
    sent = [to_builtins(case.input), case.schema, to_builtins(case.tools), case.facts]
    return digest(sent if not occurrence else [*sent, occurrence], 16)


def identified(cases: Iterable[Case]) -> Iterator[Case]:
    """The cases with their identities; equal ones differ by occurrence index."""
    seen: Counter[str] = Counter()
    for case in cases:
        first = case_id(case)
        occurrence = seen[first]
        seen[first] += 1
        yield structs.replace(case, id=first if not occurrence else case_id(case, occurrence))
