"""Figures and hostile texts as they stand in a terminal."""

from decimal import Decimal

import click
from hypothesis import given
from hypothesis import strategies as st

from assay.cli import looks
from assay.stats.quantiles import Quantile


@given(st.text(max_size=400), st.integers(20, 120), st.integers(1, 8))
def test_folded_text_is_printable_within_its_room_and_bounded(text, room, most):
    lines = looks.folded(text, room, most)
    assert len(lines) <= most + 1
    for line in lines[:most]:
        assert line.isprintable()
        assert looks.width(line) <= room


@given(st.text(st.characters(categories=("L", "N")), min_size=1, max_size=300), st.integers(20, 80))
def test_folding_loses_no_character(text, room):
    assert "".join(looks.folded(text, room, 100)).replace(" ", "") == text


def test_folding_keeps_the_indent_of_a_line():
    assert looks.folded('{\n  "a": 1\n}', 40, 9) == ["{", '  "a": 1', "}"]


def test_a_table_that_is_too_wide_goes_on_below_with_its_first_column():
    head, rows = ["", "first", "second", "third"], [["model-a", "1", "2", "3"]]
    text = click.unstyle(looks.fitted(head, rows, room=24))
    assert [line.split() for line in text.splitlines()] == [
        ["first", "second"],
        ["model-a", "1", "2"],
        [],
        ["third"],
        ["model-a", "3"],
    ]
    assert len(looks.fitted(head, rows, room=200).splitlines()) == 2


def test_in_a_pipe_nothing_is_folded(monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    assert looks.columns() == 10_000


def test_a_quantile_has_one_unit_for_value_and_interval():
    assert looks.quantile(Quantile(1.384, 1.21, 1.744)) == "1.38 s [1.21, 1.74]"
    assert looks.quantile(Quantile(0.0512, 0.049, 0.054)) == "51 ms [49, 54]"
    assert looks.quantile(Quantile(0.0012, 0.0009, 0.0019)) == "1.2 ms [0.9, 1.9]"
    assert looks.quantile(Quantile(1.5, None, None, 368)) == "1.50 s (interval needs n 368)"


def test_json_has_dollars_as_numbers_and_survives_a_lone_surrogate():
    assert looks.json_text({"cost": Decimal("1.50")}) == '{"cost":1.50}'
    assert looks.json_text({"said": "\ud800"}) == '{"said": "\\ud800"}'


def test_a_model_that_names_a_file_is_shown_without_its_folders():
    assert looks.model("recorded/a/b/answers.jsonl#x") == "recorded/answers.jsonl#x"
    assert looks.model("emulated/skill-1") == "emulated/skill-1 (emulated)"
    assert looks.label("openai/org/model") == "openai/org/model"
