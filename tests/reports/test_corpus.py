"""Figures of a whole set, with sacrebleu and jiwer as judges."""

from random import Random

import jiwer
import pytest
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from assay.case import Case
from assay.message import Reply
from assay.reports.corpus import corpus_figures
from assay.scorers import make_scorer
from assay.scorers.ngrams import bleu_of
from assay.scorers.reference import norm, tok
from assay.trial import Outcome, Status, Transcript, Trial

WORDS = "the ship leaves at nine from Hull, order costs 1,250 заказ принят завтра в десять."


def played(reply, target, *scorers, case="c", repeat=0, model="m"):
    one = Transcript((), Outcome("answered"), Reply(reply))
    made = Trial("r", "k", Case(case, case, "q", target), model, repeat, 7, Status.SCORED, transcript=one)
    scores = tuple(score for name in scorers for score in make_scorer(name, {}).check(made))
    return Trial("r", "k", made.case, model, repeat, 7, Status.SCORED, transcript=one, scores=scores)


def texts(seed, count=200):
    random = Random(seed)
    references = [" ".join(random.choices(WORDS.split(), k=random.randint(1, 12))) for _ in range(count)]
    replies = [" ".join(w for w in each.split() if random.random() < 0.7) for each in references]
    return replies, references


def figures(rounds):
    trials = [
        played(reply, reference, "bleu", "chrf", "wer", "cer", case=str(n), repeat=repeat)
        for repeat, (replies, references) in enumerate(rounds)
        for n, (reply, reference) in enumerate(zip(replies, references, strict=True))
    ]
    return corpus_figures(trials)["m"]


def test_one_round_equals_the_corpus_scores_of_sacrebleu_and_jiwer():
    replies, references = texts(1)
    found = figures([(replies, references)])
    assert found["corpus_bleu"].value == pytest.approx(BLEU().corpus_score(replies, [references]).score)
    assert found["corpus_chrf"].value == pytest.approx(CHRF().corpus_score(replies, [references]).score)
    said, wanted = ([" ".join(tok(text)) for text in side] for side in (replies, references))
    assert found["pooled_wer"].value == pytest.approx(jiwer.wer(wanted, said))
    said, wanted = ([norm(text) for text in side] for side in (replies, references))
    assert found["pooled_cer"].value == pytest.approx(jiwer.cer(wanted, said))
    assert {(each.trials, each.rounds) for each in found.values()} == {(200, 1)}


def test_rounds_are_averaged_and_never_pooled():
    rounds = [texts(1), texts(2)]
    alone = [figures([each])["corpus_bleu"].value for each in rounds]
    both = figures(rounds)["corpus_bleu"]
    assert both.value == pytest.approx(sum(alone) / 2)
    assert (both.trials, both.rounds) == (400, 2)


def test_models_are_kept_apart_and_unscored_trials_left_out():
    trials = [
        played("a b", "a b", "wer", model="x"),
        played("a", "a b", "wer", model="y"),
        played("a", "!", "wer"),
    ]
    found = corpus_figures(trials)
    assert (found["x"]["pooled_wer"].value, found["y"]["pooled_wer"].value) == (0.0, 0.5)
    assert found["m"] == {}


@pytest.mark.parametrize(
    ("counts", "totals", "lengths"),
    [
        ([5, 3, 1, 0], [6, 5, 4, 3], (6, 6)),
        ([5, 0, 0, 0], [6, 5, 4, 3], (6, 9)),
        ([2, 1, 0, 0], [2, 1, 0, 0], (2, 2)),
        ([0, 0, 0, 0], [4, 3, 2, 1], (4, 4)),
        ([0, 0, 0, 0], [0, 0, 0, 0], (0, 5)),
    ],
)
def test_corpus_bleu_of_counts_is_sacrebleus(counts, totals, lengths):
    theirs = BLEU.compute_bleu(list(counts), list(totals), *lengths, smooth_method="exp")
    assert bleu_of(counts, totals, *lengths) == pytest.approx(theirs.score, abs=1e-9)


@pytest.mark.parametrize(
    ("replies", "value"),
    [
        (['{"a": 1}', '{"a": 2}', '{"a": 3}'], 1.0),
        (['{"a": 1}', '{"a": "x"}'], 1 / 3),
        (['{"a": 1}', "no"], 0.0),
        (["no", "no"], 0.0),
        (['{"a": 1}', '{"a": 2}', "no", "no"], 1 / 6),
        (['{"a": 1}', '{"a": 2}', "no"], 1 / 3),
    ],
)
def test_consistency_compares_the_shapes_of_the_rounds_of_a_case(replies, value):
    trials = [played(text, {"a": 1}, "structure", repeat=n) for n, text in enumerate(replies)]
    assert corpus_figures(trials)["m"]["structural_consistency"].value == pytest.approx(value)


def test_one_round_alone_has_no_consistency():
    assert corpus_figures([played("{}", {}, "structure")]) == {"m": {}}
