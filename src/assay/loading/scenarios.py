"""Scenario files: the classic list or body, or JSON Lines, as the cases of a conversation task."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from assay.case import Case, identified
from assay.exchanges.conversation.scenario import scenario_case, scenarios
from assay.keys import JSON
from assay.loading import files
from assay.world.world import World


class ScenarioFile:
    """The scenarios of one file, each checked and completed from the world when it is opened."""

    def __init__(
        self,
        path: Path,
        world: World | None,
        *,
        offset: int = 0,
        limit: int | None = None,
        keep: Callable[[Case], bool] = lambda _: True,
    ) -> None:
        self.path = path
        kept = (case for case in self._read(world) if keep(case))
        self._cases = list(identified(kept))[offset:][:limit]

    def _read(self, world: World | None) -> Iterator[Case]:
        for where, item in _items(self.path):
            yield scenario_case(item, world, where)

    def __len__(self) -> int:
        return len(self._cases)

    def __iter__(self) -> Iterator[Case]:
        return iter(self._cases)

    def case(self, index: int) -> Case:
        return self._cases[index]


def _items(path: Path) -> Iterator[tuple[str, JSON]]:
    """Each item with its place, for errors."""
    if path.suffix.lower() == ".jsonl":
        for number, _, row in files.read_rows(path):
            yield f"{path}, line {number}", row
        return
    document = files.read_json(path)
    for index, item in enumerate(scenarios(document, str(path))):
        yield f"{path}, scenario {index}", item
