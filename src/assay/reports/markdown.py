"""A report as Markdown, for a pull request or a note; what models said stays within code spans."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from assay.reports import wording
from assay.reports.beside import beside
from assay.reports.page import Entry, Page
from assay.reports.page_words import answer, verdict
from assay.trial import Status

MOST_ROWS = 20
MOST_SLICES = 40
REPLY_ROOM = 100


def as_markdown(page: Page) -> str:
    """The answer, validity, one row a model, slices, flips and worst trials."""
    word, why, _ = verdict(page)
    lines = [f"## {escaped(answer(page))}", ""]
    lines += [f"**{word}** {escaped(why)}", ""] if word else []
    for run, summary in zip(page.runs, page.summaries, strict=True):
        reasons = "; ".join(summary.validity.reasons[:8])
        state = "" if run.state == "completed" else f", {run.state}"
        trials = f"{sum(summary.statuses.values())} trials{state}"
        lines.append(
            f"- `{run.id}` {escaped(run.task)}, {trials}: {summary.validity.verdict} {escaped(reasons)}"
        )
    lines += [
        "",
        *_models(page),
        *_slices(page),
        *_beside(page),
        *_comparisons(page),
        *_flips(page),
        *_worst(page),
        "",
    ]
    return "\n".join(line.rstrip() for line in lines)


def _models(page: Page) -> list[str]:
    head = [
        "model",
        page.runs[0].headline,
        "n",
        "failed",
        "p50",
        "p95",
        "TTFT p50",
        "tokens in / out",
        "cost",
    ]
    return grid(head, [_model(entry) for entry in page.entries])


def _model(entry: Entry) -> list[str]:
    m = entry.summary
    times = [m.latency.p50.value, m.latency.p95.value] if m.latency is not None else [None, None]
    return [
        escaped(wording.model(entry.label)),
        wording.figure(m.headline),
        str(m.headline.n),
        f"{m.statuses[Status.FAILED]}/{m.planned}",
        *[wording.seconds(each) for each in times],
        wording.seconds(m.speed.ttft.p50.value if m.speed.ttft is not None else None),
        f"{wording.count(m.tokens.input)} / {wording.count(m.tokens.output)}",
        wording.dollars(m.cost_usd if not m.attempts.unpriced else None),
    ]


def _slices(page: Page) -> list[str]:
    found: dict[tuple[str, str], dict[str, str]] = {}
    for entry in page.entries:
        for each in entry.summary.slices:
            figure = f"{wording.figure(each.headline)} of {each.headline.n}"
            found.setdefault((each.key, each.value), {})[entry.label] = figure
    if not found:
        return []
    labels = [entry.label for entry in page.entries]
    rows = [
        [escaped(wording.short(f"{key} {value}", 60)), *[figures.get(label, "-") for label in labels]]
        for (key, value), figures in islice(found.items(), MOST_SLICES)
    ]
    return [
        "",
        "### Slices",
        "",
        *grid(["slice", *[escaped(wording.model(label)) for label in labels]], rows),
    ]


def _beside(page: Page) -> list[str]:
    lines = [
        f"- {escaped(wording.model(entry.label))}, {escaped(what)}: {escaped(told)}"
        for entry in page.entries
        for what, told in beside(entry.summary)
    ]
    return ["", "### Beside the headline", "", *lines] if lines else []


def _comparisons(page: Page) -> list[str]:
    rows = []
    for each in page.comparisons:
        c = each.comparison
        p = each.p_adjusted if each.p_adjusted is not None else c.p
        names = [escaped(wording.model(page.entries[place].label)) for place in (each.b, each.a)]
        rows.append([*names, wording.points(c.difference), str(c.shared), c.test, wording.p_value(p)])
    if not rows:
        return []
    return ["", "### Comparison", "", *grid(["model", "against", "difference", "n", "test", "p"], rows)]


def _flips(page: Page) -> list[str]:
    if not page.flips:
        return []
    c = page.comparisons[0].comparison
    rows = [
        [code(f.case), f"{f.a:.2g} to {f.b:.2g}", code(f.reply_a), code(f.reply_b)]
        for f in (each.flip for each in page.flips[:MOST_ROWS])
    ]
    title = f"### {c.worse_count} cases got worse, {c.better_count} better"
    return ["", title, "", *grid(["case", "score", "before", "after"], rows)]


def _worst(page: Page) -> list[str]:
    rows = []
    for place in page.worst[:MOST_ROWS]:
        shown = page.trials[place]
        entry, trial = page.entries[shown.entry], shown.trial
        final = trial.transcript.final
        reason = next((s.reason for s in trial.scores if s.name == entry.run.headline), "")
        rows.append(
            [
                code(trial.case.name),
                escaped(wording.model(entry.label)),
                escaped(shown.why),
                code(reason),
                code(final.text if final is not None else ""),
                f"`assay show {entry.run.id}/{shown.place}`",
            ]
        )
    if not rows:
        return []
    title = f"### Worst trials ({len(rows)} of {page.wrong})"
    return ["", title, "", *grid(["case", "model", "what", "why", "answer", "whole"], rows)]


def grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A table."""
    return ["| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *rows)]


def code(text: str) -> str:
    """A hostile text as a code span in a table cell, which it cannot leave."""
    plain = wording.short(text, REPLY_ROOM).replace("`", "'").replace("|", "\\|").strip()
    return f"`{plain}`" if plain else ""


def escaped(text: str) -> str:
    """A text in which no character is markup."""
    return "".join(f"\\{c}" if c in "\\`*_[]<>|#" else c for c in wording.short(text, 300))
