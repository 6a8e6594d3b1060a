"""A folder to start from: what it holds runs at once, and nothing is overwritten."""

import pytest

from assay.cli.init import FILES


@pytest.fixture
def fresh(assay):
    """The working folder, empty."""
    for name in ("task.yaml", "cases.jsonl"):
        (assay.folder / name).unlink()
    return assay


def test_what_is_written_runs_is_gated_and_is_sound(fresh):
    typed = fresh("init")
    assert typed.code == 0
    assert [line for line in typed.out.splitlines() if line.startswith("wrote")] == [
        f"wrote {name}" for name in FILES
    ]
    for name in ("task.yaml", "plan.yaml"):
        assert fresh("tasks", "check", name).code == 0
    ran = fresh("run", "plan.yaml", "--json")
    assert ran.code == 0, ran.err
    assert [model["statuses"]["scored"] for model in ran.json["models"]] == [36, 36]
    assert fresh("gate", "last", "gates.yaml").code == 0
    assert "small" in fresh("models", "list").out
    assert fresh("run", "task.yaml", "--model", "emulated/skill-1", "--limit", "2").code == 0


def test_every_file_says_what_its_fields_are_documented_in(fresh):
    fresh("init", "new/place")
    for name in ("task", "plan", "models", "gates"):
        text = (fresh.folder / "new" / "place" / f"{name}.yaml").read_text()
        assert f"docs/{'tasks' if name == 'task' else 'plans' if name == 'plan' else name}.md" in text


def test_nothing_is_written_where_one_of_the_files_is_there(fresh):
    fresh.write("gates.yaml", "mine")
    typed = fresh("init")
    assert typed.code == 2
    assert "gates.yaml is there already" in typed.err
    assert "assay init DIR" in typed.err
    assert [path.name for path in fresh.folder.iterdir()] == ["gates.yaml"]
    assert (fresh.folder / "gates.yaml").read_text() == "mine"
    assert fresh("init", "other").code == 0


def test_a_folder_that_cannot_be_made_is_one_clear_error(fresh):
    fresh.write("file", "")
    typed = fresh("init", "file/inside")
    assert (typed.code, "cannot be written" in typed.err) == (2, True)
