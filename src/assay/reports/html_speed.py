"""The parts of a report page that tell of speed and cost: spread of times, load over time, dollars."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from assay.reports import charts, wording
from assay.reports.charts import Bar, Line
from assay.reports.figures import RoleSummary
from assay.reports.html_elements import Cell, Column, Html, Row, joined, table, tag
from assay.reports.html_sections import MOST_DRAWN, failures, name
from assay.reports.page import Entry, Page
from assay.trial import Status

MOST_BINS, IN_A_BIN = 60, 10
"""Stretches of time in a load chart, and about how many trials each should hold."""


def speed(page: Page) -> Html | None:
    """Latency and time to first token as the share of calls that were no slower; load over time."""
    parts = [
        _ecdf(
            page,
            "latency",
            [e.times.latency for e in page.entries],
            "of a call, first byte sent to last token",
        ),
        _ecdf(page, "TTFT", [e.times.ttft for e in page.entries], "time to first token"),
        *[_load_chart(n, e) for n, e in islice(enumerate(page.entries), 6)],
    ]
    drawn = [part for part in parts if part is not None]
    if not drawn:
        return None
    return tag(
        "section", tag("h2", "Speed"), tag("div", *drawn, class_="pair"), _speed_table(page), id="speed"
    )


def _ecdf(page: Page, what: str, samples: Sequence[Sequence[float]], means: str) -> Html | None:
    drawn = [(n, sample) for n, sample in enumerate(samples[: charts.COLOURS]) if len(sample)]
    if not drawn:
        return None
    top, beyond = charts.top_of([sample for _, sample in drawn])
    names = {n: wording.short(wording.model(page.entries[n].label), 60) for n, _ in drawn}
    lines = [Line(n, names[n], charts.ecdf(sample)) for n, sample in drawn]
    slower = f"; {beyond} calls beyond {wording.seconds(top)}" if beyond else ""
    counts = ", ".join(f"{len(sample)}" for _, sample in drawn)
    told = f"{what}: share of calls not slower than a time, {len(drawn)} models"
    caption = joined(tag("b", what), f" {means}: share of calls not slower (n {counts}{slower})")
    return charts.lines(
        lines,
        caption,
        told=told,
        x_top=top,
        x_text=_since,
        y_text=((0.0, "0"), (0.5, "50 %"), (0.95, "95 %")),
    )


def _load_chart(place: int, entry: Entry) -> Html | None:
    """Trials ended a second, and those of them that were right, over a load run."""
    times, load = entry.times, entry.summary.load
    if load is None or len(times.ended) < 2:
        return None
    first, last = min(times.ended), max(times.ended)
    bins = max(2, min(MOST_BINS, len(times.ended) // IN_A_BIN))
    width = (last - first) / bins or 1.0
    counts, right = [0] * bins, [0] * bins
    for ended, good in zip(times.ended, times.right, strict=True):
        at = min(bins - 1, int((ended - first) / width))
        counts[at] += 1
        right[at] += good
    top = max(counts) / width
    lines = [
        Line(place, word, _steps(found, width, top), faint=faint)
        for word, found, faint in (("all", counts, True), ("right", right, False))
    ]
    caption = joined(tag("b", "ended"), f" a second (all) and right (solid): {wording.model(entry.label)}")
    return charts.lines(
        lines,
        caption,
        told=f"trials ended a second over {wording.seconds(last - first)}",
        x_top=last - first,
        x_text=_since,
        y_text=((0.0, "0"), (0.5, f"{top / 2:.3g}"), (1.0, f"{top:.3g}")),
    )


def _since(seconds: float) -> str:
    return wording.seconds(seconds) if seconds else "0"


def _steps(counts: Sequence[int], width: float, top: float) -> tuple[tuple[float, float], ...]:
    rates = [count / width / top for count in counts]
    return (
        (0.0, rates[0]),
        *((place * width, rate) for place, rate in enumerate(rates)),
        (len(rates) * width, rates[-1]),
    )


def _speed_table(page: Page) -> Html:
    heads = ["latency p50", "p95", "p99", "TTFT p50", "p99", "output tokens/s", "trials/s"]
    loaded = any(entry.summary.load is not None for entry in page.entries)
    heads += ["offered/s", "completed/s", "right/s", "lag p99"] if loaded else []
    rows = [_speed_row(n, e, loaded=loaded) for n, e in enumerate(page.entries)]
    columns = [Column("model", number=False), *[Column(each) for each in heads]]
    return table("speed, with 95 % intervals where n allows", columns, rows)


def _speed_row(place: int, entry: Entry, *, loaded: bool) -> Row:
    m = entry.summary
    cells: Row = [Cell(name(place, entry), entry.label)]
    for found, ranks in ((m.latency, ("p50", "p95", "p99")), (m.speed.ttft, ("p50", "p99"))):
        for rank in ranks:
            value = getattr(found, rank) if found is not None else None
            cells.append(Cell(wording.quantile(value), value.value) if value is not None else "-")
    rate, trials = m.speed.output_rate, m.speed.trials_per_second
    cells.append(Cell(f"{rate.p50.value:.3g}", rate.p50.value) if rate is not None else "-")
    cells.append(Cell(f"{trials:.3g}", trials) if trials is not None else "-")
    if loaded and m.load is not None:
        rates = (m.load.offered, m.load.completed, m.load.correct)
        cells += [Cell(f"{value:.3g}", value) for value in rates]
        cells.append(wording.seconds(m.load.lag.p99.value) if m.load.lag is not None else "closed")
    elif loaded:
        cells += ["-"] * 4
    return cells


def cost(page: Page) -> Html:
    """Dollars for a thousand trials, and what each role used."""
    bars = []
    for place, entry in islice(enumerate(page.entries), MOST_DRAWN):
        m = entry.summary
        ran = sum(m.statuses.values()) - m.statuses[Status.NOT_RUN]
        if m.cost_usd and ran:
            each = m.cost_usd / ran * 1000
            bars.append(Bar(place, name(place, entry), float(each), tag("b", wording.dollars(each))))
    caption = joined(tag("b", "cost"), " of 1 000 trials, all roles, live calls with a known price")
    chart = charts.bars(bars, caption) if bars else tag("p", "No call has a known price.", class_="quiet")
    heads = ["calls", "failed attempts", "tokens in", "cached", "tokens out", "cost", "p50"]
    columns = [Column("model", number=False), Column("role", number=False), *[Column(h) for h in heads]]
    rows = [row for n, e in enumerate(page.entries) for row in _role_rows(n, e)]
    return tag("section", tag("h2", "Cost"), chart, table("cost by role", columns, rows), id="cost")


def _role_rows(place: int, entry: Entry) -> list[Row]:
    return [
        [
            Cell(name(place, entry), entry.label),
            f"{wording.short(role, 20)}: {_models(found)}",
            Cell(wording.count(found.calls), float(found.calls)),
            Cell(failures(found.failed_attempts, found.calls), float(found.failed_attempts)),
            Cell(wording.count(found.tokens.input), float(found.tokens.input)),
            Cell(wording.count(found.tokens.cached), float(found.tokens.cached)),
            Cell(wording.count(found.tokens.output), float(found.tokens.output)),
            wording.dollars(found.cost_usd if not found.unpriced else None),
            Cell(wording.median(found.latency), found.latency.p50.value if found.latency else None),
        ]
        for role, found in entry.summary.roles.items()
    ]


def _models(found: RoleSummary) -> str:
    return ", ".join(wording.short(wording.model(each), 60) for each in found.models[:3])
