"""The regression workflow's own commands, run here: worse, equal and broken arms."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[2]
WORKFLOW = ROOT / ".github" / "workflows" / "regression.yaml"


def steps() -> dict[str, str]:
    """The shell of each named step, as the workflow runs it."""
    (job,) = YAML(typ="safe", pure=True).load(WORKFLOW.read_text())["jobs"].values()
    return {step["name"]: step["run"] for step in job["steps"] if "run" in step}


class Job:
    """A checkout in which steps run as the workflow's shell runs them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(ROOT / ".github", folder / ".github")
        self.summary = folder / "summary.md"

    def __call__(self, name: str, model: str = "") -> subprocess.CompletedProcess[str]:
        environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "MODEL": model,
            "GITHUB_STEP_SUMMARY": str(self.summary),
        }
        words = ["bash", "-eo", "pipefail", "-c", steps()[name]]
        return subprocess.run(
            words, cwd=self.folder, env=environment, capture_output=True, text=True, check=False
        )

    def gated(self, model: str) -> subprocess.CompletedProcess[str]:
        """A pull request with this model under test."""
        played = self("play", model)
        assert played.returncode == 0, played.stderr
        return self("gate")


@pytest.fixture
def job(tmp_path):
    """A checkout whose main branch has left its baseline."""
    made = Job(tmp_path)
    first = made.gated("emulated/skill-0.95")
    assert first.returncode == 0, first.stdout + first.stderr
    assert made("remember").returncode == 0
    return made


def test_a_worse_model_fails_with_1(job):
    done = job.gated("emulated/skill-0.5")
    assert done.returncode == 1
    assert done.stdout.startswith("FAIL         json_exact drop <= 0.1")
    assert "## Gate: FAIL" in job.summary.read_text()


def test_an_equal_model_passes(job):
    done = job.gated("emulated/skill-0.95")
    assert done.returncode == 0, done.stdout
    assert done.stdout.startswith("PASS         json_exact drop <= 0.1   +0.000 [-.030, +.030] of 120")


def test_an_equal_model_under_a_tight_limit_cannot_be_told_and_it_says_how_many_cases_would(job):
    gates = job.folder / ".github" / "regression" / "gates.yaml"
    gates.write_text("- {metric: json_exact, max_drop: 0.02, versus: BASELINE}\n")
    done = job.gated("emulated/skill-0.95")
    assert done.returncode == 0
    assert done.stdout.startswith("CANNOT TELL  json_exact drop <= 0.02   +0.000 [-.030, +.030] of 120;")
    assert "about 63 more cases would tell" in done.stdout
    assert "::warning::" in done.stdout


def test_an_arm_with_5_percent_errors_is_invalid_and_stops_the_pipeline(job):
    plan = job.folder / ".github" / "regression" / "plan.yaml"
    broken = plan.read_text().replace("itl_ms: 0}", "itl_ms: 0, mix: 'ok=95,500=5'}\nretry: {retries: 0}")
    assert broken != plan.read_text()
    plan.write_text(broken)
    done = job.gated("emulated/skill-0.95")
    assert done.returncode == 3, done.stdout
    assert done.stdout.count("INVALID") == 3
    assert "of 120 trials failed or have no score (at most 2%)" in done.stdout
    assert "::warning::" not in done.stdout


def test_the_real_model_is_played_only_where_its_key_is_set():
    (job,) = YAML(typ="safe", pure=True).load(WORKFLOW.read_text())["jobs"].values()
    assert "secrets.OPENAI_API_KEY != ''" in job["env"]["PLAY"]
    spending = [step for step in job["steps"] if step.get("name") in ("play", "gate", "post")]
    assert all("env.PLAY == 'true'" in step["if"] for step in spending)
    models = [each["model"].split("/")[0] for each in job["strategy"]["matrix"]["include"]]
    assert models == ["emulated", "openai"]
