"""What a report page shows: summaries, comparisons, samples for charts, and the few trials worth reading,
gleaned from the stored trials in one pass.
"""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import islice, zip_longest
from typing import NamedTuple

from msgspec import Struct

from assay.ports import Run
from assay.reports.arms import Arm
from assay.reports.compare import Comparison, Flip, compare_arms
from assay.reports.scored import headline_number
from assay.reports.summary import ModelSummary, Summary, summarise
from assay.reports.tally import MOST_LABELS, OTHERS, subject
from assay.stats.paired import holm
from assay.trial import CallState, Label, Status, Trial

MOST_WORST = 50
MOST_FLIPS = 50
MOST_COMPARED = 5
"""Comparisons of the leading model with others that a page holds."""


class Source(Struct, frozen=True):
    """A run to show: its trials in the order of the record, how to read one of them again, and what
    people said of them.
    """

    run: Run
    trials: Iterable[Trial]
    find: Callable[[str], Trial]
    labels: Collection[Label] = ()


class Times(Struct, frozen=True):
    """Raw times of a model's window: seconds of calls under test, and when trials ended (seconds since
    the run's start) with whether they were right.
    """

    latency: array[float]
    ttft: array[float]
    ended: array[float]
    right: bytearray


class Entry(Struct, frozen=True):
    """One model of one run. `label` names it on the page, `letter` its run where there are two."""

    label: str
    letter: str
    run: Run
    summary: ModelSummary
    times: Times


class Compared(Struct, frozen=True):
    """A comparison of two entries by their places; `p_adjusted` is Holm's where there are several."""

    a: int
    b: int
    comparison: Comparison
    p_adjusted: float | None


class Shown(Struct, frozen=True):
    """A trial that the page shows whole: its place in its run's record, its entry, why it is here."""

    entry: int
    place: int
    why: str
    trial: Trial


class FlipShown(Struct, frozen=True):
    """A case that changed, with the places of its trials in `Page.trials` (None where there was no room)."""

    flip: Flip
    a: int | None
    b: int | None


class Page(Struct, frozen=True):
    """All that a report shows. `flips` are those of the first comparison; `worst` are places in `trials`,
    of `wrong` trials that were not right.
    """

    summaries: tuple[Summary, ...]
    runs: tuple[Run, ...]
    entries: tuple[Entry, ...]
    comparisons: tuple[Compared, ...]
    flips: tuple[FlipShown, ...]
    worst: tuple[int, ...]
    wrong: int
    trials: tuple[Shown, ...]


class Sighted(NamedTuple):
    """Where a trial stands in the record, and its key."""

    place: int
    key: str


class Gleaned:
    """What is kept of one model while its trials go by: bounded but for a few numbers a case."""

    def __init__(self, headline: str) -> None:
        self._headline = headline
        self.arm = Arm(headline)
        self.wrong = 0
        self.ttft, self.ended, self.right = array("d"), array("d"), bytearray()
        self.cases: dict[str, Sighted] = {}
        self._lowest: dict[str, float] = {}
        self._worst: dict[str, list[tuple[float, int, str]]] = {}

    def add(self, trial: Trial, place: int) -> None:
        """Takes in one trial, which stands at `place` of the record (from 1)."""
        self.arm.add(trial)
        if trial.phase != "window":
            return
        number = headline_number(trial, self._headline) if trial.status is Status.SCORED else None
        if trial.status is not Status.NOT_RUN:
            self.ended.append(trial.ended)
            self.right.append(number == 1.0)
        self._times(trial)
        why = what_is_wrong(trial, number)
        if why is not None:
            self._bad(trial, place, why, number if number is not None else 0.0)
        value = number if number is not None else 0.0
        if value < self._lowest.get(trial.case.name, float("inf")):
            self._lowest[trial.case.name] = value
            self.cases[trial.case.name] = Sighted(place, trial.key)

    def _times(self, trial: Trial) -> None:
        role = None
        for call in trial.calls:
            if not call.request.stream or call.state is not CallState.DONE or call.origin != "live":
                continue
            role = role or subject(trial)
            if call.role == role and not call.paused and (ttft := call.ttft) is not None:
                self.ttft.append(ttft)

    def _bad(self, trial: Trial, place: int, why: str, number: float) -> None:
        self.wrong += 1
        group = why if why in self._worst or len(self._worst) < MOST_LABELS else OTHERS
        heap = self._worst.setdefault(group, [])
        item = (-number, -place, trial.key)
        if len(heap) < MOST_WORST:
            heapq.heappush(heap, item)
        elif item > heap[0]:
            heapq.heapreplace(heap, item)

    def worst(self) -> Iterator[Sighted]:
        """The worst first, each kind of failure in its turn."""
        groups = [sorted(heap, reverse=True) for heap in self._worst.values()]
        for turn in range(MOST_WORST):
            for found in groups:
                if turn < len(found):
                    _, place, key = found[turn]
                    yield Sighted(-place, key)

    def times(self) -> Times:
        return Times(self.arm.latencies, self.ttft, self.ended, self.right)


def what_is_wrong(trial: Trial, number: float | None) -> str | None:
    """In a few words why a trial is among the bad ones; None for a right one and where none is due."""
    if trial.status is Status.SCORED:
        if number is None or not 0.0 <= number < 1.0:
            return None
        return "wrong" if number == 0.0 else "partly right"
    if trial.status in (Status.FAILED, Status.INVALID, Status.UNSCORED) and trial.detail != "not_applicable":
        return f"{trial.status.value}: {trial.detail}"[:100]
    return None


def read_page(sources: Sequence[Source]) -> Page:
    """The page of one run, or of two to be compared; their trials are read once."""
    read = [_read(source) for source in sources]
    entries = tuple(
        Entry(
            label=f"{letter}: {model.model}" if letter else model.model,
            letter=letter,
            run=source.run,
            summary=model,
            times=gleaned[model.model].times(),
        )
        for source, (summary, gleaned), letter in zip(sources, read, _letters(sources), strict=True)
        for model in summary.models
    )
    kept = [gleaned[model.model] for summary, gleaned in read for model in summary.models]
    finds = [source.find for source, (summary, _) in zip(sources, read, strict=True) for _ in summary.models]
    compared = _comparisons(entries, kept)
    shelf = _Shelf(finds, [entry.run.headline for entry in entries])
    flips = _flips(compared, kept, shelf)
    worst = _worst(kept, shelf)
    return Page(
        summaries=tuple(summary for summary, _ in read),
        runs=tuple(source.run for source in sources),
        entries=entries,
        comparisons=compared,
        flips=flips,
        worst=worst,
        wrong=sum(each.wrong for each in kept),
        trials=tuple(shelf.trials),
    )


def _letters(sources: Sequence[Source]) -> list[str]:
    return [""] if len(sources) == 1 else [chr(ord("A") + place) for place in range(len(sources))]


def _read(source: Source) -> tuple[Summary, dict[str, Gleaned]]:
    gleaned: dict[str, Gleaned] = {model: Gleaned(source.run.headline) for model in source.run.models}

    def passing() -> Iterator[Trial]:
        for place, trial in enumerate(source.trials, 1):
            if trial.model not in gleaned:
                gleaned[trial.model] = Gleaned(source.run.headline)
            gleaned[trial.model].add(trial, place)
            yield trial

    return summarise(passing(), source.run, labels=source.labels), gleaned


def _comparisons(entries: Sequence[Entry], kept: Sequence[Gleaned]) -> tuple[Compared, ...]:
    pairs = _pairs(entries)
    found = [
        compare_arms(
            kept[a].arm,
            kept[b].arm,
            headline=entries[a].run.headline,
            names=(entries[a].label, entries[b].label),
            runs=(entries[a].run, entries[b].run) if entries[a].letter else None,
        )
        for a, b in pairs
    ]
    tested = [each.p if each.p is not None else 1.0 for each in found]
    adjusted = holm(tested) if len(found) > 1 else [None] * len(found)
    return tuple(
        Compared(a, b, comparison, p) for (a, b), comparison, p in zip(pairs, found, adjusted, strict=True)
    )


def _pairs(entries: Sequence[Entry]) -> list[tuple[int, int]]:
    """Two runs: equal models, or the only ones. One run: the leading model against the others."""
    if entries and entries[0].letter:
        sides = [[n for n, e in enumerate(entries) if e.letter == letter] for letter in ("A", "B")]
        same = [
            (a, b) for a in sides[0] for b in sides[1] if entries[a].summary.model == entries[b].summary.model
        ]
        alone = [(sides[0][0], sides[1][0])] if len(sides[0]) == len(sides[1]) == 1 else []
        return (same or alone)[:MOST_COMPARED]
    ranked = sorted(range(len(entries)), key=lambda n: -(entries[n].summary.headline.value or 0.0))
    return [(other, ranked[0]) for other in ranked[1 : MOST_COMPARED + 1]]


class _Shelf:
    """The trials that the page shows, each once."""

    def __init__(self, finds: Sequence[Callable[[str], Trial]], headlines: Sequence[str]) -> None:
        self._finds = finds
        self._headlines = headlines
        self._places: dict[tuple[int, int], int] = {}
        self.trials: list[Shown] = []

    def put(self, entry: int, sighted: Sighted) -> int:
        """The trial's place on the shelf."""
        name = (entry, sighted.place)
        if name not in self._places:
            self._places[name] = len(self.trials)
            trial = self._finds[entry](sighted.key)
            why = what_is_wrong(trial, headline_number(trial, self._headlines[entry])) or "right"
            self.trials.append(Shown(entry, sighted.place, why, trial))
        return self._places[name]


def _flips(compared: Sequence[Compared], kept: Sequence[Gleaned], shelf: _Shelf) -> tuple[FlipShown, ...]:
    """The flips of the first comparison: those that got worse and better in turn, largest first."""
    if not compared:
        return ()
    first = compared[0]
    better, worse = first.comparison.better, first.comparison.worse
    room = max(MOST_FLIPS - min(len(better), MOST_FLIPS // 2), MOST_FLIPS // 2)
    chosen = [*worse[:room], *better[: MOST_FLIPS - len(worse[:room])]]

    def place(entry: int, case: str) -> int | None:
        sighted = kept[entry].cases.get(case)
        return None if sighted is None else shelf.put(entry, sighted)

    return tuple(FlipShown(flip, place(first.a, flip.case), place(first.b, flip.case)) for flip in chosen)


def _worst(kept: Sequence[Gleaned], shelf: _Shelf) -> tuple[int, ...]:
    """The worst trials of all models, each model in its turn."""
    turns = zip_longest(*(each.worst() for each in kept))
    bad = ((entry, found) for turn in turns for entry, found in enumerate(turn) if found is not None)
    return tuple(shelf.put(entry, found) for entry, found in islice(bad, MOST_WORST))
