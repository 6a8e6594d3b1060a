"""The part of a report page that tells how it was run: the plans leaf by leaf, and what differs."""

from __future__ import annotations

from assay.reports import wording
from assay.reports.html_elements import Child, Column, Html, Row, table, tag
from assay.reports.page import Page
from assay.reports.page_words import leaves

MOST_SETTINGS = 200


def configuration(page: Page) -> Html:
    """The plan of each run, leaf by leaf; where there are two, what differs first."""
    parts: list[Child] = []
    settings = page.comparisons[0].comparison.settings if page.comparisons else ()
    if len(page.runs) > 1:
        rows: list[Row] = [[each.where, _setting(each.a), _setting(each.b)] for each in settings]
        columns = [Column(h, number=False) for h in ("setting", "A", "B")]
        text = "The settings are the same."
        parts.append(table("what differs", columns, rows) if rows else tag("p", text))
    for place, run in enumerate(page.runs):
        letter = f"{chr(ord('A') + place)}: " if len(page.runs) > 1 else ""
        plan = leaves(
            {"task": run.task, "fingerprint": run.fingerprint, "version": run.version, "plan": run.plan}
        )
        rows = [[where, tag("code", wording.short(value, 200))] for where, value in plan[:MOST_SETTINGS]]
        made = table(f"{letter}{run.id}", [Column(h, number=False) for h in ("setting", "value")], rows)
        parts.append(
            tag("details", tag("summary", f"{letter}plan of {run.id}"), made, open=len(page.runs) == 1)
        )
    return tag("section", tag("h2", "Configuration"), parts, id="configuration")


def _setting(value: str | None) -> Html:
    return tag("code", wording.short(value, 200) if value is not None else "-")
