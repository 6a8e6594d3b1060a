"""The example notebook is executed, cell after cell, over a run that was just played."""

import json
from pathlib import Path

import pytest

import assay
from assay.errors import UsageError
from assay.plan import ModelChoice, Plan

pl = pytest.importorskip("polars", reason="the extra frames is not installed")

NOTEBOOK = Path(__file__).parent.parent.parent / "examples" / "analysis.ipynb"


def cells():
    return [c for c in json.loads(NOTEBOOK.read_text("utf-8"))["cells"] if c["cell_type"] == "code"]


async def played(folder):
    models = tuple(ModelChoice(f"emulated/skill-{skill}") for skill in (0.8, 0.6))
    plan = Plan(task="json_extraction", models=models, limit=20)
    return await assay.run(plan, store=folder / ".assay" / "assay.db")


async def test_every_cell_runs_and_its_figures_are_those_of_the_summary(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = await played(tmp_path)
    space: dict[str, object] = {}
    for cell in cells():
        exec(compile("".join(cell["source"]), NOTEBOOK.name, "exec"), space)  # noqa: S102  our own file
    headline = space["headline"]
    assert isinstance(headline, pl.DataFrame)
    found = {row["model"]: (row["json_exact"], row["n"]) for row in headline.to_dicts()}
    assert found == {m.model: (pytest.approx(m.headline.value), 20) for m in result.summary.models}


def test_it_is_kept_without_results():
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells())


async def test_a_frame_of_no_run_is_refused_with_a_remedy(tmp_path):
    with pytest.raises(UsageError, match="no store"):
        assay.frame(store=tmp_path / "none.db")
    await played(tmp_path)
    with pytest.raises(UsageError, match="no run nothing"):
        assay.frame("nothing", store=tmp_path / ".assay" / "assay.db")
