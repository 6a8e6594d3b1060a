"""The settings of a conversation: who begins, who the client is, and when it ends."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from assay.agenda import Reason
from assay.world.faults import Faults

ClientKind = Literal["llm", "rules", "scripted", "replay"]
EndReason = Literal[
    "goal_done",
    "gave_up",
    "transferred",
    "out_of_scope",
    "wrong_number",
    "agent_ended",
    "max_turns",
    "max_messages",
    "timeout",
    "turn_timeout",
    "farewell_loop",
    "repetition_loop",
    "agent_loop",
    "tool_error_limit",
    "cost_limit",
    "client_fault",
    "agent_error",
    "context_overflow",
    "provider_error",
    "webhook_error",
    "tool_fault",
    "skipped",
    "budget",
    "circuit",
    "cancelled",
    "decided",
]
"""How a conversation can end; nothing else ever stands in its outcome."""

RERUNS = 2
"""A spoilt conversation is played again so many times at most."""

Count = Annotated[int, Meta(gt=0)]
Seconds = Annotated[float, Meta(gt=0)]


class Limits(Struct, frozen=True, forbid_unknown_fields=True):
    """`max_turns` counts the delivered lines of both sides; seconds are of the working clock."""

    max_turns: Count = 30
    max_messages: Count = 120
    max_tool_calls_per_turn: Count = 8
    max_tool_errors: Count = 10
    timeout_s: Seconds = 90.0
    turn_timeout_s: Seconds = 30.0
    max_cost_usd: Annotated[float, Meta(gt=0)] | None = None


class WebhookSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """The session webhook. `allow_override` None allows every name but SEED and ORDER_GOAL; with `end`
    it is told of each conversation's end too.
    """

    url: str
    allow_override: tuple[str, ...] | None = None
    on_error: Literal["fail", "continue"] = "fail"
    send_goal: bool = False
    end: bool = False
    attempts: Annotated[int, Meta(ge=1, le=10)] = 3
    waits_s: tuple[float, ...] = (0.5, 2.0)


class ToolEvent(Struct, frozen=True, forbid_unknown_fields=True):
    """What a script can wait for beside words: that the agent called this tool."""

    tool: str


class ScriptLine(Struct, frozen=True, forbid_unknown_fields=True, rename={"otherwise": "else"}):
    """A line of a scripted client; a bare text is one without a condition.

    `when` (a pattern, or a tool that the agent called) looks at the agent's last turn. Where it does
    not hold, `else` is said in its place, or nothing and the next line has its turn.
    """

    say: str
    when: str | ToolEvent | None = None
    otherwise: str | None = None
    hang_up: Reason | None = None


class Replay(Struct, frozen=True, forbid_unknown_fields=True):
    """The recorded run whose client lines are said again, case by case.

    `trial` is the beginning of a trial's key: its lines alone, in every case. `model` is needed
    where the run has several.
    """

    run: str
    store: str = ".assay/assay.db"
    trial: str | None = None
    model: str | None = None


class Prompts(Struct, frozen=True, forbid_unknown_fields=True):
    """The system prompts by role: files beside the task, or texts. `loading` makes templates of them.

    `folder` holds files of the three standard names, which go before those named here; `evaluator`
    stands in for the prompt that the task gives its judge. `on_missing` says what a variable is
    that a prompt uses and a scenario lacks.
    """

    agent: str = "prompts/agent_system.txt"
    client: str | None = "prompts/client_system.txt"
    evaluator: str | None = None
    folder: str | None = None
    on_missing: Literal["error", "empty"] = "error"


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """What a task or a plan says of a conversation.

    `script` holds the lines of a scripted client, `replay` says what a replaying one repeats;
    `greeting` is a fixed first line of the agent; `closing_turn` False ends at once where a client
    hangs up while it confirms (strict mode). `timeout_clock` wall lets waits for limits count too.
    `guard` False delivers a client model's lines as they come, but for malformed and empty ones.
    `invalid` says what becomes of a conversation that the client spoilt: kept, ended as
    `client_fault` (drop), or played again up to RERUNS times (rerun).
    `faults` strike the tools of a case that names none of its own.
    """

    prompts: Prompts = Prompts()
    language: str = "ru"
    client: ClientKind = "llm"
    first_speaker: Literal["agent", "client"] = "agent"
    greeting: str | None = None
    script: tuple[str | ScriptLine, ...] = ()
    replay: Replay | None = None
    limits: Limits = Limits()
    timeout_clock: Literal["working", "wall"] = "working"
    closing_turn: bool = True
    guard: bool = True
    invalid: Literal["keep", "drop", "rerun"] = "keep"
    webhook: WebhookSettings | None = None
    faults: Faults = Faults()
