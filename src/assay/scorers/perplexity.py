"""How surprised the model is by the target: from the log-probabilities that its play brought."""

from __future__ import annotations

import math
from collections.abc import Sequence

from msgspec import Struct

from assay.keys import JSON
from assay.ports import Table
from assay.scorers.rule import broken_case, not_applicable
from assay.trial import EventKind, Score, Trial

NAME = "perplexity"


class Perplexity(Struct, frozen=True):
    """exp of the mean negative log-likelihood a target token (Jelinek et al. 1977), given the prompt.

    It is asked of the model under test in the play itself (`likelihood` of the exchange `single`,
    which naming this scorer sets), so that scoring anew calls no model.
    """

    name: str = NAME
    version: int = 1
    settings: JSON = None

    @property
    def seats(self) -> tuple[str, ...]:
        return ()

    async def score(self, trial: Trial, table: Table) -> Sequence[Score]:  # noqa: ARG002  the port's
        return (_score(trial),)


def perplexity() -> Perplexity:
    """The perplexity of the case's target; of several accepted ones of the first. 1 at best, no upper end.

    Unscored where the model gives no log-probabilities of a given text, or the play did not ask.
    """
    return Perplexity(settings={})


def _score(trial: Trial) -> Score:
    target = trial.case.target_text
    if not target:
        return not_applicable(NAME, "the case has no target")
    told = next((e.data for e in trial.transcript.events if e.kind is EventKind.LIKELIHOOD), None)
    told = told if isinstance(told, dict) else {}
    logprobs = told.get("logprobs")
    if not logprobs or told.get("of") != target:
        return not_applicable(NAME, _missing(told, target))
    if not all(isinstance(each, float) and each <= 1e-3 for each in logprobs):
        return broken_case(NAME, "what came are no log-probabilities")
    nll = -math.fsum(logprobs)
    mean = nll / len(logprobs)
    details = {"nll": nll, "tokens": len(logprobs)}
    if mean > _LARGEST:
        return broken_case(NAME, f"a mean of {mean:g} nats a token is beyond any number")
    return Score(NAME, math.exp(mean), f"{mean:.4f} nats a token, {len(logprobs)} tokens", details=details)


def _missing(told: dict[str, JSON], target: str) -> str:
    if not told:
        return "the play did not ask how likely the target is: run it with this scorer"
    if told.get("of") != target:
        return "the play asked of another target: run it anew"
    return str(told.get("missing", "no log-probabilities came"))


_LARGEST = 700.0
