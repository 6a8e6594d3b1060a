"""What is done about the faults of a client's line: ask again, let it pass and note it, or give up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, TypeAlias

from msgspec import Struct

from assay.agenda import Brief, GoalItem
from assay.exchanges.conversation.clients import Flaw, Said
from assay.exchanges.conversation.guard import (
    Candidate,
    Code,
    Fault,
    Severity,
    Situation,
    action_on,
    faults_in,
    severity_of,
)
from assay.exchanges.conversation.guard.leaks import nothing_said
from assay.exchanges.conversation.loops import Spoken
from assay.keys import JSON
from assay.trial import Event, EventKind, Transcript

AGAIN = 2
"""So many other lines are asked for at most, in one turn of the client."""
Validity: TypeAlias = Literal["valid", "suspect", "invalid"]


class Watch(Struct, frozen=True):
    """What the guard holds a conversation's lines against."""

    brief: Brief
    variables: Mapping[str, JSON]
    agent_prompt: str
    client_prompt: str
    whole: bool = True
    """False looks for nothing but a missing line."""

    def faults(self, lines: Sequence[Spoken], said: Said) -> tuple[Fault, ...]:
        if said.malformed:
            return ()
        if not self.whole:
            silent = nothing_said(Candidate(said.text, said.reason))
            return () if silent is None else (Fault("empty", silent),)
        situation = Situation(self.brief, lines, self.variables, self.agent_prompt, self.client_prompt)
        return faults_in(situation, Candidate(said.text, said.reason))


def warmed() -> None:
    """Has the guard look at a call of nobody. Its patterns are compiled where they are first used, which
    takes most of a second: a service spares its event loop that.
    """
    brief = Brief((GoalItem(name="молоко", qty=2),), phone="+79000000000", city="Москва")
    watch = Watch(brief, {}, "Вы оператор лавки.", "Вы клиент.")
    asked = Spoken("agent", "Сколько вам и на какой адрес? Ваш телефон?")
    for line in ("Две пачки молока, 5 июня.", "Улица Мира, 5, телефон +7 900 000-00-00.", "Да, спасибо."):
        watch.faults((asked, Spoken("client", "Алло."), asked), Said(line))


def flaw_of(said: Said, faults: Iterable[Fault], before: Sequence[Flaw]) -> tuple[Flaw, str] | None:
    """Why another line is asked for, with the evidence; None where it is used or none is asked for.

    `before` are the flaws of the lines that were discarded in this turn.
    """
    found = [("malformed", "")] if said.malformed else [(fault.code, fault.evidence) for fault in faults]
    for code, evidence in found:
        for flaw, limit in _LIMITS.items():
            if flaw == code and before.count(flaw) < limit and len(before) < AGAIN:
                return flaw, evidence
    return None


def undeliverable(said: Said, faults: Iterable[Fault]) -> Code | Literal["malformed"] | None:
    """The flaw with which a line never reaches the agent, whatever it costs."""
    if said.malformed:
        return "malformed"
    return next((fault.code for fault in faults if action_on(fault.code) == "discard"), None)


_LIMITS: dict[Flaw, int] = {
    "malformed": 1,
    "empty": 1,
    "reasoning_leak": 2,
    "role_flip": 2,
    "goal_leak": 2,
    "ungrounded_fact": 1,
    "unknown_revealed": 1,
}
"""So many lines with the flaw are asked for again (simulation.md 2.6)."""


def noted(faults: Iterable[Fault]) -> list[JSON]:
    """The faults of a delivered line, for its event. One that had to be let pass is critical."""
    return [
        {
            "code": fault.code,
            "severity": severity_of(fault.code),
            "critical": action_on(fault.code) == "once",
            "evidence": fault.evidence,
        }
        for fault in faults
    ]


class ClientFault(Struct, frozen=True):
    """One fault of the client in a transcript. `discarded`: its line never reached the agent."""

    code: str
    severity: Severity
    discarded: bool
    critical: bool = False


def client_faults(transcript: Transcript) -> list[ClientFault]:
    """Every fault of the client's lines, in order; a discarded one did nothing to the agent."""
    found = []
    for event in transcript.events:
        if event.role == "client" and isinstance(event.data, dict):
            found += _faults_of(event, event.data)
    return found


def _faults_of(event: Event, data: dict[str, JSON]) -> list[ClientFault]:
    if event.kind is EventKind.DISCARDED:
        fault = data.get("fault")
        kept = isinstance(fault, str) and fault not in ("timeout", "turn_timeout", "cost_limit")
        return [ClientFault(str(fault), "minor", discarded=True)] if kept else []
    return [
        ClientFault(each["code"], each["severity"], discarded=False, critical=each["critical"])
        for each in data.get("faults") or ()
    ]


def validity_of(transcript: Transcript) -> Validity:
    """Whether the client was fit to test the agent.

    Invalid: it gave no usable line, or a critical fault reached the agent. Suspect: another fault
    reached the agent that helped or hindered it.
    """
    faults = [fault for fault in client_faults(transcript) if not fault.discarded]
    if transcript.outcome.reason == "client_fault" or any(fault.critical for fault in faults):
        return "invalid"
    return "suspect" if any(fault.severity != "minor" for fault in faults) else "valid"
