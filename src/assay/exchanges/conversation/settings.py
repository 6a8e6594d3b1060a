"""The settings of a conversation: who begins, who the client is, and when it ends."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

ClientKind = Literal["llm", "rules", "scripted"]
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
    """The session webhook. `allow_override` None allows every name but SEED and ORDER_GOAL."""

    url: str
    allow_override: tuple[str, ...] | None = None
    on_error: Literal["fail", "continue"] = "fail"
    send_goal: bool = False
    attempts: Annotated[int, Meta(ge=1, le=10)] = 3
    waits_s: tuple[float, ...] = (0.5, 2.0)


class Prompts(Struct, frozen=True, forbid_unknown_fields=True):
    """The system prompts by side: files beside the task, or texts. `loading` makes templates of them."""

    agent: str = "prompts/agent_system.txt"
    client: str | None = "prompts/client_system.txt"


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """What a task or a plan says of a conversation.

    `script` holds the lines of a scripted client; `greeting` is a fixed first line of the agent;
    `closing_turn` False ends at once where a client hangs up while it confirms (strict mode).
    """

    prompts: Prompts = Prompts()
    language: str = "ru"
    client: ClientKind = "llm"
    first_speaker: Literal["agent", "client"] = "agent"
    greeting: str | None = None
    script: tuple[str, ...] = ()
    limits: Limits = Limits()
    closing_turn: bool = True
    webhook: WebhookSettings | None = None
