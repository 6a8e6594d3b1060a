"""How much of a text stands in another: token F1, longest common subsequence, Jaccard."""

from __future__ import annotations

from collections import Counter
from functools import cache
from importlib.resources import files

from assay.scorers.exact import normalise
from assay.scorers.reference import LONGEST_TEXT, Measure, best_of, tok
from assay.scorers.rule import Rule, broken_case, no_reply, not_applicable
from assay.trial import Score, Trial


def f1(*, case: bool = False, punctuation: bool = False, articles: bool = False) -> Rule:
    """F1 over the words of reply and target as multisets, normalised as `exact` does.

    SQuAD's evaluation script (Rajpurkar et al. 2016, 2018): where one side is empty after
    normalisation, 1 if both are and else 0. Of several accepted targets the best one counts.
    """

    def words(text: str) -> list[str]:
        return normalise(text, case=case, punctuation=punctuation, articles=articles).split()

    def measure(reply: str, reference: str) -> Measure:
        said, wanted = words(reply), words(reference)
        shared = (Counter(said) & Counter(wanted)).total()
        if not said or not wanted:
            both = float(said == wanted)
            return Measure(both, {"precision": both, "recall": both, "shared": 0})
        precision, recall = shared / len(said), shared / len(wanted)
        value = 2 * shared / (len(said) + len(wanted))
        return Measure(value, {"precision": precision, "recall": recall, "shared": shared})

    settings = {"case": case, "punctuation": punctuation, "articles": articles}
    return best_of("f1", 1, settings, measure)


def rouge_l(*, fold_yo: bool = False) -> Rule:
    """The F1 of the longest common subsequence of tokens (Lin 2004, beta 1), in [0, 1].

    Two texts without a token have none: the trial is unscored; where one side has none it is 0.
    """
    from rapidfuzz.distance import LCSseq  # loaded where it is used

    def measure(reply: str, reference: str) -> Measure | None:
        said, wanted = tok(reply, fold_yo=fold_yo), tok(reference, fold_yo=fold_yo)
        if not wanted:
            return None
        common = LCSseq.similarity(said, wanted)
        details = {"lcs": common, "reply_tokens": len(said), "reference_tokens": len(wanted)}
        return Measure(2 * common / (len(said) + len(wanted)), details)

    return best_of("rouge_l", 1, {"fold_yo": fold_yo}, measure)


def relevance(*, stop_words: bool = False, fold_yo: bool = False) -> Rule:
    """The Jaccard index of token sets: `relevance_ref` with the target, `relevance_prompt` with the
    case's input. Two empty sets give 1, one empty set 0. With `stop_words` the frequent words of
    English and Russian (stop_words.txt) are left out first.
    """

    def bag(text: str) -> frozenset[str]:
        found = frozenset(tok(text, fold_yo=fold_yo))
        return found - _stop_words(fold_yo=fold_yo) if stop_words else found

    def measure(reply: str, reference: str) -> Measure:
        said, wanted = bag(reply), bag(reference)
        details = {"shared": len(said & wanted), "all": len(said | wanted)}
        return Measure(jaccard(said, wanted), details)

    settings = {"stop_words": stop_words, "fold_yo": fold_yo}
    with_target = best_of("relevance_ref", 1, settings, measure)

    def check(trial: Trial) -> tuple[Score, ...]:
        prompt, name = trial.case.input_text, "relevance_prompt"
        if not prompt.strip():
            return (*with_target.check(trial), not_applicable(name, "the case has no input text"))
        reply = trial.transcript.final
        said = "" if reply is None else reply.text
        if max(len(said), len(prompt)) > LONGEST_TEXT:
            return (*with_target.check(trial), broken_case(name, "a text is too long to be measured"))
        found = measure(said, prompt)
        reason = no_reply(trial) if reply is None else ""
        return (*with_target.check(trial), Score(name, found.value, reason, details=found.details))

    return Rule("relevance_ref", 1, settings, check)


def jaccard(a: frozenset[object], b: frozenset[object]) -> float:
    """The share of two sets' members that both have; 1 of two empty ones."""
    return len(a & b) / len(a | b) if a or b else 1.0


@cache
def _stop_words(*, fold_yo: bool) -> frozenset[str]:
    listed = files("assay.scorers").joinpath("stop_words.txt").read_text("utf-8")
    return frozenset(tok(listed, fold_yo=fold_yo))
