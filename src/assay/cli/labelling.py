"""Labelling at the terminal: which trials, on which scale, and one key after another."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

import click
from msgspec import Struct

from assay.cli import looks, transcript
from assay.errors import UsageError
from assay.reports.judges import JUDGES, JudgeTally
from assay.trial import EventKind, Label, Trial

Keep = Callable[[Sequence[Label]], None]
Whole = Callable[[str], Trial]

END = "\x04"
"""What stands for the end of the input."""

WORDS = {
    "right": {"y": 1.0, "n": 0.0},
    "pairwise": {"a": 0.0, "t": 0.5, "b": 1.0},
}
"""Keys of scores that are no grade: y right, n wrong; a and b for who is better, t for a tie."""


class Grades(Struct, frozen=True):
    """What is asked of each trial: scores by name with the lowest and the highest grade.

    `mean` names the score that is the mean of several.
    """

    scales: dict[str, tuple[int, int]]
    mean: str | None = None


def grades_of(trials: Iterable[Trial], headline: str, score: str | None, scale: str | None) -> Grades:
    """The scores to label: what is named, else those of the run's judge, else the headline.

    Raises UsageError where the scale is known from nowhere.
    """
    tally, names = JudgeTally(), dict.fromkeys([headline])
    for trial in trials:
        for each in trial.scores:
            names[each.name] = None
            if each.name in JUDGES:
                tally.add(trial, each)
    judged = next((name for name in JUDGES if name in names), None)
    chosen = score or judged or headline
    if chosen not in names:
        raise UsageError(f"the run has no score {chosen!r}", fix=f"its scores: {', '.join(names)}")
    if scale is not None:
        return Grades({chosen: _scale(scale)})
    parts = {name: ends for name, ends in tally.scales.items() if name.startswith(f"{chosen}_")}
    if chosen == judged and len(parts) > 1:
        return Grades({name: (int(low), int(high)) for name, (low, high) in parts.items()}, chosen)
    if chosen in tally.scales:
        low, high = tally.scales[chosen]
        return Grades({chosen: (int(low), int(high))})
    return Grades({chosen: (0, 1)})


def _scale(text: str) -> tuple[int, int]:
    low, dash, high = text.partition("-")
    if not (dash and low.isdecimal() and high.isdecimal() and int(low) < int(high)):
        raise UsageError(f"--scale {text} is no scale", fix="write it as LOW-HIGH: --scale 1-5")
    return int(low), int(high)


def to_label(
    trials: Iterable[Trial],
    labels: Collection[Label],
    grades: Grades,
    rater: str,
    *,
    model: str | None,
    seed: int,
) -> list[str]:
    """The keys of the trials that this rater has still to label, in seeded random order: any beginning
    of it is a random sample.
    """
    held = {(label.trial, label.name) for label in labels if label.rater == rater}
    every = sorted(
        {
            trial.key
            for trial in trials
            if model in (None, trial.model) and any(score.name in _asked(grades) for score in trial.scores)
        }
    )
    random.Random(seed).shuffle(every)
    return [key for key in every if any((key, name) not in held for name in grades.scales)]


def _asked(grades: Grades) -> set[str]:
    return {*grades.scales, *([grades.mean] if grades.mean else ())}


class Session:
    """One sitting: where it stands among its trials, and what has been said."""

    def __init__(self, grades: Grades, rater: str, keys: Sequence[str], *, keep: Keep, whole: Whole) -> None:
        self._grades = grades
        self._rater = rater
        self._keys = keys
        self._keep = keep
        self._whole = whole
        self._done: dict[str, None] = {}

    @property
    def done(self) -> int:
        return len(self._done)

    @property
    def left(self) -> int:
        return len(self._keys) - len(self._done)

    def run(self) -> None:
        """Asks until every trial is labelled or passed over, or the person quits."""
        at = 0
        while at < len(self._keys):
            trial = self._whole(self._keys[at])
            click.echo("\n".join(self._shown(trial, at)))
            said = self._ask(trial)
            if said == "q":
                return
            at = max(0, at - 1) if said == "<" else at + 1

    def _shown(self, trial: Trial, at: int) -> Iterator[str]:
        """The case and what was answered; no model's name and no grade that could lead the eye."""
        count = click.style(f"[{at + 1}/{len(self._keys)}]", bold=True)
        yield f"\n{count} case {looks.short(trial.case.name, 60)}"
        yield from transcript.event_lines(trial)
        said = any(event.kind is EventKind.SAID for event in trial.transcript.events)
        final = trial.transcript.final
        if not said and final is not None:
            yield from transcript.spoken("reply", final.text)
        yield from transcript.wanted_lines(trial)

    def _ask(self, trial: Trial) -> str:
        """Grades every score of one trial; gives `q`, `<`, or what lets the sitting go on."""
        values: dict[str, float] = {}
        for name, (low, high) in self._grades.scales.items():
            said = self._grade(name, low, high, trial)
            if isinstance(said, str):
                return said
            values[name] = said
        if self._grades.mean is not None:
            values[self._grades.mean] = sum(values.values()) / len(values)
        now = time.time_ns()
        self._keep([Label(trial.key, name, value, self._rater, "", now) for name, value in values.items()])
        self._done[trial.key] = None
        return ""

    def _grade(self, name: str, low: int, high: int, trial: Trial) -> float | str:
        """One grade, or a key of the sitting: s, <, q."""
        words = WORDS.get(name) or (WORDS["right"] if (low, high) == (0, 1) else {})
        choice = f"{low}-{high}" if not words else "/".join(words)
        rubric = _rubric(trial)
        helped = ", ? rubric" if rubric else ""
        while True:
            click.echo(f"{looks.short(name, 40)}: {choice} (s skip, < back, q quit{helped}) ", nl=False)
            said = _key_pressed(wide=high > 9).lower()
            click.echo(looks.short(said, 20))
            if said in words:
                return words[said]
            if said in {"s", "q", "<", END}:
                return "q" if said == END else said
            if said == "?" and rubric:
                click.echo("\n".join(looks.folded(rubric, looks.columns() - 2, 200)))
            elif not words and said.isascii() and said.isdecimal() and low <= int(said) <= high:
                return float(said)
            else:
                click.echo(f"no label: {looks.short(said, 20)!r}")


def _key_pressed(*, wide: bool) -> str:
    """One key of a terminal; a line where grades have several digits, or where a script answers."""
    if sys.stdin.isatty() and not wide:
        try:
            return click.getchar()
        except EOFError:
            return END
    line = sys.stdin.readline()
    return line.strip() if line else END


def _rubric(trial: Trial) -> str:
    """What the judge was told to go by, as it was sent."""
    asked = next((call for call in trial.calls if call.role == "judge" and call.request.messages), None)
    return asked.request.messages[0].text if asked is not None else ""
