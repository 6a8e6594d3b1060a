"""How much of what a reply must say it says: required items, or the telling words of the target."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence

import msgspec
from msgspec import Struct

from assay.keys import JSON
from assay.scorers.reference import Texts, reference_texts, texts, tok
from assay.scorers.rule import Rule, broken_case, not_applicable
from assay.scorers.state import reached
from assay.trial import Score, Trial

NAME = "task_completion"
TELLING = 20
"""Words of the target that stand for it beside its numbers, where the case lists no items."""
LIKE = 90.0
"""The rapidfuzz ratio from which two words of six letters or more count as one."""
BONUS = 1.2
MAX_ITEMS = 200
LISTED = 20

_NUMBER = re.compile(r"\d+(?:[.,:'’-]\d+)*")


class Item(Struct, frozen=True, forbid_unknown_fields=True):
    """Something that a reply must say: any of these texts."""

    any_of: tuple[str, ...]
    weight: float = 1.0
    must: bool = False


def task_completion(*, corpus: tuple[str, ...] = (), fold_yo: bool = False) -> Rule:
    """min(1, cover x 1.2 where there is a bonus, else cover), in [0, 1] (pipeline.md 3).

    cover is the share of the items' weight that the reply holds: as a phrase of tokens, or a word
    of six letters or more by rapidfuzz's ratio of 90. The bonus is earned where items are marked
    `must` and all are held, and a world's goal state (where the case has one) is reached.
    The items are the target's (`{text, items: [...]}`); else its numbers and the 20 tokens of the
    highest idf over `corpus` (all the set's targets), of three letters or more.
    """
    idf = _idf(corpus, fold_yo=fold_yo)

    def check(trial: Trial) -> tuple[Score, ...]:
        try:
            listed = _listed(trial.case.target)
        except msgspec.ValidationError as error:
            return (broken_case(NAME, f"items: {error}"),)
        if listed is not None:
            given = texts(NAME, _with_reference(trial))
        elif not corpus and trial.case.target is not None:
            return (
                not_applicable(NAME, "the case lists no items, and there is no corpus to weigh its words"),
            )
        else:
            given = texts(NAME, trial)
        if isinstance(given, Score):
            return (given,)
        chosen = listed if listed is not None else _telling(given.references[0], idf, fold_yo=fold_yo)
        if not chosen or sum(item.weight for item in chosen) <= 0:
            return (not_applicable(NAME, "there is no item of any weight"),)
        return (_score(given, chosen, reached(trial), fold_yo=fold_yo),)

    return Rule(NAME, 1, {"corpus": list(corpus), "fold_yo": fold_yo}, check)


def _with_reference(trial: Trial) -> Trial:
    """A trial whose case needs no text beside its items."""
    if reference_texts(trial.case.target):
        return trial
    case = msgspec.structs.replace(trial.case, target="items")
    return msgspec.structs.replace(trial, case=case)


def _listed(target: JSON) -> tuple[Item, ...] | None:
    """The items that a target lists: texts, lists of alternatives, or whole items."""
    if not isinstance(target, dict) or "items" not in target:
        return None
    items = msgspec.convert(target["items"], list[str | list[str] | dict[str, JSON]])
    found = []
    for item in items[:MAX_ITEMS]:
        if isinstance(item, dict):
            found.append(msgspec.convert(item, Item))
        else:
            found.append(Item((item,) if isinstance(item, str) else tuple(item)))
    if any(item.weight < 0 or not math.isfinite(item.weight) for item in found):
        raise msgspec.ValidationError("a weight is negative or no number")
    return tuple(found)


def _idf(corpus: Sequence[str], *, fold_yo: bool) -> Callable[[str], float]:
    """ln(N / df) over the corpus; a token that no text holds counts as one that one text holds."""
    frequency = Counter(token for text in corpus for token in set(tok(text, fold_yo=fold_yo)))
    return lambda token: math.log(len(corpus) / max(1, frequency[token])) if corpus else 0.0


def _telling(text: str, idf: Callable[[str], float], *, fold_yo: bool) -> tuple[Item, ...]:
    """The numbers of a text and its TELLING tokens of the highest idf; the earlier of equals."""
    tokens = list(dict.fromkeys(tok(text, fold_yo=fold_yo)))
    numbers = [token for token in tokens if _NUMBER.fullmatch(token)]
    words = [token for token in tokens if len(token) >= 3 and not _NUMBER.fullmatch(token)]
    words.sort(key=idf, reverse=True)
    return tuple(Item((token,)) for token in (*numbers, *words[:TELLING]))


def _score(given: Texts, items: Sequence[Item], goal: bool | None, *, fold_yo: bool) -> Score:
    tokens = tok(given.reply, fold_yo=fold_yo)
    spaced, long = f" {' '.join(tokens)} ", {token for token in tokens if len(token) >= 6}
    hits = [any(_held(text, spaced, long, fold_yo=fold_yo) for text in item.any_of) for item in items]
    cover = sum(item.weight for item, hit in zip(items, hits, strict=True) if hit)
    cover /= sum(item.weight for item in items)
    musts = [hit for item, hit in zip(items, hits, strict=True) if item.must]
    bonus = bool(musts) and all(musts) and goal is not False
    value = min(1.0, cover * BONUS if bonus else cover)
    missed = [item.any_of[0] if item.any_of else "" for item, hit in zip(items, hits, strict=True) if not hit]
    details: dict[str, JSON] = {"cover": cover, "bonus": bonus, "score": value, "items": len(items)}
    if goal is not None:
        details = {"goal_reached": goal, **details}
    details["missing"] = [text[:80] for text in missed[:LISTED]]
    lacking = (
        f"missing {', '.join(details['missing'][:3])}{', …' if len(missed) > 3 else ''}" if missed else ""
    )
    return Score(NAME, value, "; ".join(filter(None, (lacking, given.note))), details=details)


def _held(text: str, spaced: str, long: set[str], *, fold_yo: bool) -> bool:
    """Whether the reply holds a phrase of tokens, or a long word or one much like it."""
    from rapidfuzz import process  # loaded where it is used
    from rapidfuzz.fuzz import ratio

    wanted = tok(text, fold_yo=fold_yo)
    if not wanted:
        return False
    if f" {' '.join(wanted)} " in spaced:
        return True
    if len(wanted) > 1 or len(wanted[0]) < 6 or wanted[0].isdigit():
        return False
    return process.extractOne(wanted[0], long, scorer=ratio, score_cutoff=LIKE) is not None
