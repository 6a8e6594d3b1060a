"""Binds a plan's names to objects: the one way from configuration to a run."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import msgspec
from msgspec import structs, to_builtins

from assay import __version__
from assay.emulator.choice import Choice, mix_of
from assay.emulator.index import Index, entry
from assay.emulator.ledger import Ledger
from assay.emulator.pace import Timing
from assay.emulator.server import Emulator
from assay.errors import UsageError
from assay.keys import JSON, digest
from assay.loading import files
from assay.loading.catalogue import resolved
from assay.loading.environment import Environment
from assay.loading.exchanges import build_exchange, guarded_fetch, prompts_of
from assay.loading.kin import kin
from assay.loading.models import ModelShelf, check
from assay.loading.plans import check_plan, plan_json
from assay.loading.prompts import with_evaluator
from assay.loading.scenarios import ScenarioFile
from assay.loading.scorers import build_scorers, spelled_out
from assay.loading.sources import no_cases, open_cases
from assay.loading.tasks import LoadedTask, TaskFolder, find_task, fingerprint
from assay.message import Request, Sampling
from assay.models.huggingface import HuggingFaceModel
from assay.plan import Bound, ModelChoice, Plan, Scored
from assay.ports import Fetch, Model, Run
from assay.prices import Price, PriceTable
from assay.schedule import Closed, Poisson, Schedule
from assay.scorers.perplexity import Perplexity
from assay.seat.budget import Budget
from assay.seat.endpoint import Endpoint
from assay.seat.lane import Lane
from assay.seat.limits import Limits
from assay.seat.place import Place
from assay.seat.retry import Retry

PRICES = Path(__file__).resolve().parent.parent / "prices.json"


def new_run_id() -> str:
    """`run_YYYYMMDD_HHMMSS_` and six random hex digits."""
    return f"run_{time.strftime('%Y%m%d_%H%M%S', time.gmtime())}_{secrets.token_hex(3)}"


def load_task(
    plan: Plan, environment: Environment, fetch: Fetch | None = None
) -> tuple[LoadedTask, TaskFolder]:
    """The plan's task with its cases, exchange and scorers; `fetch` is what webhooks go through."""
    folder = find_task(plan.task)
    prompts = prompts_of(folder, plan, environment)
    own = with_evaluator(folder.form.scorers, prompts)
    named = own if plan.scorers is None else plan.scorers
    scorers = build_scorers(named, folder)
    if folder.exchange()[0] == "single" and any(isinstance(each, Perplexity) for each in scorers):
        plan = structs.replace(plan, exchange={"likelihood": True, **plan.exchange})
    exchange, world = build_exchange(folder, plan, environment, fetch or guarded_fetch(environment), prompts)
    path = folder.case_path(plan.data, plan.split)
    cases = open_cases(plan, folder, path, world, prompts)
    if not len(cases):
        raise no_cases(
            plan, path, partial(open_cases, folder=folder, path=path, world=world, prompts=prompts)
        )
    headline = plan.headline or folder.form.headline
    if headline is None or (plan.scorers is not None and headline not in {s.name for s in scorers}):
        headline = scorers[0].name
    form = folder.form
    task = LoadedTask(
        name=form.name,
        version=form.version,
        split=plan.split,
        fingerprint=fingerprint(folder, path, cases, exchange, to_builtins(spelled_out(named, folder))),
        cases=cases,
        exchange=exchange,
        scorers=scorers,
        headline=headline,
        repeats=cases.repeats if isinstance(cases, ScenarioFile) else None,
        warnings=cases.warnings if isinstance(cases, ScenarioFile) else (),
        prompt_version=prompts.version if prompts is not None else None,
    )
    return task, folder


@asynccontextmanager
async def bound(
    plan: Plan,
    environment: Environment,
    *,
    run_id: str | None = None,
    checked: bool = True,
    emulated_at: str | None = None,
    parts: int = 1,
) -> AsyncIterator[Bound]:
    """The plan bound to objects; endpoints and the embedded emulator live as long as the context.

    Raises UsageError, before anything runs, for a name that is unknown, a seat that nobody fills,
    a key that is missing, a server that does not answer. `checked` False skips asking the servers. The
    cases are read in a thread: a hundred thousand of them take their time, and a service answers meanwhile.
    `emulated_at` is where an emulator of this plan answers already; `parts` how many processes have
    limits such as the plan's, each its own part of the account's.
    """
    check_plan(plan)
    plan = resolved(plan)
    async with AsyncExitStack() as stack:
        fetch = guarded_fetch(environment)
        stack.push_async_callback(fetch.close)
        task, folder = await asyncio.to_thread(load_task, plan, environment, fetch)
        if emulated_at is None and _embeds(plan):
            server = await asyncio.to_thread(emulator, plan, task)
            emulated_at = (await stack.enter_async_context(server)).url
        shelf = ModelShelf(environment, stack, plan.timeouts, emulated_at)
        binder = _Binder(plan, task, folder.form.sampling, shelf, parts)
        places = {model.name: binder.seats(model) for model in plan.models}
        scorers = tuple(Scored(scorer, binder.judges(scorer.seats)) for scorer in task.scorers)
        judges = [role for scorer in task.scorers for role in scorer.seats]
        if checked and plan.replay != "strict":
            await binder.check()
        draft = Bound(
            plan=plan,
            run=_run(plan, task, tuple(places), run_id),
            task=task,
            exchange=task.exchange,
            schedule=_seeded(plan),
            places=places,
            scorers=scorers,
            headline=task.headline,
            budget=Budget(plan.budget),
            warnings=(*task.warnings, *binder.warnings, *kin(plan, judges)),
            emulator=emulated_at,
        )
        draft.run = structs.replace(draft.run, planned=draft.total())
        yield draft


def _seeded(plan: Plan) -> Schedule:
    """The plan's schedule; a seed that it lacks is the plan's."""
    schedule = plan.schedule
    if isinstance(schedule, Poisson) and not schedule.seed:
        return structs.replace(schedule, seed=plan.seed)
    return schedule


@asynccontextmanager
async def bound_to_score(plan: Plan, run: Run, environment: Environment) -> AsyncIterator[Bound]:
    """A stored run bound for its scorers alone: no candidate is made, so that none can be called."""
    plan = resolved(structs.replace(plan, models=()))
    async with AsyncExitStack() as stack:
        fetch = guarded_fetch(environment)
        stack.push_async_callback(fetch.close)
        task, folder = load_task(plan, environment, fetch)
        server = await stack.enter_async_context(emulator(plan, task)) if _embeds(plan) else None
        shelf = ModelShelf(environment, stack, plan.timeouts, server.url if server else None)
        binder = _Binder(plan, task, folder.form.sampling, shelf)
        scorers = tuple(Scored(scorer, binder.judges(scorer.seats)) for scorer in task.scorers)
        await binder.check()
        yield Bound(
            plan=plan,
            run=run,
            task=task,
            exchange=task.exchange,
            schedule=Closed(plan.schedule.slots),
            places={},
            scorers=scorers,
            headline=run.headline,
            budget=Budget(plan.budget),
            warnings=tuple(binder.warnings),
        )


def _run(plan: Plan, task: LoadedTask, models: tuple[str, ...], run_id: str | None) -> Run:
    return Run(
        id=run_id or new_run_id(),
        plan=plan_json(structs.replace(plan, prompt_version=task.prompt_version)),
        task=f"{task.name} v{task.version} ({task.split}, {len(task)} cases)",
        fingerprint=task.fingerprint,
        headline=task.headline,
        models=models,
        planned=None,
        seed=plan.seed,
        wall=time.time_ns(),
        version=__version__,
    )


def _embeds(plan: Plan) -> bool:
    """Whether a model of the plan is emulated here rather than at an address of its own."""
    choices = (*plan.models, *plan.cast.values())
    return any(c.asked.startswith("emulated/") and c.base_url is None for c in choices)


def emulator(plan: Plan, task: LoadedTask, *, port: int = 0, ledger: Ledger | None = None) -> Emulator:
    """An emulator, not yet started, that knows this task's answers by their prompts."""
    settings = plan.emulator
    index = Index()
    for case in task:
        index.add(entry(task.exchange.opening(case), case.target, case.schema))
    timing = Timing(ttft_s=settings.ttft_ms / 1e3, itl_s=settings.itl_ms / 1e3, spread=settings.spread)
    choice = Choice(mix=mix_of(settings.mix), seed=plan.seed)
    return Emulator(index, timing=timing, choice=choice, ledger=ledger, port=port)


def read_prices(path: Path) -> PriceTable:
    """A price table from its file."""
    try:
        return msgspec.convert(files.read_json(path), PriceTable)
    except msgspec.ValidationError as bad:
        raise UsageError(f"{path}: {bad}", fix='mend the row; amounts are texts like "0.15"') from None


class _Binder:
    """Fills the roles of one plan. Seats on one server share its endpoint, those of one model on it
    the lane too.
    """

    def __init__(
        self, plan: Plan, task: LoadedTask, sampling: Sampling, shelf: ModelShelf, parts: int = 1
    ) -> None:
        self._plan = plan
        self._parts = parts
        self._task = task
        self._sampling = plan.sampling.over(sampling)
        self._shelf = shelf
        self._endpoints: dict[str, Endpoint] = {}
        self._lanes: dict[tuple[str, str], Lane] = {}
        self._models: dict[str, tuple[ModelChoice, Model]] = {}
        self._prices = read_prices(PRICES)
        self.warnings: list[str] = []

    def seats(self, model: ModelChoice) -> tuple[Place, ...]:
        """The seats of the exchange: the model under test in the first, the cast in the others."""
        first, *others = self._task.exchange.seats
        tested = structs.replace(model, sampling=model.sampling.over(self._sampling))
        return (self._place(first, tested), *(self._cast(role, "the exchange") for role in others))

    def judges(self, roles: Sequence[str]) -> tuple[Place, ...]:
        """The seats that a scorer needs."""
        return tuple(self._cast(role, "a scorer") for role in roles)

    async def check(self) -> None:
        """Asks every server once whether it is there and knows its models."""
        for choice, model in self._models.values():
            warning = await check(model, choice.asked)
            if warning is not None:
                self.warnings.append(warning)

    def _cast(self, role: str, who: str) -> Place:
        choice = self._plan.cast.get(role)
        if choice is None:
            flag = "--judge-model M" if role == "judge" else f"--cast {role}=M"
            raise UsageError(
                f"{who} needs a model in the seat {role!r}",
                fix=f"add {flag}, or cast: {{{role}: MODEL}} to the plan",
            )
        return self._place(role, choice)

    def _place(self, role: str, choice: ModelChoice) -> Place:
        plan, name, asked = self._plan, choice.name, choice.asked
        same = digest(to_builtins(choice))
        if same not in self._models:
            self._models[same] = choice, self._shelf.make(choice, self._task)
        _, model = self._models[same]
        retry = plan.retry or (Retry(retries=0) if _is_load(plan) else Retry())
        prices = own_price(choice) or self._prices.of(asked)
        place = Place(
            role=role,
            name=name,
            model=model,
            lane=self._lane(_alias(choice), name, retry.cap),
            sampling=choice.sampling,
            retry=retry,
            price=partial(prices.cost, asked),
            worst_case=partial(prices.worst_case, asked),
            stream=plan.stream and model.capabilities.stream,
            seeded=model.capabilities.seed,
            sent=_sent(choice, model),
        )
        if plan.budget is not None:
            _check_affordable(place, known=prices.price(asked) is not None)
        return place

    def _lane(self, alias: str, name: str, hold: float) -> Lane:
        """The lane of a model on an endpoint. Its limits are those of whoever names it with any."""
        lane = self._lanes.get((alias, name))
        if lane is None:
            plan = self._plan
            if alias not in self._endpoints:
                named = plan.endpoints.get(alias)
                given = plan.limits if named is None or named.limits == Limits() else named.limits
                self._endpoints[alias] = Endpoint(alias, given, self._parts)
            own = (
                choice.limits
                for choice in (*plan.models, *plan.cast.values())
                if (_alias(choice), choice.name) == (alias, name)
            )
            limits = next((given for given in own if given != Limits()), Limits())
            if limits.adaptive is None:
                limits = structs.replace(limits, adaptive=plan.limits.adaptive)
            lane = Lane(self._endpoints[alias], limits, hold=hold, load=_is_load(plan), parts=self._parts)
            self._lanes[alias, name] = lane
        return lane


def _alias(choice: ModelChoice) -> str:
    """What stands for a model's endpoint: its name, its address if it has one of its own, else its
    provider; local weights are an endpoint each.
    """
    if choice.asked.startswith("hf/"):
        return choice.name
    return choice.endpoint or choice.base_url or choice.asked.partition("/")[0]


def own_price(choice: ModelChoice) -> PriceTable | None:
    """The price that a plan or a models.yaml gives its model."""
    own = choice.price
    if own is None:
        return None
    try:
        row = Price(choice.asked, own.input, own.output, "own", "", own.cached, own.max_output)
    except ValueError as bad:
        raise UsageError(
            f"the price of {choice.name}: {bad}", fix="give dollars for a million tokens"
        ) from None
    return PriceTable("own", "", (row,))


def _sent(choice: ModelChoice, model: Model) -> tuple[str, ...]:
    """What enters the play key beside name, endpoint and sampling."""
    said: dict[str, JSON] = {"num_ctx": choice.num_ctx, "dtype": choice.weights.dtype}
    if choice.asked != choice.name:
        said["model"] = choice.asked
    if isinstance(model, HuggingFaceModel):
        said["weights"] = model.fingerprint
    return tuple(f"{name}={value}" for name, value in said.items() if value is not None)


def _is_load(plan: Plan) -> bool:
    return plan.window is not None or plan.schedule.open


def _check_affordable(place: Place, *, known: bool) -> None:
    """Refuses a model whose calls no budget could admit: nothing bounds what one may cost."""
    if place.worst_case(Request((), sampling=place.sampling)) is not None:
        return
    if not known:
        raise UsageError(
            f"the price of {place.name} is not known, so no budget can hold it",
            fix="leave out --budget, or name a model that has a price",
        )
    raise UsageError(
        f"nothing limits the length of a reply of {place.name}, so no budget can hold it",
        fix=f"add --max-tokens N (for another seat, max_tokens in the sampling of its {place.role})",
    )
