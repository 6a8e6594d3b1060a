"""The files that a batch of conversations leaves: its results in three forms, and what they come to."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec
from msgspec import Struct

from assay.reports.scores import BatchSummary, batch_summary
from assay.store import figures
from assay.store.forms import Form, Format, made_folder, pieces, write_whole
from assay.store.results import CRITERIA, GOAL, GRADE, ResultRow, result_row, state_of
from assay.trial import Status, Trial

FORMS: tuple[Format, ...] = ("ndjson", "csv", "json")


class ResultFiles(Struct, frozen=True):
    """Files of one batch in one folder, named as the classic service names them. `stamp` is an instant
    as `stamp_of` writes it.
    """

    folder: Path
    batch: str
    stamp: str

    @property
    def paths(self) -> tuple[Path, ...]:
        """The result files."""
        return tuple(self.folder / f"batch_{self.batch}_{self.stamp}.{form}" for form in FORMS)

    @property
    def summary(self) -> Path:
        return self.folder / f"summary_{self.batch}_{self.stamp}.json"

    def write(self, trials: Callable[[], Iterable[Trial]], prompt_version: str | None) -> None:
        """Writes the results, each file whole or not at all; `trials` reads them anew for each.

        Raises UsageError where they cannot be written.
        """
        made_folder(self.folder)
        for path, form in zip(self.paths, FORMS, strict=True):
            rows = (result_row(trial, prompt_version) for trial in trials())
            write_whole(path, pieces(rows, ResultRow, Form(form, counts=True, batch=self.batch)))

    def summarise(self, found: BatchSummary) -> None:
        """Writes what they come to."""
        text = msgspec.json.format(msgspec.json.encode(found), indent=2).decode()
        write_whole(self.summary, [text + "\n"])


def conversation_figures(store: Path, run: str, batch: str, total: int) -> BatchSummary:
    """What the recorded conversations of a run come to; `total` scenarios were to be played."""
    ended = figures.ended(store, run)
    cases: defaultdict[str, set[str]] = defaultdict(set)
    for each in ended:
        cases[each.case].add(state_of(each.status))
    order = ("failed", "completed", "skipped", "not_run")
    scenarios = Counter(next(state for state in order if state in held) for held in cases.values())
    return batch_summary(
        batch,
        total,
        scenarios,
        unscored=sum(each.trials for each in ended if each.status is Status.UNSCORED),
        grades=figures.numbers(store, run, GRADE),
        goals=figures.numbers(store, run, GOAL),
        criteria=figures.numbers(store, run, CRITERIA),
        partial=False,
    )
