"""Trials as a data frame, and as Parquet: by Polars, which does both and needs nothing else (an extra)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from assay.errors import UsageError
from assay.keys import JSON
from assay.store.export import TrialRow, trial_row
from assay.store.forms import drafted, json_text, sound
from assay.trial import Trial

if TYPE_CHECKING:  # an extra, and half a second to import
    import polars as pl

INSTALL = "install it: pip install 'assay[frames]'"

DOLLARS = (38, 15)
"""Digits of a cost in all, and behind the point."""

Cell = JSON | Decimal


def frame(trials: Iterable[Trial], task: str | None = None) -> pl.DataFrame:
    """A row a trial: the columns of an export, and one for each score (`score.NAME`) and tag (`tag.NAME`).

    A score's column is of bools, of numbers, or of texts where its values are labels or mixed; null
    where the trial has none. Raises UsageError where Polars is not installed.
    """
    import_polars()
    rows = [trial_row(trial, task) for trial in trials]
    columns = _plain(rows)
    scores = list(dict.fromkeys(name for row in rows for name in row.scores))
    tags = list(dict.fromkeys(name for row in rows for name in row.tags))
    for name in scores:
        columns[f"score.{name}"] = _of_one_kind([row.scores.get(name) for row in rows])
    for name in tags:
        columns[f"tag.{name}"] = [row.tags.get(name) for row in rows]
    return _made(columns)


def write_parquet(path: Path, trials: Iterable[Trial], task: str | None = None) -> int:
    """Writes the trials with the columns of a CSV, each with its type; scores and tags as JSON texts.

    The file is there whole or not at all. Gives the number of trials; all of them are held meanwhile.
    Raises UsageError where it cannot be written, and where Polars is not installed.
    """
    import_polars()
    rows = [trial_row(trial, task) for trial in trials]
    columns = _plain(rows)
    columns["scores"] = [json_text(row.scores) for row in rows]
    columns["tags"] = [json_text(row.tags) for row in rows]
    made = _made({name: columns[name] for name in TrialRow.__struct_fields__})
    with drafted(path) as draft:
        made.write_parquet(draft)
    return len(rows)


def import_polars() -> None:
    """Raises UsageError where it is not installed."""
    try:
        import polars as pl  # noqa: F401  whether it is there
    except ImportError:
        raise UsageError("data frames and Parquet need Polars, which is not here", fix=INSTALL) from None


def _plain(rows: Sequence[TrialRow]) -> dict[str, Sequence[Cell]]:
    """The columns that every trial has, in the order of an export; scores and tags are left out."""
    names = [name for name in TrialRow.__struct_fields__ if name not in {"scores", "tags"}]
    return {name: [sound(getattr(row, name)) for row in rows] for name in names}


def _of_one_kind(values: Sequence[bool | float | str | None]) -> Sequence[Cell]:
    """The values as a column can hold them: bools, numbers, or else texts."""
    given = [value for value in values if value is not None]
    if all(isinstance(value, bool) for value in given):
        return values
    if all(isinstance(value, (bool, int, float)) for value in given):
        return [None if value is None else float(value) for value in values]
    return [value if value is None or isinstance(value, str) else json.dumps(value) for value in values]


def _made(columns: Mapping[str, Sequence[Cell]]) -> pl.DataFrame:
    import polars as pl

    types: dict[str, pl.DataType] = {name: pl.String() for name in TrialRow.__struct_fields__}
    types |= dict.fromkeys(("repeat", "calls", "input_tokens", "output_tokens"), pl.Int64())
    types |= dict.fromkeys(("due", "started", "ended", "ttft_ms", "latency_ms"), pl.Float64())
    types["cost_usd"] = pl.Decimal(*DOLLARS)
    made = {
        name: pl.Series(name, values, dtype=types.get(name), strict=False) for name, values in columns.items()
    }
    return pl.DataFrame(made)
