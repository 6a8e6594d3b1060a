"""What an emulator of its own needs: the answers of a task or plan, its timing, faults and ledger."""

from __future__ import annotations

from pathlib import Path

from msgspec import structs

from assay.emulator.choice import Choice, mix_of, script_of
from assay.emulator.index import Index, entry
from assay.emulator.ledger import Ledger
from assay.emulator.pace import Timing
from assay.errors import UsageError
from assay.loading import files
from assay.loading.bind import load_task
from assay.loading.environment import read_environment
from assay.loading.plans import read_plan
from assay.loading.tasks import find_task
from assay.plan import Plan


def known_answers(task: str | None, plan: str | None, data: str | None) -> Index:
    """The index of a task's cases (all its splits, or `data`), or of a plan's. Empty where none is named."""
    index = Index()
    for each in _plans(task, plan, data):
        loaded, _ = load_task(each, read_environment())
        for case in loaded:
            index.add(entry(loaded.exchange.opening(case), case.target, case.schema))
    return index


def _plans(task: str | None, plan: str | None, data: str | None) -> list[Plan]:
    """The plans whose cases are to be known: one a split of a task."""
    if plan is not None:
        return [structs.replace(read_plan(Path(plan)), models=())]
    if task is None:
        if data is not None:
            raise UsageError(
                "--data without a task", fix="add --task NAME: its prompts are what is recognised"
            )
        return []
    cases = find_task(task).form.cases
    splits = list(cases) if isinstance(cases, dict) and data is None else ["test"]
    return [Plan(task=task, models=(), data=data, split=split) for split in splits]


def emulator_settings(
    *,
    ttft_ms: float,
    itl_ms: float,
    spread: float,
    mix: str,
    script: Path | None,
    ledger: Path | None,
    seed: int,
) -> tuple[Timing, Choice, Ledger]:
    """Timing in milliseconds, faults by weight or script, and the file of the ledger."""
    timing = Timing(ttft_s=ttft_ms / 1e3, itl_s=itl_ms / 1e3, spread=spread)
    scripted = script_of(files.read_json(script)) if script is not None else {}
    return timing, Choice(scripted, mix_of(mix), seed), Ledger(ledger)
