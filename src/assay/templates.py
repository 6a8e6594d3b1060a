r"""Prompt templates: `{{NAME}}`, `{NAME}`, `{{NAME|json}}` and `\{{`, and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping

from msgspec import Struct
from msgspec.structs import force_setattr

from assay.errors import UsageError
from assay.keys import JSON

SYSTEM_NAMES = frozenset({"LANGUAGE", "TOOLS", "CONVERSATION", "SESSION_ID", "STATE_DIFF", "RUBRIC", "INPUT"})
"""Names that the product itself fills."""

EVALUATOR_ONLY = frozenset({"CONVERSATION", "SESSION_ID", "STATE_DIFF", "RUBRIC"})
"""System names that only an evaluator's prompt may use."""

_NAME = r"[A-Z][A-Z0-9_]*"
_TOKEN = re.compile(rf"\\\{{\{{|\{{\{{({_NAME})(\|json)?\}}\}}|\{{({_NAME})\}}")


class Slot(Struct, frozen=True):
    """A place in a template that may stand for a value; `raw` is what it is where it does not."""

    name: str
    raw: str
    line: int
    as_json: bool = False


class Template(Struct, frozen=True):
    """A prompt's text with its slots found once. `origin` names its file in errors.

    A slot stands for a value only where its name has one or is declared (`known`); elsewhere it
    is literal text, so that JSON examples survive. Values are never scanned again.
    """

    text: str
    origin: str = "prompt"
    parts: tuple[str | Slot, ...] = ()

    def __post_init__(self) -> None:
        force_setattr(self, "parts", tuple(_parse(self.text)))

    @property
    def slots(self) -> tuple[Slot, ...]:
        """The slots in order, each time they occur."""
        return tuple(part for part in self.parts if isinstance(part, Slot))

    @property
    def names(self) -> tuple[str, ...]:
        """The slots' names in order of first appearance."""
        return tuple(dict.fromkeys(slot.name for slot in self.slots))

    def render(self, values: Mapping[str, JSON], known: Collection[str] = ()) -> str:
        """The text with its values: texts as they are, other values as JSON, None as nothing.

        Raises UsageError that lists file and line of every declared name without a value.
        """
        out: list[str] = []
        for part in self.parts:
            if isinstance(part, str):
                out.append(part)
            elif part.name in values:
                out.append(_shown(values[part.name], as_json=part.as_json))
            elif part.name in known:
                raise self._missing(values, known)
            else:
                out.append(part.raw)
        return "".join(out)

    def unused(self, declared: Iterable[str]) -> tuple[str, ...]:
        """The declared names that no slot uses, in their order: each is worth a warning."""
        used = set(self.names)
        return tuple(name for name in declared if name not in used)

    def unknown(self, known: Collection[str]) -> tuple[Slot, ...]:
        """The slots that will stay literal text: perhaps misspelt names."""
        return tuple(slot for slot in self.slots if slot.name not in known)

    def _missing(self, values: Mapping[str, JSON], known: Collection[str]) -> UsageError:
        missing = [s for s in self.slots if s.name not in values and s.name in known]
        places = ", ".join(f"{self.origin}:{slot.line} {slot.raw}" for slot in missing)
        names = ", ".join(dict.fromkeys(slot.name for slot in missing))
        return UsageError(
            f"no value for {places}",
            fix=f"give {names} in the case's variables, or write \\{{{{ for literal braces",
        )


def _parse(text: str) -> Iterable[str | Slot]:
    """Literal pieces and slots, in order."""
    at, line, counted, literal = 0, 1, 0, ""
    for found in _TOKEN.finditer(text):
        literal += text[at : found.start()]
        at = found.end()
        name = found[1] or found[3]
        if name is None:
            literal += "{{"
            continue
        line += text.count("\n", counted, found.start())
        counted = found.start()
        if literal:
            yield literal
            literal = ""
        yield Slot(name, found[0], line, found[2] is not None)
    if literal + text[at:]:
        yield literal + text[at:]


def _shown(value: JSON, *, as_json: bool) -> str:
    if as_json:
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False)
