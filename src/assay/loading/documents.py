"""Where the parts of a document stand: items of a scenario file with their places, for errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from assay.errors import UsageError
from assay.keys import JSON
from assay.loading import files
from assay.loading.misfits import dotted, pointer

if TYPE_CHECKING:  # loaded where a YAML file is read
    from ruamel.yaml.nodes import Node

MAX_NODES = 1_000_000
"""Values of a YAML document, counted as often as aliases repeat them."""

Keys = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a document: its value, its index, and where that stands.

    `keys` lead from the document's root to the item; `lines` gives the line of a place (from 1) by
    JSON pointer, where the format has lines.
    """

    value: JSON
    index: int = 0
    origin: str = "scenarios"
    keys: Keys = ()
    lines: Mapping[str, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        name = self.value.get("name") if isinstance(self.value, Mapping) else None
        return name if isinstance(name, str) else ""

    def place(self, keys: Sequence[str | int] = ()) -> str:
        """`scenarios.yaml, line 12, scenario 4 "angry_reorder", variables.ORDER_GOAL`."""
        line = self._line((*self.keys, *keys))
        parts = [self.origin, f"line {line}" if line else "", f"scenario {self.index}{self._called}"]
        return ", ".join(part for part in (*parts, dotted(keys)) if part)

    def error(
        self, keys: Sequence[str | int], problem: str, fix: str, excerpt: str | None = None
    ) -> UsageError:
        """What is wrong at a place within the item."""
        whole = pointer((*self.keys, *keys))
        return UsageError(f"{self.place(keys)}: {problem}", fix=fix, excerpt=excerpt, pointer=whole)

    @property
    def _called(self) -> str:
        return f' "{self.name[:80]}"' if self.name else ""

    def _line(self, keys: Keys) -> int | None:
        """The line of a place, or of the nearest one around it that has a line."""
        for end in range(len(keys), -1, -1):
            line = self.lines.get(pointer(keys[:end]))
            if line is not None:
                return line
        return None


def json_line_items(path: Path) -> Iterator[Item | UsageError]:
    """Each line of a JSON Lines file; one that cannot be read is its error."""
    index = 0
    try:
        with path.open("rb") as file:
            for number, raw in enumerate(file, 1):
                if not raw.strip():
                    continue
                try:
                    row = files.parse_row(raw, f"{path}, line {number}")
                    yield Item(row, index, str(path), lines={"": number})
                except UsageError as problem:
                    yield problem
                index += 1
    except OSError as failure:
        raise files.unreadable(path, failure) from None


def yaml_lines(text: str, origin: str) -> dict[str, int]:
    """The line (from 1) of every key and item of a YAML document, by JSON pointer.

    Raises UsageError for a document that aliases blow up.
    """
    from ruamel.yaml import YAML

    found: dict[str, int] = {}
    root = YAML(typ="safe", pure=True).compose(text)
    waiting: list[tuple[Keys, Node]] = [] if root is None else [((), root)]
    seen = 0
    while waiting:
        keys, node = waiting.pop()
        seen += 1
        if seen > MAX_NODES:
            raise UsageError(f"{origin}: more than {MAX_NODES} values", fix="use fewer aliases")
        found.setdefault(pointer(keys), node.start_mark.line + 1)
        waiting += _children(keys, node, found)
    return found


def _children(keys: Keys, node: Node, found: dict[str, int]) -> list[tuple[Keys, Node]]:
    """The values under a node; the line of a mapping's value is that of its key."""
    from ruamel.yaml.nodes import MappingNode, SequenceNode

    if isinstance(node, SequenceNode):
        return [((*keys, index), each) for index, each in enumerate(node.value)]
    if not isinstance(node, MappingNode):
        return []
    under: list[tuple[Keys, Node]] = []
    for key, value in node.value:
        below = (*keys, str(key.value))
        found.setdefault(pointer(below), key.start_mark.line + 1)
        under.append((below, value))
    return under
