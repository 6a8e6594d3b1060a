"""How much of what must be said is said."""

import msgspec
import pytest

from assay.scorers.completion import task_completion


def value(played, reply, target, **settings):
    return task_completion(**settings).check(played(reply, target))[0].value


@pytest.mark.parametrize(
    ("reply", "items", "cover"),
    [
        ("Ten boxes go to Leeds", ["ten boxes", "Leeds"], 1.0),
        ("ten big boxes", ["ten boxes"], 0.0),
        ("tent boxes", ["ten boxes"], 0.0),
        ("on May 5", [["Friday", "May 5"], "Leeds"], 0.5),
        ("deliveries", ["delivered"], 0.0),
        ("shipments", ["shipment"], 1.0),
        ("cats", ["cat"], 0.0),
        ("заказами", ["заказами"], 1.0),
        ("доставки", ["доставка"], 0.0),
        ("доставкой", ["доставкою"], 0.0),
        ("подтверждённый", ["подтвержденный"], 1.0),
        ("4950123456789", ["4950123456780"], 0.0),
        ("boxes", ["boxess"], 0.0),
        ("", ["x"], 0.0),
        (None, ["x"], 0.0),
        ("x", ["x", "!"], 0.5),
    ],
)
def test_cover_is_the_share_of_items_that_are_held(played, reply, items, cover):
    (score,) = task_completion().check(played(reply, {"items": items}))
    assert score.details["cover"] == pytest.approx(cover)


def test_weights_count_and_musts_earn_the_bonus(played):
    items = [{"any_of": ["a"], "must": True, "weight": 3}, {"any_of": ["b"], "must": True}, "c"]
    assert value(played, "a", {"items": items}) == pytest.approx(3 / 5)
    assert value(played, "a c", {"items": items}) == pytest.approx(4 / 5)
    assert value(played, "a b", {"items": items}) == pytest.approx(4 / 5 * 1.2)
    assert value(played, "a b c", {"items": items}) == 1.0
    assert value(played, "a b", {"items": ["a", "b", "c"]}) == pytest.approx(2 / 3)


def with_state(trial, *, right):
    state = {"difference": {}, "journal": [], "expected": {"acts": "forbidden" if right else "required"}}
    return msgspec.structs.replace(trial, transcript=msgspec.structs.replace(trial.transcript, state=state))


def test_a_goal_that_is_not_reached_takes_the_bonus_away(played):
    target = {"items": [{"any_of": ["a"], "must": True}, "b"]}
    (reached,) = task_completion().check(with_state(played("a", target), right=True))
    (missed,) = task_completion().check(with_state(played("a", target), right=False))
    assert (reached.value, missed.value) == (pytest.approx(0.6), 0.5)
    assert next(iter(reached.details)) == "goal_reached"
    assert (reached.details["goal_reached"], missed.details["goal_reached"]) == (True, False)


def test_without_items_the_targets_numbers_and_rarest_words_stand_for_it(played):
    corpus = ("the cat 5", "the dog 6", "the cow 7")
    (score,) = task_completion(corpus=corpus).check(played("dog", "the dog 6"))
    assert (score.details["items"], score.details["missing"]) == (3, ["6", "the"])
    many = " ".join(f"word{chr(97 + n)}" for n in range(25))
    rare = task_completion(corpus=(many, "worda wordb wordc wordd worde")).check(played("", many))[0]
    assert rare.details["items"] == 20
    assert not {"worda", "worde"} & set(rare.details["missing"])


def test_without_items_and_corpus_nothing_is_made_up(played):
    assert task_completion().check(played("dog", "the dog 6"))[0].unscored == "not_applicable"
    assert task_completion(corpus=("x",)).check(played("dog"))[0].unscored == "not_applicable"
    assert task_completion(corpus=("x",)).check(played("dog", "a"))[0].unscored == "not_applicable"


@pytest.mark.parametrize(
    "items", ["x", [7], [{"any_of": ["x"], "wieght": 1}], [{"any_of": ["x"], "weight": -1}], [["x", 1]]]
)
def test_items_out_of_form_are_the_cases_fault(played, items):
    assert task_completion().check(played("x", {"items": items}))[0].unscored == "scorer_error"


def test_items_without_weight_are_not_applicable(played):
    for items in ([], [{"any_of": ["x"], "weight": 0}]):
        assert task_completion().check(played("x", {"items": items}))[0].unscored == "not_applicable"


def test_yo_is_folded_where_asked(played):
    assert value(played, "ещё", {"items": ["еще"]}) == 0.0
    assert value(played, "ещё", {"items": ["еще"]}, fold_yo=True) == 1.0
