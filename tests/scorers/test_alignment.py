"""Fields that are compared in their own way."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import UsageError
from assay.scorers import make_scorer
from assay.scorers.alignment import MAX_ALIGNED, Field, instant
from assay.scorers.structured import json_fields

ITEMS = {"items": [{"n": "a", "q": 1}, {"n": "b", "q": 2}]}


def scored(played, reply, target, **settings):
    (score,) = make_scorer("json_fields", settings).check(played(reply, target))
    return score


@pytest.mark.parametrize(
    ("align", "reply", "matched"),
    [
        ("index", '[{"n": "b", "q": 2}, {"n": "a", "q": 1}]', 0),
        ("set", '[{"n": "b", "q": 2}, {"n": "a", "q": 1}]', 4),
        ("match", '[{"n": "b", "q": 2}, {"n": "a", "q": 1}]', 4),
        ("set", '[{"n": "b", "q": 9}, {"n": "a", "q": 1}]', 2),
        ("match", '[{"n": "b", "q": 9}, {"n": "a", "q": 1}]', 3),
        ("match", '[{"n": "b", "q": 2}]', 2),
        ("index", '[{"n": "b", "q": 2}]', 0),
        ("match", '[{"n": "x", "q": 2}, {"n": "b", "q": 2}, {"n": "a", "q": 1}]', 4),
        ("set", "[]", 0),
        ("set", '"a"', 0),
    ],
)
def test_the_elements_of_a_list_find_each_other(played, align, reply, matched):
    score = scored(played, f'{{"items": {reply}}}', ITEMS, fields={"/items": {"align": align}})
    assert score.details["matched"] == matched


def test_what_has_no_partner_is_missing_or_unexpected(played):
    score = scored(played, '["x", "b"]', ["b", "a"], fields={"": {"align": "set"}})
    assert (score.details["missing"], score.details["unexpected"], score.details["wrong"]) == (
        ["/1"],
        ["/0"],
        [],
    )


def test_elements_that_match_in_nothing_are_still_each_others_in_a_match(played):
    score = scored(played, '["x", "b"]', ["b", "a"], fields={"": {"align": "match"}})
    assert (score.details["missing"], score.details["unexpected"], score.details["wrong"]) == ([], [], ["/1"])


def test_lists_within_lists_are_aligned_by_their_paths(played):
    fields = {"/o": {"align": "match"}, "/o/*/tags": {"align": "set"}}
    score = scored(
        played,
        '{"o": [{"id": 2, "tags": ["y", "x"]}, {"id": 1, "tags": []}]}',
        {"o": [{"id": 1, "tags": []}, {"id": 2, "tags": ["x", "y"]}]},
        fields=fields,
    )
    assert score.value == 1.0


def test_any_order_of_a_set_is_right(played):
    for order in itertools.permutations(range(4)):
        assert scored(played, str(list(order)), [0, 1, 2, 3], fields={"": {"align": "set"}}).value == 1.0


def test_lists_that_are_too_long_go_by_place(played):
    long = list(range(MAX_ALIGNED + 1))
    fields = {"": {"align": "set"}}
    assert scored(played, str(long[::-1]), long, fields=fields).details["matched"] == 1
    assert scored(played, str(long[:0:-1]), long[1:], fields=fields).value == 1.0


@pytest.mark.parametrize(
    ("reply", "target", "settings", "right"),
    [
        ("18.09.2026", "2026-09-18", {"dates": True}, True),
        ("18.09.2026", "2026-09-18", {}, False),
        ("18.09.2026", "2026-09-18", {"fields": {"/d": {"date": True}}}, True),
        ("18.09.2026", "2026-09-18", {"dates": True, "fields": {"/d": {"date": False}}}, False),
        ("19.09.2026", "2026-09-18", {"dates": True}, False),
        ("soon", "Soon", {"fields": {"/d": {"fold": True}}}, True),
        ("soon", "Soon", {"fold": True, "fields": {"/d": {"fold": False}}}, False),
        (1.5, 1, {"fields": {"/d": {"tolerance": 0.5}}}, True),
        (1.5, 1, {"tolerance": 1, "fields": {"/d": {"tolerance": 0}}}, False),
        (1.5, 1, {"fields": {"/other": {"tolerance": 0.5}}}, False),
    ],
)
def test_a_field_has_its_own_comparison(played, reply, target, settings, right):
    written = f'"{reply}"' if isinstance(reply, str) else reply
    score = scored(played, f'{{"d": {written}}}', {"d": target}, **settings)
    assert score.value == float(right)


SAME = [
    "2026-09-18",
    "18.09.2026",
    "18.9.2026",
    "2026/09/18",
    "2026.9.18",
    "18 September 2026",
    "18th Sept. 2026",
    "September 18, 2026",
    "Sep 18 2026",
    "18 сентября 2026 г.",
    "18 сен 2026 года",
]


def test_a_day_is_one_however_it_is_written():
    assert {instant(text) for text in SAME} == {("date", "2026-09-18")}


@pytest.mark.parametrize(
    "text",
    ["03/04/2026", "18 September", "2026-02-30", "32.01.2026", "18 nonsense 2026", "2026", "", "9" * 99],
)
def test_what_is_no_single_day_is_no_date(text):
    assert instant(text) is None


def test_times_with_an_offset_are_instants():
    assert instant("2026-09-18T12:00:00Z") == instant("2026-09-18 14:00:00+02:00")
    assert instant("2026-09-18T12:00") != instant("2026-09-18T12:00Z")
    assert instant("2026-09-18T12:00") != instant("2026-09-18")


@given(st.dates())
def test_every_day_is_read_back(day):
    assert instant(day.isoformat()) == ("date", day.isoformat())
    assert instant(f"{day.day}.{day.month}.{day.year:04}") == ("date", day.isoformat())


@given(st.text(max_size=45))
def test_any_text_is_a_date_or_none(text):
    found = instant(text)
    assert found is None or found[0] in ("date", "local", "instant")


@pytest.mark.parametrize(
    "fields", [{"items": Field()}, {"/a": Field(tolerance=-1)}, {"/a": Field(tolerance=float("nan"))}]
)
def test_a_field_that_makes_no_sense_is_refused(fields):
    with pytest.raises(UsageError):
        json_fields(fields=fields)


def test_settings_of_fields_are_read_from_plain_data(played):
    with pytest.raises(UsageError):
        make_scorer("json_fields", {"fields": {"/a": {"algn": "set"}}})
    rule = make_scorer("json_fields", {"fields": {"/a": {"align": "set"}}})
    assert rule.settings["fields"]["/a"]["align"] == "set"
