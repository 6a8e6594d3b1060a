"""Models of known skill: right with a probability that a hash draws, so that every figure has a truth."""

from __future__ import annotations

from assay.emulator.behaviour import Answer, Asked
from assay.emulator.index import Entry, Index, Said, digest_of
from assay.keys import JSON, unit
from assay.message import Finish

FALLBACK = "I do not know."
"""What is answered to a prompt that the index does not hold."""

AFTER_TOOLS = "Done."
"""What a model whose answer is tool calls says once it has been told what they brought."""


def is_right(skill: float, prompt: str, seed: int | None) -> bool:
    """Whether a model of that skill answers that prompt right under that request seed.

    `prompt` is the digest of the first prompt. The draw depends on these three alone: not on the
    order of arrival, the attempt, or the server that is asked.
    """
    return unit("skill", skill, prompt, seed) < skill


class Skill:
    """Answers right with probability `skill` in [0, 1], else with the case's wrong answer.

    Its truth is {"indexed", "right", "answer"}: whether the prompt is known, whether the answer
    is the right one (None where it is not known), and the right one.
    """

    def __init__(self, skill: float, index: Index) -> None:
        self.skill = skill
        self._index = index

    def answer(self, asked: Asked) -> Answer:
        prompt = digest_of(asked.messages)
        known = self._index.find(prompt)
        if known is None:
            return Answer(FALLBACK, truth={"indexed": False, "right": None, "answer": None})
        right = is_right(self.skill, prompt, asked.seed)
        return _say(asked, known.right if right else known.wrong, known, right)


def _say(asked: Asked, said: Said, known: Entry, right: bool) -> Answer:
    truth: JSON = {"indexed": True, "right": right, "answer": known.right.value}
    if not said.calls:
        return _through_tool(asked, said.text, known, truth)
    if any(message.role == "tool" for message in asked.messages):
        return Answer(AFTER_TOOLS, truth=truth)
    return Answer(said.text, said.tool_calls(known.digest), Finish.TOOL_CALLS, truth)


def _through_tool(asked: Asked, text: str, known: Entry, truth: JSON) -> Answer:
    """The text, or a call that carries it where the request insists on one offered tool."""
    if any(tool.name == asked.tool_choice for tool in asked.tools):
        said = Said(calls=((asked.tool_choice or "", text),))
        return Answer("", said.tool_calls(known.digest), Finish.TOOL_CALLS, truth)
    return Answer(text, truth=truth)


class Echo:
    """Says the last user message again."""

    def answer(self, asked: Asked) -> Answer:
        said = [message.text for message in asked.messages if message.role == "user"]
        return Answer(said[-1] if said else "")
