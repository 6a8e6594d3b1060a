"""The best pairing of two lists: the Hungarian method."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf


def best_assignment(worth: Sequence[Sequence[float]]) -> list[tuple[int, int]]:
    """The pairs (row, column) of greatest total worth, each row and column used once at most.

    O(n^2 m) with potentials, for any rectangle (Kuhn 1955; the shortest augmenting path form of
    Jonker and Volgenant 1987).
    """
    if not worth or not worth[0]:
        return []
    if len(worth) > len(worth[0]):
        turned = [list(column) for column in zip(*worth, strict=True)]
        return sorted((row, column) for column, row in best_assignment(turned))
    rows, columns = len(worth), len(worth[0])
    row_price = [0.0] * (rows + 1)
    column_price = [0.0] * (columns + 1)
    holder = [0] * (columns + 1)
    for row in range(1, rows + 1):
        holder[0] = row
        _augment(worth, row_price, column_price, holder)
    return sorted((holder[column] - 1, column - 1) for column in range(1, columns + 1) if holder[column])


def _augment(
    worth: Sequence[Sequence[float]], row_price: list[float], column_price: list[float], holder: list[int]
) -> None:
    """Finds a place for the row that column 0 holds, moving others along the cheapest path."""
    count = len(column_price)
    least, before, done = [inf] * count, [0] * count, [False] * count
    column = 0
    while holder[column]:
        done[column] = True
        row, step, following = holder[column], inf, 0
        for other in range(1, count):
            if done[other]:
                continue
            cost = -worth[row - 1][other - 1] - row_price[row] - column_price[other]
            if cost < least[other]:
                least[other], before[other] = cost, column
            if least[other] < step:
                step, following = least[other], other
        for other in range(count):
            if done[other]:
                row_price[holder[other]] += step
                column_price[other] -= step
            else:
                least[other] -= step
        column = following
    while column:
        holder[column] = holder[before[column]]
        column = before[column]
