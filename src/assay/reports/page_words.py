"""A page's sentences: the answer, the verdict with its reason, and settings as lines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from assay.keys import JSON
from assay.reports import wording
from assay.reports.page import Compared, Page

Kind = Literal["good", "warn", "bad", ""]


def answer(page: Page) -> str:
    """The answer in one sentence, with its figure, its interval and its n."""
    if not page.entries or all(entry.summary.headline.value is None for entry in page.entries):
        return "No trial has a score yet."
    if page.comparisons:
        return _compared(page)
    best = max(page.entries, key=lambda entry: entry.summary.headline.value or 0.0)
    found = best.summary.headline
    return f"{wording.model(best.label)}: {found.name} {wording.figure(found)} over {found.n} cases."


def _compared(page: Page) -> str:
    first = page.comparisons[0]
    a, b = (wording.model(page.entries[place].label) for place in (first.a, first.b))
    c = first.comparison
    if not c.shared:
        return f"{a} and {b} share no case: nothing can be compared."
    if len(page.comparisons) > 1:
        return _leading(page, b)
    if c.verdict == "cannot tell":
        return f"{b} and {a} cannot be told apart: {wording.points(c.difference)} on {c.shared} shared cases."
    return f"{b} is {c.verdict} than {a}: {wording.points(c.difference)} on {c.shared} shared cases."


def _leading(page: Page, leader: str) -> str:
    """One against several: the one is the best of the run, or each pair is of two runs."""
    told = [each for each in page.comparisons if decided(each) == "better"]
    if page.entries[0].letter:
        worse = sum(decided(each) == "worse" for each in page.comparisons)
        return f"Of {len(page.comparisons)} models {len(told)} got better from A to B and {worse} worse."
    if len(told) == len(page.comparisons):
        return f"{leader} is better than each of the other {len(told)}."
    if not told:
        return f"{leader} leads, but cannot be told apart from the next {len(page.comparisons)}."
    won = f"better than {len(told)} of {len(page.comparisons)} others"
    return f"{leader} leads: {won}, the rest cannot be told apart."


def decided(each: Compared) -> Literal["better", "worse", "cannot tell"]:
    """The comparison's verdict, kept only where the adjusted p-value keeps it."""
    if each.p_adjusted is not None and each.p_adjusted >= 0.05:
        return "cannot tell"
    return each.comparison.verdict


def verdict(page: Page) -> tuple[str, str, Kind]:
    """The word, its reason and its kind; no word where nothing was compared."""
    if not page.comparisons:
        return "", "", ""
    first = page.comparisons[0]
    c = first.comparison
    if len(page.comparisons) > 1:
        open_ended = sum(decided(each) == "cannot tell" for each in page.comparisons)
        if open_ended:
            reason = f"{open_ended} of {len(page.comparisons)} comparisons are open after Holm's adjustment"
            return "CANNOT TELL", reason, "warn"
        return "DECIDED", f"all {len(page.comparisons)} comparisons, after Holm's adjustment", "good"
    if c.verdict == "cannot tell":
        more = f"; about {c.more_cases} more cases like these would tell" if c.more_cases else ""
        return "CANNOT TELL", f"{c.reason}{more}", "warn"
    return c.verdict.upper(), c.reason, "good" if c.verdict == "better" else "bad"


def leaves(value: JSON, where: str = "") -> list[tuple[str, str]]:
    """The scalar leaves of a JSON value by JSON pointer, in their order."""
    if isinstance(value, Mapping):
        items = [(str(key), item) for key, item in value.items()]
    elif isinstance(value, (list, tuple)):
        items = [(str(place), item) for place, item in enumerate(value)]
    else:
        return [(where or "/", str(value))]
    return [leaf for key, item in items for leaf in leaves(item, f"{where}/{key}")]
