"""What a trial is worth: one module a kind of scorer, and the names under which a plan asks for them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from types import MappingProxyType
from typing import get_type_hints

import msgspec

from assay.errors import UsageError
from assay.keys import JSON
from assay.ports import Scorer
from assay.scorers.choice import choice
from assay.scorers.clarity import clarity
from assay.scorers.completion import task_completion
from assay.scorers.edits import cer, wer
from assay.scorers.exact import exact
from assay.scorers.extracted import json_extracted
from assay.scorers.judge import judge
from assay.scorers.ngrams import bleu, chrf, similarity
from assay.scorers.overlap import f1, relevance, rouge_l
from assay.scorers.pairwise import pairwise
from assay.scorers.pattern import regex
from assay.scorers.perplexity import perplexity
from assay.scorers.policy import policy
from assay.scorers.says import says
from assay.scorers.shape import structure
from assay.scorers.squad import squad
from assay.scorers.state import state
from assay.scorers.structured import json_exact, json_fields, json_schema, json_valid
from assay.scorers.text import contains, numeric
from assay.scorers.tool_calls import tool_calls

Factory = Callable[..., Scorer]

SCORERS: Mapping[str, Factory] = MappingProxyType(
    {
        "bleu": bleu,
        "cer": cer,
        "choice": choice,
        "chrf": chrf,
        "clarity": clarity,
        "contains": contains,
        "exact": exact,
        "f1": f1,
        "json_exact": json_exact,
        "json_extracted": json_extracted,
        "json_fields": json_fields,
        "json_schema": json_schema,
        "json_valid": json_valid,
        "judge": judge,
        "numeric": numeric,
        "pairwise": pairwise,
        "perplexity": perplexity,
        "policy": policy,
        "regex": regex,
        "relevance": relevance,
        "rouge_l": rouge_l,
        "says": says,
        "similarity": similarity,
        "squad": squad,
        "state": state,
        "structure": structure,
        "task_completion": task_completion,
        "tool_calls": tool_calls,
        "wer": wer,
    }
)
"""The built-in scorers' factories by name; their keyword parameters are their settings."""


def make_scorer(
    name: str, settings: Mapping[str, JSON], factories: Mapping[str, Factory] = SCORERS
) -> Scorer:
    """The scorer of that name with those settings, each converted to its parameter's type.

    Raises UsageError for an unknown name or setting, and for a value of the wrong type.
    """
    factory = factories.get(name)
    if factory is None:
        raise UsageError(f"no scorer is called {name!r}", fix=_hint(name, factories))
    types = get_type_hints(factory)
    parameters = inspect.signature(factory).parameters
    given = {}
    for key, value in settings.items():
        if key not in parameters:
            raise UsageError(f"scorer {name} has no setting {key!r}", fix=_hint(key, parameters))
        try:
            given[key] = msgspec.convert(value, types[key])
        except msgspec.ValidationError as error:
            fix = f"give {key} as {inspect.formatannotation(types[key])}"
            raise UsageError(f"scorer {name}, setting {key}: {error}", fix=fix) from None
    return factory(**given)


def _hint(word: str, known: Mapping[str, object]) -> str:
    close = get_close_matches(word, known, 1)
    listed = ", ".join(known) or "none"
    return f"did you mean {close[0]}?" if close else f"known: {listed}"
