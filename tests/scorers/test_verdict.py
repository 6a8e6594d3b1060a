"""Reading a judge's reply: nothing is clamped, nothing invented."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.keys import JSON
from assay.scorers.rubric import ANSWER, PHONE_ORDER
from assay.scorers.verdict import (
    MAX_REPLY,
    NotAVerdict,
    as_data,
    is_russian,
    labelled_verdict,
    read_verdict,
    repaired,
)


@pytest.mark.parametrize(
    "value", ["3", "3.0", '"3"', '"3/3"', '"3 из 3"', '"3 / 3"', '"3.0"', '"３"', '" 3 "', '"3 of 3"']
)
def test_a_grade_may_be_written_in_several_ways(value):
    assert read_verdict(f'{{"score": {value}, "comment": "x"}}', PHONE_ORDER).grades == {"order": 3}


@pytest.mark.parametrize(
    "value",
    [
        *(
            "0",
            "4",
            "5",
            "2.5",
            "true",
            "false",
            "null",
            "-3",
            "1e1",
            "[3]",
            '{"value": 3}',
            '"three"',
            '"3/5"',
        ),
        *(
            '"3 из 5"',
            '"З"',
            '"Ⅲ"',
            '"٣"',
            '"3,0"',
            '""',
            '"3 3"',
            '"2-3"',
            '"0x3"',
            '"+3"',
            "99999999999999999999",
        ),
    ],
)
def test_any_other_value_is_no_verdict_and_never_clamped(value):
    text = f'{{"score": {value}, "comment": "x"}}'
    with pytest.raises(NotAVerdict):
        read_verdict(text, PHONE_ORDER)
    with pytest.raises(NotAVerdict):
        labelled_verdict(text, PHONE_ORDER)


@pytest.mark.parametrize(
    ("text", "grade", "step"),
    [
        ('{"score": 2, "comment": "да"}', 2, "strict"),
        (' {"score": 2}\n', 2, "strict"),
        ('```json\n{"score": 2}\n```', 2, "fenced"),
        ('I think {so}: {"score": 2, "comment": "a } in \\"it\\""} is fair', 2, "balanced"),
        ('{"score": 2}\n{"score": 2, "comment": "again"}', 2, "balanced"),
        ('\ufeff{"score": 2}', 2, "balanced"),
        ('[{"score": 2}]', 2, "balanced"),
        ('{"score": 2, "comment": "x",}', 2, "repaired"),
        ("{'score': 2, 'comment': 'it\\'s \"ok\"'}", 2, "repaired"),
        ('{"score"： ２， "comment": "x"}', 2, "repaired"),
        ("```\n{'score': 2,}\n```", 2, "repaired"),
    ],
)
def test_each_step_of_the_ladder_reads_what_the_one_before_could_not(text, grade, step):
    verdict = read_verdict(text, PHONE_ORDER)
    assert (verdict.grades, verdict.step) == ({"order": grade}, step)


def test_a_repair_keeps_the_comment():
    verdict = read_verdict("{'score': 1, 'comment': 'it\\'s \"ok\", {x,} １',}", PHONE_ORDER)
    assert verdict.comment == 'it\'s "ok", {x,} １'


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "The agent did well, a solid three.",
        '{"score": 1} or rather {"score": 3}',
        '{"score": 3, "score": 1}',
        '{"score": 2} {"score": 7}',
        "{'score': 1} {\"score\": 3}",
        '{"score": NaN, "comment": "x"}',
        '{"score": 3, "comment": "и тут',
        '{"comment": "no grade"}',
        "I'm sorry, I can't help with that.",
        "3",
        '"3"',
        "[3]",
        '{"score": З, "comment": "x"}',
        '{"verdict": {"score": 3}}',
        '{"score": 3} ' + "{" * 100,
        '{"score": 3}' + " " * MAX_REPLY,
        '{"a":' * 5000,
    ],
)
def test_prose_conflict_cut_and_refusal_are_no_verdict(text):
    with pytest.raises(NotAVerdict):
        read_verdict(text, PHONE_ORDER)


@pytest.mark.parametrize(
    ("text", "grade"),
    [
        ("Оценка: 3", 3),
        ("**Оценка:** 2. Хорошо.", 2),
        ('"score": 3, "comment": "he said "hi""', 3),
        ('{"score": 3, "comment": "he said "hi""}', 3),
        ("Score = 1", 1),
        ("Балл: 3/3", 3),
        ("баллов: 2 из 3", 2),
        ("оценка: 2 или 3", None),
        ("оценка: 2 - 3", None),
        ("оценка: 2 — заказ неполный", 2),
        ("оценка: 2.\nscore: 3 or so", None),
        ("оценка: 2\nscore: 2", 2),
        ("оценка: 2\nscore: 3", None),
        ("оценка: 2 score: 5", None),
        ("score: 2.5", None),
        ("score: 30", None),
        ("score: 3/10", None),
        ("score: 3/5 or so", None),
        ("score: three", None),
        ("underscore: 3", None),
        ("3", None),
        ('{"score": 3, "comment": "и тут', None),
        ("", None),
    ],
)
def test_the_last_step_reads_labelled_grades_alone(text, grade):
    if grade is None:
        with pytest.raises(NotAVerdict):
            labelled_verdict(text, PHONE_ORDER)
    else:
        assert labelled_verdict(text, PHONE_ORDER).grades == {"order": grade}


def test_several_dimensions_are_all_needed():
    whole = {"correctness": 5, "completeness": "4/5", "format": 3.0}
    assert read_verdict(json.dumps({"scores": whole}), ANSWER).grades == {
        "correctness": 5,
        "completeness": 4,
        "format": 3,
    }
    assert read_verdict(json.dumps(whole), ANSWER).grades["format"] == 3
    assert labelled_verdict("correctness: 5\ncompleteness: 4\nformat: 1", ANSWER).grades["format"] == 1
    wrong: tuple[JSON, ...] = ({**whole, "format": 6}, {"correctness": 5, "format": 3}, [], "5")
    for broken in wrong:
        with pytest.raises(NotAVerdict):
            read_verdict(json.dumps({"scores": broken}), ANSWER)


def test_only_known_criteria_are_kept():
    marks = [
        {"id": "goal", "met": True, "evidence_turn": 4},
        {"id": "goal", "met": "yes"},
        {"id": "made up", "met": True},
        {"id": "polite", "met": False, "evidence_turn": True},
        "x",
    ]
    verdict = read_verdict(json.dumps({"score": 1, "criteria": marks}), PHONE_ORDER)
    assert verdict.criteria == (
        {"id": "goal", "met": True, "evidence_turn": 4},
        {"id": "polite", "met": False, "evidence_turn": None},
    )
    assert read_verdict('{"score": 1, "criteria": "x"}', PHONE_ORDER).criteria == ()


@given(st.text(alphabet="{}[]\"',:score 0123459.eоценка:\\\n"))
def test_any_text_is_a_verdict_in_the_scale_or_none(text):
    for read in (read_verdict, labelled_verdict):
        try:
            verdict = read(text, PHONE_ORDER)
        except NotAVerdict as problem:
            assert "'" not in str(problem)  # noqa: PT017  our own words: nothing is quoted
        else:
            assert verdict.grades["order"] in (1, 2, 3)
            assert any(digit in text for digit in "123")


@given(
    st.recursive(st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))
)
def test_repairing_strict_json_changes_nothing(value):
    text = json.dumps(value, ensure_ascii=False)
    if "'" not in text:
        assert json.loads(repaired(text)) == value


@pytest.mark.parametrize(
    ("text", "russian"),
    [
        ("Заказ оформлен верно.", True),
        ("The order was placed.", False),
        ("Заказ ORD-00012 создан через place_order, см. https://example.com/very/long/path", True),
        ("Клиент сказал «I want two chickens and one more thing please», всё учтено", True),
        ("Agent сказал да but the customer left", False),
        ("OK", False),
        ("«Спасибо»", True),
        ("5/5 !!!", False),
        ("", False),
    ],
)
def test_a_comment_is_russian_where_most_letters_of_its_prose_are_cyrillic(text, russian):
    assert is_russian(text) is russian


@given(st.text())
def test_data_is_one_line_without_marks_that_reads_back(text):
    data = as_data({"text": text})
    assert len(data.splitlines()) == 1
    assert not set(data) & set("<>`")
    data.encode()
    assert json.loads(data) == {"text": text}
