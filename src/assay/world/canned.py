"""Tools without a function of their own: answers that were written down, or recorded elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from msgspec import Struct

from assay.keys import JSON, digest
from assay.world.tools import refused

if TYPE_CHECKING:
    from assay.world.overlay import Overlay


class Canned(Struct, frozen=True, forbid_unknown_fields=True):
    """One answer; with `when` only to calls that hold these arguments, however often."""

    answer: JSON
    when: dict[str, JSON] | None = None


class Scripted:
    """Answers by argument where an answer says `when`, else in their order; the last one stays."""

    __slots__ = ("_by_argument", "_in_order", "_name")

    def __init__(self, name: str, answers: Iterable[Canned]) -> None:
        every = list(answers)
        self._name = name
        self._by_argument = [each for each in every if each.when is not None]
        self._in_order = [each.answer for each in every if each.when is None]

    def __call__(self, overlay: Overlay, **arguments: JSON) -> JSON:
        for each in self._by_argument:
            if all(arguments.get(key) == value for key, value in (each.when or {}).items()):
                return each.answer
        if not self._in_order:
            return refused("UNAVAILABLE", f"{self._name} has no answer to these arguments")
        return self._in_order[min(overlay.count(f"scripted.{self._name}"), len(self._in_order)) - 1]


class Replayed:
    """Answers as they were recorded: the nth call with equal arguments gets their nth answer, and
    the last one stays. What was never asked has no answer.
    """

    __slots__ = ("_answers", "_name")

    def __init__(self, name: str, recorded: Iterable[tuple[Mapping[str, JSON], JSON]]) -> None:
        self._name = name
        self._answers: dict[str, list[JSON]] = {}
        for arguments, answer in recorded:
            self._answers.setdefault(digest(dict(arguments)), []).append(answer)

    def __call__(self, overlay: Overlay, **arguments: JSON) -> JSON:
        key = digest(arguments)
        answers = self._answers.get(key)
        if answers is None:
            return refused("UNAVAILABLE", f"nothing is recorded of {self._name} with these arguments")
        return answers[min(overlay.count(f"replayed.{self._name}.{key}"), len(answers)) - 1]
