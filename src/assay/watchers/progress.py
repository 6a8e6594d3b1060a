"""Progress for a person: a line a model on a terminal, a plain line every ten seconds elsewhere."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TextIO

from assay.ports import Run
from assay.trial import Call, Event, Status, Trial
from assay.watchers.tally import ModelTally

if TYPE_CHECKING:  # rich is slow to import and only needed on a terminal
    from rich.progress import Progress, TaskID


class PlainProgress:
    """Lines without control characters, for pipes and logs; `every` in seconds."""

    every = 10.0

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._run: Run | None = None
        self._models: dict[str, ModelTally] = {}
        self._planned: int | None = None
        self._shown = time.monotonic()

    def on_start(self, run: Run, held: int) -> None:
        self._run = run
        self._models = {model: ModelTally() for model in run.models}
        self._planned = run.planned // max(len(run.models), 1) if run.planned is not None else None
        if held:
            self._out.write(f"{held} trials are in the record already\n")

    def on_event(self, trial: str, event: Event) -> None:
        """Lines of a play are for those who show a conversation."""

    def on_call(self, call: Call) -> None:
        tally = self._models.get(call.model)
        if tally is not None:
            tally.call(call)

    def on_trial(self, trial: Trial) -> None:
        if trial.status is Status.PLAYED or self._run is None:
            return
        self._models[trial.model].trial(trial, self._run.headline)
        self._changed()

    def on_end(self, run: Run) -> None:
        """The report follows."""

    def _changed(self) -> None:
        """Shows where the run stands, not more often than `every` seconds."""
        now = time.monotonic()
        if now - self._shown >= self.every:
            self._shown = now
            self._show()

    def _show(self) -> None:
        for name, tally in self._models.items():
            self._out.write(f"{name}  {self._count(tally)}  {figures(tally)}\n")
        self._out.flush()

    def _count(self, tally: ModelTally) -> str:
        return f"{tally.ended}/{self._planned}" if self._planned is not None else str(tally.ended)


class LiveProgress(PlainProgress):
    """A bar a model, redrawn a few times a second."""

    every = 0.2

    def __init__(self, out: TextIO) -> None:
        super().__init__(out)
        self._bars: Progress | None = None
        self._tasks: dict[str, TaskID] = {}

    def on_start(self, run: Run, held: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        super().on_start(run, held)
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=40),
            TextColumn("{task.fields[count]}  {task.fields[figures]}"),
            console=Console(file=self._out),
            refresh_per_second=4,
            transient=True,
        )
        for model in run.models:
            self._tasks[model] = self._bars.add_task(model, total=self._planned, count="", figures="")
        self._bars.start()

    def _show(self) -> None:
        if self._bars is None:
            return
        for model, tally in self._models.items():
            self._bars.update(
                self._tasks[model], completed=tally.ended, count=self._count(tally), figures=figures(tally)
            )

    def on_end(self, run: Run) -> None:
        super().on_end(run)
        self.close()

    def close(self) -> None:
        """Takes the bars away; also after an error, before it is shown."""
        if self._bars is not None:
            self._bars.stop()
            self._bars = None


def figures(tally: ModelTally) -> str:
    """The figures of one line: headline so far with its margin, pace, cost, troubles."""
    mean, margin = tally.mean, tally.margin
    score = f"{mean:.2f} ±{margin:.2f}" if mean is not None and margin is not None else "-"
    cost = f"${tally.cost:.3f}" if tally.cost is not None else "-"
    return "  ".join(part for part in (score, f"{tally.pace:.0f}/s", cost, tally.troubles()) if part)
