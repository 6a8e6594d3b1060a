"""Public sets in the files that they are published as: how rows are found, and what case a row is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from assay.case import Case
from assay.keys import JSON
from assay.loading.readers import bfcl, choice, squad

Rows = Callable[[Path], Iterator[tuple[str, dict[str, JSON]]]]
"""Each row of a file with its place, for errors."""


@dataclass(frozen=True, slots=True)
class Reader:
    """`case` makes a case of a row; `rows` finds the rows where a file is not read line by line."""

    case: Callable[[dict[str, JSON], str], Case]
    rows: Rows | None = None


READERS: Mapping[str, Reader] = MappingProxyType(
    {
        "bfcl": Reader(bfcl.case, bfcl.rows),
        "choice": Reader(choice.case),
        "squad": Reader(squad.case, squad.rows),
    }
)
"""The readers by the name that a task.yaml gives."""
