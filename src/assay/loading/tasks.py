"""Tasks: folders of data, built in or a user's own, read from their task.yaml."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from msgspec import Struct

from assay.case import Case
from assay.errors import UsageError
from assay.keys import JSON, digest
from assay.loading import files
from assay.loading.cases import Cases, Columns, ListedCases, Prepare, mapped, native
from assay.loading.readers import READERS, Reader
from assay.message import Sampling
from assay.ports import Exchange, Scorer
from assay.templates import Template

BUILT_IN = Path(__file__).resolve().parent.parent / "tasks"
ALIASES = {"json": "json_extraction"}

ResponseMode = Literal["prompt", "json_object", "json_schema", "tool"]


class PromptFiles(Struct, frozen=True, forbid_unknown_fields=True):
    """Each a file beside the task, or the text itself."""

    system: str | None = None
    user: str | None = None


class Response(Struct, frozen=True, forbid_unknown_fields=True):
    """How structure is asked for; `schema` a file beside the task, or the schema itself."""

    format: ResponseMode = "prompt"
    schema: JSON = None


class TaskForm(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A task.yaml. `cases` is a file, or a file a split; none means that a run names its data."""

    name: str
    version: int = 1
    about: str = ""
    cases: str | dict[str, str] | None = None
    columns: Columns | None = None
    reader: Literal["bfcl", "choice", "squad"] | None = None
    exchange: str | dict[str, JSON] = "single"
    prompt: PromptFiles = PromptFiles()
    response: Response = Response()
    scorers: tuple[JSON, ...] = ()
    headline: str | None = None
    sampling: Sampling = Sampling()
    world: str | None = None


@dataclass(frozen=True, slots=True)
class TaskFolder:
    """A task.yaml as read, and the folder that its file names are relative to."""

    form: TaskForm
    folder: Path

    def file(self, name: str) -> Path:
        return self.folder / name

    def text(self, value: str | None) -> Template | None:
        """A prompt: the file of that name beside the task, else the text itself."""
        if value is None:
            return None
        path = self.folder / value
        if "\n" not in value and len(value) < 200 and path.is_file():
            return Template(files.read_text(path).rstrip("\n"), path.name)
        return Template(value, f"{self.form.name}, prompt")

    def schema(self) -> JSON:
        """The schema that the response is held to; a text names a file beside the task."""
        given = self.form.response.schema
        return files.read_json(self.file(given)) if isinstance(given, str) else given

    def exchange(self) -> tuple[str, dict[str, JSON]]:
        """The exchange's name and its settings."""
        return named(self.form.exchange, "exchange")

    def case_path(self, data: str | None, split: str) -> Path:
        """The file of cases: what the run names, else the task's own for that split."""
        if data is not None:
            return Path(data)
        cases = self.form.cases
        if cases is None:
            raise UsageError(
                f"the task {self.form.name} has no cases of its own", fix="name a file with --data FILE"
            )
        if isinstance(cases, str):
            return self.file(cases)
        if split not in cases:
            raise UsageError(
                f"the task {self.form.name} has no split {split!r}", fix=files.did_you_mean(split, cases)
            )
        return self.file(cases[split])

    @property
    def reader(self) -> Reader | None:
        """The reader of a public set in its own form, if the task is of one."""
        return READERS[self.form.reader] if self.form.reader is not None else None

    def prepare(self) -> Prepare:
        if self.reader is not None:
            return self.reader.case
        return native if self.form.columns is None else mapped(self.form.columns)


def named(given: JSON, what: str) -> tuple[str, dict[str, JSON]]:
    """A name with settings: `exact`, or `{exact: {case: false}}`."""
    if isinstance(given, str):
        return given, {}
    if isinstance(given, dict) and len(given) == 1:
        ((name, settings),) = given.items()
        if settings is None or isinstance(settings, dict):
            return str(name), settings or {}
    raise UsageError(
        f"{what} {given!r} is neither a name nor a name with settings",
        fix=f"write {what}: NAME or {what}: {{NAME: {{setting: value}}}}",
    )


def find_task(name: str) -> TaskFolder:
    """The task of a built-in name, or of the path of a task.yaml (or of its folder)."""
    path = Path(name)
    if path.suffix in {".yaml", ".yml"}:
        return read_task(path)
    if (path / "task.yaml").is_file():
        return read_task(path / "task.yaml")
    built_in = BUILT_IN / ALIASES.get(name, name) / "task.yaml"
    if "/" not in name and built_in.is_file():
        return read_task(built_in)
    raise UsageError(f"no task {name!r}", fix=files.did_you_mean(name, [*built_in_tasks(), *ALIASES]))


def built_in_tasks() -> list[str]:
    """The names of the tasks that come with assay."""
    return sorted(path.parent.name for path in BUILT_IN.glob("*/task.yaml"))


def read_task(path: Path) -> TaskFolder:
    """Reads a task.yaml."""
    value, text = files.read_yaml(path)
    form = files.convert(value, TaskForm, path, text)
    if not form.scorers:
        raise UsageError(f"{path}: the task has no scorers", fix="add scorers: [exact], for example")
    return TaskFolder(form, path.parent)


@dataclass(frozen=True, slots=True)
class LoadedTask:
    """Implements `ports.Task` over a case source that reads by offsets."""

    name: str
    version: int
    split: str
    fingerprint: str
    cases: Cases
    exchange: Exchange
    scorers: tuple[Scorer, ...]
    headline: str
    repeats: tuple[int, ...] | None = None
    warnings: tuple[str, ...] = ()
    prompt_version: str | None = None

    def __len__(self) -> int:
        return len(self.cases)

    def case(self, index: int) -> Case:
        return self.cases.case(index)

    def __iter__(self) -> Iterator[Case]:
        return iter(self.cases)


def slice_filter(wanted: dict[str, str]) -> Callable[[Case], bool]:
    """Keeps the cases whose tags are those wanted."""
    return lambda case: all(case.tags.get(tag) == value for tag, value in wanted.items())


def fingerprint(folder: TaskFolder, path: Path, cases: Cases, exchange: Exchange, scorers: JSON) -> str:
    """The hash of a task's cases, prompts and scorers (as they are, with what their files say)."""
    if isinstance(cases, ListedCases):
        content = cases.digest
    else:
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
    form = folder.form
    return digest([form.name, form.version, content, exchange.spec, scorers], 16)
