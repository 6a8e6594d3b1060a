"""`assay report`: a page for one run or two, as HTML or Markdown; the other forms that CI reads."""

from xml.etree import ElementTree as ET


def test_a_run_of_two_models_becomes_one_html_file(assay):
    assay.run("emulated/skill-0.9", "emulated/skill-0.2")
    typed = assay("report", "last")
    assert (typed.code, typed.out) == (0, "")
    sentence, where = typed.err.splitlines()
    assert "skill-0.9 (emulated)" in sentence
    assert where.startswith("report.html: ")
    page = (assay.folder / "report.html").read_text("utf-8")
    assert page.startswith("<!doctype html>")
    assert "emulated/skill-0.2" in page
    assert sentence.split(":")[0] in page


def test_the_form_follows_the_name_of_the_file(assay):
    assay.run()
    assert assay("report", "last", "-o", "page.md").code == 0
    assert (assay.folder / "page.md").read_text().startswith("## emulated/skill-0.8 \\(".replace("\\", ""))
    typed = assay("report", "last", "-o", "page.txt")
    assert typed.code == 2
    assert "--to html" in typed.err


def test_markdown_without_a_file_is_printed(assay):
    run = assay.run()
    typed = assay("report", run, "--to", "markdown")
    assert typed.code == 0
    assert f"`{run}`" in typed.out


def test_two_runs_are_shown_beside_each_other(assay):
    first, second = assay.run("emulated/skill-0.1"), assay.run("emulated/skill-1")
    typed = assay("report", first, second, "--to", "markdown")
    assert typed.code == 0
    assert typed.out.startswith("## B: emulated/skill-1 (emulated) is better than A: emulated/skill-0.1")


def test_runs_that_are_judged_by_different_scores_are_refused_with_the_remedy(assay):
    first = assay.run()
    assay.write("task.yaml", "name: tiny\ncases: cases.jsonl\nscorers: [contains]\n")
    second = assay.run()
    typed = assay("report", first, second)
    assert typed.code == 2
    assert f"assay rescore {second} --scorer exact" in typed.err


def test_a_page_that_cannot_be_written_is_one_clear_error(assay):
    assay.run()
    typed = assay("report", "last", "-o", "no/such/folder/page.html")
    assert typed.code == 2
    assert "cannot be written" in typed.err


def test_an_unknown_run_is_one_clear_error(assay):
    assay.run()
    assert assay("report", "run_x").code == 2


def test_a_run_exports_as_junit_with_a_testcase_a_trial(assay):
    run = assay.run("emulated/skill-0.5")
    typed = assay("export", run, "-o", "junit.xml")
    assert (typed.code, typed.err) == (0, f"12 trials of {run} in junit.xml\n")
    root = ET.parse(assay.folder / "junit.xml").getroot()  # noqa: S314  our own file
    assert root.get("tests") == "12"
    assert 0 < int(root.get("failures")) < 12


def test_a_run_exports_as_prometheus_text(assay):
    run = assay.run("emulated/skill-0.5")
    typed = assay("export", run, "--to", "prometheus")
    assert typed.code == 0
    labels = f'run="{run}",task="tiny v1 (test, 12 cases)",model="emulated/skill-0.5"'
    assert f'assay_trials_total{{{labels},status="scored"}} 12' in typed.out
    assert "# TYPE assay_call_seconds histogram" in typed.out


def test_an_export_that_cannot_be_written_leaves_no_draft(assay):
    assay.run()
    (assay.folder / "taken.xml").mkdir()
    typed = assay("export", "last", "-o", "taken.xml")
    assert typed.code == 2
    assert not list(assay.folder.glob(".taken*"))
