"""Designs: which combinations of factors are played where not all of them are. Numbers in, numbers out."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from random import Random

Row = tuple[int, ...]
"""One combination: the place of each factor's value among its values."""


def sampled(sizes: Sequence[int], count: int, draw: Random) -> list[Row]:
    """A Latin hypercube over factors of these sizes: `count` rows, all different, in which the values of
    each factor occur equally often (as nearly as `count` lets them).

    Factors are dealt one after another, in drawn order, each in turn over the groups of rows that are
    equal so far: so the first k of them are as even together as each is alone, and rows stay different
    as long as `count` is at most the number of combinations. (M. D. McKay, R. J. Beckman, W. J. Conover,
    Technometrics 21, 1979; dealt in groups for factors of few values.)
    """
    order = list(range(len(sizes)))
    draw.shuffle(order)
    groups = [list(range(count))]
    rows = [[0] * len(sizes) for _ in range(count)]
    for factor in order:
        values = list(range(sizes[factor]))
        draw.shuffle(values)
        draw.shuffle(groups)
        turns = itertools.cycle(values)
        for group in groups:
            draw.shuffle(group)
            for row in group:
                rows[row][factor] = next(turns)
        groups = [part for group in groups for part in _parted(group, rows, factor)]
    draw.shuffle(rows)
    return [tuple(row) for row in rows]


def _parted(group: list[int], rows: Sequence[Sequence[int]], factor: int) -> Iterator[list[int]]:
    """The rows of a group by their value of one factor."""
    by_value: dict[int, list[int]] = {}
    for row in group:
        by_value.setdefault(rows[row][factor], []).append(row)
    yield from by_value.values()


def pairs_of(sizes: Sequence[int]) -> int:
    """How many pairs of values of two factors there are."""
    whole = sum(sizes)
    return (whole * whole - sum(size * size for size in sizes)) // 2


def paired(sizes: Sequence[int], draw: Random) -> list[Row]:
    """A covering array of strength 2: rows in which every value of every factor meets every value of
    every other one.

    Greedy: each row begins with a pair that is still to be met and takes for each further factor, in
    drawn order, the value that meets most. (D. M. Cohen et al., IEEE Trans. Software Eng. 23, 1997.)
    """
    if len(sizes) == 1:
        return [(value,) for value in range(sizes[0])]
    left = _Pairs(sizes)
    rows = []
    while (begun := left.first()) is not None:
        (a, value_a), (b, value_b) = begun
        row = {a: value_a, b: value_b}
        others = [factor for factor in range(len(sizes)) if factor not in row]
        draw.shuffle(others)
        for factor in others:
            row[factor] = left.best(row, factor, draw)
        left.meet(row)
        rows.append(tuple(row[factor] for factor in range(len(sizes))))
    return rows


class _Pairs:
    """The pairs that are still to be met: for a value of one factor, the values of another as bits."""

    def __init__(self, sizes: Sequence[int]) -> None:
        self._sizes = sizes
        places = [(factor, value) for factor, size in enumerate(sizes) for value in range(size)]
        self._bits = {place: [(1 << size) - 1 for size in sizes] for place in places}
        self._open = dict.fromkeys(itertools.combinations(range(len(sizes)), 2), 0)

    def first(self) -> tuple[tuple[int, int], tuple[int, int]] | None:
        """A pair that is still to be met: of the two factors that come first, the least values."""
        while self._open:
            a, b = next(iter(self._open))
            for value in range(self._open[a, b], self._sizes[a]):
                bits = self._bits[a, value][b]
                if bits:
                    self._open[a, b] = value
                    return (a, value), (b, (bits & -bits).bit_length() - 1)
            del self._open[a, b]
        return None

    def best(self, row: dict[int, int], factor: int, draw: Random) -> int:
        """The value of a factor that meets most of what stands in the row; a drawn one of several."""
        met = [0] * self._sizes[factor]
        for other, value in row.items():
            bits = self._bits[other, value][factor]
            while bits:
                low = bits & -bits
                met[low.bit_length() - 1] += 1
                bits ^= low
        most = max(met)
        return draw.choice([value for value, count in enumerate(met) if count == most])

    def meet(self, row: dict[int, int]) -> None:
        for (a, value_a), (b, value_b) in itertools.permutations(row.items(), 2):
            self._bits[a, value_a][b] &= ~(1 << value_b)
