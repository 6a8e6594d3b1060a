"""A world's difference against an expectation: what is missing, unexpected or of a wrong value.

Compared by structure: lists as multisets, numbers by value, columns that the world calls ignored not
at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from assay.keys import JSON, canonical
from assay.scorers.expectation import Expected, Records, Unchanged
from assay.scorers.leaves import equal
from assay.world.difference import shown

ALL = "*"
"""Stands for every column of a table: none of them counts."""
NOTES: Mapping[str, Sequence[str]] = {"sessions": (ALL,)}
"""What does not count where a world does not say: the notes of the call itself."""

Ignored = Mapping[str, Sequence[str]]
"""The columns by table that no comparison counts."""


class Findings:
    """What is missing, unexpected or wrong, in readable lines; and how many slots are met."""

    __slots__ = ("met", "missing", "slots", "unexpected", "wrong_value")

    def __init__(self) -> None:
        self.missing: list[str] = []
        self.unexpected: list[str] = []
        self.wrong_value: list[str] = []
        self.slots = 0
        self.met = 0

    def slot(self, *, met: bool) -> None:
        self.slots += 1
        self.met += met

    @property
    def lists(self) -> dict[str, JSON]:
        return {"missing": self.missing, "unexpected": self.unexpected, "wrong_value": self.wrong_value}

    @property
    def reason(self) -> str:
        parts = (f"{name}: {'; '.join(lines)}" for name, lines in self.lists.items() if lines)
        return "; ".join(parts)


class Left:
    """What a play left: the difference by table, and the records as they are after it."""

    __slots__ = ("difference", "ignored", "journal")

    def __init__(self, state: JSON, ignored: Ignored) -> None:
        whole = state if isinstance(state, Mapping) else {}
        self.difference: JSON = whole.get("difference", {})
        self.journal: Sequence[JSON] = whole.get("journal", ())
        self.ignored = {**(whole.get("ignored") or NOTES), **ignored}

    def added(self, table: str) -> dict[str, JSON]:
        return dict(self.difference.get(table, {}).get("added", {}))

    def changed(self, table: str) -> dict[str, JSON]:
        """The changed records as they are after, whole where the journal holds them."""
        after = {w["key"]: w.get("after") or {} for w in self.journal if w["table"] == table}
        changed = self.difference.get(table, {}).get("changed", {})
        return {
            key: {**after.get(key, {}), **{name: pair[1] for name, pair in row.items()}}
            for key, row in changed.items()
        }

    def counts(self, table: str, columns: Iterable[str] = ()) -> bool:
        """Whether a change of these columns counts (of the table as such where none are named)."""
        ignored, columns = self.ignored.get(table, ()), list(columns)
        return ALL not in ignored and (not columns or any(name not in ignored for name in columns))

    @property
    def acts(self) -> list[JSON]:
        """The writes that count as acts: a call's own notes (its cart) are none."""
        return [write for write in self.journal if self.counts(write["table"])]


def compare(expected: Expected, left: Left, found: Findings) -> None:
    """Compares what was left with an expectation. A table that an entry speaks of is checked to the
    end: what changed there and no entry asked for is unexpected.
    """
    claimed: dict[str, set[tuple[str, str]]] = {}
    for entry in expected.state:
        if entry.added is not None:
            used = _records("added", entry.added, left.added(entry.added.table), found)
            claimed.setdefault(entry.added.table, set()).update(used)
        if entry.changed is not None:
            used = _records("changed", entry.changed, left.changed(entry.changed.table), found)
            claimed.setdefault(entry.changed.table, set()).update(used)
    for entry in expected.state:
        if entry.unchanged is not None:
            _unchanged(entry.unchanged, claimed, left, found)
    if expected.reached is not None:
        _reached(expected.reached, left, found)
    _acts(expected, left, found)


def _records(kind: str, wanted: Records, rows: Mapping[str, JSON], found: Findings) -> set[tuple[str, str]]:
    """Checks the records of one entry; returns those that it claims, matching or not."""
    here = {k: row for k, row in rows.items() if _fits(row, wanted.where)}
    count = 1 if wanted.count is None and wanted.match else wanted.count
    for path, value in wanted.match.items():
        values = [at(row, path) for row in here.values()]
        items = value.get("unordered") if isinstance(value, Mapping) else None
        if isinstance(items, list):
            for each in values or [[]]:
                _unordered(f"{wanted.table}.{path}", items, each, found)
            continue
        met = bool(values) and all(holds(value, each) for each in values)
        found.slot(met=met)
        if values and not met:
            saw = ", ".join(shown(each) for each in values)
            found.wrong_value.append(f"{wanted.table}.{path}: {saw}, wanted {shown(value)}")
    if count is not None:
        found.slot(met=len(here) == count)
        if len(here) < count:
            found.missing.append(f"{wanted.table}: {len(here)} {kind}, wanted {count} {shown(wanted.where)}")
        extra = list(here.items())[count:]
        found.unexpected += [f"{wanted.table}: {kind} {key} {shown(row)}" for key, row in extra]
    return {(kind, key) for key in here}


def _unordered(path: str, wanted: Sequence[JSON], have: JSON, found: Findings) -> None:
    """Compares multisets, whatever the order. An object that differs from a wanted one in one
    column only is a wrong value, not one missing and one unexpected.
    """
    left = list(have) if isinstance(have, list) else []
    open_: list[JSON] = []
    for item in wanted:
        match = next((n for n, each in enumerate(left) if holds(item, each)), None)
        found.slot(met=match is not None)
        if match is None:
            open_.append(item)
        else:
            left.pop(match)
    for item in open_:
        near = next((n for n, each in enumerate(left) if _near(item, each)), None)
        if near is None:
            found.missing.append(f"{path}: {shown(item)}")
        else:
            found.wrong_value.append(f"{path}: {shown(left.pop(near))}, wanted {shown(item)}")
    found.slot(met=not left)
    found.unexpected += [f"{path}: {shown(item)}" for item in left]


def _near(wanted: JSON, have: JSON) -> bool:
    if not isinstance(wanted, Mapping) or not isinstance(have, Mapping) or len(wanted) < 2:
        return False
    return sum(not holds(value, have.get(key)) for key, value in wanted.items()) == 1


def _unchanged(
    rule: Unchanged, claimed: Mapping[str, set[tuple[str, str]]], left: Left, found: Findings
) -> None:
    lines = []
    for table, kinds in left.difference.items():
        if table in rule.excepted or not left.counts(table):
            continue
        for kind, rows in kinds.items():
            for key, row in rows.items():
                counts = kind != "changed" or left.counts(table, row)
                if counts and (kind, key) not in claimed.get(table, set()):
                    lines.append(f"{table}: {kind} {key} {shown(row)}")
    found.slot(met=not lines)
    found.unexpected += [line for line in lines if line not in found.unexpected]


def _acts(expected: Expected, left: Left, found: Findings) -> None:
    """Whether anything was done at all."""
    acts = left.acts
    if expected.acts == "required":
        found.slot(met=bool(acts))
        if not acts:
            found.missing.append("any write at all")
    elif expected.acts == "forbidden":
        found.slot(met=not acts)
        found.unexpected += [f"{write['table']}: wrote {write['key']}" for write in acts]


def _reached(wanted: JSON, left: Left, found: Findings) -> None:
    """Whether the world is where the reference calls left it, columns that do not count apart."""
    before = len(found.unexpected)
    for table in sorted({*wanted, *left.difference}):
        if not left.counts(table):
            continue
        ignored = left.ignored.get(table, ())
        want, have = wanted.get(table, {}), left.difference.get(table, {})
        _new(table, want.get("added", {}), have.get("added", {}), ignored, found)
        _altered(table, want.get("changed", {}), have.get("changed", {}), ignored, found)
        gone, held = set(have.get("removed", {})), set(want.get("removed", {}))
        for key in sorted(held):
            found.slot(met=key in gone)
        found.missing += [f"{table}: removed {key}" for key in sorted(held - gone)]
        found.unexpected += [f"{table}: removed {key}" for key in sorted(gone - held)]
    found.slot(met=len(found.unexpected) == before)


def _new(table: str, want: JSON, have: JSON, ignored: Sequence[str], found: Findings) -> None:
    """New records as a multiset: their keys are the world's to give. The rest that is alike by a
    column at least is paired, and told column by column.
    """
    left = {key: _counted(row, ignored) for key, row in have.items()}
    open_ = []
    for row in (_counted(each, ignored) for each in want.values()):
        match = next((key for key, each in left.items() if _same(row, each)), None)
        found.slot(met=match is not None)
        if match is None:
            open_.append(row)
        else:
            del left[match]
    for row in open_:
        alike = {key: sum(_same(row.get(c), each.get(c)) for c in row) for key, each in left.items()}
        near = max(alike, key=lambda key: alike[key], default=None)
        if near is None or not alike[near]:
            found.missing.append(f"{table}: added {shown(row)}")
            continue
        other = left.pop(near)
        wrong = [c for c in sorted({*row, *other}) if not _same(row.get(c), other.get(c))]
        found.wrong_value += [
            f"{table}.{c} of {near}: {shown(other.get(c))}, wanted {shown(row.get(c))}" for c in wrong
        ]
    found.unexpected += [f"{table}: added {key} {shown(row)}" for key, row in left.items()]


def _altered(table: str, want: JSON, have: JSON, ignored: Sequence[str], found: Findings) -> None:
    for key in sorted({*want, *have}):
        wanted, became = _counted(want.get(key, {}), ignored), _counted(have.get(key, {}), ignored)
        for column in sorted({*wanted, *became}):
            place = f"{table}.{column} of {key}"
            if column not in wanted:
                found.unexpected.append(f"{place}: {shown(became[column][1])}")
                continue
            met = column in became and _same(wanted[column][1], became[column][1])
            found.slot(met=met)
            if column not in became:
                found.missing.append(f"{place}: {shown(wanted[column][1])}")
            elif not met:
                saw, sought = shown(became[column][1]), shown(wanted[column][1])
                found.wrong_value.append(f"{place}: {saw}, wanted {sought}")


def _counted(row: Mapping[str, JSON], ignored: Sequence[str]) -> dict[str, JSON]:
    return {name: value for name, value in row.items() if name not in ignored}


def _same(a: JSON, b: JSON) -> bool:
    return canonical(_sorted(a)) == canonical(_sorted(b))


def _sorted(value: JSON) -> JSON:
    """The value with its lists in one order, so that they compare as multisets."""
    if isinstance(value, Mapping):
        return {key: _sorted(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return sorted((_sorted(each) for each in value), key=canonical)
    return value


def _fits(row: JSON, where: Mapping[str, JSON]) -> bool:
    return all(holds(value, at(row, path)) for path, value in where.items())


def at(row: JSON, path: str) -> JSON:
    """The value at a dotted path; None where the path leads nowhere."""
    for part in path.split("."):
        row = row.get(part) if isinstance(row, Mapping) else None
    return row


def holds(wanted: JSON, have: JSON) -> bool:
    """Whether a value is what is wanted of it."""
    if not isinstance(wanted, Mapping):
        return equal(wanted, have)
    if "any_of" in wanted:
        return any(holds(each, have) for each in wanted["any_of"])
    if wanted.keys() & {"lte", "gte"}:
        try:
            return bool(have >= wanted.get("gte", have) and have <= wanted.get("lte", have))
        except TypeError:
            return False
    return isinstance(have, Mapping) and all(holds(value, have.get(key)) for key, value in wanted.items())
