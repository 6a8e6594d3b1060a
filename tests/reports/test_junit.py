"""JUnit XML: a trial a testcase, its verdict in the words of CI systems."""

import io
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.errors import ErrorClass
from assay.reports.junit import attribute, junit, text
from assay.trial import Score, Status


def suite(make, trials, **run):
    out = io.StringIO()
    count = junit(iter(trials), make.run(**run), out)
    root = ET.fromstring(out.getvalue())  # noqa: S314  our own text
    assert count == len(root.findall(".//testcase"))
    return root


def kinds(root):
    return [case[0].tag if len(case) else "passed" for case in root.iter("testcase")]


def test_right_passes_wrong_fails_and_infrastructure_is_an_error(make):
    trials = [
        make.trial(0),
        make.trial(1, False),
        make.trial(2, 0.5),
        make.trial(3, error=ErrorClass.TIMEOUT),
        make.trial(4, None, status=Status.UNSCORED, detail="judge_invalid"),
        make.trial(5, None, status=Status.INVALID, detail="webhook"),
        make.trial(6, None, status=Status.UNSCORED, detail="not_applicable"),
        make.trial(7, None, status=Status.SKIPPED),
        make.trial(8, None, status=Status.NOT_RUN, detail="budget"),
    ]
    root = suite(make, trials)
    assert kinds(root) == ["passed", *["failure"] * 2, *["error"] * 3, *["skipped"] * 3]
    (one,) = root
    assert one.attrib == one.attrib | {"tests": "9", "failures": "2", "errors": "3", "skipped": "3"}


def test_a_failure_says_what_was_wanted_what_was_answered_and_why(make):
    root = suite(make, [make.trial(0, False, "three")])
    (failure,) = root.iter("failure")
    assert failure.get("type") == "exact"
    assert failure.get("message") == "exact 0: said three"
    assert "wanted: 2\nanswered: three" in failure.text
    assert "assay show run_20261121_1/0000000000000000" in failure.text


def test_an_error_names_its_class(make):
    (error,) = suite(make, [make.trial(0, error=ErrorClass.OVERLOADED)]).iter("error")
    assert (error.get("type"), error.get("message")) == ("overloaded", "failed: overloaded")


def test_repeats_and_models_have_names_of_their_own(make):
    trials = [make.trial(0, model=m, repeat=r) for m in ("x/a", "x/b") for r in (0, 1)]
    cases = list(suite(make, trials).iter("testcase"))
    assert len({(case.get("classname"), case.get("name")) for case in cases}) == 4


def test_a_score_outside_the_unit_has_no_right_or_wrong(make):
    assert kinds(suite(make, [make.trial(0, 3.0), make.trial(1, -1.0)])) == ["passed", "passed"]


@pytest.mark.parametrize(
    "bad", ["]]></failure>", "<script>", "\x00\x1b\ud800\ufffe", "\"'&", "A" * 1_000_000]
)
def test_hostile_text_leaves_the_file_well_formed_and_bounded(make, bad):
    trial = make.trial(0, False, bad, name=bad, model=f"m/{bad}", scores=(Score("exact", False, reason=bad),))
    root = suite(make, [trial], task=bad, headline="exact")
    assert kinds(root) == ["failure"]
    assert len(ET.tostring(root)) < 30_000


@settings(max_examples=200)
@given(st.text())
def test_any_text_can_be_content_and_attribute(given_text):
    ET.fromstring(f"<a b={attribute(given_text)}>{text(given_text)}</a>")  # noqa: S314  our own text


def test_very_many_cases_wait_on_disk_for_their_counts(make, monkeypatch):
    monkeypatch.setattr("assay.reports.junit.IN_MEMORY", 1_000)
    root = suite(make, [make.trial(n, n % 2 > 0, "Ж" * 100) for n in range(500)])
    assert root.get("failures") == "250"
