"""What `assay run` says before it runs, and what it took."""

import pytest


def test_a_dry_run_checks_and_foretells_and_leaves_nothing(assay):
    before = sorted(path.name for path in assay.folder.iterdir())
    typed = assay("run", "task.yaml", "--model", "emulated/skill-0.8", "--repeats", "2", "--dry-run")
    assert typed.code == 0
    assert typed.out == ""
    assert "calls   24" in typed.err
    assert "time    unknown" in typed.err
    assert "12 cases show a difference from a fixed value of" in typed.err
    assert "nothing was run" in typed.err
    assert sorted(path.name for path in assay.folder.iterdir()) == before


def test_a_dry_run_refuses_what_a_run_would_refuse(assay):
    typed = assay("run", "task.yaml", "--model", "openai/gpt-4o-mini", "--dry-run")
    assert (typed.code, "OPENAI_API_KEY" in typed.err) == (2, True)
    typed = assay("run", "--resume", "--dry-run")
    assert (typed.code, "leave out --resume" in typed.err) == (2, True)


def test_as_json_it_is_one_object(assay):
    assay.run("emulated/skill-0.8")
    typed = assay("run", "task.yaml", "--model", "emulated/skill-0.8", "--limit", "3", "--dry-run", "--json")
    assert (typed.json["planned"], typed.json["calls"]["likely"]) == (3, 3)
    assert typed.json["models"][0]["basis"].startswith("12 trials of run_")


def test_a_second_run_says_what_it_took_beside_what_was_foretold(assay):
    first = assay("run", "task.yaml", "--model", "emulated/skill-0.8")
    assert "time    unknown" in first.err
    second = assay("run", "task.yaml", "--model", "emulated/skill-0.8", "--seed", "5")
    assert "time    about" in second.err
    assert "; took " in second.err
    assert "foretold" not in second.out


@pytest.mark.parametrize(("budget", "warned"), [("0.0000001", True), ("5", False)])
def test_a_budget_that_will_not_last_is_warned_of(assay, budget, warned):
    words = ("run", "task.yaml", "--model", "emulated/skill-0.8", "--budget", budget, "--max-tokens", "5")
    typed = assay(*words, "--dry-run")
    assert ("the budget will not last" in typed.err) is warned
