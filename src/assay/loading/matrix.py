"""A scenario's matrix: one scenario for each combination of its factors' values."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping

from msgspec import structs

from assay.keys import JSON
from assay.loading.documents import Item
from assay.loading.misfits import did_you_mean
from assay.loading.scenario_form import MAX_CELLS, VARIABLE, Scenario

LATER = frozenset({"sample", "pairwise"})
"""Ways to choose among the combinations that are not there."""


def cells(item: Item, scenario: Scenario) -> Iterator[tuple[Scenario, Mapping[str, JSON]]]:
    """The scenarios of a grid, with the values of their factors; the scenario itself without one.

    A cell is called `calm_reorder[AMB_LEVEL=2,PERSONALITY=...]`, factors by name. Raises UsageError
    for a factor that is no variable's name and for more than MAX_CELLS cells.
    """
    if scenario.matrix is None:
        yield scenario, {}
        return
    factors = {name: _values(item, name, values) for name, values in sorted(scenario.matrix.items())}
    count = math.prod(len(values) for values in factors.values())
    if count > MAX_CELLS:
        raise item.error(("matrix",), f"{count} cells", f"keep it to {MAX_CELLS}: name fewer values")
    for values in itertools.product(*factors.values()):
        cell = dict(zip(factors, values, strict=True))
        shown = ",".join(f"{name}={str(value)[:60]}" for name, value in cell.items())
        called = f"{scenario.name}[{shown}]"
        yield structs.replace(scenario, name=called, variables={**scenario.variables, **cell}), cell


def _values(item: Item, name: str, values: list[JSON]) -> list[JSON]:
    if name in LATER:
        raise item.error(
            ("matrix", name), f"{name!r} is not there yet", "write out the grid: a list a factor"
        )
    if not VARIABLE.match(name):
        fix = did_you_mean(name.upper(), ("PERSONALITY", "AMB_LEVEL", "PATIENCE"))
        raise item.error(("matrix", name), "is no variable's name", fix)
    if not values:
        raise item.error(("matrix", name), "has no values", "list at least one, or take the factor out")
    return values
