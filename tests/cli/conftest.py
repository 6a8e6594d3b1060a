"""The command line in-process: a temporary folder with a task, and what a person would type there."""

import json
from dataclasses import dataclass

import pytest

from assay.cli.main import main

KEYS = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "GROQ_API_KEY", "VLLM_API_KEY", "VLLM_BASE_URL", "WEBHOOK_URL")


@dataclass
class Typed:
    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


class Shell:
    """A folder that is the working folder, and `assay ...` in it."""

    def __init__(self, folder, capfd) -> None:
        self.folder = folder
        self._capfd = capfd
        self.write("task.yaml", "name: tiny\ncases: cases.jsonl\nscorers: [exact]\n")
        self.write_cases(12)

    def write(self, name: str, text: str) -> str:
        (self.folder / name).write_text(text)
        return name

    def write_cases(self, count: int, **more) -> None:
        rows = (
            {"id": f"c{n}", "input": f"What is {n} + 1?", "target": str(n + 1), "tags": {"odd": str(n % 2)}}
            for n in range(count)
        )
        self.write("cases.jsonl", "".join(json.dumps({**row, **more}) + "\n" for row in rows))

    def __call__(self, *words: str) -> Typed:
        self._capfd.readouterr()
        with pytest.raises(SystemExit) as left:
            main(list(words))
        said = self._capfd.readouterr()
        assert isinstance(left.value.code, int)
        return Typed(left.value.code, said.out, said.err)

    def run(self, *models: str, more: tuple[str, ...] = ()) -> str:
        """Plays the tiny task; gives the run's id."""
        flags = [word for model in models or ("emulated/skill-0.8",) for word in ("--model", model)]
        typed = self("run", "task.yaml", *flags, *more, "--json")
        assert typed.code == 0, typed.err
        return str(typed.json["run_id"])


@pytest.fixture
def assay(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    for name in KEYS:
        monkeypatch.delenv(name, raising=False)
    return Shell(tmp_path, capfd)
