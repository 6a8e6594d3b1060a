"""Two arms side by side, and the exit code that a pipeline reads."""

import pytest


def test_a_run_alone_compares_its_two_models(assay):
    assay.run("emulated/skill-0", "emulated/skill-1")
    typed = assay("compare", "last")
    assert typed.code == 0
    first, second, *_ = typed.out.splitlines()
    assert first.startswith("PASS ")
    assert second.startswith("B is better than A: +100.0 points")
    assert "on the 12 shared cases (McNemar exact p < 0.001)" in second
    assert "12 cases got better (the first 5)" in typed.out
    assert "A  emulated/skill-0 (emulated)" in typed.out
    assert "odd=0" in typed.out


def test_flips_show_both_answers(assay):
    run = assay.run("emulated/skill-0", "emulated/skill-1")
    found = assay("compare", run, "--json").json[0]["comparison"]
    out = assay("compare", run, "--flips", "1").out
    flip = found["better"][0]
    assert f"  {flip['case']}   0 -> 1" in out
    assert f"    A  {flip['reply_a']}" in out
    assert f"    B  {flip['reply_b']}" in out
    assert flip["reply_b"] == str(int(flip["case"][1:]) + 1)


@pytest.mark.parametrize(
    ("a", "b", "code", "word"),
    [("1", "0", 1, "FAIL"), ("0", "1", 0, "PASS"), ("0.5", "0.6", 3, "CANNOT TELL")],
)
def test_a_regression_fails_a_gain_passes_and_doubt_is_a_code_of_its_own(assay, a, b, code, word):
    one = assay.run(f"emulated/skill-{a}")
    two = assay.run(f"emulated/skill-{b}")
    typed = assay("compare", one, two, "--fail-on-regression")
    assert typed.code == code
    assert typed.out.startswith(word)
    assert assay("compare", one, two).code == 0


def test_a_margin_forgives_a_loss_within_it(assay):
    one, two = assay.run("emulated/skill-1"), assay.run("emulated/skill-0")
    assert assay("compare", one, two, "--fail-on-regression", "--margin", "1").code == 0


def test_errors_of_one_arm_alone_cannot_pass_as_a_comparison(assay):
    one = assay.run("emulated/skill-0")
    failing = assay("run", "task.yaml", "--model", "emulated/fault-500", "--retries", "0", "--json")
    typed = assay("compare", one, failing.json["run_id"], "--fail-on-regression", "--margin", "1")
    assert typed.code == 3
    assert typed.out.startswith("CANNOT TELL")
    assert "differ in failed trials" in typed.out


def test_arms_are_named_by_run_and_model_and_models_may_have_colons(assay):
    run = assay.run("emulated/skill-0", "emulated/skill-1")
    typed = assay("compare", f"{run}:emulated/skill-1", f"{run}:skill-0", "--json")
    (found,) = typed.json
    assert found["comparison"]["difference"]["value"] == -1.0
    assert found["regressed"] is True


def test_two_runs_of_the_same_models_are_compared_model_by_model(assay):
    one = assay.run("emulated/skill-0", "emulated/skill-1")
    two = assay.run("emulated/skill-0", "emulated/skill-1", more=("--seed", "5"))
    found = assay("compare", one, two, "--json").json
    assert [each["comparison"]["a"]["name"] for each in found] == [
        f"{one}:emulated/skill-0",
        f"{one}:emulated/skill-1",
    ]
    assert {"where": "/seed", "a": "0", "b": "5"} in found[0]["comparison"]["settings"]


@pytest.mark.parametrize(
    ("words", "problem", "fix"),
    [
        (("last:emulated/skil-1",), "has no model 'emulated/skil-1'", "did you mean"),
        (("last:emulated/skill-1",), "has 1 model (emulated/skill-1), not 2", "assay compare A B"),
        (("last", "nothing"), "there is no run nothing", "Did you mean"),
    ],
)
def test_an_arm_that_is_not_there_is_said_with_a_remedy(assay, words, problem, fix):
    assay.run("emulated/skill-0", "emulated/skill-1")
    typed = assay("compare", *words)
    assert typed.code == 2
    assert problem in typed.err
    assert fix in typed.err


def test_runs_without_a_model_in_common_need_a_choice(assay):
    one = assay.run("emulated/skill-0", "emulated/skill-0.1")
    two = assay.run("emulated/skill-1", "emulated/skill-0.9")
    typed = assay("compare", one, two)
    assert typed.code == 2
    assert f"choose: assay compare {one}:emulated/skill-0 {two}:emulated/skill-1" in typed.err


def test_runs_by_different_scores_are_not_compared(assay):
    one, two = assay.run(), assay.run(more=("--scorer", "contains"))
    typed = assay("compare", one, two)
    assert typed.code == 2
    assert f"assay rescore {two} --scorer exact" in typed.err


def test_cases_of_one_arm_alone_are_listed(assay):
    one, two = assay.run(), assay.run(more=("--limit", "9"))
    assert "3 cases in A alone: c9, c10, c11" in assay("compare", one, two).out


def test_markdown_holds_the_verdict_and_what_was_said_cannot_leave_its_cell(assay):
    assay.write_cases(12, target="a | b ` c\n| d")
    assay.run("emulated/skill-0", "emulated/skill-1")
    typed = assay("compare", "last", "-o", "c.md")
    assert typed.code == 0
    text = (assay.folder / "c.md").read_text()
    assert text.startswith("## exact: A against B\n\n**PASS")
    row = next(line for line in text.splitlines() if line.startswith("| `c0`"))
    assert row.replace("\\|", "").count("|") == 5
    assert row.count("`") == 6


def test_a_judge_compares_the_answers_in_both_orders_and_is_not_asked_twice(assay):
    run = assay.run("emulated/skill-1", "emulated/skill-0")
    words = (
        "compare",
        f"{run}:emulated/skill-1",
        f"{run}:emulated/skill-0",
        "--judge-model",
        "emulated/judge",
    )
    found = assay(*words, "--reference", "--json").json[0]["judged"]
    p = found["preference"]
    assert (p["pairs"], p["asked"], p["a_wins"], p["b_wins"]) == (12, 12, 12, 0)
    assert p["win_rate"]["high"] < 0.5
    assert p["position_flip_rate"] == 0
    typed = assay(*words, "--reference", "-o", "c.md")
    assert "emulated/judge prefers A: B wins 0.0%" in typed.out
    assert "pairs, the two orders disagree: 0% of 12, the answer shown first wins 50% of 24" in typed.out
    assert "emulated/judge prefers A" in (assay.folder / "c.md").read_text()
    again = assay("runs", "show", "last", "--json").json["summary"]["models"][0]
    assert again["judges"]["pairwise"]["preference"]["a_wins"] == 12
    assert (
        "pairs, B wins: 0% [0%, 26%] of 12 (0 for B, 12 for A, 0 ties)" in assay("runs", "show", "last").out
    )
    assert again["attempts"]["calls"] == 0
    assert again["attempts"]["replayed_share"] == 1


def test_a_rubric_file_says_what_counts_for_the_judge(assay):
    run = assay.run("emulated/skill-1", "emulated/skill-0")
    assay.write("rubric.yaml", "name: r\nabout: Prefer rhymes.\ndimensions: [{id: rhyme, about: Does it?}]\n")
    typed = assay(
        "compare", run, "--judge-model", "emulated/judge", "--rubric", "rubric.yaml", "--pairs", "3"
    )
    assert typed.code == 0
    assert "of 3 pairs" in typed.out
    assert "Prefer rhymes." in assay("show", "last/1", "--json").out
    bad = assay("compare", run, "--judge-model", "emulated/judge", "--rubric", "rubrik.yaml")
    assert (bad.code, "rubric.yaml" in bad.err) == (2, True)


def test_what_is_for_a_judge_alone_is_refused_without_one(assay):
    assay.run("emulated/skill-1", "emulated/skill-0")
    typed = assay("compare", "last", "--rubric", "answer")
    assert typed.code == 2
    assert "add --judge-model M" in typed.err
