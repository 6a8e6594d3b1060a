"""Simulations N18 to N20: whole runs whose scores, keys and statistics must not depend on the weather."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import NamedTuple

import msgspec
from msgspec import structs

from assay import api
from assay.case import Case
from assay.keys import JSON
from assay.loading import bind
from assay.loading.environment import Environment
from assay.message import Finish, Reply
from assay.plan import Emulation, ModelChoice, Plan
from assay.ports import Run, Stop, Where
from assay.reports.compare import compare
from assay.reports.summary import ModelSummary, summarise
from assay.schedule import Closed
from assay.store.sqlite import SqliteStore
from assay.trial import Call, Event, Outcome, Score, Status, Transcript, Trial
from judge_simulations import Share

KEY = Environment({"OPENAI_API_KEY": "key"})

TIMED = ("latency", "speed", "roles", "load")
"""What of a model's summary tells of time."""


class Files(NamedTuple):
    """A task as its files' texts."""

    prompt: str
    rubric: str
    mark: str
    cases: tuple[str, ...]

    def write(self, folder: Path) -> None:
        form: dict[str, JSON] = {
            "name": "sums",
            "cases": "cases.jsonl",
            "prompt": {"user": "user.txt"},
            "scorers": [
                "exact",
                {"numeric": {"after": self.mark}},
                {"judge": {"rubric": "rubric.yaml"}},
            ],
        }
        (folder / "task.yaml").write_text(json.dumps(form))
        (folder / "user.txt").write_text(self.prompt)
        (folder / "rubric.yaml").write_text(self.rubric)
        (folder / "cases.jsonl").write_text("".join(f"{row}\n" for row in self.cases))


def _row(n: int) -> str:
    return json.dumps({"id": f"c{n}", "input": f"What is {n} + 1?", "target": str(n + 1)})


PLAIN = Files(
    "Answer with the number alone: {{INPUT}}",
    "name: tone\nabout: Judge the tone of it.\ndimensions: [{id: tone, about: Is it polite?}]\n",
    "the answer is",
    tuple(_row(n) for n in range(8)),
)


def n18(runs: int, draw: Random) -> Iterator[Share]:
    """The same plan at 1, 8 and 64 at once, over an emulator whose answers come in any order."""
    cases = -(-runs // 3)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        form: JSON = {"name": "sums", "cases": "cases.jsonl", "scorers": ["exact", "f1"]}
        (folder / "task.yaml").write_text(json.dumps(form))
        (folder / "cases.jsonl").write_text("".join(f"{_row(n)}\n" for n in range(cases)))
        files = [_scores_file(folder, slots, draw.random()) for slots in (1, 8, 64)]
    same = sum(a == b == c for a, b, c in zip(*files, strict=True))
    yield Share("lines of the scores file, the same at 1, 8 and 64 at once", same, cases, 1, 1)


def _scores_file(folder: Path, slots: int, pace: float) -> list[bytes]:
    """A line a trial in the order of their keys; the pace says when answers come, and nothing else."""
    plan = Plan(
        task=str(folder / "task.yaml"),
        models=(ModelChoice("emulated/skill-0.7"),),
        schedule=Closed(slots),
        emulator=Emulation(ttft_ms=0.2 + pace, spread=0.5),
    )
    store = folder / f"{slots}.db"
    result = asyncio.run(api.run(plan, store=store, environment=Environment({})))
    record = SqliteStore.open(store, create=False)
    trials = sorted(record.trials(Where(run=result.run.id, calls=False)), key=lambda trial: trial.key)
    return [
        msgspec.json.encode(
            [t.key, t.case, t.status, t.detail, t.scores, t.transcript.final and t.transcript.final.text]
        )
        for t in trials
    ]


class Keys(NamedTuple):
    """What a plan is known by."""

    plays: tuple[str, ...]
    scorers: tuple[str, ...]
    run: Run


def n19(runs: int, draw: Random) -> Iterator[Share]:
    """One character of one file is another: which keys change, and does a comparison say so?"""
    right: dict[str, list[int]] = {part: [0, 0] for part in _PARTS}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plain = asyncio.run(_keys(folder, PLAIN))
        for number in range(runs):
            part = list(_PARTS)[number % len(_PARTS)]
            changed, touched = _PARTS[part](draw)
            found = asyncio.run(_keys(folder, changed))
            plays = {n for n, (x, y) in enumerate(zip(plain.plays, found.plays, strict=True)) if x != y}
            scorers = {n for n, (x, y) in enumerate(zip(plain.scorers, found.scorers, strict=True)) if x != y}
            said = _named(plain.run, found.run)
            right[part][0] += (plays, scorers) == touched and said
            right[part][1] += 1
    for part, (hits, count) in right.items():
        yield Share(f"one character of the {part}: its keys alone change, and are named", hits, count, 1, 1)
    yield _prices(runs, draw)


def _other(text: str, draw: Random, low: int = 0, high: int | None = None) -> str:
    """The text with one letter of it changed."""
    places = [
        n for n, c in enumerate(text) if low <= n < (len(text) if high is None else high) and c.isalpha()
    ]
    at = draw.choice(places)
    letter = draw.choice([c for c in "abcdefghijklmnopqrstuvwxyz" if c != text[at]])
    return text[:at] + letter + text[at + 1 :]


EVERY = set(range(len(PLAIN.cases)))
Touched = tuple[set[int], set[int]]


def _prompt(draw: Random) -> tuple[Files, Touched]:
    return PLAIN._replace(prompt=_other(PLAIN.prompt, draw, 0, PLAIN.prompt.index(":"))), (EVERY, set())


def _judge(draw: Random) -> tuple[Files, Touched]:
    about = PLAIN.rubric.index("Judge")
    return PLAIN._replace(rubric=_other(PLAIN.rubric, draw, about, about + 18)), (set(), {2})


def _scorer(draw: Random) -> tuple[Files, Touched]:
    return PLAIN._replace(mark=_other(PLAIN.mark, draw)), (set(), {1})


def _input(draw: Random) -> tuple[Files, Touched]:
    at = draw.randrange(len(PLAIN.cases))
    row = json.loads(PLAIN.cases[at])
    changed = json.dumps({**row, "input": _other(row["input"], draw)})
    return PLAIN._replace(cases=(*PLAIN.cases[:at], changed, *PLAIN.cases[at + 1 :])), ({at}, set())


def _target(draw: Random) -> tuple[Files, Touched]:
    at = draw.randrange(len(PLAIN.cases))
    changed = json.dumps({**json.loads(PLAIN.cases[at]), "target": str(draw.randrange(100, 999))})
    return PLAIN._replace(cases=(*PLAIN.cases[:at], changed, *PLAIN.cases[at + 1 :])), (set(), set())


_PARTS = {"prompt": _prompt, "judge": _judge, "scorer": _scorer, "input": _input, "target": _target}


async def _keys(folder: Path, files: Files) -> Keys:
    files.write(folder)
    plan = Plan(
        task=str(folder / "task.yaml"),
        models=(ModelChoice("openai/gpt-4o-mini"),),
        cast={"judge": ModelChoice("openai/gpt-4o")},
    )
    async with bind.bound(plan, KEY, run_id="run", checked=False) as ready:
        plays = tuple(planned.key for planned in ready.trials())
        return Keys(plays, tuple(scored.identity for scored in ready.scorers), ready.run)


def _named(a: Run, b: Run) -> bool:
    """Whether a comparison of the two runs says that something differs."""
    return bool(compare([], [], headline="exact", names=("a", "b"), runs=(a, b)).settings)


def _prices(runs: int, draw: Random) -> Share:
    """A price is in no key: what was asked and scored stays what it was."""
    count, same = max(1, runs // 100), 0
    table = json.loads(bind.PRICES.read_text())
    kept = bind.PRICES
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plain = asyncio.run(_keys(folder, PLAIN))
        try:
            for _ in range(count):
                text = json.dumps(table)
                digits = [n for n, c in enumerate(text) if c in "123456789" and text[n - 1] in '."']
                at = draw.choice(digits)
                bind.PRICES = folder / "prices.json"
                bind.PRICES.write_text(text[:at] + draw.choice("123456789") + text[at + 1 :])
                found = asyncio.run(_keys(folder, PLAIN))
                same += (found.plays, found.scorers) == (plain.plays, plain.scorers)
        finally:
            bind.PRICES = kept
    return Share("one digit of a price: no key changes", same, count, 1, 1)


def n20(runs: int, draw: Random) -> Iterator[Share]:
    """Trials in any order; a run that was stopped and resumed: the statistics are the same to the bit."""
    trials = [_trial(n, repeat, draw) for n in range(20) for repeat in range(3)]
    run = _run(len(trials))
    (plain,) = summarise(trials, run).models
    same = 0
    for _ in range(runs):
        draw.shuffle(trials)
        (found,) = summarise(trials, run).models
        same += _untimed(found) == _untimed(plain)
    yield Share("summaries of shuffled trials, the same to the bit", same, runs, 1, 1)
    again = -(-runs // 500)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        hits = sum(_resumed_is_whole(folder, number, draw) for number in range(again))
        crews = sum(_crew_is_one(folder, number) for number in range(1 + again // 10))
    yield Share("runs stopped and resumed, with the whole run's statistics", hits, again, 1, 1)
    yield Share("runs of two processes, with the statistics of one's", crews, 1 + again // 10, 1, 1)


def _trial(n: int, repeat: int, draw: Random) -> Trial:
    """A trial with scores whose sums depend on their order, were they added up carelessly."""
    case = Case(f"c{n}", f"c{n}", tags={"odd": str(n % 2)})
    scores = (
        Score("exact", draw.random() < 0.7),
        Score("f1", draw.random() ** 3),
        Score("wer", 3 * draw.random()),
    )
    final = Reply(draw.choice("xyz"), finish=Finish.STOP)
    return Trial(
        "r", f"k{n}.{repeat}", case, "m", repeat, 0, Status.SCORED,
        transcript=Transcript((), Outcome("answered"), final), scores=scores,
    )  # fmt: skip


def _run(planned: int) -> Run:
    return Run(
        id="r", plan={}, task="t", fingerprint="", headline="f1", models=("m",), planned=planned,
        seed=0, wall=0, version="", state="completed",
    )  # fmt: skip


def _untimed(m: ModelSummary) -> bytes:
    """Everything of a summary that says nothing of time, in an order of its own."""
    plain = {
        name: value for name, value in msgspec.to_builtins(structs.asdict(m)).items() if name not in TIMED
    }
    return msgspec.json.encode(plain, order="deterministic")


def _thirty(folder: Path, number: int) -> Plan:
    form: JSON = {"name": "sums", "cases": "cases.jsonl", "scorers": ["exact", "f1"]}
    (folder / "task.yaml").write_text(json.dumps(form))
    (folder / "cases.jsonl").write_text("".join(f"{_row(n)}\n" for n in range(30)))
    return Plan(
        task=str(folder / "task.yaml"),
        models=(ModelChoice("emulated/skill-0.7"),),
        repeats=2,
        seed=number,
        schedule=Closed(4),
    )


def _crew_is_one(folder: Path, number: int) -> bool:
    plan = _thirty(folder, number)
    found = [
        asyncio.run(api.run(each, store=folder / f"{number}{n}.db", environment=Environment({})))
        for n, each in enumerate((plan, structs.replace(plan, workers=2)))
    ]
    one, two = (_untimed(result.summary.models[0]) for result in found)
    return one == two


def _resumed_is_whole(folder: Path, number: int, draw: Random) -> bool:
    plan = _thirty(folder, number)
    whole = asyncio.run(api.run(plan, store=folder / f"{number}a.db", environment=Environment({})))
    other = folder / f"{number}b.db"
    stop = Stop()
    cutting = (_StopsAfter(stop, draw.randrange(1, 50)),)
    asyncio.run(
        api.run(plan, store=other, run_id="cut", stop=stop, watchers=cutting, environment=Environment({}))
    )
    resumed = asyncio.run(api.run(plan, store=other, run_id="cut", environment=Environment({})))
    return _untimed(resumed.summary.models[0]) == _untimed(whole.summary.models[0])


class _StopsAfter:
    """A watcher that stops the run after so many trials."""

    def __init__(self, stop: Stop, trials: int) -> None:
        self._stop = stop
        self._left = trials

    def on_start(self, run: Run, held: int) -> None:
        """Nothing to do yet."""

    def on_event(self, trial: str, event: Event) -> None:
        """What is said does not count."""

    def on_call(self, call: Call) -> None:
        """Nor do calls."""

    def on_trial(self, trial: Trial) -> None:
        self._left -= trial.status is Status.SCORED
        if self._left <= 0:
            self._stop.now("cancelled")

    def on_end(self, run: Run) -> None:
        """It has done its work."""
