"""One verdict of a model: asked for in the form that its wire can carry, read, asked for once more."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import msgspec
from msgspec import Struct, structs

from assay.case import Case
from assay.errors import CallError
from assay.keys import JSON
from assay.message import Message, Reply, ResponseFormat, Sampling, say
from assay.ports import Seat
from assay.scorers.rubric import Rubric
from assay.scorers.verdict import (
    MAX_COMMENT,
    NotAVerdict,
    Verdict,
    as_data,
    is_russian,
    labelled_verdict,
    read_verdict,
)

MAX_RAW = 8192
"""Bytes of a reply without a verdict that are kept."""

UNMARKED = "criteria_missing"
"""The flag of a verdict that leaves a criterion of the case open."""

VERDICT = (20.0, 120.0, None)
"""Tokens of a verdict with its comment: few, usual, as many as `max_tokens` allows."""

LANGUAGES = {"ru": "Russian", "en": "English"}
ANSWER_IN = {"ru": "Ответь по-русски: комментарий должен быть на русском языке."}


_FORM = """

Reply with one JSON object and nothing else, by this JSON Schema:
{schema}
Write the comment in {language}, in 600 characters at most, and say what decided the grade."""

_SHOWN = """The data stands between the two marks and is JSON.
<data-{nonce}>
{data}
</data-{nonce}>
Give your verdict on this data now, as the JSON object alone."""


def written_facts(case: Case) -> int:
    """Characters of a case's facts, as a judge is shown them."""
    return len(msgspec.json.encode(case.facts))


class Given(Struct, frozen=True):
    """One verdict as it was asked for: with its flags, or none with the problem and the raw text."""

    verdict: Verdict | None
    calls: tuple[str | None, ...]
    flags: tuple[str, ...] = ()
    problem: str = ""
    raw: str = ""
    other: dict[str, int] = {}

    @property
    def record(self) -> dict[str, JSON]:
        """What the score's details keep of it."""
        kept: dict[str, JSON] = {"calls": list(self.calls), "asked": len(self.calls)}
        if self.verdict is None:
            return {**kept, "parse": "failed", "problem": self.problem, "raw": self.raw}
        kept |= {"parse": self.verdict.step, "grades": self.verdict.grades}
        flags = (*self.flags, "comment_cut") if len(self.verdict.comment) > MAX_COMMENT else self.flags
        optional = {"criteria": self.verdict.criteria, "flags": flags, "first_grades": self.other}
        return kept | {name: list(v) if isinstance(v, tuple) else v for name, v in optional.items() if v}


class Asking(Struct, frozen=True):
    """How a verdict by one rubric is asked for and read, with its comment in `language`.

    A verdict that leaves one of the criteria in `marked` open is worth asking again.
    """

    rubric: Rubric
    language: str
    marked: tuple[str, ...] = ()

    def messages(self, system: str, data: str, nonces: Random) -> tuple[Message, ...]:
        """Our own words with the form of a verdict, then the data (a line of JSON) in a fence of its own."""
        schema, language = as_data(self.rubric.schema), LANGUAGES.get(self.language, self.language)
        return (
            say("system", system + _FORM.format(schema=schema, language=language)),
            say("user", _SHOWN.format(nonce=_nonce(nonces, data), data=data)),
        )

    async def ask(self, seat: Seat, messages: tuple[Message, ...], sampling: Sampling | None = None) -> Given:
        """One verdict, asked for again once at most, whatever the reason.

        Raises CallError where the judge cannot be reached and no verdict is there.
        """
        first = await self._reply(seat, messages, sampling)
        held, problem = self._read(first)
        lacking = self._lacking(held) if held is not None else ()
        if held is not None and not lacking:
            return Given(held, (first.call,))
        asked = (*messages[:-1], say("user", messages[-1].text + self._remark(problem, lacking)))
        try:
            again = await self._reply(seat, asked, sampling)
        except CallError:
            if held is None:
                raise
            return Given(held, (first.call,), lacking)
        calls = (first.call, again.call)
        better, problem = self._read(again)
        if better is None and held is None:
            return self._labelled(again, calls, problem)
        verdict = held if better is None else structs.replace(better, step="asked_again")
        if held is not None and better is not None and lacking == (UNMARKED,):
            verdict = structs.replace(held, criteria=better.criteria)  # its grade was none of the question
        other = held.grades if held and verdict and held.grades != verdict.grades else {}
        return Given(verdict, calls, self._lacking(verdict) if verdict else (), other=other)

    async def _reply(self, seat: Seat, messages: Sequence[Message], sampling: Sampling | None) -> Reply:
        kind: ResponseFormat = "text"
        if seat.capabilities.json_schema:
            kind = "json_schema"
        elif seat.capabilities.json_object:
            kind = "json_object"
        schema = self.rubric.schema if kind == "json_schema" else None
        return await seat.ask(messages, format=kind, schema=schema, sampling=sampling)

    def _read(self, reply: Reply) -> tuple[Verdict | None, str]:
        if reply.refusal:
            return None, "the reply is a refusal"
        try:
            return read_verdict(reply.text, self.rubric), ""
        except NotAVerdict as problem:
            return None, str(problem)

    def _labelled(self, reply: Reply, calls: tuple[str | None, ...], problem: str) -> Given:
        try:
            flags = ("comment_missing", UNMARKED) if self.marked else ("comment_missing",)
            return Given(labelled_verdict(reply.text, self.rubric), calls, flags)
        except NotAVerdict:
            raw = (reply.text or reply.refusal).encode("utf-8", "replace")[:MAX_RAW]
            return Given(None, calls, problem=problem, raw=raw.decode("utf-8", "ignore"))

    def _lacking(self, verdict: Verdict) -> tuple[str, ...]:
        """What a verdict lacks beside its grade, as flags: each is worth asking again."""
        open_ = () if set(self.marked) <= verdict.marks.keys() else (UNMARKED,)
        if not verdict.comment:
            return ("comment_missing", *open_)
        fits = self.language != "ru" or is_russian(verdict.comment)
        return open_ if fits else ("comment_language: mismatch", *open_)

    def _remark(self, problem: str, lacking: Sequence[str]) -> str:
        """What is added to the question when it is asked again: our own words, never the judge's."""
        language = self.language
        words = {
            "comment_missing": "the comment was empty",
            "comment_language: mismatch": ANSWER_IN.get(language, f"write the comment in {language}"),
            UNMARKED: f"mark each of these criteria once: {', '.join(self.marked)}",
        }
        said = problem or "; ".join(words[each] for each in lacking)
        return f"\n\nYour last reply could not be used: {said}. Give the JSON object of the schema alone."


def _nonce(stream: Random, data: str) -> str:
    """A mark that the data does not hold; drawn from the trial's stream, so that replay finds it."""
    while (nonce := f"{stream.getrandbits(96):024x}") in data:
        pass
    return nonce
