"""Agreement of n-grams: BLEU of words, chrF of characters, and the cosine of weighted characters."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

from assay.errors import UsageError
from assay.keys import JSON
from assay.scorers.reference import Measure, best_of, norm, texts
from assay.scorers.rule import Rule, not_applicable
from assay.trial import Score, Trial

ORDERS, BETA = 6, 2
"""chrF2: character n-grams of 1 to 6, recall weighs twice (Popović 2015)."""
MAX_REFERENCES = 512
"""References whose n-grams one scorer keeps."""


def bleu(*, tokenize: Literal["13a", "intl", "char"] = "13a", lowercase: bool = False) -> Rule:
    """Sentence BLEU by sacrebleu (Post 2018), 0 to 100: effective order, exponential smoothing.

    All accepted targets count as references. Details keep n-gram counts and lengths, which add up
    to corpus BLEU, and sacrebleu's signature. Needs the extra `text`: raises UsageError without it.
    """
    try:
        from sacrebleu.metrics.bleu import BLEU  # an extra, and 0.3 s to import
    except ImportError:
        fix = "install assay with the extra text (pip install 'assay[text]')"
        raise UsageError("bleu needs the package sacrebleu", fix=fix) from None
    metric = BLEU(tokenize=tokenize, lowercase=lowercase, effective_order=True)

    def check(trial: Trial) -> tuple[Score, ...]:
        given = texts("bleu", trial)
        if isinstance(given, Score):
            return (given,)
        references = [each for each in given.references if each.strip()]
        if not references:
            return (not_applicable("bleu", "the reference is empty"),)
        found = metric.sentence_score(given.reply, references)
        details: JSON = {
            "counts": list(found.counts),
            "totals": list(found.totals),
            "reply_length": found.sys_len,
            "reference_length": found.ref_len,
            "signature": str(metric.get_signature()),
        }
        return (Score("bleu", float(found.score), given.note, details=details),)

    return Rule("bleu", 1, {"tokenize": tokenize, "lowercase": lowercase}, check)


def bleu_of(counts: Sequence[int], totals: Sequence[int], reply_length: int, reference_length: int) -> float:
    """Corpus BLEU of n-gram counts and lengths that were added up, 0 to 100 (Papineni et al. 2002).

    Exponential smoothing, as sacrebleu's corpus score does it; 0 where an order has no n-gram.
    """
    if not any(counts) or not all(totals):
        return 0.0
    halved, logs = 1.0, []
    for count, total in zip(counts, totals, strict=True):
        halved *= 1.0 if count else 2.0
        logs.append(math.log((count or 1 / halved) / total))
    penalty = min(0.0, 1 - reference_length / reply_length)
    return 100 * math.exp(penalty + math.fsum(logs) / len(logs))


def chrf(*, lowercase: bool = False) -> Rule:
    """chrF2 (Popović 2015), 0 to 100: character n-grams of 1 to 6 without white space, beta 2.

    The same value as sacrebleu 2.6 at a quarter of its time: references are counted once. Details
    keep (reply, reference, shared) n-grams an order, which add up to corpus chrF. The best
    accepted target counts.
    """
    counted = lru_cache(maxsize=MAX_REFERENCES)(_counts)
    case = "lc" if lowercase else "mixed"
    signature = f"nrefs:1|case:{case}|eff:yes|nc:{ORDERS}|nw:0|space:no|version:2.6.0"

    def measure(reply: str, reference: str) -> Measure | None:
        if not reference.strip():
            return None
        said, wanted = (text.lower() if lowercase else text for text in (reply, reference))
        orders = [_shared(a, b) for a, b in zip(_counts(said), counted(wanted), strict=True)]
        return Measure(chrf_of(orders), {"orders": orders, "signature": signature})

    return best_of("chrf", 1, {"lowercase": lowercase}, measure)


def chrf_of(orders: Sequence[Sequence[int]]) -> float:
    """chrF2 of (reply, reference, shared) n-gram counts an order, of a text or added up.

    The mean precision and recall of the orders that both sides have, as sacrebleu does it.
    """
    both = [(reply, reference, shared) for reply, reference, shared in orders if reply and reference]
    if not both:
        return 0.0
    precision = math.fsum(shared / reply for reply, _, shared in both) / len(both)
    recall = math.fsum(shared / reference for _, reference, shared in both) / len(both)
    if not precision + recall:
        return 0.0
    return 100 * (1 + BETA**2) * precision * recall / (BETA**2 * precision + recall)


def _counts(text: str) -> tuple[Counter[str], ...]:
    bare = "".join(text.split())
    return tuple(_grams(bare, size) for size in range(1, ORDERS + 1))


def _grams(text: str, size: int) -> Counter[str]:
    return Counter([text[at : at + size] for at in range(len(text) - size + 1)])


def _shared(said: Counter[str], wanted: Counter[str]) -> list[int]:
    common = said.keys() & wanted.keys()
    shared = sum([min(said[gram], wanted[gram]) for gram in common])
    return [said.total() if wanted else 0, wanted.total(), shared]  # as sacrebleu adds them up


def similarity(*, size: int = 3, fold_yo: bool = False) -> Rule:
    """The cosine of character n-gram vectors, weighted by TF-IDF over the two texts; in [0, 1].

    Its score is `similarity_char_tfidf`: likeness of spelling, not of meaning, and no model is
    asked. idf(g) = ln(3 / (1 + df)) + 1 (scikit-learn's smoothed idf for two documents), n-grams
    over the normalised text with a blank at both ends. Two texts without an n-gram are unscored.
    """
    if not 1 <= size <= 10:
        raise UsageError(f"similarity: size {size}", fix="give a size from 1 to 10")
    counted = lru_cache(maxsize=MAX_REFERENCES)(
        lambda text: _grams(f" {norm(text, fold_yo=fold_yo)} ", size) if text.strip() else Counter[str]()
    )

    def measure(reply: str, reference: str) -> Measure | None:
        said, wanted = counted(reply), counted(reference)
        if not wanted:
            return None
        return Measure(_cosine(said, wanted), {"size": size, "shared": len(said.keys() & wanted.keys())})

    settings = {"size": size, "fold_yo": fold_yo}
    return best_of("similarity_char_tfidf", 1, settings, measure)


def _cosine(a: Counter[str], b: Counter[str]) -> float:
    """The cosine where n-grams of one text alone weigh ln(3 / 2) + 1 and shared ones 1."""
    alone = (math.log(1.5) + 1) ** 2
    product = sum([a[gram] * b[gram] for gram in a.keys() & b.keys()])
    if not product:
        return 0.0
    squares = 1.0
    for one, other in ((a, b), (b, a)):
        squares *= sum([n * n * (1.0 if gram in other else alone) for gram, n in one.items()])
    return min(1.0, product / math.sqrt(squares))
