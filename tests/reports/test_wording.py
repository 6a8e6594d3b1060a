"""Figures as text."""

from decimal import Decimal

import pytest

from assay.cli import looks
from assay.reports import wording
from assay.reports.figures import Figure
from assay.stats.quantiles import Quantile


@pytest.mark.parametrize("value", [None, 0.0004, 0.0123, 0.4, 0.9951, 1.0, 12.345, 99.99, 250.0])
def test_a_time_reads_as_in_the_terminal(value):
    assert wording.seconds(value) == looks.seconds(value)


@pytest.mark.parametrize("amount", [None, "0", "0.0000123", "0.021", "3.456"])
def test_dollars_read_as_in_the_terminal(amount):
    given = None if amount is None else Decimal(amount)
    assert wording.dollars(given) == looks.dollars(given)


@pytest.mark.parametrize("number", [0, 9999, 41_234, 1_234_567, 12_345_678])
def test_counts_read_as_in_the_terminal(number):
    assert wording.count(number) == looks.count(number)


@pytest.mark.parametrize(
    "figure",
    [
        Figure("a", None, None, None, 0, 0),
        Figure("a", 0.8666, 0.795, 0.917, 120, 120),
        Figure("a", 0.8666, 0.5, 1.0, 12, 12),
        Figure("a", 1.0, None, None, 1, 1),
        Figure("a", 3.5, 2.5, 4.5, 12, 12),
    ],
)
def test_a_figure_reads_as_in_the_terminal(figure):
    assert wording.figure(figure) == looks.figure(figure)


def test_a_quantile_has_its_interval_in_its_own_unit():
    assert wording.quantile(Quantile(1.38, 1.21, 1.74)) == "1.38 s [1.21, 1.74]"
    assert wording.quantile(Quantile(0.067, 0.063, 0.073)) == "67 ms [63, 73]"
    assert wording.quantile(Quantile(1.0, None, None, 72)) == "1.00 s"


def test_short_puts_any_text_on_one_line_and_cuts_it():
    assert wording.short("a\nb\t\u202ec", 20) == "a b \\u202ec"
    assert wording.short("x" * 100, 10) == "x" * 9 + "…"
