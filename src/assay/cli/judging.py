"""A judge between two arms: a run of its own over their pairs, and what it preferred in words."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click
from msgspec import Struct

from assay.errors import UsageError
from assay.keys import JSON
from assay.plan import ModelChoice, Plan

if TYPE_CHECKING:  # these pull in the whole of the reports, which --help does not need
    from assay.cli.stored import Arm
    from assay.ports import Watcher
    from assay.reports.preference import Preference
    from assay.store.sqlite import SqliteStore

TASK = "pairwise"


class Asked(Struct, frozen=True):
    """What was asked for: who judges, by which rubric, of how many pairs at most."""

    judge: ModelChoice
    rubric: str | None
    reference: bool
    limit: int | None


class Judged(Struct, frozen=True):
    """What the judge preferred, in which run, of which pairs; `left_out` trials have no pair."""

    run: str
    preference: Preference
    left_out: int


def judged(record: SqliteStore, a: Arm, b: Arm, asked: Asked, store: str, *, quiet: bool) -> Judged:
    """Has the judge compare the arms' answers; what was recorded of the same pairs is not asked again."""
    from assay.cli.playing import play
    from assay.loading.pairs import write_pairs
    from assay.ports import Where
    from assay.reports.preference import preference
    from assay.watchers.progress import PlainProgress

    left, right = (record.trials(Where(run=arm.run.id, model=arm.model, calls=False)) for arm in (a, b))
    pairs = write_pairs(Path(store).parent / "pairs", left, right, asked.limit)
    settings: dict[str, JSON] = {"reference": True} if asked.reference else {}
    if asked.rubric is not None:
        settings["rubric"] = _rubric(asked.rubric)
    plan = Plan(
        task=TASK,
        models=(asked.judge,),
        data=str(pairs.path),
        cast={"judge": asked.judge},
        scorers=({"pairwise": settings},),
        cache="read",
    )
    if not quiet:
        alone = f"; {pairs.left_out} trials have no pair" if pairs.left_out else ""
        click.echo(f"{pairs.count} pairs in {pairs.path}{alone}", err=True)
    watchers: list[Watcher] = [] if quiet else [PlainProgress(sys.stderr)]
    result, _ = play(plan, store=store, shown=False, watchers=watchers)
    found = preference(record.trials(Where(run=result.run.id)), result.run.models[0], (a.model, b.model))
    return Judged(result.run.id, found, pairs.left_out)


def _rubric(text: str) -> JSON:
    """A built-in rubric's name, or the content of a file of one."""
    from assay.loading import files

    path = Path(text)
    if path.suffix not in {".json", ".yaml", ".yml"}:
        return text
    return files.read_json(path) if path.suffix == ".json" else files.read_yaml(path)[0]


def sentence(found: Judged) -> str:
    """The answer: who is preferred, in how many of how many pairs, with the interval."""
    p = found.preference
    if p.win_rate.value is None:
        return f"{p.judge} gave no verdict on any pair"
    low, high = p.win_rate.low, p.win_rate.high
    counts = f"{p.b_wins} for B, {p.a_wins} for A, {p.ties} ties"
    between = f" [{low:.1%}, {high:.1%}]" if low is not None and high is not None else ""
    told = low is not None and high is not None and not low <= 0.5 <= high
    who = ("prefers B" if p.win_rate.value > 0.5 else "prefers A") if told else "cannot tell A and B apart"
    return f"{p.judge} {who}: B wins {p.win_rate.value:.1%}{between} of {p.pairs} pairs ({counts})"


def lines(found: Judged) -> Iterator[str]:
    """What stands beside it: flips, places, lengths, and every flag."""
    from assay.cli import looks
    from assay.reports.beside import preferred

    p = found.preference
    yield from (f"{what}: {told}" for what, told in list(preferred(p))[1:])
    if p.suspicious:
        names = ", ".join(looks.short(name, 30) for name in p.suspicious[:8])
        yield f"look at: answers that seem to address the judge in {names}"
    yield f"judge's run: assay runs show {found.run}   one pair: assay show {found.run}/1"


def asked(given: dict[str, JSON]) -> Asked | None:
    """What the options ask for; None without a judge. Raises UsageError for what then has no effect."""
    if given["judge_model"] is None:
        for name in ("rubric", "reference", "pairs", "base_url", "key_variable"):
            if given[name]:
                flag = "--" + name.replace("_", "-")
                raise UsageError(f"{flag} is for a judge, and there is none", fix="add --judge-model M")
        return None
    judge = ModelChoice(given["judge_model"], base_url=given["base_url"], key_variable=given["key_variable"])
    return Asked(judge, given["rubric"], bool(given["reference"]), given["pairs"])
