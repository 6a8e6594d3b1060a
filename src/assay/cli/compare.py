"""`assay compare`: which of two arms is better, by how much, and what changed."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click
from msgspec import Struct, structs

from assay.cli.options import json_option, store_option
from assay.errors import UsageError
from assay.keys import JSON

if TYPE_CHECKING:  # these pull in the whole of the reports, which --help does not need
    from assay.cli.judging import Asked, Judged
    from assay.cli.stored import Arm
    from assay.reports.arms import Arm as Read
    from assay.reports.compare import Comparison
    from assay.store.sqlite import SqliteStore
    from assay.trial import Trial

MOST_SLICES = 24


class SliceDifference(Struct, frozen=True):
    """The comparison over the cases with one value of one tag."""

    tag: str
    value: str
    comparison: Comparison


class Compared(Struct, frozen=True):
    """One comparison with its slices, as --json prints it; `regressed` is None where it cannot be told.

    `judged` is what a judge preferred, where one was asked for.
    """

    comparison: Comparison
    slices: tuple[SliceDifference, ...]
    regressed: bool | None
    judged: Judged | None = None


@click.command("compare")
@click.argument("a")
@click.argument("b", required=False)
@click.option("--fail-on-regression", is_flag=True, help="Exit 1 if B is worse, 3 if that cannot be told.")
@click.option(
    "--margin",
    type=click.FloatRange(min=0),
    default=0.02,
    show_default=True,
    help="A loss that is no regression.",
)
@click.option("--flips", type=click.IntRange(min=0), default=5, show_default=True, help="How many to show.")
@click.option("-o", "--output", metavar="FILE.md", help="Write it as Markdown, too.")
@click.option("--judge-model", metavar="M", help="Ask this model which answer is better, in both orders.")
@click.option("--rubric", metavar="NAME|FILE", help="What counts for the judge.  [default: answer]")
@click.option("--reference", is_flag=True, help="Show the judge the target.")
@click.option("--pairs", type=click.IntRange(min=1), metavar="N", help="Judge the first N pairs only.")
@click.option("--base-url", metavar="URL", help="Where the judge's server answers (ends in /v1).")
@click.option("--key-variable", metavar="NAME", help="The variable with the key for --base-url.")
@store_option
@json_option
def command(
    a: str,
    b: str | None,
    *,
    fail_on_regression: bool,
    margin: float,
    flips: int,
    output: str | None,
    store: str,
    as_json: bool,
    **judge: JSON,
) -> None:
    r"""Compare A and B by their shared cases: differences are B - A.

    Each is a run, or RUN:MODEL. Of one run alone its two models are compared. With a judge, a run
    of its own asks it about every pair of answers; what it was asked before is taken from the record.

    \b
    assay compare last
    assay compare run_20261121_1 run_20261121_2 --fail-on-regression
    assay compare last:openai/gpt-4o-mini last:ollama/llama3.2:1b
    assay compare A B --judge-model openai/gpt-4o --rubric rubric.yaml
    """
    from assay.cli import looks
    from assay.cli.comparison import as_markdown, shown
    from assay.cli.judging import asked
    from assay.cli.stored import opened

    wanted, record = asked(judge), opened(store)
    pairs = _pairs(record, a, b)
    found = [_compared(record, *pair, margin) for pair in pairs]
    if wanted is not None:
        found = [
            _judged(record, pair, each, wanted, store, quiet=as_json)
            for pair, each in zip(pairs, found, strict=True)
        ]
    if output is not None:
        _write(Path(output), "\n".join(as_markdown(each, margin, flips) for each in found))
    if as_json:
        click.echo(looks.json_text(found))
    else:
        click.echo("\n\n".join(shown(each, margin, flips) for each in found))
    if fail_on_regression:
        sys.exit(_code(found))


def _judged(
    record: SqliteStore, pair: tuple[Arm, Arm], found: Compared, wanted: Asked, store: str, *, quiet: bool
) -> Compared:
    from assay.cli.judging import judged

    return structs.replace(found, judged=judged(record, *pair, wanted, store, quiet=quiet))


def _code(found: list[Compared]) -> int:
    """1 where an arm regressed; 3 where that cannot be told or the arms failed differently."""
    if any(each.regressed for each in found):
        return 1
    told = all(each.regressed is False and not each.comparison.errors_differ for each in found)
    return 0 if told else 3


def _pairs(record: SqliteStore, a: str, b: str | None) -> list[tuple[Arm, Arm]]:
    """The arms to compare: two models, or those of the same name in two runs."""
    from assay.cli.stored import find_arms

    left = find_arms(record, a)
    if b is None:
        if len(left) != 2:
            names = ", ".join(arm.model for arm in left)
            fix = "name two runs: assay compare A B" if len(left) == 1 else f"name two of them as {a}:MODEL"
            raise UsageError(f"{a} has {len(left)} model{'s' * (len(left) != 1)} ({names}), not 2", fix=fix)
        return [(left[0], left[1])]
    right = find_arms(record, b)
    if len(left) == len(right) == 1:
        return [(left[0], right[0])]
    both = [(x, y) for x in left for y in right if x.model == y.model]
    if not both:
        raise UsageError(
            f"{a} and {b} have no model in common",
            fix=f"choose: assay compare {left[0].name} {right[0].name}",
        )
    return both


def _compared(record: SqliteStore, a: Arm, b: Arm, margin: float) -> Compared:
    from assay.reports.arms import read
    from assay.reports.compare import compare_arms, regressed

    gc.set_threshold(100_000)  # nothing read here is in a cycle: looking for one is wasted time
    if a.run.headline != b.run.headline:
        raise UsageError(
            f"{a.run.id} is judged by {a.run.headline}, {b.run.id} by {b.run.headline}",
            fix=f"score one of them anew: assay rescore {b.run.id} --scorer {a.run.headline}",
        )
    names = (a.name, b.name) if a.run.id != b.run.id else (a.model, b.model)
    headline = a.run.headline
    left, right = (read(_trials(record, arm), headline) for arm in (a, b))
    found = compare_arms(left, right, headline=headline, names=names, runs=(a.run, b.run))
    slices = tuple(_slices(left, right, headline, (a.model, b.model)))
    return Compared(found, slices, regressed(found, margin))


def _trials(record: SqliteStore, arm: Arm) -> Iterator[Trial]:
    from assay.ports import Where

    return record.trials(Where(run=arm.run.id, model=arm.model))


def _slices(left: Read, right: Read, headline: str, names: tuple[str, str]) -> Iterator[SliceDifference]:
    """The comparison by tag; a tag of very many values is no slice."""
    from assay.reports.compare import compare_arms

    values: dict[str, dict[str, None]] = {}
    for case in left.cases.values():
        for tag, value in (case.tags or {}).items():
            values.setdefault(tag, {})[value] = None
    tags = [(tag, value) for tag, known in values.items() if len(known) <= MOST_SLICES for value in known]
    for tag, value in sorted(tags)[:MOST_SLICES]:
        sides = (side.sliced(tag, value) for side in (left, right))
        yield SliceDifference(tag, value, compare_arms(*sides, headline=headline, names=names))


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as failure:
        raise UsageError(f"{path} cannot be written: {failure.strerror}", fix="name another file") from None
