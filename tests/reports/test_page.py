"""What a page shows: who is compared with whom, which trials, and how much is kept."""

from itertools import pairwise

import pytest

from assay.errors import ErrorClass
from assay.reports import wording
from assay.reports.page import MOST_FLIPS, MOST_WORST, read_page
from assay.reports.page_words import answer, decided, leaves, verdict
from assay.trial import Status


def test_the_leading_model_is_compared_with_the_other_whatever_their_order(make):
    page = make.page(make.duel())
    (only,) = page.comparisons
    assert (page.entries[only.a].label, page.entries[only.b].label) == ("bad/b", "good/a")
    assert only.comparison.verdict == "better"
    assert only.p_adjusted is None
    assert answer(page).startswith("good/a is better than bad/b: +40.0 points [")
    assert verdict(page)[0] == "BETTER"


def test_one_model_alone_gives_its_figure_and_no_verdict(make):
    page = make.page([make.trial(n, n > 2) for n in range(60)])
    found = page.entries[0].summary.headline
    assert (found.value, found.n) == (0.95, 60)
    assert answer(page) == f"openai/m: exact {wording.figure(found)} over 60 cases."
    assert verdict(page) == ("", "", "")


def test_a_run_without_trials_says_so(make):
    assert answer(make.page([], make.run(planned=12, state="interrupted"))) == "No trial has a score yet."


def test_an_emulated_model_is_called_so_in_the_answer(make):
    page = make.page([make.trial(n, model="emulated/skill-1") for n in range(3)])
    assert answer(page).startswith("emulated/skill-1 (emulated): ")


def test_equal_models_cannot_be_told_apart_and_the_verdict_says_why(make):
    page = make.page([make.trial(n, n % 3 > 0, model=m) for n in range(30) for m in ("x/a", "x/b")])
    word, why, kind = verdict(page)
    assert (word, kind) == ("CANNOT TELL", "warn")
    assert "p = 1.000" in why
    assert "cannot be told apart" in answer(page)


def test_several_comparisons_are_adjusted_together(make):
    shares = {"x/a": 50, "x/b": 20, "x/c": 3, "x/d": 3}
    page = make.page(
        [make.trial(n, n % share > 0, model=m) for n in range(60) for m, share in shares.items()]
    )
    assert len(page.comparisons) == 3
    for each in page.comparisons:
        assert each.p_adjusted >= each.comparison.p
    assert sorted(map(decided, page.comparisons)) == ["better", "better", "cannot tell"]
    assert answer(page) == "x/a leads: better than 2 of 3 others, the rest cannot be told apart."
    assert verdict(page)[0] == "CANNOT TELL"


def test_what_only_the_adjustment_undoes_is_open(make):
    models = ("x/a", "x/b", "x/c", "x/d")
    page = make.page([make.trial(n, m == "x/a" or n > 5, model=m) for n in range(60) for m in models])
    assert {each.comparison.verdict for each in page.comparisons} == {"better"}
    assert {decided(each) for each in page.comparisons} == {"cannot tell"}
    assert answer(page) == "x/a leads, but cannot be told apart from the next 3."


def test_two_runs_are_compared_model_by_model_from_the_first_to_the_second(make):
    before = [make.trial(n, n % 2 > 0, run="run_a") for n in range(40)]
    after = [make.trial(n, n % 10 > 0, run="run_b") for n in range(40)]
    runs = make.run(id="run_a"), make.run(id="run_b", plan={"task": "sums", "seed": 8})
    page = read_page([make.source(before, runs[0]), make.source(after, runs[1])])
    assert [entry.label for entry in page.entries] == ["A: openai/m", "B: openai/m"]
    (only,) = page.comparisons
    assert [s.where for s in only.comparison.settings] == ["/plan/seed"]
    assert answer(page).startswith("B: openai/m is better than A: openai/m")
    assert {page.trials[flip.a].trial.run for flip in page.flips} == {"run_a"}


def test_flips_link_to_the_very_trials_of_their_case(make):
    page = make.page(make.duel())
    assert len(page.flips) == 16
    for each in page.flips:
        a, b = page.trials[each.a], page.trials[each.b]
        assert a.trial.case.name == b.trial.case.name == each.flip.case
        assert (page.entries[a.entry].label, page.entries[b.entry].label) == ("bad/b", "good/a")


def test_the_worst_are_bounded_the_lowest_first_and_every_kind_has_its_turn(make):
    wrong = [make.trial(n, 0.9 - n / 1000) for n in range(300)]
    failed = [make.trial(n + 300, error=ErrorClass.TIMEOUT) for n in range(300)]
    page = make.page([*failed, *wrong])
    shown = [page.trials[place] for place in page.worst]
    assert len(shown) == MOST_WORST
    assert page.wrong == 600
    assert [each.why for each in shown[:4]] == ["failed: timeout", "partly right"] * 2
    values = [each.trial.scores[0].value for each in shown if each.trial.scores]
    assert values == sorted(values)
    assert values[0] == pytest.approx(0.601)


def test_a_trial_is_named_by_its_place_in_the_record(make):
    page = make.page([make.trial(n, n != 7) for n in range(20)])
    (place,) = page.worst
    assert page.trials[place].place == 8


def test_flips_are_bounded_and_show_both_directions(make):
    trials = [
        make.trial(n, (n % 3 == 0) == (m == "x/a"), model=m) for n in range(300) for m in ("x/a", "x/b")
    ]
    page = make.page(trials)
    assert len(page.flips) == MOST_FLIPS
    assert {flip.flip.b > flip.flip.a for flip in page.flips} == {True, False}
    assert len(page.trials) <= 2 * MOST_FLIPS + MOST_WORST


def test_warm_up_trials_are_in_no_list(make):
    page = make.page([make.trial(0, False, phase="warm_up"), make.trial(1)])
    assert (page.wrong, page.worst) == (0, ())


def test_a_trial_to_which_the_headline_does_not_apply_is_not_wrong(make):
    unscored = make.trial(0, None, status=Status.UNSCORED, detail="not_applicable")
    assert make.page([unscored, make.trial(1)]).wrong == 0


def test_the_leaves_of_a_plan_are_named_by_pointers():
    assert leaves({"a": {"b": [1, None]}, "c": "x"}) == [("/a/b/0", "1"), ("/a/b/1", "None"), ("/c", "x")]


def test_times_are_kept_in_the_order_of_the_record(make):
    page = make.page([make.trial(n) for n in range(5)])
    times = page.entries[0].times
    assert len(times.latency) == len(times.ttft) == len(times.ended) == 5
    assert all(a < b for a, b in pairwise(times.ended))
    assert list(times.ttft) == pytest.approx([0.1] * 5)
