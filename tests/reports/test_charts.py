"""Charts: where marks stand, how many points there are, and what is told to those who do not see them."""

import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.reports.charts import (
    MOST_POINTS,
    Bar,
    Dot,
    DotRow,
    Line,
    bars,
    dots,
    ecdf,
    lines,
    mark,
    ticks,
    top_of,
)
from assay.reports.html_elements import Html, escaped

finite = st.floats(min_value=1e-6, max_value=1e6)


@given(finite, finite)
def test_ticks_are_few_round_and_within(low, span):
    found = ticks(low, low + span)
    assert len(found) <= 12
    assert all(low - 1e-6 * span <= each <= low + span * (1 + 1e-6) for each in found)


def test_ticks_of_a_rate_are_fifths():
    assert ticks(0.0, 1.0) == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1])


@given(st.lists(finite, min_size=1, max_size=50))
def test_an_ecdf_rises_from_nought_to_one(sample):
    points = ecdf(sample)
    assert points[0] == (min(sample), 0.0)
    assert points[-1] == (max(sample), 1.0)
    assert list(points) == sorted(points)
    for x, share in points[1:]:
        assert share <= sum(value <= x for value in sample) / len(sample) + 1e-9


def test_an_ecdf_of_very_many_has_a_bounded_number_of_points():
    points = ecdf([n / 1000 for n in range(50_000)])
    assert len(points) == MOST_POINTS + 1
    assert points[-1] == (49.999, 1.0)
    middle = min(points, key=lambda point: abs(point[1] - 0.5))
    assert middle[0] == pytest.approx(25, abs=0.02)


def test_an_axis_of_times_leaves_a_few_stragglers_out_and_counts_them():
    assert top_of([[1.0] * 999 + [100.0]]) == (pytest.approx(1.3), 1)
    assert top_of([[1.0, 2.0]]) == (2.0, 0)
    assert top_of([[]]) == (1.0, 0)


def test_a_dot_and_its_whisker_stand_where_their_values_are():
    row = DotRow(escaped("m"), (Dot(0, 0.5, 0.25, 0.75, "half"),), escaped("0.5"))
    chart = dots([row], escaped("caption"))
    assert 'x1="25%" x2="75%"' in chart
    assert '<svg x="50%"' in chart
    assert 'role="img" aria-label="half"' in chart


def test_a_value_that_is_not_there_has_no_dot():
    chart = dots([DotRow(escaped("m"), (Dot(0, None, None, None, "none"),), escaped("-"))], escaped("c"))
    assert "whisker" not in chart
    assert "circle" not in chart


def test_six_models_have_six_marks_and_the_seventh_begins_anew():
    assert len({mark(place) for place in range(6)}) == 6
    assert mark(6) == mark(0)


def test_bars_begin_at_zero_and_the_longest_fills_the_room():
    chart = bars(
        [Bar(0, escaped("a"), 2.0, escaped("2")), Bar(1, escaped("b"), 1.0, escaped("1"))], escaped("c")
    )
    assert re.findall(r'<rect x="0"[^>]*width="([^"]+)"', chart) == ["100%", "50%"]


def test_bars_of_nothing_do_not_divide_by_zero():
    assert 'width="0%"' in bars([Bar(0, escaped("a"), 0.0, escaped("0"))], escaped("c"))


def drawn(points, **more):
    return lines(
        [Line(0, "<m>", tuple(points), **more)],
        escaped("caption"),
        told="a line",
        x_top=10.0,
        x_text=lambda x: f"{x:g} s",
        y_text=((0.0, "0"), (1.0, "1")),
    )


def test_points_that_fall_on_one_place_of_a_line_are_drawn_once():
    chart = drawn([(n / 10_000, n / 100_000) for n in range(100_000)])
    assert len(chart) < 20_000


def test_a_line_is_labelled_directly_and_its_label_is_escaped():
    chart = drawn([(0, 0), (5, 1)])
    assert "&lt;m&gt;" in chart
    assert "<m>" not in chart


def test_charts_are_well_formed():
    for chart in (drawn([(0, 0), (5, 1)]), dots([], escaped("none")), bars([], escaped("none"))):
        assert isinstance(chart, Html)
        ET.fromstring(chart)  # noqa: S314  our own text
