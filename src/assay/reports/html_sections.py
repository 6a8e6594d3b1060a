"""The parts of a report page that tell of quality: answer, models, slices, flips, worst trials, plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice

from msgspec import structs

from assay.reports import charts, wording
from assay.reports.beside import beside
from assay.reports.charts import Dot, DotRow, colour
from assay.reports.compare import Comparison
from assay.reports.figures import Figure, Percentiles
from assay.reports.html_elements import Cell, Child, Column, Html, Row, joined, table, tag
from assay.reports.html_trials import anchor, status_word, title
from assay.reports.page import Compared, Entry, Page
from assay.reports.page_words import answer, verdict
from assay.trial import Status

MOST_SCORES = 6
MOST_TAGS, MOST_VALUES = 8, 12
MOST_DRAWN = 12
"""Models in a chart; the table has them all."""

MOST_SLICE_TEXTS = 3
"""Beyond so many models a slice shows its dots alone."""


def head(page: Page) -> Html:
    """What was compared, the answer, the verdict with its reason, validity."""
    word, why, kind = verdict(page)
    told = [tag("p", tag("span", word, class_=f"verdict {kind}"), " ", why)] if word else []
    return tag(
        "header",
        tag("p", *[_ran(page, place) for place in range(len(page.runs))], class_="quiet"),
        tag("h1", answer(page)),
        *told,
        _validity(page),
    )


def _ran(page: Page, place: int) -> Html:
    run, summary = page.runs[place], page.summaries[place]
    letter = f"{chr(ord('A') + place)}: " if len(page.runs) > 1 else ""
    trials = f"{sum(summary.statuses.values()):,}".replace(",", " ")
    parts = [wording.short(run.task, 80), f"{trials} trials", wording.when(run.wall)]
    state = "" if run.state == "completed" else f" · {run.state}" + (f" ({run.stop})" if run.stop else "")
    return tag("span", letter, tag("code", run.id), " · ", " · ".join(parts), state, class_="ran")


def _validity(page: Page) -> Html:
    parts: list[Child] = []
    for summary in page.summaries:
        kind = {"valid": "good", "partial": "warn", "invalid": "bad"}[summary.validity.verdict]
        reasons = "; ".join(summary.validity.reasons[:8]) or "every planned trial ended, few failed"
        parts.append(tag("p", tag("span", summary.validity.verdict, class_=f"verdict {kind}"), " ", reasons))
    if emulated := sum(entry.summary.emulated for entry in page.entries):
        who = "no real model was asked" if emulated == len(page.entries) else f"{emulated} of the models"
        told = f" {who}: emulated figures say nothing of real ones"
        parts.append(tag("p", tag("span", "emulated", class_="verdict warn"), told))
    notes = [f"{wording.model(e.label)}: {note}" for e in page.entries for note in e.summary.notes]
    listed = tag("ul", *[tag("li", note) for note in notes[:20]], class_="notes") if notes else None
    return joined(parts, listed)


def name(place: int, entry: Entry) -> Html:
    """A model's name with its mark, in its colour; an emulated one says so."""
    mark = tag(
        "svg",
        charts.mark(place),
        viewBox="-6 -6 12 12",
        width=12,
        height=12,
        class_="key",
        aria_hidden="true",
    )
    more = tag("span", " (emulated)", class_="quiet") if entry.summary.emulated else None
    return tag("span", mark, " ", wording.short(entry.label, 80), more, class_=colour(place))


def headline(page: Page) -> Html:
    """The headline of every model as dot and whisker on one axis, then the table."""
    metric = page.runs[0].headline
    rows = [
        DotRow(name(n, e), (_dot(n, e.label, e.summary.headline),), _figure(e.summary.headline))
        for n, e in islice(enumerate(page.entries), MOST_DRAWN)
    ]
    caption = tag("span", tag("b", metric), f" with 95 % interval; {_counted(page)}")
    values = [e.summary.headline for e in page.entries]
    chart = charts.dots(rows, caption, _domain(values))
    return tag(
        "section", tag("h2", "Headline"), chart, models_table(page), statuses_table(page), id="headline"
    )


def _counted(page: Page) -> str:
    """What stands behind the figure, in words: failures count as 0."""
    n = {entry.summary.headline.n for entry in page.entries}
    cases = f"n {n.pop()} cases each" if len(n) == 1 else "n in the table"
    return f"{cases}; a trial that failed counts as 0"


def _dot(place: int, label: str, found: Figure) -> Dot:
    told = f"{wording.model(label)}: {wording.figure(found)}, n {found.n}"
    return Dot(place, found.value, found.low, found.high, told)


def _figure(found: Figure) -> Html:
    """The value with its interval after it, quieter."""
    value, _, interval = wording.figure(found).partition(" ")
    return joined(tag("b", value), tag("span", f" {interval}", class_="quiet") if interval else None)


def _domain(found: Sequence[Figure]) -> tuple[float, float]:
    """[0, 1] for rates, else from zero to beyond the highest end."""
    ends = [x for each in found for x in (each.value, each.low, each.high) if x is not None]
    low, high = min(ends, default=0.0), max(ends, default=1.0)
    return (0.0, 1.0) if low >= 0 and high <= 1 else (min(0.0, low), max(0.0, high))


def models_table(page: Page) -> Html:
    """A row a model: headline first, everything else to the right."""
    metric = page.runs[0].headline
    others = list(dict.fromkeys(n for e in page.entries for n in e.summary.scores if n != metric))[
        :MOST_SCORES
    ]
    differ = any(e.summary.completed_only.value != e.summary.headline.value for e in page.entries)
    lost = ["completed only"] if differ else []
    columns = [
        Column("model", number=False),
        Column(wording.short(metric, 30)),
        Column("n", title="cases"),
        *[
            Column(wording.short(other, 30), title="mean of the trials that have this score")
            for other in others
        ],
        *[Column(each, title="without failed, invalid and unscored trials") for each in lost],
        Column("failed"),
        Column("p50"),
        Column("p95"),
        Column("TTFT p50", title="time to first token, streamed calls"),
        Column("tokens in / out"),
        Column("cost"),
    ]
    rows = [_model_row(n, e, others, lost) for n, e in enumerate(page.entries)]
    return table("models", columns, rows, filterable=len(rows) > 10)


def _model_row(place: int, entry: Entry, others: Sequence[str], lost: Sequence[str]) -> Row:
    m = entry.summary
    scores = [m.scores[other].figure if other in m.scores else None for other in others]
    low, high = m.bounds.worst, m.bounds.best
    bounds = f"worst {low:.3f}, best {high:.3f}" if low is not None and high is not None else None
    cost = m.cost_usd if not m.attempts.unpriced else None
    return [
        Cell(name(place, entry), entry.label),
        Cell(tag("span", _figure(m.headline), title=bounds), m.headline.value),
        str(m.headline.n),
        *[Cell(_mean(found), found.value if found is not None else None) for found in scores],
        *[Cell(_mean(m.completed_only), m.completed_only.value) for _ in lost],
        Cell(failures(m.statuses[Status.FAILED], m.planned), float(m.statuses[Status.FAILED])),
        *_times(m.latency),
        *_times(m.speed.ttft)[:1],
        Cell(f"{wording.count(m.tokens.input)} / {wording.count(m.tokens.output)}", float(m.tokens.output)),
        Cell(wording.dollars(cost), float(cost) if cost is not None else None),
    ]


def _mean(found: Figure | None) -> str:
    if found is None or found.value is None:
        return "-"
    return f"{found.value:.{3 if found.n >= 50 else 2}f}"


def failures(count: int, of: int) -> Html:
    """How many of how many failed; red where any did."""
    return tag("span", f"{count}/{of}", class_="bad" if count else "quiet")


def _times(found: Percentiles | None) -> list[Cell | Child]:
    if found is None:
        return ["-", "-"]
    return [Cell(wording.seconds(q.value), q.value) for q in (found.p50, found.p95)]


def statuses_table(page: Page) -> Html | None:
    """Where every trial ended; only where not all are scored."""
    used = [s.value for s in Status if any(e.summary.statuses.get(s.value) for e in page.entries)]
    if used == [Status.SCORED.value]:
        return None
    columns = [
        Column("statuses", number=False),
        *[Column(each) for each in used],
        Column("why", number=False),
    ]
    rows: list[Row] = [
        [
            name(n, e),
            *[str(e.summary.statuses.get(each, 0)) for each in used],
            ", ".join(
                f"{wording.short(reason, 40)} {count}"
                for reasons in e.summary.reasons.values()
                for reason, count in islice(reasons.items(), 6)
            ),
        ]
        for n, e in enumerate(page.entries)
    ]
    return table("where the trials ended", columns, rows)


def slices(page: Page) -> Html | None:
    """The headline by tag: small multiples, all on one scale."""
    found: dict[str, dict[str, list[tuple[int, Figure]]]] = {}
    for place, entry in enumerate(page.entries[:MOST_DRAWN]):
        for each in entry.summary.slices:
            found.setdefault(each.key, {}).setdefault(each.value, []).append((place, each.headline))
    parts = {key: values for key, values in found.items() if len(values) > 1}
    marks = {k: v for key, values in found.items() if key not in parts for k, v in values.items()}
    parts |= {"tags": marks} if marks else {}
    if not parts:
        return None
    panels = [_panel(page, key, values) for key, values in islice(parts.items(), MOST_TAGS)]
    more = len(parts) - MOST_TAGS
    left = tag("p", f"{more} more tags: assay compare, assay export", class_="quiet") if more > 0 else None
    return tag("section", tag("h2", "Slices"), tag("div", *panels, class_="multiples"), left, id="slices")


def further(page: Page) -> Html | None:
    """What stands beside the headline: a row a figure, a column a model."""
    told = [dict(beside(entry.summary)) for entry in page.entries]
    names = list(dict.fromkeys(what for each in told for what in each))
    if not names:
        return None
    columns = [Column("", number=False), *[_of_model(entry) for entry in page.entries]]
    rows: list[Row] = [[what, *[each.get(what, "-") for each in told]] for what in names]
    made = table("beside the headline", columns, rows)
    return tag("section", tag("h2", "Further figures"), made, id="further")


def _of_model(entry: Entry) -> Column:
    return Column(wording.short(wording.model(entry.label), 60), number=False)


def _panel(page: Page, key: str, values: Mapping[str, Sequence[tuple[int, Figure]]]) -> Html:
    rows = []
    for value, found in islice(values.items(), MOST_VALUES):
        n = max(figure.n for _, figure in found)
        label = joined(wording.short(value, 40), tag("span", f" {n}", class_="quiet"))
        told = tuple(_dot(place, page.entries[place].label, figure) for place, figure in found)
        figures = [tag("span", _two(figure), class_=colour(place)) for place, figure in found]
        text = tag("span", *_apart(figures)) if len(figures) <= MOST_SLICE_TEXTS else Html("")
        rows.append(DotRow(label, told, text))
    more = f", {len(values) - MOST_VALUES} more" if len(values) > MOST_VALUES else ""
    return charts.dots(
        rows, joined(tag("b", wording.short(key, 40)), tag("span", f" n{more}", class_="quiet"))
    )


def _apart(parts: Sequence[Html]) -> list[Child]:
    return [piece for place, part in enumerate(parts) for piece in ((" · ", part) if place else (part,))]


def _two(found: Figure) -> str:
    return f"{found.value:.2f}" if found.value is not None else "-"


def comparisons(page: Page) -> Html | None:
    """Every comparison on one axis of differences."""
    if not page.comparisons:
        return None
    rows = [_comparison_row(page, each) for each in page.comparisons]
    ends = [abs(100 * x) for each in page.comparisons for x in _ends(each.comparison.difference)]
    reach = 1.1 * max(ends, default=0.0) or 1.0
    caption = joined(tag("b", "difference"), " in points over the shared cases, with 95 % interval")
    chart = charts.dots(rows, caption, (-reach, reach))
    return tag("section", tag("h2", "Comparison"), chart, id="comparison")


def _ends(found: Figure) -> list[float]:
    return [x for x in (found.value, found.low, found.high) if x is not None]


def _comparison_row(page: Page, each: Compared) -> DotRow:
    c = each.comparison
    label = joined(name(each.b, page.entries[each.b]), " minus ", name(each.a, page.entries[each.a]))
    p = each.p_adjusted if each.p_adjusted is not None else c.p
    how = f"{c.test}, {wording.p_value(p)}{' (Holm)' if each.p_adjusted is not None else ''}"
    text = joined(
        tag("b", wording.points(c.difference)), tag("span", f" n {c.shared}, {how}", class_="quiet")
    )
    told = f"{c.b.name} minus {c.a.name}: {wording.points(c.difference)}"
    d = structs.replace(
        c.difference, **{end: _times_100(getattr(c.difference, end)) for end in ("value", "low", "high")}
    )
    return DotRow(label, (Dot(each.b, d.value, d.low, d.high, told),), text)


def _times_100(share: float | None) -> float | None:
    return None if share is None else 100 * share


def flips(page: Page) -> Html | None:
    """The cases that changed in the first comparison, with what both sides answered."""
    if not page.flips:
        return None
    first = page.comparisons[0]
    c = first.comparison
    a, b = (wording.model(page.entries[place].label) for place in (first.a, first.b))
    rows: list[Row] = [
        [
            tag(
                "a",
                wording.short(each.flip.case, 60),
                href=f"#{anchor(each.b)}" if each.b is not None else None,
            ),
            "better" if each.flip.b > each.flip.a else "worse",
            Cell(f"{each.flip.a:.2g}", each.flip.a),
            Cell(f"{each.flip.b:.2g}", each.flip.b),
            _reply(each.flip.reply_a, each.a),
            _reply(each.flip.reply_b, each.b),
        ]
        for each in page.flips
    ]
    columns = [
        Column("case", number=False),
        Column("change", number=False),
        Column("before"),
        Column("after"),
        Column(wording.short(a, 60), number=False),
        Column(wording.short(b, 60), number=False),
    ]
    told = f"{c.worse_count} cases got worse, {c.better_count} better{_first(len(rows), c)}"
    return tag(
        "section",
        tag("h2", "Flips"),
        tag("p", told),
        table(f"flips from {wording.short(a, 60)} to {wording.short(b, 60)}", columns, rows, filterable=True),
        id="flips",
    )


def _first(shown: int, c: Comparison) -> str:
    return f" (the largest {shown})" if c.worse_count + c.better_count > shown else ""


def _reply(text: str, place: int | None) -> Html:
    cut = wording.short(text, 160) or "(nothing)"
    return tag("a", cut, href=f"#{anchor(place)}" if place is not None else None, class_="reply")


def worst(page: Page) -> Html:
    """The trials that were not right, the worst first, each kind in its turn."""
    if not page.wrong:
        ended = any(len(entry.times.ended) for entry in page.entries)
        text = (
            "Every trial was right." if ended else "No trials yet: assay run --resume goes on with this run."
        )
        return tag("section", tag("h2", "Worst trials"), tag("p", text), id="worst")
    rows: list[Row] = []
    for place in page.worst:
        shown = page.trials[place]
        entry, trial = page.entries[shown.entry], shown.trial
        final = trial.transcript.final
        reasons = [s.reason for s in trial.scores if s.name == entry.run.headline and s.reason]
        rows.append(
            [
                tag("a", wording.short(trial.case.name, 60), href=f"#{anchor(place)}"),
                name(shown.entry, entry),
                status_word(trial) if trial.status is not Status.SCORED else shown.why,
                wording.short(reasons[0] if reasons else trial.transcript.outcome.detail, 160),
                tag("span", wording.short(final.text, 160) if final is not None else "", class_="reply"),
                tag("code", title(shown, entry)),
            ]
        )
    heads = ["case", "model", "what", "why", "answer", "assay show"]
    count = (
        f" ({len(rows)} of {page.wrong:,})".replace(",", " ") if page.wrong > len(rows) else f" ({len(rows)})"
    )
    made = table(
        "trials that were not right", [Column(h, number=False) for h in heads], rows, filterable=True
    )
    return tag("section", tag("h2", "Worst trials", tag("span", count, class_="quiet")), made, id="worst")
