"""Error rates by the least number of edits: words (WER) and characters (CER)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from assay.scorers.reference import Measure, best_of, norm, tok
from assay.scorers.rule import Rule


def wer(*, fold_yo: bool = False) -> Rule:
    """Word error rate: (S + D + I) / N over the normalised tokens; N are the reference's.

    Unclipped: it can pass 1. Lower is better. Undefined for an empty reference. Details keep the
    counts, so that a report can pool them. As jiwer 4 on the same tokens.
    """
    return _error_rate("wer", lambda text: tok(text, fold_yo=fold_yo), fold_yo=fold_yo)


def cer(*, fold_yo: bool = False) -> Rule:
    """Character error rate: as `wer`, over the characters of the normalised text, blanks included."""
    return _error_rate("cer", lambda text: norm(text, fold_yo=fold_yo), fold_yo=fold_yo)


def _error_rate(name: str, units: Callable[[str], Sequence[str]], *, fold_yo: bool) -> Rule:
    from rapidfuzz.distance import Levenshtein  # loaded where it is used

    def measure(reply: str, reference: str) -> Measure | None:
        said, wanted = units(reply), units(reference)
        if not wanted:
            return None
        made = Counter(edit.tag for edit in Levenshtein.editops(wanted, said))
        details = {
            "substitutions": made["replace"],
            "deletions": made["delete"],
            "insertions": made["insert"],
            "reference_length": len(wanted),
        }
        return Measure(made.total() / len(wanted), details)

    return best_of(name, 1, {"fold_yo": fold_yo}, measure, least=True)
