"""Many tests at once: p-values adjusted for the share of false discoveries. Holm's are in `paired`."""

from __future__ import annotations

from collections.abc import Sequence


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """The p-values adjusted for the false discovery rate, in the order given.

    The k-th smallest of m becomes the least of (m / j) p_(j) over j >= k, at most 1: Benjamini and
    Hochberg, J. R. Stat. Soc. B 57 (1995). Calling those below q discoveries keeps the expected
    share of false ones at q or less where the tests are independent or positively dependent. It is
    for exploring; a gate takes `paired.holm`, which bounds the chance of any false alarm.
    """
    m, ceiling = len(p_values), 1.0
    adjusted = [0.0] * m
    falling = sorted(range(m), key=p_values.__getitem__, reverse=True)
    for above, index in enumerate(falling):
        ceiling = min(ceiling, m / (m - above) * p_values[index])
        adjusted[index] = ceiling
    return adjusted
