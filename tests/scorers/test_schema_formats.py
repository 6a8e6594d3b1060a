"""Formats: the official JSON-Schema-Test-Suite is the judge, the `jsonschema` package a witness."""

import json
import re
from collections import Counter
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]  # it ships no types
import pytest

from assay.scorers.structured import json_schema

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "scorers.md"
SUITE = [json.loads(line) for line in (HERE / "schema_formats.jsonl").read_text("utf-8").splitlines()[1:]]
FORMATS = sorted({example["file"] for example in SUITE})


def of(name):
    return [example for example in SUITE if example["file"] == name]


@pytest.mark.parametrize("name", FORMATS)
def test_the_scorer_agrees_with_the_official_suite_on_each_format(played, name):
    rule = json_schema()
    for example in of(name):
        (score,) = rule.check(played(json.dumps(example["data"]), schema=example["schema"]))
        assert score.value is example["valid"], example


def test_every_difference_from_the_jsonschema_package_is_counted_on_the_page():
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    differing = Counter()
    for example in SUITE:
        theirs = jsonschema.Draft202012Validator(example["schema"], format_checker=checker)
        differing[example["file"]] += theirs.is_valid(example["data"]) is not example["valid"]
    part = PAGE.read_text("utf-8").partition("### Formats")[2].partition("\n## ")[0]
    listed = {
        name: int(count) for name, count in re.findall(r"^\| `([\w-]+)` \| (\d+) \| \S", part, re.MULTILINE)
    }
    assert listed == {name: count for name, count in differing.items() if count}
    assert f"all of the {len(SUITE)}" in " ".join(part.split())
