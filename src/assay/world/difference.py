"""What changed between two states of a world: by structure for scorers, in lines for people."""

from __future__ import annotations

import json
from collections.abc import Iterable

from assay.keys import JSON
from assay.world.tables import Row, thaw

MAX_SHOWN = 200
"""Characters of a value that a readable line shows."""


def difference(pairs: Iterable[tuple[str, str, Row | None, Row | None]]) -> JSON:
    """The difference of (table, key, before, after) records, tables and keys in order.

    `{table: {"added": {key: row}, "removed": {key: row},
    "changed": {key: {column: [before, after]}}}}`; what is equal is left out.
    """
    found: dict[str, dict[str, dict[str, JSON]]] = {}
    for table, key, before, after in sorted(pairs, key=lambda pair: pair[:2]):
        if before == after:
            continue
        here = found.setdefault(table, {"added": {}, "removed": {}, "changed": {}})
        if before is None:
            here["added"][key] = thaw(after)
        elif after is None:
            here["removed"][key] = thaw(before)
        else:
            columns = sorted({*before, *after})
            here["changed"][key] = {
                column: [thaw(before.get(column)), thaw(after.get(column))]
                for column in columns
                if before.get(column) != after.get(column)
            }
    return found


def readable(changes: JSON) -> list[str]:
    """One line a changed record: "orders: added ORD-00042 {...}"."""
    lines = []
    for table, kinds in changes.items():
        for kind in ("added", "removed"):
            lines += [f"{table}: {kind} {key} {shown(row)}" for key, row in kinds[kind].items()]
        for key, columns in kinds["changed"].items():
            parts = (f"{name} {shown(old)} -> {shown(new)}" for name, (old, new) in columns.items())
            lines.append(f"{table}: changed {key}: {', '.join(parts)}")
    return lines


def shown(value: JSON) -> str:
    """The value as JSON, cut where it is long."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "..."
