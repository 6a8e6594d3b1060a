"""Prometheus text: its grammar, its sums, its bounds."""

import io
import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import ErrorClass
from assay.reports.prometheus import BUCKETS, LABEL_ROOM, MOST, escaped, prometheus
from assay.trial import CallState, Score

LABEL = r'[a-z]+="(?:[^"\\\n]|\\["\\n])*"'
LINE = re.compile(rf"([a-z_]+)\{{({LABEL}(?:,{LABEL})*)\}} (\+Inf|NaN|-?[0-9.e+-]+)")


def written(make, trials, *models, **run):
    """Samples by (name, labels), read by the format's own grammar."""
    out = io.StringIO()
    prometheus(iter(trials), make.run(*models, **run), out)
    text = out.getvalue()
    assert text.endswith("\n")
    found, typed = {}, {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            assert name not in typed
            typed[name] = kind
        elif not line.startswith("# HELP "):
            match = LINE.fullmatch(line)
            assert match, line
            name, labels, value = match.groups()
            assert name in typed or name.rsplit("_", 1)[0] in typed
            key = (name, frozenset(re.findall(r'([a-z]+)="((?:[^"\\]|\\.)*)"', labels)))
            assert key not in found, line
            found[key] = float(value)
    return found


def one(found, name, **labels):
    wanted = set(labels.items())
    (value,) = [value for (key, had), value in found.items() if key == name and wanted <= set(had)]
    return value


def test_trials_are_counted_by_status_and_sum_to_the_run(make):
    trials = [make.trial(n, error=ErrorClass.TIMEOUT if n < 3 else None) for n in range(10)]
    found = written(make, trials)
    assert one(found, "assay_trials_total", status="failed") == 3
    assert sum(value for (name, _), value in found.items() if name == "assay_trials_total") == 10


def test_the_headline_counts_failures_as_nought_and_has_its_interval(make):
    trials = [make.trial(n, error=ErrorClass.TIMEOUT if n < 5 else None) for n in range(10)]
    found = written(make, trials)
    assert one(found, "assay_score", score="exact") == 0.5
    low, high = (one(found, f"assay_score_{end}", score="exact") for end in ("low", "high"))
    assert 0.1 < low < 0.5 < high < 0.9
    assert one(found, "assay_score_cases", score="exact") == 10


def test_the_histogram_is_cumulative_and_ends_with_all_calls(make):
    trials = [make.trial(n, calls=(make.call(latency_ms=ms),)) for n, ms in enumerate((4, 20, 20, 400_000))]
    found = written(make, trials)
    counts = [one(found, "assay_call_seconds_bucket", le=repr(end)) for end in BUCKETS]
    assert counts == sorted(counts)
    assert (counts[0], counts[2], counts[-1]) == (1, 3, 3)
    assert one(found, "assay_call_seconds_bucket", le="+Inf") == 4
    assert one(found, "assay_call_seconds_count") == 4
    assert one(found, "assay_call_seconds_sum") == pytest.approx(400.044)


def test_tokens_and_dollars_are_sums_by_role(make):
    trials = [make.trial(n, calls=(make.call(), make.call(role="judge", ordinal=1))) for n in range(3)]
    found = written(make, trials)
    assert one(found, "assay_tokens_total", role="candidate", kind="input") == 30
    assert one(found, "assay_tokens_total", role="judge", kind="output") == 6
    assert one(found, "assay_cost_usd_total", role="judge") == float(Decimal("0.003"))


def test_replayed_calls_are_in_no_figure_and_failed_ones_only_among_errors(make):
    failed = make.call(attempt=1, state=CallState.FAILED, error=ErrorClass.OVERLOADED, cost=None)
    trial = make.trial(0, calls=(failed, make.call(attempt=2), make.call(ordinal=1, origin="cached")))
    found = written(make, [trial])
    assert one(found, "assay_call_seconds_count") == 1
    assert one(found, "assay_call_errors_total") == 1
    assert ("class", "overloaded") in next(had for name, had in found if name == "assay_call_errors_total")


@given(st.text())
def test_any_label_is_escaped_and_bounded(text):
    value = escaped(text)
    assert re.fullmatch(r'(?:[^"\\\n]|\\["\\n])*', value)
    assert len(value) <= 12 * LABEL_ROOM
    value.encode()


def test_hostile_names_leave_the_text_readable(make):
    bad = 'm"\\\n\ud800{}'
    trial = make.trial(0, model=bad, scores=(Score("exact", True), Score(bad, 1.0)))
    assert one(written(make, [trial], bad), "assay_trials_total", status="scored") == 1


def test_the_number_of_series_is_bounded_however_many_scores_and_roles_there_are(make):
    trials = [
        make.trial(
            n,
            scores=(Score("exact", True), *(Score(f"s{n}-{k}", 1.0) for k in range(20))),
            calls=(make.call(), make.call(role=f"role{n}")),
        )
        for n in range(100)
    ]
    found = written(make, trials)
    names = [name for name, _ in found]
    assert names.count("assay_score") <= MOST + 1
    assert names.count("assay_call_seconds_count") <= MOST + 1
    assert names.count("assay_cost_usd_total") <= MOST
