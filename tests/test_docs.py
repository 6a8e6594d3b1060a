"""The documentation says what the code does: fields, vocabularies, links, code and commands."""

import ast
import inspect
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, get_args

import click
import msgspec
import pytest
from msgspec import NODEFAULT

from assay import plan, schedule
from assay.agenda.brief import GoalItem, Known, Sheet
from assay.cli.main import cli
from assay.cli.simulate import SETTINGS
from assay.errors import ErrorClass
from assay.exchanges.conversation import settings as conversation
from assay.loading import cases, catalogue, exchanges, models, scenario_form, tasks
from assay.message import Finish, Sampling
from assay.scorers import SCORERS, alignment, completion, rubric
from assay.scorers.expectation import Entry, Expected, JudgeWish, Records, Reference, Says, Wanted
from assay.scorers.state import UNFINISHED
from assay.seat.limits import Limits
from assay.seat.retry import Retry
from assay.transport.sink import Clocks
from assay.trial import Status
from assay.world import canned, declared, faults

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
SKIPPED = {".venv", ".git", ".cache", ".hypothesis", "node_modules"}
PAGES = sorted(p for p in ROOT.rglob("*.md") if not SKIPPED & set(p.relative_to(ROOT).parts))
RUNNABLE = [ROOT / "README.md", DOCS / "quickstart.md", DOCS / "extending.md"]
ASSAY = Path(sys.executable).with_name("assay")

FORMS = {
    ("scorers.md", "Field"): alignment.Field,
    ("scorers.md", "Items"): completion.Item,
    ("plans.md", "plan.yaml"): plan.Plan,
    ("plans.md", "Model"): plan.ModelChoice,
    ("models.md", "An entry"): catalogue.Entry,
    ("models.md", "An endpoint"): plan.EndpointChoice,
    ("models.md", "A price"): plan.PriceChoice,
    ("models.md", "Weights"): plan.Weights,
    ("plans.md", "Sampling"): Sampling,
    ("plans.md", "closed"): schedule.Closed,
    ("plans.md", "constant"): schedule.Constant,
    ("plans.md", "poisson"): schedule.Poisson,
    ("plans.md", "Window"): plan.Window,
    ("plans.md", "Retry"): Retry,
    ("plans.md", "Limits"): Limits,
    ("plans.md", "Timeouts"): Clocks,
    ("plans.md", "Emulator"): plan.Emulation,
    ("tasks.md", "task.yaml"): tasks.TaskForm,
    ("tasks.md", "Prompt"): tasks.PromptFiles,
    ("tasks.md", "Response"): tasks.Response,
    ("tasks.md", "Columns"): cases.Columns,
    ("tasks.md", "Column"): cases.Column,
    ("tasks.md", "single"): exchanges._SingleSettings,
    ("tasks.md", "tool_loop"): exchanges._ToolLoopSettings,
    ("tasks.md", "conversation"): conversation.Settings,
    ("tasks.md", "Prompts"): conversation.Prompts,
    ("tasks.md", "Limits"): conversation.Limits,
    ("tasks.md", "A line of a script"): conversation.ScriptLine,
    ("tasks.md", "Replay"): conversation.Replay,
    ("tasks.md", "Webhook"): conversation.WebhookSettings,
    ("tasks.md", "A scenario"): scenario_form.Scenario,
    ("tasks.md", "A file with defaults"): scenario_form.ScenarioDocument,
    ("tasks.md", "Defaults"): scenario_form.Defaults,
    ("tasks.md", "Roles"): scenario_form.Roles,
    ("tasks.md", "A role"): scenario_form.ClientRole,
    ("tasks.md", "Start"): scenario_form.Start,
    ("tasks.md", "A line that was spoken before"): scenario_form.Given,
    ("tasks.md", "Something that the client knows"): Known,
    ("tasks.md", "Faults of tools"): faults.Faults,
    ("tasks.md", "A rule of faults"): faults.FaultRule,
    ("tasks.md", "When a fault strikes"): faults.When,
    ("tasks.md", "A written answer"): canned.Canned,
    ("tasks.md", "An item of ORDER_GOAL"): GoalItem,
    ("tasks.md", "The client's sheet"): Sheet,
    ("tasks.md", "world.yaml"): declared.WorldDeclared,
    ("tasks.md", "A table"): declared.TableDeclared,
    ("tasks.md", "A tool"): declared.ToolDeclared,
    ("scorers.md", "Rubric"): rubric.Rubric,
    ("scorers.md", "Dimension"): rubric.Dimension,
    ("scorers.md", "Criterion"): rubric.Criterion,
    ("scorers.md", "expect"): Expected,
    ("scorers.md", "An entry"): Entry,
    ("scorers.md", "Records"): Records,
    ("scorers.md", "Reference calls"): Reference,
    ("scorers.md", "What must be said"): Says,
    ("scorers.md", "What the judge is asked"): JudgeWish,
    ("scorers.md", "A criterion of a case"): Wanted,
}


def sections(page: Path) -> dict[str, str]:
    """The text under each heading, up to the next one; code is left out."""
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    parts = re.split(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def rows(page: Path, heading: str) -> dict[str, list[str]]:
    """The rows of a section's table by the code in their first cell."""
    found = {}
    for line in sections(page)[heading].splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `"):
            assert cells[0].strip("`") not in found, f"{page.name}, {heading}: {cells[0]} stands twice"
            found[cells[0].strip("`")] = cells[1:]
    return found


def shown(default: object) -> str:
    """A default as the tables show it."""
    if default is NODEFAULT or default is inspect.Parameter.empty:
        return "needed"
    if isinstance(default, msgspec.Struct):
        return "below"
    if default in (None, "", (), {}):
        return "-"
    if isinstance(default, str):
        return f"`{default}`" if len(default) < 50 else "built in"
    return f"`{json.dumps(default)}`"


def fields(form: type[msgspec.Struct]) -> dict[str, str]:
    """The fields of a form and their defaults, as the tables show them."""
    config = form.__struct_config__
    found = {config.tag_field: "needed"} if config.tag_field else {}
    for each in msgspec.structs.fields(form):
        made = each.default_factory is not NODEFAULT
        found[each.encode_name] = shown(each.default_factory() if made else each.default)
    return found


@pytest.mark.parametrize(("page", "heading"), FORMS)
def test_every_field_of_a_form_is_documented_with_its_default_and_no_other(page, heading):
    documented = {name: cells[0] for name, cells in rows(DOCS / page, heading).items()}
    assert documented == fields(FORMS[page, heading])


@pytest.mark.parametrize("name", SCORERS)
def test_every_setting_of_a_scorer_is_documented_with_its_default_and_no_other(name):
    parameters = inspect.signature(SCORERS[name]).parameters.values()
    documented = {setting: cells[0] for setting, cells in rows(DOCS / "scorers.md", name).items()}
    assert documented == {each.name: shown(each.default) for each in parameters}


def test_no_scorer_is_documented_that_does_not_exist():
    level_two = re.findall(r"^## (.+)$", (DOCS / "scorers.md").read_text("utf-8"), flags=re.MULTILINE)
    assert set(level_two) == set(SCORERS)


def test_no_exchange_is_documented_that_does_not_exist():
    text = (DOCS / "tasks.md").read_text("utf-8")
    part = text.partition("\n## Exchanges\n")[2].partition("\n## ")[0]
    named = set(re.findall(r"^### ([a-z_]+)$", part, flags=re.MULTILINE))
    assert named == set(exchanges._BUILDERS)


def test_every_field_of_a_case_is_documented_and_no_other():
    assert tuple(rows(DOCS / "tasks.md", "Cases")) == cases.FIELDS


def test_every_status_is_documented_and_no_other():
    documented = {name.partition("(")[0] for name in rows(DOCS / "architecture.md", "Statuses")}
    assert documented == {status.value for status in Status if status is not Status.PLAYED}


def test_every_error_class_is_documented_with_its_retry_and_its_fault():
    documented = {
        name: (cells[1], cells[2]) for name, cells in rows(DOCS / "architecture.md", "Error classes").items()
    }
    assert documented == {e.value: ("yes" if e.retryable else "no", e.fault) for e in ErrorClass}


def test_every_finish_is_documented_and_no_other():
    assert set(rows(DOCS / "architecture.md", "Finishes")) == {finish.value for finish in Finish}


def end_reasons() -> set[str]:
    """The reasons that the conversation declares, and those that the code gives as literals."""
    found = set(get_args(conversation.EndReason))
    loops = [ROOT / "src/assay/loop.py", ROOT / "src/assay/crew/crew.py"]
    sources = [*(ROOT / "src/assay/exchanges").rglob("*.py"), *loops]
    for source in sources:
        for node in ast.walk(ast.parse(source.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Outcome":
                found |= {arg.value for arg in node.args[:1] if isinstance(arg, ast.Constant)}
    return found


def test_every_end_reason_of_a_play_is_documented_and_no_other():
    assert set(rows(DOCS / "tasks.md", "How a play ends")) == end_reasons()


def test_reasons_that_can_never_be_a_success_are_documented_so():
    table = rows(DOCS / "tasks.md", "How a play ends")
    assert {name for name, cells in table.items() if "never" in cells[2]} == UNFINISHED


def test_the_import_order_on_the_page_is_the_contract():
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]
    page = (DOCS / "architecture.md").read_text("utf-8")
    block = page.partition("\n## Imports\n")[2].partition("```text\n")[2].partition("```")[0]
    assert block.splitlines() == [layer.replace("assay.", "") for layer in contract["layers"]]


def test_the_example_environment_names_every_variable_that_is_read_and_no_other():
    named = set(re.findall(r"^([A-Z_]+)=", (ROOT / ".env.example").read_text(), flags=re.MULTILINE))
    read = set(SETTINGS)
    for provider in models.PROVIDERS.values():
        read |= {name for name in (provider.key, provider.address) if name is not None}
    for source in (ROOT / "src/assay").rglob("*.py"):
        read |= set(re.findall(r"environment\.(?:get|secret)\([\"']([A-Z_]+)", source.read_text("utf-8")))
    assert named == read


def slug(heading: str) -> str:
    """A heading's anchor, as the usual sites make it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def links(page: Path) -> Iterator[str]:
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", text)):
        if not re.match(r"[a-z]+:", target):
            yield target


def dead(page: Path, target: str) -> bool:
    path, _, anchor = target.partition("#")
    file = page.parent / path if path else page
    if not file.exists():
        return True
    return bool(anchor) and anchor not in {slug(heading) for heading in sections(file)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_relative_link_is_dead(page):
    assert [target for target in links(page) if dead(page, target)] == []


class Block(NamedTuple):
    """A fenced block; `file` is the name that its first line gives it."""

    language: str
    text: str
    line: int

    @property
    def file(self) -> str | None:
        first = self.text.partition("\n")[0]
        return first.removeprefix("# file: ") if first.startswith("# file: ") else None


def blocks(page: Path) -> list[Block]:
    text = page.read_text("utf-8")
    found = re.finditer(r"^```(\w+)\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)
    return [Block(each[1], each[2], text.count("\n", 0, each.start()) + 1) for each in found]


def commands(text: str) -> list[list[str]]:
    """The `assay` commands of a shell block, as words."""
    lines = text.replace("\\\n", " ").splitlines()
    return [shlex.split(re.sub(r"\s#.*", "", line))[1:] for line in lines if line.startswith("assay ")]


def command_lines() -> Iterator[tuple[str, list[str]]]:
    for page in PAGES:
        for block in blocks(page):
            if block.language in {"sh", "bash", "console"}:
                for words in commands(block.text):
                    yield f"{page.name}: {' '.join(words)}", words


def parsed(words: list[str]) -> None:
    """Parses a command as click would. Raises UsageError for an unknown verb or option."""
    command: click.Command = cli
    # with its settings: a command keeps the help option of the first context that it meets
    context, name = click.Context(cli, info_name="assay", **cli.context_settings), "assay"
    while isinstance(command, click.Group):
        name, *words = words
        found = command.get_command(context, name)
        if found is None:
            raise click.UsageError(f"no command {name!r}")
        command = found
    command.make_context(name, words, parent=context)


@pytest.mark.parametrize("words", [pytest.param(words, id=name) for name, words in command_lines()])
def test_every_documented_command_has_a_known_verb_and_known_options(words):
    parsed(words)


@pytest.mark.parametrize("words", [["fly"], ["run", "--fly"], ["runs", "fly"], ["bench", "--rate"]])
def test_a_command_that_does_not_exist_would_be_noticed(words):
    with pytest.raises(click.UsageError):
        parsed(words)


OUTSIDE = re.compile(r"openai|groq|vllm|ollama|gsm8k|scenarios\.json|\bdemo\b|\bemulate\b|--resume")
"""Commands that need a key, a file of the reader's own, an end by hand, or an earlier failure."""


def played(words: list[str], folder: Path) -> None:
    environment = {**os.environ, "COLUMNS": "200"}
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{words}: exit code {done.returncode}\n{done.stdout}{done.stderr}"
    assert "Traceback" not in done.stderr


def test_the_output_in_the_readme_is_what_its_command_prints(tmp_path):
    page = ROOT / "README.md"
    command = next(words for _, words in command_lines() if "--seed" in words)
    pasted = next(block.text for block in blocks(page) if block.language == "text")
    wide = {**os.environ, "COLUMNS": "200"}
    done = subprocess.run(
        [ASSAY, *command], cwd=tmp_path, env=wide, capture_output=True, text=True, check=True
    )
    assert timeless(pasted.partition("\n\n")[2]) == timeless(done.stdout.strip().partition("\n\nrecord:")[0])


def timeless(output: str) -> list[str]:
    """The lines of a table and what stands below it, without times and without alignment."""
    return [re.sub(r"[\d.]+ ms|\s+", " ", line).strip() for line in output.splitlines()]


@pytest.mark.timeout(240)
@pytest.mark.parametrize("page", RUNNABLE, ids=lambda page: page.name)
def test_the_code_and_the_commands_of_a_page_run_in_their_order(page, tmp_path):
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    for block in blocks(page):
        if block.file is not None:
            path = tmp_path / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, "utf-8")
        elif block.language == "python":
            played([sys.executable, "-c", block.text], tmp_path)
        elif block.language == "sh":
            for words in commands(block.text):
                if not OUTSIDE.search(" ".join(words)):
                    played([str(ASSAY), *words], tmp_path)


def test_the_example_of_a_scorer_and_a_model_of_ones_own_runs_as_its_plan_says(tmp_path):
    folder = ROOT / "examples" / "own_scorer"
    store = tmp_path / "own.db"
    words = [str(ASSAY), "run", "plan.yaml", "--json", "--store", str(store)]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    own, emulated = json.loads(done.stdout)["models"]
    assert own["model"] == "python:own:adder"
    assert own["headline"]["value"] == 0.8  # it adds where it should take away
    assert own["scores"]["brief"]["figure"]["value"] == 1.0
    assert emulated["statuses"]["scored"] == 5
