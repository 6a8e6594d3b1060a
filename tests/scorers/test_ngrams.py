"""Agreement of n-grams, with sacrebleu and scikit-learn as judges."""

import sys

import pytest
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sklearn.feature_extraction.text import TfidfVectorizer  # type: ignore[import-untyped]  # no types

from assay.errors import UsageError
from assay.scorers.ngrams import bleu, chrf, chrf_of, similarity
from assay.scorers.reference import norm


@pytest.mark.parametrize("settings", [{}, {"lowercase": True}, {"tokenize": "intl"}, {"tokenize": "char"}])
def test_bleu_equals_sacrebleus_on_a_thousand_texts(played, pairs, settings):
    rule, metric = bleu(**settings), BLEU(effective_order=True, **settings)
    for reply, reference in pairs:
        (score,) = rule.check(played(reply, reference))
        if reference.strip():
            assert score.value == pytest.approx(metric.sentence_score(reply, [reference]).score, abs=1e-9)
        else:
            assert score.unscored == "not_applicable"
    assert score.details["signature"] == str(metric.get_signature())


def test_the_counts_add_up_to_corpus_bleu(played, pairs):
    rule, metric = bleu(), BLEU()
    kept = [(reply, reference) for reply, reference in pairs if reference.strip()]
    details = [rule.check(played(reply, reference))[0].details for reply, reference in kept]
    counts, totals = (
        [sum(each) for each in zip(*(d[k] for d in details), strict=True)] for k in ("counts", "totals")
    )
    lengths = [sum(d[k] for d in details) for k in ("reply_length", "reference_length")]
    pooled = BLEU.compute_bleu(counts, totals, *lengths, smooth_method="exp")
    theirs = metric.corpus_score([reply for reply, _ in kept], [[reference for _, reference in kept]])
    assert pooled.score == pytest.approx(theirs.score, abs=1e-9)


def test_all_accepted_targets_are_references_of_bleu(played):
    (score,) = bleu().check(played("the cat sat", {"any_of": ["a cat", "the dog sat"]}))
    metric = BLEU(effective_order=True)
    assert score.value == pytest.approx(metric.sentence_score("the cat sat", ["a cat", "the dog sat"]).score)


def test_without_sacrebleu_bleu_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sacrebleu.metrics.bleu", None)
    with pytest.raises(UsageError) as error:
        bleu()
    assert "assay[text]" in error.value.fix


@pytest.mark.parametrize("lowercase", [False, True])
def test_chrf_equals_sacrebleus_on_a_thousand_texts(played, pairs, lowercase):
    rule, metric = chrf(lowercase=lowercase), CHRF(lowercase=lowercase)
    for reply, reference in pairs:
        (score,) = rule.check(played(reply, reference))
        if reference.strip():
            assert score.value == pytest.approx(metric.sentence_score(reply, [reference]).score, abs=1e-9)
        else:
            assert score.unscored == "not_applicable"
    theirs = str(metric.get_signature())
    assert score.details is None or score.details["signature"] == theirs


def test_the_orders_add_up_to_corpus_chrf(played, pairs):
    rule, total = chrf(), [[0, 0, 0] for _ in range(6)]
    kept = [(reply, reference) for reply, reference in pairs if reference.strip()]
    for reply, reference in kept:
        for sums, order in zip(total, rule.check(played(reply, reference))[0].details["orders"], strict=True):
            sums[:] = [a + b for a, b in zip(sums, order, strict=True)]
    theirs = CHRF().corpus_score([reply for reply, _ in kept], [[reference for _, reference in kept]])
    assert chrf_of(total) == pytest.approx(theirs.score, abs=1e-9)


def test_the_best_reference_counts_for_chrf(played):
    (score,) = chrf().check(played("the cat", {"any_of": ["a dog", "the cats"]}))
    assert score.value == pytest.approx(CHRF().sentence_score("the cat", ["a dog", "the cats"]).score)


@pytest.mark.parametrize("size", [1, 3])
def test_similarity_equals_scikit_learns_tf_idf_cosine(played, pairs, size):
    rule = similarity(size=size)
    for reply, reference in pairs[:300]:
        (score,) = rule.check(played(reply, reference))
        if not reference.strip():
            assert score.unscored == "not_applicable"
            continue
        texts = [f" {norm(text)} " if text.strip() else "" for text in (reply, reference)]
        matrix = TfidfVectorizer(analyzer="char", ngram_range=(size, size), lowercase=False).fit_transform(
            texts
        )
        assert score.value == pytest.approx(float((matrix[0] @ matrix[1].T).sum()), abs=1e-9)


@pytest.mark.parametrize("size", [0, -1, 11])
def test_a_size_that_makes_no_sense_is_refused(size):
    with pytest.raises(UsageError):
        similarity(size=size)


@pytest.mark.parametrize("factory", [bleu, chrf, similarity])
def test_a_text_is_wholly_like_itself_and_an_empty_reply_like_nothing(played, factory):
    best = 1.0 if factory is similarity else 100.0
    text = "Заказ ORD-17 leaves Hull at nine."
    assert factory().check(played(text, text))[0].value == pytest.approx(best)
    assert factory().check(played("", text))[0].value == 0.0
    assert factory().check(played(None, text))[0].value == 0.0
    assert factory().check(played(text, " "))[0].unscored == "not_applicable"
