"""Error rates of words and characters."""

import jiwer
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.scorers.edits import cer, wer
from assay.scorers.reference import norm, tok


def test_the_word_error_rate_equals_jiwers_on_a_thousand_texts(played, pairs):
    rule, compared = wer(), 0
    for reply, reference in pairs:
        (score,) = rule.check(played(reply, reference))
        wanted = tok(reference)
        if not wanted:
            assert score.unscored == "not_applicable"
            continue
        theirs = jiwer.process_words(" ".join(wanted), " ".join(tok(reply)))
        assert score.value == pytest.approx(theirs.wer, abs=1e-12)
        assert score.details == {
            "substitutions": theirs.substitutions,
            "deletions": theirs.deletions,
            "insertions": theirs.insertions,
            "reference_length": len(wanted),
        }
        compared += 1
    assert compared > 900


def test_the_character_error_rate_equals_jiwers_on_a_thousand_texts(played, pairs):
    rule, compared = cer(), 0
    for reply, reference in pairs:
        (score,) = rule.check(played(reply, reference))
        if not norm(reference):
            assert score.unscored == "not_applicable"
            continue
        theirs = jiwer.process_characters(norm(reference), norm(reply))
        assert score.value == pytest.approx(theirs.cer, abs=1e-12)
        assert score.details["substitutions"] == theirs.substitutions
        compared += 1
    assert compared > 900


def test_pooled_edits_over_pooled_words_equal_jiwers_rate_of_the_set(played, pairs):
    rule, edits, words, references, replies = wer(), 0, 0, [], []
    for reply, reference in pairs:
        (score,) = rule.check(played(reply, reference))
        if score.unscored is None:
            edits += sum(score.details[name] for name in ("substitutions", "deletions", "insertions"))
            words += score.details["reference_length"]
            references.append(" ".join(tok(reference)))
            replies.append(" ".join(tok(reply)))
    assert edits / words == pytest.approx(jiwer.wer(references, replies), abs=1e-12)


def test_the_nearest_of_several_references_counts(played):
    (score,) = wer().check(played("a b c", {"any_of": ["x y z", "a b d", ""]}))
    assert score.value == pytest.approx(1 / 3)
    assert score.details["reference"] == 1


def test_a_play_without_a_reply_misses_every_word(played):
    (score,) = wer().check(played(None, "one two"))
    assert score.value == 1.0
    assert "no final reply" in score.reason


def test_yo_is_its_own_letter_unless_folded(played):
    assert wer().check(played("ещё", "еще"))[0].value == 1.0
    assert wer(fold_yo=True).check(played("ещё", "еще"))[0].value == 0.0


@given(text=st.text(max_size=40))
def test_a_text_has_no_errors_against_itself(played, text):
    (score,) = cer().check(played(text, text))
    assert score.value in (None, 0.0)
