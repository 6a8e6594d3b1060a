"""gates.yaml: every form of a limit, and every mistake with its place and remedy."""

import re
from pathlib import Path

import pytest

from assay.errors import UsageError
from assay.loading.gates import GateForm, GatesForm, read_gates
from assay.reports.gate import FIXED, Allowed, Gate

PAGE = Path(__file__).parents[2] / "docs" / "gates.md"


def written(folder, text):
    path = folder / "gates.yaml"
    path.write_text(text)
    return read_gates(path)


def only(folder, line):
    (gate,) = written(folder, f"- {line}\n").gates
    return gate


def test_the_forms_of_the_specification(tmp_path):
    found = written(
        tmp_path,
        "- {metric: json_exact, min: 0.85}\n"
        "- {metric: json_exact, max_drop: 0.02, versus: BASELINE}\n"
        "- {metric: latency_p95, max: 2s}\n"
        "# a note\n"
        "- metric: cost_per_trial\n"
        "  max: 0.002\n"
        "  slice: difficulty=hard\n"
        "  model: openai/gpt-4o-mini\n",
    )
    where = f"{tmp_path}/gates.yaml, line "
    assert found.gates == (
        Gate("json_exact", "min", 0.85, where=where + "1"),
        Gate("json_exact", "min", -0.02, drop=True, where=where + "2"),
        Gate("latency_p95", "max", 2.0, where=where + "3"),
        Gate(
            "cost_per_trial",
            "max",
            0.002,
            slice=("difficulty", "hard"),
            model="openai/gpt-4o-mini",
            where=where + "5",
        ),
    )
    assert found.allowed == Allowed()


@pytest.mark.parametrize(
    ("line", "limit"),
    [
        ("{metric: latency_p95, max: 300ms}", 0.3),
        ("{metric: ttft_p99, max: 0.25}", 0.25),
        ("{metric: duration_p50, max: 1.5min}", 90),
        ("{metric: duration_p50, max: 2 s}", 2),
        ("{metric: cost_per_trial, max: $0.002}", 0.002),
        ("{metric: exact, min: 85%}", 0.85),
        ("{metric: failed_share, max: 1%}", 0.01),
        ("{metric: judge, min: 4}", 4),
        ("{metric: exact, max_drop: 2%}", -0.02),
    ],
)
def test_limits_have_the_units_of_their_metric(tmp_path, line, limit):
    assert only(tmp_path, line).limit == pytest.approx(limit)


def test_a_slice_is_a_pair_or_a_mapping(tmp_path):
    for form in ("difficulty=hard", "{difficulty: hard}"):
        assert only(tmp_path, f"{{metric: exact, min: 1, slice: {form}}}").slice == ("difficulty", "hard")
    assert only(tmp_path, "{metric: exact, min: 1, slice: 'a=b=c'}").slice == ("a", "b=c")


def test_a_file_may_allow_more_errors_and_cut_answers(tmp_path):
    found = written(tmp_path, "max_errors: 5%\nmax_cut: 0.02\ngates:\n- {metric: exact, min: 0.5}\n")
    assert found.allowed == Allowed(0.05, 0.02)
    assert found.gates[0].where.endswith("line 4")


@pytest.mark.parametrize(
    ("text", "problem", "fix"),
    [
        ("- {metric: exact}\n", "line 1: exact: no limit", "just one of min, max, max_drop"),
        ("- {metric: exact, min: 0.1, max: 0.2}\n", "line 1: exact: min and max", "just one of"),
        ("- {metric: exact, min: 1}\n- {metric: exact, mni: 1}\n", "line 2: unknown field 'mni'", "mean min"),
        ("- {metric: exact, min: [1]}\n", "min: Expected", "docs/gates.md"),
        ("- {min: 1}\n", "missing required field `metric`", "docs/gates.md"),
        ("- {metric: exact, min: 2s}\n", "line 1: exact: '2s' is no limit", "0.85 or 85%"),
        ("- {metric: latency_p95, max: 85%}\n", "'85%' is no limit", "2s, 300ms or 1.5min"),
        ("- {metric: latency_p95, max: $1}\n", "'$1' is no limit", "2s, 300ms"),
        ("- {metric: cost_per_trial, max: 5 EUR}\n", "'5 EUR' is no limit", "$0.002"),
        ("- {metric: exact, min: .nan}\n", "line 1: not YAML: .nan is no number", "mend"),
        ("- {metric: exact, min: .inf}\n", "line 1: not YAML: .inf is no number", "mend"),
        ("- {metric: exact, max_drop: -0.1}\n", "max_drop is -0.1", "0 or more"),
        ("- {metric: latency_p95, max_drop: 1s}\n", "latency_p95 has no max_drop", "give a max"),
        ("- {metric: exact, min: 1, versus: last}\n", "versus without max_drop", "max_drop: 0.02"),
        ("- {metric: exact, min: 1, slice: hard}\n", "slice 'hard' is not TAG=VALUE", "difficulty=hard"),
        ("- {metric: exact, min: 1, slice: {a: b, c: d}}\n", "is not TAG=VALUE", "difficulty=hard"),
        ("[]\n", "no gates", "1 to 200"),
        ("", "no list of gates", "{metric: NAME, min: 0.85}"),
        ("gates: []\nmax_erors: 1\n", "line 2: unknown field 'max_erors'", "max_errors"),
        ("gates: [{metric: exact, min: 1}]\nmax_cut: 2\n", "max_cut is 2", "from 0 to 1"),
        ("- {metric: exact, min: 1\n", "not YAML", "mend"),
        ("- {metric: exact, min: 1, min: 2}\n", "not YAML", "mend"),
    ],
)
def test_a_mistake_is_said_with_its_place_and_remedy(tmp_path, text, problem, fix):
    with pytest.raises(UsageError) as raised:
        written(tmp_path, text)
    assert problem in raised.value.problem
    assert str(tmp_path / "gates.yaml") in raised.value.problem
    assert fix in raised.value.fix


def test_a_file_that_is_not_there_names_the_one_that_was_meant(tmp_path):
    (tmp_path / "gates.yaml").write_text("[]")
    with pytest.raises(UsageError, match="no such file") as raised:
        read_gates(tmp_path / "gate.yaml")
    assert "gates.yaml" in raised.value.fix


def test_the_page_names_every_field_and_every_fixed_metric():
    text = PAGE.read_text()
    rows = set(re.findall(r"^\| `([a-z_]+)` \|", text, flags=re.MULTILINE))
    times = {name.rpartition("_p")[0] for name in FIXED if "_p" in name and name != "cost_per_trial"}
    fields = {*GateForm.__struct_fields__, *GatesForm.__struct_fields__}
    assert rows == fields | times | {"cost_per_trial", "failed_share"}
