"""A scenario's matrix: one scenario for each combination of its factors' values, or for a choice of them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence

import msgspec
from msgspec import Struct, structs

from assay.keys import JSON, random_stream
from assay.loading.designs import Row, paired, pairs_of, sampled
from assay.loading.documents import Item
from assay.loading.misfits import did_you_mean, meant
from assay.loading.scenario_form import MAX_CELLS, MAX_PAIRS, MAX_TEXT, VARIABLE, Scenario

Factors = dict[str, list[JSON]]


class Choice(Struct, frozen=True):
    """Which combinations are played: all, `sample` of them, or so many that all pairs of values occur."""

    sample: int | None = None
    pairwise: bool = False
    seed: int = 0


WAYS = Choice.__struct_fields__


def cells(item: Item, scenario: Scenario) -> Iterator[tuple[Scenario, Mapping[str, JSON]]]:
    """The scenarios of a matrix, with the values of their factors; the scenario itself without one.

    A cell is called `calm_reorder[AMB_LEVEL=2,PERSONALITY=...]`, factors by name. Raises UsageError
    for what is no matrix and for more than MAX_CELLS cells.
    """
    if scenario.matrix is None:
        yield scenario, {}
        return
    choice = _choice(item, {name: scenario.matrix[name] for name in WAYS if name in scenario.matrix})
    factors = {
        name: _values(item, name, values)
        for name, values in sorted(scenario.matrix.items())
        if name not in WAYS
    }
    rows = list(_rows(item, choice, factors))
    if len(rows) * len(msgspec.json.encode(scenario.variables)) > MAX_TEXT:
        fix = "name fewer values, or shorten the variables"
        raise item.error(("matrix",), f"{len(rows)} cells of so much text", fix)
    for row in rows:
        cell = {name: values[place] for (name, values), place in zip(factors.items(), row, strict=True)}
        shown = ",".join(f"{name}={str(value)[:60]}" for name, value in cell.items())
        called = f"{scenario.name}[{shown}]"
        yield structs.replace(scenario, name=called, variables={**scenario.variables, **cell}), cell


def drawn(scenario: JSON) -> int:
    """How much there is to draw for the matrix of a scenario that nobody has checked yet: values of a
    sample, pairs of a covering array. A grid draws nothing.
    """
    matrix = scenario.get("matrix") if isinstance(scenario, dict) else None
    if not isinstance(matrix, dict):
        return 0
    sizes = [len(values) for values in matrix.values() if isinstance(values, list)]
    count = matrix.get("sample")
    if isinstance(count, int) and 0 < count <= MAX_CELLS:
        return count * len(sizes)
    pairs = pairs_of(sizes) if matrix.get("pairwise") is True else 0
    return pairs if pairs <= MAX_PAIRS else 0


def _rows(item: Item, choice: Choice, factors: Factors) -> Iterator[Row]:
    """The combinations that are played, by the places of the factors' values."""
    sizes = [len(values) for values in factors.values()]
    if choice.sample is not None:
        return iter(_sample(item, choice.sample, sizes, choice.seed))
    if choice.pairwise:
        return iter(_pairs(item, sizes, choice.seed))
    count = math.prod(sizes)
    if count > MAX_CELLS:
        fix = f"keep it to {MAX_CELLS}: name fewer values, or add sample: N or pairwise: true"
        raise item.error(("matrix",), f"{count} cells", fix)
    return itertools.product(*(range(size) for size in sizes))


def _sample(item: Item, count: int, sizes: Sequence[int], seed: int) -> list[Row]:
    whole = math.prod(sizes)
    if count > whole:
        problem = f"asks for {count} of {whole} combinations"
        raise item.error(("matrix", "sample"), problem, "leave sample out: the whole grid is played then")
    return sampled(sizes, count, random_stream(seed, "matrix", "sample"))


def _pairs(item: Item, sizes: Sequence[int], seed: int) -> list[Row]:
    if len(sizes) < 2:
        raise item.error(("matrix", "pairwise"), "needs two factors", "leave pairwise out")
    pairs, least = pairs_of(sizes), math.prod(sorted(sizes)[-2:])
    if pairs > MAX_PAIRS or least > MAX_CELLS:
        fix = f"keep it to {MAX_PAIRS} pairs and {MAX_CELLS} cells: name fewer values"
        raise item.error(("matrix",), f"{pairs} pairs of values, {least} cells at least", fix)
    return paired(sizes, random_stream(seed, "matrix", "pairwise"))


def _choice(item: Item, given: Mapping[str, JSON]) -> Choice:
    for name, value in given.items():
        whole = isinstance(value, int) and not isinstance(value, bool)
        if name == "sample" and not (whole and 1 <= value <= MAX_CELLS):
            fix = f"give how many combinations are played, 1 to {MAX_CELLS}"
            raise item.error(("matrix", name), f"is {str(value)[:40]!r}", fix)
        if name == "pairwise" and not isinstance(value, bool):
            raise item.error(("matrix", name), f"is {str(value)[:40]!r}", "write pairwise: true")
        if name == "seed" and not (whole and 0 <= value < 1 << 53):
            fix = "give a whole number from 0 to 2^53 - 1"
            raise item.error(("matrix", name), f"is {str(value)[:40]!r}", fix)
    choice = msgspec.convert(given, Choice)
    if choice.sample is not None and choice.pairwise:
        raise item.error(("matrix", "pairwise"), "stands beside sample", "keep one of the two")
    if "seed" in given and choice.sample is None and not choice.pairwise:
        raise item.error(
            ("matrix", "seed"), "draws nothing", "add sample: N or pairwise: true, or take it out"
        )
    return choice


def _values(item: Item, name: str, values: JSON) -> list[JSON]:
    if not VARIABLE.match(name):
        near = meant(name, WAYS)
        variables = ("PERSONALITY", "AMB_LEVEL", "PATIENCE")
        fix = f"did you mean {near}?" if near else did_you_mean(name.upper(), variables)
        raise item.error(("matrix", name), "is no variable's name", fix)
    if not isinstance(values, list):
        raise item.error(("matrix", name), "is no list of values", f"write {name}: [...]")
    if not values:
        raise item.error(("matrix", name), "has no values", "list at least one, or take the factor out")
    return values
