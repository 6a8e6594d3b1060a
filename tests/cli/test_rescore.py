"""Scoring stored trials anew: no candidate is called, and no score is made twice."""

import sqlite3
from contextlib import closing

from assay.ports import Where
from assay.store.sqlite import SqliteStore


def trials(assay):
    return list(SqliteStore.open(assay.folder / ".assay" / "assay.db").trials(Where()))


def score_rows(assay) -> int:
    with closing(sqlite3.connect(assay.folder / ".assay" / "assay.db")) as connection:
        return int(connection.execute("SELECT count(*) FROM scores").fetchone()[0])


def test_a_further_score_joins_the_others_without_a_call(assay):
    assay.run("emulated/skill-0.5")
    before = trials(assay)
    typed = assay("rescore", "last", "--scorer", "contains", "--json")
    assert typed.code == 0, typed.err
    assert set(typed.json["models"][0]["scores"]) == {"contains"}
    after = trials(assay)
    for old, new in zip(before, after, strict=True):
        assert new.calls == old.calls
        assert new.status == old.status == "scored"
        assert [score.name for score in new.scores] == ["exact", "contains"]
        assert new.scores[:1] == old.scores


def test_a_judge_is_asked_once_for_each_trial_and_never_again(assay):
    assay.run("emulated/skill-1")
    words = ("rescore", "last", "--scorer", "judge", "--judge-model", "emulated/judge", "--json")
    first = assay(*words).json
    calls = [len(trial.calls) for trial in trials(assay)]
    assert calls == [2] * 12
    assert first["models"][0]["roles"]["judge"]["calls"] == 12
    stored = score_rows(assay)
    second = assay(*words).json
    assert score_rows(assay) == stored
    assert [len(trial.calls) for trial in trials(assay)] == calls
    assert second == first


def test_another_judge_is_another_score(assay):
    assay.run("emulated/skill-1")
    for judge in ("emulated/judge", "emulated/skill-1"):
        typed = assay("rescore", "last", "--scorer", "judge", "--judge-model", judge)
        assert typed.code == 0, typed.err
    calls = [[call.model for call in trial.calls_of("judge")] for trial in trials(assay)]
    assert all(models[0] == "emulated/judge" for models in calls)
    assert all("emulated/skill-1" in models for models in calls)


def test_failed_trials_are_left_as_they_are(assay):
    typed = assay("run", "task.yaml", "--model", "emulated/fault-500", "--retries", "0", "--json")
    assert typed.code == 4
    before = trials(assay)
    assert assay("rescore", "last", "--scorer", "contains", "--quiet").code == 0
    assert trials(assay) == before


def test_the_headline_and_its_figure_stay_the_runs_own(assay):
    assay.run("emulated/skill-0.5")
    before = assay("runs", "list", "--json").json[0]
    typed = assay("rescore", "last", "--scorer", "contains")
    assert "exact" in typed.out
    assert "contains" in typed.out
    after = assay("runs", "list", "--json").json[0]
    assert {**after, "cost_usd": None} == {**before, "cost_usd": None}


def test_no_key_of_the_candidate_is_needed(assay, monkeypatch):
    assay.write("task2.yaml", "name: two\ncases: cases.jsonl\nscorers: [exact]\n")
    assay.write("answers.jsonl", "".join(f'{{"id": "c{n}", "reply": "{n + 1}"}}\n' for n in range(12)))
    assert assay("run", "task2.yaml", "--model", "recorded/answers.jsonl", "--quiet").code == 0
    (assay.folder / "answers.jsonl").unlink()
    typed = assay("rescore", "last", "--scorer", "contains", "--json")
    assert typed.code == 0, typed.err
    assert typed.json["models"][0]["scores"]["contains"]["figure"]["value"] == 1.0


def test_an_unknown_scorer_and_a_judge_without_a_model_are_errors(assay):
    assay.run()
    unknown = assay("rescore", "last", "--scorer", "exat")
    assert (unknown.code, "did you mean exact?" in unknown.err) == (2, True)
    nobody = assay("rescore", "last", "--scorer", "judge")
    assert (nobody.code, "--judge-model M" in nobody.err) == (2, True)


def test_a_bare_name_keeps_the_settings_that_the_task_gives_it(assay):
    assay.write("task.yaml", "name: tiny\ncases: cases.jsonl\nscorers: [exact, {numeric: {abs: 100}}]\n")
    assay.run("emulated/skill-0")
    with_settings = trials(assay)[0].scores[1]
    typed = assay("rescore", "last", "--scorer", "numeric", "--json")
    assert typed.code == 0, typed.err
    assert trials(assay)[0].scores[1].scorer == with_settings.scorer
