"""Posted scenarios: a body checked whole, every fault with its JSON pointer, before anything is played."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated

import msgspec
from msgspec import Meta, Struct, structs

from assay.errors import UsageError
from assay.keys import JSON
from assay.loading import files
from assay.loading.documents import Item
from assay.loading.environment import Environment
from assay.loading.exchanges import build_exchange, guarded_fetch, prompts_of
from assay.loading.matrix import drawn
from assay.loading.misfits import misfit, pointer
from assay.loading.prompts import fitted, lacking
from assay.loading.scenarios import Played, identified_cases, let_go, scenario_cases
from assay.loading.tasks import find_task
from assay.plan import Plan

MOST_BYTES = 20 * 1024 * 1024
MOST_TRIALS = 100_000
MOST_DRAWN = 1_000_000
"""Values and pairs that the matrices of one body draw: a second or so for a hundred thousand."""
MOST_DEPTH = 32
"""Levels of lists and objects in a body: what walks through values later has no bound of its own."""

MOST_FAULTS = 100
"""Faults that are told; what is wrong with all scenarios alike needs no more."""


class PostedBatch(Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a batch as an object; a bare list of scenarios stands for the object with it alone.

    Each scenario is played `repeats` times, times its own `repeats`; `seed` is that of the run.
    `webhook_url` is called before each conversation instead of the service's own, where its host is
    on the service's list.
    """

    scenarios: list[JSON]
    repeats: Annotated[int, Meta(ge=1, le=1000)] = 1
    seed: Annotated[int, Meta(ge=0, lt=1 << 53)] = 0
    webhook_url: str | None = None


class Fault(Struct, frozen=True):
    """One thing that is wrong with a body: where (a JSON pointer, RFC 6901), what, and the remedy."""

    pointer: str
    detail: str
    fix: str

    @property
    def index(self) -> int:
        """That of the scenario; -1 for a fault of the whole body."""
        return next((int(part) for part in self.pointer.split("/") if part.isdecimal()), -1)


class Unplayable(UsageError):
    """A body of which nothing can be played."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(faults[0].detail, fix=faults[0].fix)
        self.faults = tuple(faults)


class TooMany(UsageError):
    """More conversations than one batch may have."""


class Checked(Struct, frozen=True):
    """A body as it can be played. `posted` is what it says beside its scenarios; `played` the document of
    those without a fault, and `cases` the ids of their cases.

    `repeats` says how often each case is played; empty where each is once.
    """

    posted: PostedBatch
    played: bytes
    cases: tuple[str, ...]
    repeats: tuple[int, ...]
    faults: tuple[Fault, ...]


class Intake:
    """Checks bodies against the task and the world of one plan. Reads the task's files once."""

    def __init__(self, plan: Plan, environment: Environment) -> None:
        """Raises UsageError where the plan's own task, prompts or webhook are at fault."""
        self._plan, self._environment = plan, environment
        self._folder = find_task(plan.task)
        self._prompts = prompts_of(self._folder, plan, environment)
        fetch = guarded_fetch(environment)
        _, self._world = build_exchange(self._folder, plan, environment, fetch, self._prompts)

    def read(self, body: bytes) -> Checked:
        """Every fault is in the answer. Raises Unplayable for what is no list of scenarios, and TooMany."""
        posted, base = _posted(body)
        if len(posted.scenarios) * posted.repeats > MOST_TRIALS:
            raise _too_many(f"{len(posted.scenarios)} scenarios x {posted.repeats} repeats are")
        faults: list[Fault] = []
        good = self._expanded(posted, base, faults)
        if posted.webhook_url is None:  # which may still give what is missing
            good = self._fitted(good, faults)
        cases = list(identified_cases(each for _, played in good for each in played))
        every = tuple(each.repeats for each in cases)
        faults.sort(key=lambda fault: fault.index)
        checked = Checked(
            structs.replace(posted, scenarios=[]),
            msgspec.json.encode({"scenarios": [item.value for item, _ in good]}),
            tuple(each.case.id for each in cases),
            every if set(every) - {1} else (),
            tuple(faults),
        )
        let_go(cases)
        let_go(good)
        let_go(posted.scenarios)
        return checked

    def check_webhook(self, posted: PostedBatch) -> None:
        """Raises Unplayable where a batch's own webhook could not be called: no secret is set, say."""
        plan, environment = batch_plan(self._plan, posted), self._environment
        try:
            prompts = prompts_of(self._folder, plan, environment)
            build_exchange(self._folder, plan, environment, guarded_fetch(environment), prompts)
        except UsageError as error:
            raise _unplayable("/webhook_url", error.problem, error.fix) from None

    def _expanded(
        self, posted: PostedBatch, base: tuple[str, ...], faults: list[Fault]
    ) -> list[tuple[Item, list[Played]]]:
        """The scenarios that have no fault of their own, with their cases. Stops where they are too many:
        matrices and repeats could fill the memory, and their drawing the day.
        """
        good: list[tuple[Item, list[Played]]] = []
        trials = work = 0
        for index, value in enumerate(posted.scenarios):
            item, first = Item(value, index, "", (*base, index)), f"the first {index + 1} scenarios"
            work += drawn(value)
            if work > MOST_DRAWN:
                problem = f"the matrices of {first} draw more than {MOST_DRAWN} values and pairs"
                raise TooMany(problem, fix="post several batches")
            try:
                played = scenario_cases(item, self._world)
            except UsageError as error:
                faults.append(_fault(error, item))
                continue
            trials += sum(each.repeats for each in played) * posted.repeats
            if trials > MOST_TRIALS:
                raise _too_many(f"the repeats and matrices of {first} make")
            good.append((item, played))
        return good

    def _fitted(
        self, good: list[tuple[Item, list[Played]]], faults: list[Fault]
    ) -> list[tuple[Item, list[Played]]]:
        """The scenarios that have what the prompts need, as they will be played; the others' faults."""
        if self._prompts is None:
            return good
        bad: set[int] = set()
        owners = [item for item, played in good for _ in played]
        cases = [each.case for _, played in good for each in played]
        for place, error in lacking(cases, self._prompts).items():
            item = owners[place]
            if item.index not in bad:
                faults.append(Fault(pointer((*item.keys, "variables")), error.problem, error.fix))
            bad.add(item.index)
        left = [(item, played) for item, played in good if item.index not in bad]
        fit, _ = fitted([each.case for _, played in left for each in played], self._prompts)
        made = iter(fit)
        return [(item, [Played(next(made), each.repeats) for each in played]) for item, played in left]


def _too_many(what: str) -> TooMany:
    return TooMany(f"{what} more than {MOST_TRIALS} conversations", fix="post several batches")


def batch_plan(plan: Plan, posted: PostedBatch) -> Plan:
    """The service's plan with what a batch says of its own; its scenarios come with `data`."""
    exchange = plan.exchange
    if posted.webhook_url is not None:
        exchange = {**exchange, "webhook": {**(exchange.get("webhook") or {}), "url": posted.webhook_url}}
    return structs.replace(plan, repeats=posted.repeats, seed=posted.seed, exchange=exchange)


def _posted(body: bytes) -> tuple[PostedBatch, tuple[str, ...]]:
    """The body, and the keys under which its scenarios stand."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as bad:
        raise _unplayable("", f"not UTF-8 at byte {bad.start}", "send JSON in UTF-8") from None
    try:
        document = files.parse_json(text, "the body")
    except UsageError as error:
        raise _unplayable("", error.problem, error.fix) from None
    if too_deep(document):
        raise _unplayable("", f"nested more than {MOST_DEPTH} levels deep", "send scenarios as documented")
    base: tuple[str, ...] = ()
    if isinstance(document, list):
        posted = PostedBatch(document)
    else:
        try:
            posted, base = msgspec.convert(document, PostedBatch), ("scenarios",)
        except msgspec.ValidationError as error:
            wrong = misfit(error, PostedBatch)
            place = f"{wrong.keys[0]}: " if wrong.keys and wrong.unknown is None else ""
            fix = wrong.fix or (
                "see Posting in docs/service.md"
                if wrong.keys
                else 'send {"scenarios": [...]} or the bare list'
            )
            raise _unplayable(pointer(wrong.keys), f"{place}{wrong.problem}", fix) from None
    if not posted.scenarios:
        raise _unplayable(pointer(base), "there is no scenario", "send at least one")
    return posted, base


def _unplayable(pointer: str, detail: str, fix: str) -> Unplayable:
    return Unplayable([Fault(pointer, detail, fix)])


def too_deep(value: JSON) -> bool:
    """Whether lists and objects are nested deeper than MOST_DEPTH."""
    level = [value]
    for _ in range(MOST_DEPTH + 1):
        level = [inner for each in level for inner in _inside(each)]
        if not level:
            return False
    return True


def _inside(value: JSON) -> Iterator[JSON]:
    """The lists and objects right inside a value; the value itself counts as a level."""
    members = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return (member for member in members if isinstance(member, (dict, list)))


def _fault(error: UsageError, item: Item) -> Fault:
    """A scenario's fault by its pointer; the name of the scenario need not be repeated."""
    detail = error.problem.removeprefix(item.place()).lstrip(",: ")
    return Fault(error.pointer or pointer(item.keys), detail, error.fix)
