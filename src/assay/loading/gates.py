"""Reads gates.yaml: limits with their units, each checked and placed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TypeVar

from msgspec import UNSET, Struct, UnsetType

from assay.errors import UsageError
from assay.keys import JSON
from assay.loading import files
from assay.reports.gate import BASELINE, COST, FIXED, Allowed, Gate, Gating
from assay.reports.reading import TIMES, Tag

MOST_GATES = 200

Amount = float | str

T = TypeVar("T")


class GateForm(Struct, frozen=True, forbid_unknown_fields=True):
    """A gate as it is written. Just one of `min`, `max`, `max_drop` is given."""

    metric: str
    min: Amount | None = None
    max: Amount | None = None
    max_drop: Amount | None = None
    versus: str | None = None
    slice: str | dict[str, str] | None = None
    model: str | None = None


class GatesForm(Struct, frozen=True, forbid_unknown_fields=True):
    """A gates.yaml with its own shares of errors and cut answers; a plain list has the defaults."""

    gates: tuple[GateForm, ...]
    max_errors: Amount | UnsetType = UNSET
    max_cut: Amount | UnsetType = UNSET


class Gates(Struct, frozen=True):
    """The gates of a file, and what it allows."""

    path: Path
    gates: tuple[Gate, ...]
    allowed: Allowed


def read_gates(path: Path) -> Gates:
    """Reads a gates.yaml. Raises UsageError naming file, line and remedy."""
    value, text = files.read_yaml(path)
    value = {"gates": value} if isinstance(value, list) else value
    if not isinstance(value, dict):
        raise UsageError(f"{path}: no list of gates", fix="begin with - {metric: NAME, min: 0.85}")
    listed = value.get("gates")
    given = listed if isinstance(listed, list) else []
    lines = _lines(text)
    near = len(lines) == len(given)
    places = [f"{path}, line {lines[n]}" if near else f"{path}, gate {n + 1}" for n in range(len(given))]
    forms = [_convert(item, GateForm, place, "") for item, place in zip(given, places, strict=True)]
    whole = _convert(value, GatesForm, str(path), text)
    if not 0 < len(forms) <= MOST_GATES:
        problem = "no gates" if not forms else f"{len(forms)} gates"
        raise UsageError(f"{path}: {problem}", fix=f"write 1 to {MOST_GATES} gates, see docs/gates.md")
    gates = tuple(_gate(form, place) for form, place in zip(forms, places, strict=True))
    return Gates(path, gates, _allowed(whole, path))


def _convert(value: JSON, into: type[T], where: str, text: str) -> T:
    try:
        return files.convert(value, into, Path(where), text)
    except UsageError as bad:
        fix = bad.fix.replace("docs/plans.md", "docs/gates.md")
        raise UsageError(bad.problem, fix=fix, excerpt=bad.excerpt) from None


def _lines(text: str) -> list[int]:
    """The lines that gates begin on, as far as they are written one after the other."""
    return [n for n, line in enumerate(text.splitlines(), 1) if re.match(r"\s*-\s", line)]


def _gate(form: GateForm, where: str) -> Gate:
    given = {
        name: getattr(form, name) for name in ("min", "max", "max_drop") if getattr(form, name) is not None
    }
    if len(given) != 1:
        said = " and ".join(given) or "no limit"
        raise UsageError(f"{where}: {form.metric}: {said}", fix="give just one of min, max, max_drop")
    ((name, amount),) = given.items()
    drop = name == "max_drop"
    if drop and form.metric in FIXED:
        raise UsageError(f"{where}: {form.metric} has no max_drop", fix="give a max, or name a score")
    if form.versus is not None and not drop:
        raise UsageError(
            f"{where}: versus without max_drop", fix="write {metric: NAME, max_drop: 0.02, versus: BASELINE}"
        )
    limit = _number(amount, form.metric, where)
    if drop and limit < 0:
        raise UsageError(
            f"{where}: max_drop is {limit:g}", fix="give a max_drop of 0 or more: 0.02 is two points"
        )
    return Gate(
        metric=form.metric,
        sense="min" if name != "max" else "max",
        limit=-limit if drop else limit,
        drop=drop,
        versus=form.versus or BASELINE,
        slice=_tag(form.slice, where),
        model=form.model,
        where=where,
    )


_UNITS = {"": 1.0, "s": 1.0, "ms": 1e-3, "min": 60.0}


def _number(amount: Amount, metric: str, where: str) -> float:
    """A limit as a number: seconds for times, dollars for costs, shares of 1 for the rest."""
    if not isinstance(amount, str):
        return float(amount)
    is_time = metric.rpartition("_p")[0] in TIMES
    found = re.fullmatch(r"\s*(\$?)(\d{1,12}(?:\.\d{1,12})?)\s*(%|[a-z]*)\s*", amount, flags=re.ASCII)
    if found is not None:
        dollar, digits, unit = found.groups()
        if is_time and not dollar and unit in _UNITS:
            return float(digits) * _UNITS[unit]
        if not is_time and unit in ("", "%") and (not dollar or (metric == COST and not unit)):
            return float(digits) / (100 if unit else 1)
    wanted = "2s, 300ms or 1.5min" if is_time else "0.002 or $0.002" if metric == COST else "0.85 or 85%"
    raise UsageError(f"{where}: {metric}: {amount!r} is no limit", fix=f"write it as {wanted}")


def _tag(given: str | dict[str, str] | None, where: str) -> Tag | None:
    if given is None:
        return None
    pairs = list(given.items()) if isinstance(given, dict) else [tuple(given.partition("=")[::2])]
    if len(pairs) != 1 or not all(pairs[0]):
        raise UsageError(f"{where}: slice {given!r} is not TAG=VALUE", fix="write slice: difficulty=hard")
    return pairs[0][0], pairs[0][1]


def _allowed(form: GatesForm, path: Path) -> Allowed:
    allowed = Allowed()
    errors = allowed.errors if form.max_errors is UNSET else _number(form.max_errors, "max_errors", str(path))
    cut = allowed.cut if form.max_cut is UNSET else _number(form.max_cut, "max_cut", str(path))
    for name, share in (("max_errors", errors), ("max_cut", cut)):
        if not 0 <= share <= 1:
            raise UsageError(f"{path}: {name} is {share:g}", fix="give a share from 0 to 1")
    return Allowed(errors, cut)


def check_gates(gates: Gates, gating: Gating) -> None:
    """Refuses metrics, slices and models that the run does not have, with what was probably meant."""
    metrics, tags, models = gating.metrics(), gating.tags(), gating.models()
    for gate in gates.gates:
        if gate.metric not in metrics and gating.scored():
            fix = files.did_you_mean(gate.metric, metrics)
            raise UsageError(f"{gate.where}: unknown metric {gate.metric!r}", fix=fix)
        if gate.slice is not None and tags and "=".join(gate.slice) not in tags:
            wanted = "=".join(gate.slice)
            raise UsageError(f"{gate.where}: no case has {wanted}", fix=files.did_you_mean(wanted, tags))
        if gate.model is not None and gate.model not in models:
            fix = files.did_you_mean(gate.model, models)
            raise UsageError(f"{gate.where}: the run has no model {gate.model!r}", fix=fix)
