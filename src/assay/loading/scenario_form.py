"""The form of a scenario file: what it may say of its scenarios together, and of each."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from assay.agenda import Sheet
from assay.exchanges.conversation.settings import Count, Seconds
from assay.keys import JSON
from assay.message import Sampling
from assay.scorers.expectation import Expected
from assay.seat.limits import Limits
from assay.world.faults import Faults

MAX_CELLS = 10_000
"""Cells of one matrix."""
MAX_PAIRS = 20_000
"""Pairs of values that the cells of one matrix are made to hold."""
MAX_TEXT = 256 * 1024 * 1024
"""Bytes of variables in all cells of one matrix: each cell is hashed, stored and rendered by itself."""
MAX_SCENARIOS = 200_000
"""Scenarios of one file, when each matrix is expanded."""

MOST_REPEATS = 1000
"""How often one scenario is played, at most."""

VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*\Z")
"""What a variable's name is: only such a name can stand in a prompt."""


class Given(Struct, frozen=True, forbid_unknown_fields=True):
    """A line that was spoken before the scenario begins."""

    role: Literal["agent", "client"]
    text: Annotated[str, Meta(min_length=1, max_length=10_000)]


class Start(Struct, frozen=True, forbid_unknown_fields=True):
    """Where a scenario begins: in the middle of a call, on a world with a JSON merge patch."""

    messages: tuple[Given, ...] = ()
    state: dict[str, dict[str, JSON]] = field(default_factory=dict)


class Channel(Struct, frozen=True, forbid_unknown_fields=True):
    """How the two speak. There is text alone."""

    kind: Literal["text"] = "text"


class Scenario(Struct, frozen=True, forbid_unknown_fields=True):
    """One scenario."""

    name: str
    variables: dict[str, JSON]
    tags: tuple[str, ...] = ()
    client: Sheet | None = None
    start: Start | None = None
    expect: Expected | None = None
    repeats: Annotated[int, Meta(ge=1, le=MOST_REPEATS)] = 1
    faults: Faults | None = None
    channel: Channel | None = None
    matrix: dict[str, JSON] | None = None


class ModelRole(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Who fills a role, how it draws its answers, and its prompt: a file beside this one."""

    model: str | None = None
    base_url: str | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    reasoning_effort: str | None = None
    limits: Limits = Limits()
    prompt: str | None = None

    @property
    def sampling(self) -> Sampling:
        return Sampling(**{name: getattr(self, name) for name in Sampling.__struct_fields__})


class ClientRole(ModelRole, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The client's: `kind` as the setting `client` of a conversation."""

    kind: str | None = None


class ToolRole(Struct, frozen=True, forbid_unknown_fields=True):
    """For tools that a model plays: there are none."""

    model: None = None


class Roles(Struct, frozen=True, forbid_unknown_fields=True):
    """The parties of a conversation."""

    agent: ModelRole = ModelRole()
    client: ClientRole = ClientRole()
    evaluator: ModelRole = ModelRole()
    tool: ToolRole = ToolRole()


class GivenLimits(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Limits of a conversation; None leaves one as the task has it."""

    max_turns: Count | None = None
    max_messages: Count | None = None
    max_tool_calls_per_turn: Count | None = None
    max_tool_errors: Count | None = None
    timeout_s: Seconds | None = None
    turn_timeout_s: Seconds | None = None
    max_cost_usd: Annotated[float, Meta(gt=0)] | None = None


class Defaults(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What holds for all scenarios of a file; flags and plan files win over it.

    It is configuration, as a plan is: it names models and files, so nothing takes it from a file
    that a stranger sent.
    """

    language: str | None = None
    roles: Roles = Roles()
    first_speaker: Literal["agent", "client"] | None = None
    greeting: str | None = None
    limits: GivenLimits = GivenLimits()
    world: str | None = None


class ScenarioDocument(Struct, frozen=True, forbid_unknown_fields=True):
    """A scenario file that is no bare list."""

    scenarios: list[JSON]
    version: Literal[1] = 1
    defaults: Defaults = Defaults()
