"""The exchange `conversation`: its settings and prompts bound, and what each side is told first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec
from msgspec import structs, to_builtins

from assay.agenda import Brief, brief_of, phrases_of
from assay.case import Case
from assay.errors import CallError, Stopped, UsageError
from assay.exchanges.conversation.client_model import ModelClient
from assay.exchanges.conversation.clients import (
    Client,
    Recorded,
    ReplayClient,
    RulesClient,
    ScriptedClient,
    checked_script,
)
from assay.exchanges.conversation.guarded import Watch, validity_of
from assay.exchanges.conversation.play import Play, wall_clock
from assay.exchanges.conversation.reach import asked_sides
from assay.exchanges.conversation.settings import RERUNS, Settings
from assay.exchanges.conversation.webhook import Session, Webhook, WebhookError, read_session
from assay.exchanges.sizes import written
from assay.keys import JSON, run_uuid, trial_id
from assay.message import Message, say
from assay.ports import Asked, Capabilities, Fetch, Table
from assay.templates import EVALUATOR_ONLY, Template
from assay.trial import Event, EventKind, Outcome, Transcript
from assay.world.faults import Faults
from assay.world.overlay import Overlay, stacked
from assay.world.world import World

GOAL_NAMES = frozenset({"ORDER_GOAL", "CLIENT", "BRIEF", "START", "FAULTS"})
"""Names that no agent's prompt is given a value for: they would tell it the goal."""


class Conversation:
    """Plays a case as a telephone call between the seat `agent` and a client.

    `client` is the prompt of a client model and is needed for the client kind `llm` alone. `recorded`
    finds what a replaying client repeats, by case id and trial seed. `fetch` and `secret` serve the
    webhook, which is told the `prompt_version`; the secret appears in no record and no key.
    """

    __slots__ = ("_agent", "_client", "_recorded", "_settings", "_version", "_world", "webhook")

    def __init__(
        self,
        settings: Settings,
        agent: Template,
        client: Template | None = None,
        *,
        world: World | None = None,
        recorded: Callable[[str, int], Recorded] | None = None,
        fetch: Fetch | None = None,
        secret: str = "",
        prompt_version: str | None = None,
    ) -> None:
        """Raises UsageError where the settings need something that is not there."""
        self._settings = settings
        self._agent = agent
        self._client = client
        self._world = world
        self._recorded = recorded
        self._version = prompt_version
        self.webhook: Webhook | None = None
        if settings.client == "llm" and client is None:
            raise UsageError("a client model needs a prompt", fix="name it under prompts: {client: FILE}")
        if settings.client == "scripted" and not settings.script:
            raise UsageError("a scripted client needs lines", fix="list them under script")
        if settings.client == "replay" and recorded is None:
            raise UsageError("a replaying client needs a recorded run", fix="name it under replay: {run: ID}")
        checked_script(settings.script)
        for template in (agent, client):
            _refuse_evaluator_names(template)
        if settings.webhook is not None:
            if fetch is None:
                raise UsageError("the webhook has nothing to be called with", fix="give it a fetch")
            self.webhook = Webhook(settings.webhook, fetch, secret)

    @property
    def seats(self) -> tuple[str, ...]:
        return ("agent", "client") if self._settings.client == "llm" else ("agent",)

    @property
    def spec(self) -> JSON:
        settings = structs.replace(self._settings, prompts=type(self._settings.prompts)("", None))
        prompts = [t.text if t is not None else None for t in (self._agent, self._client)]
        world = self._world.fingerprint if self._world is not None else None
        return ["conversation", to_builtins(settings), prompts, world]

    def opening(self, case: Case) -> tuple[Message, ...]:
        """The system prompt and the call's beginning; a client's or a fixed first line comes later."""
        language = self._language(case.facts)
        system = say("system", self._agent_system(case.facts, language))
        begins = given[0].role if (given := spoken_before(case)) else None
        if begins == "user" or (begins is None and self._settings.first_speaker == "client"):
            return (system,)
        return (system, say("user", phrases_of(language).call_started))

    def asks(self, case: Case, can: Mapping[str, Capabilities]) -> dict[str, Asked]:  # noqa: ARG002  the others'
        """Both sides by the limits: see `reach`."""
        language = self._language(case.facts)
        tools = self._world.specs(language) if self._world is not None else ()
        agent = sum(len(message.text) for message in self.opening(case)) + written(tools)
        client = 0 if self._client is None else len(self._client_system(case.facts, language))
        return asked_sides(self._settings, {"agent": agent, "client": client})

    async def play(self, case: Case, table: Table) -> Transcript:
        try:
            session, outcome = await self._session(case, table)
        except Stopped as stopped:
            return Transcript((), Outcome(stopped.reason))
        events: list[Event] = []
        if self.webhook is not None:
            events.append(Event(EventKind.EFFECT, "webhook", data=_recorded(session, outcome)))
            table.emit(events[-1])
        if outcome is not None:
            return Transcript(tuple(events), outcome)
        facts = {**case.facts, **session.variables}
        for attempt in range(1, RERUNS + 2):
            try:
                play = self._begun(case, facts, session, table, events=events, attempt=attempt)
            except UsageError as error:
                if self.webhook is None:
                    raise
                return Transcript(tuple(events), Outcome("webhook_error", detail=error.problem))
            transcript = await play.until_ended()
            spoilt = transcript.outcome.error is None and validity_of(transcript) == "invalid"
            if not spoilt or self._settings.invalid == "keep" or table.stopping:
                return transcript
            if self._settings.invalid == "drop" or attempt > RERUNS:
                break
            events = [*transcript.events[: len(events)], _spoilt(transcript, len(events), attempt)]
            table.emit(events[-1])
        return _dropped(transcript)

    def _begun(
        self,
        case: Case,
        facts: Mapping[str, JSON],
        session: Session,
        table: Table,
        *,
        events: Sequence[Event],
        attempt: int,
    ) -> Play:
        """The play with its world open. Raises UsageError for variables that no play can begin with."""
        language = self._language(facts)
        words = phrases_of(language)
        start = stacked(facts.get("START") or {}, session.state)
        greeting = session.agent.greeting or self._settings.greeting
        return Play(
            settings=self._settings,
            table=table,
            words=words,
            opening=self.opening(structs.replace(case, facts=dict(facts))),
            client=self._seated(case.id, facts, table, language, attempt),
            watch=self._watch(facts, language),
            greeting=greeting,
            tools=self._world.specs(language) if self._world is not None else (),
            overlay=self._opened(facts, start, table.seed),
            expected=self._world.expected(facts, start) if self._world is not None else None,
            events=list(events),
            given=spoken_before(case),
            clock=self._clock(table, attempt),
            spent_before=float(table.spent) if attempt > 1 else 0.0,
        )

    def _clock(self, table: Table, attempt: int) -> Callable[[], float]:
        if self._settings.timeout_clock == "wall":
            return wall_clock()
        if attempt == 1:
            return table.clock
        began = table.clock()
        return lambda: table.clock() - began

    def _watch(self, facts: Mapping[str, JSON], language: str) -> Watch:
        brief = structs.replace(brief_of(facts, language), language=language)
        client = self._client.text if self._client is not None else ""
        return Watch(brief, facts, self._agent.text, client, whole=self._settings.guard)

    def _opened(self, facts: Mapping[str, JSON], start: Mapping[str, JSON], seed: int) -> Overlay | None:
        """The trial's own view of the world, with the faults that strike its tools."""
        if self._world is None:
            return None
        given = facts.get("FAULTS")
        faults = msgspec.convert(given, Faults) if given is not None else self._settings.faults
        return self._world.open(facts, start, faults=faults, seed=seed)

    def _client_system(self, facts: Mapping[str, JSON], language: str) -> str:
        if self._client is None:
            return ""
        brief = structs.replace(brief_of(facts, language), language=language)
        return self._client.render({**facts, "LANGUAGE": language, "BRIEF": brief.json})

    def _language(self, facts: Mapping[str, JSON]) -> str:
        return str(facts.get("LANGUAGE") or self._settings.language)

    def _agent_system(self, facts: Mapping[str, JSON], language: str) -> str:
        values = {name: value for name, value in facts.items() if name not in GOAL_NAMES}
        tools: Sequence[str] = tuple(self._world.tools) if self._world is not None else ()
        return self._agent.render({**values, "LANGUAGE": language, "TOOLS": ", ".join(tools)})

    def _seated(
        self, case: str, facts: Mapping[str, JSON], table: Table, language: str, attempt: int
    ) -> Client:
        kind = self._settings.client
        if kind == "scripted":
            return ScriptedClient(self._settings.script)
        if kind == "replay" and self._recorded is not None:
            return ReplayClient(self._recorded(case, table.seed))
        brief: Brief = structs.replace(brief_of(facts, language), language=language)
        if kind == "rules" or self._client is None:
            return RulesClient(brief, table.random("client.rules").getrandbits(53))
        system = self._client_system(facts, language)
        seed = table.random(f"client.llm.{attempt}").getrandbits(31) if attempt > 1 else None
        return ModelClient(table.seats["client"], system, language, phrases_of(language), seed)

    async def _session(self, case: Case, table: Table) -> tuple[Session, Outcome | None]:
        """What the webhook says, and how the play ends where it says that none is to be."""
        if self.webhook is None:
            return Session(), None
        webhook, settings = self.webhook, self.webhook.settings
        payload = self._payload(case, table)

        async def init() -> JSON:
            return await webhook.init(payload["trial_id"], payload, table.random("webhook"))

        try:
            session = read_session(await table.effect("webhook", "session.init", init), settings)
        except (CallError, WebhookError) as error:
            if settings.on_error == "continue":
                return Session(reason=str(error)), None
            return Session(), Outcome("webhook_error", detail=str(error))
        if session.skip:
            return session, Outcome("skipped", detail=session.reason[:500])
        return session, None

    def _payload(self, case: Case, table: Table) -> dict[str, JSON]:
        send_goal = self._settings.webhook is not None and self._settings.webhook.send_goal
        hidden = frozenset() if send_goal else GOAL_NAMES
        return {
            "batch_id": run_uuid(table.run),
            "session_id": table.trial,
            "trial_id": trial_id(table.run, table.trial),
            "scenario": case.name,
            "case_id": case.id,
            "repeat": table.repeat,
            "attempt": 1,  # one call a trial, recorded: a further attempt at it replays the answer
            "seed": table.seed,
            "prompt_version": self._version,
            "language": self._language(case.facts),
            "current_date": case.facts.get("CURRENT_DATE"),
            "variables": {name: value for name, value in case.facts.items() if name not in hidden},
        }


def spoken_before(case: Case) -> tuple[Message, ...]:
    """The lines of a call that begins in the middle."""
    return case.input if isinstance(case.input, tuple) else ()


def _recorded(session: Session, outcome: Outcome | None) -> JSON:
    """What the transcript keeps of a webhook's answer."""
    return {
        "name": "session.init",
        "external_session_id": session.session_id,
        "variables": session.variables,
        "skip": session.skip,
        "reason": session.reason[:500],
        "failed": outcome.detail if outcome is not None and outcome.reason == "webhook_error" else None,
    }


def _refuse_evaluator_names(template: Template | None) -> None:
    for slot in template.slots if template is not None else ():
        if slot.name in EVALUATOR_ONLY and template is not None:
            raise UsageError(
                f"{template.origin}:{slot.line}: {slot.name} is for the evaluator's prompt alone",
                fix=f"take {slot.raw} out of this prompt",
            )


def _spoilt(transcript: Transcript, kept: int, attempt: int) -> Event:
    """A conversation that the client spoilt, whole, before it is played again."""
    return Event(
        EventKind.EFFECT,
        "attempt",
        data={
            "attempt": attempt,
            "outcome": to_builtins(transcript.outcome),
            "validity": validity_of(transcript),
            "events": to_builtins(transcript.events[kept:]),
        },
    )


def _dropped(transcript: Transcript) -> Transcript:
    """A conversation that the client spoilt is none of the agent's: it ends as the client's fault."""
    outcome = transcript.outcome
    if outcome.reason == "client_fault":
        return transcript
    return structs.replace(transcript, outcome=Outcome("client_fault", detail=f"dropped: {outcome.reason}"))
