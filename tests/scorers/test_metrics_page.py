"""Every worked example of docs/metrics.md, computed again."""

import json
import re
from pathlib import Path

import msgspec
import pytest

from assay.scorers import SCORERS, make_scorer

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
INPUT = "When do ships leave?"


def examples():
    for part in re.split(r"^## ", PAGE.read_text("utf-8"), flags=re.MULTILINE)[1:]:
        scorer = part.partition("\n")[0]
        for line in part.splitlines():
            cells = [cell.strip() for cell in line.strip("|").split(" | ")]
            if line.startswith("| `") and len(cells) == 5:
                yield scorer, *(cell.strip("`") if cell.startswith("`") else cell for cell in cells)


def read(cell):
    if cell == "-":
        return None
    return json.loads(cell) if cell.startswith("{") else cell


@pytest.mark.parametrize("example", list(examples()), ids=str)
def test_a_worked_example_has_the_value_that_the_page_says(played, example):
    scorer, reply, target, settings, name, value = example
    trial = played(reply, read(target))
    trial = msgspec.structs.replace(trial, case=msgspec.structs.replace(trial.case, input=INPUT))
    found = {score.name: score for score in make_scorer(scorer, read(settings) or {}).check(trial)}
    if value == "unscored":
        assert found[name].unscored == "not_applicable"
    else:
        assert found[name].value == pytest.approx(float(value), rel=1e-5)


def test_every_text_scorer_has_its_part_and_examples():
    shown = {scorer for scorer, *_ in examples()}
    shown.add("perplexity")  # of what a model told, not of texts: test_perplexity computes its example
    assert shown == set(re.findall(r"^## (.+)$", PAGE.read_text("utf-8"), flags=re.MULTILINE))
    assert shown <= set(SCORERS)
    assert len(list(examples())) >= 30
