"""How often a conversation asks its two sides, by its limits, and how much goes each time."""

from __future__ import annotations

from collections.abc import Mapping

from assay.exchanges.conversation.guarded import AGAIN
from assay.exchanges.conversation.settings import RERUNS, Limits, Settings
from assay.exchanges.sizes import LINE, RESULT
from assay.ports import Asked

USUAL_LINES = 8
"""Lines of one side in a usual call; half of the agent's replies in it call a tool."""


def asked_sides(settings: Settings, sent: Mapping[str, int]) -> dict[str, Asked]:
    """What each seat is asked in one conversation in which no call fails.

    `sent` is how many characters the first request to each seat holds.
    """
    plays = RERUNS + 1 if settings.invalid == "rerun" else 1
    begins = settings.first_speaker == "agent" and settings.greeting is None
    agent, client = most_of_agent(settings.limits), most_of_client(settings.limits)
    lines = min(USUAL_LINES, turns_of_agent(settings.limits))
    found = {
        "agent": Asked(
            least=int(begins),
            usual=min(2.0 * lines, agent),
            most=plays * agent,
            sent=sent["agent"],
            grows=(2 * LINE[0], LINE[1] + (LINE[1] + RESULT[1]) / 2, LINE[2] + RESULT[2]),
            says=(LINE[0], LINE[1], None),
        )
    }
    if settings.client == "llm":
        found["client"] = Asked(
            least=int(settings.first_speaker == "client"),
            usual=float(min(USUAL_LINES, turns_of_client(settings.limits))),
            most=plays * client,
            sent=sent["client"],
            grows=(2 * LINE[0], 2 * LINE[1], 2 * LINE[2]),
            says=(LINE[0], LINE[1], None),
        )
    return found


def turns_of_agent(limits: Limits) -> int:
    """The most turns of the agent: every second line, and the one that a client who hangs up leaves it."""
    return limits.max_turns // 2 + 1


def turns_of_client(limits: Limits) -> int:
    """The most turns of the client: every second line."""
    return (limits.max_turns + 1) // 2


def most_of_agent(limits: Limits) -> int:
    """The most requests to the agent in one play.

    Each turn ends with a line, may begin with a reply that says nothing (the second such ends the
    play), and between these replies call tools: so many in a turn as calls are allowed, one more that
    ends the play, and each puts two messages at least into a history that is bounded too.
    """
    turns = turns_of_agent(limits)
    tools = turns * limits.max_tool_calls_per_turn + 1
    fitting = max(0, limits.max_messages - turns) // 2 + 2
    return turns + min(tools, fitting) + turns + 1


def most_of_client(limits: Limits) -> int:
    """The most requests to a client model in one play: a line that is flawed is asked for again."""
    return turns_of_client(limits) * (1 + AGAIN)
