"""What whole runs need: a task in a temporary folder, and a plan played over it."""

import json
from pathlib import Path

import hypothesis
import pytest

from assay import api
from assay.loading.environment import Environment
from assay.plan import ModelChoice, Plan
from assay.ports import Stop

# How long an example takes is the machine's business: it is compared in benchmarks, never asserted in a test.
hypothesis.settings.register_profile("assay", deadline=None)
hypothesis.settings.load_profile("assay")


def pytest_addoption(parser):
    parser.addoption("--real", action="store_true", help="run tests/real too: builds and starts real servers")
    parser.addoption("--writes", type=int, default=4800, help="how many writes of eight processes")
    parser.addoption("--slicings", type=int, default=1500, help="how many slicings of all recordings")


class Bench:
    """A folder with a task, a store and a way to run plans over them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = folder / "assay.db"
        self.task = folder / "task.yaml"
        self.write_task()
        self.write_cases(20)

    def write_task(self, **fields) -> None:
        form = {"name": "tiny", "cases": "cases.jsonl", "scorers": ["exact"], **fields}
        self.task.write_text(json.dumps(form))

    def write_cases(self, count: int) -> None:
        rows = (
            {"id": f"c{n}", "input": f"What is {n} + 1?", "target": str(n + 1), "tags": {"odd": str(n % 2)}}
            for n in range(count)
        )
        (self.folder / "cases.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def plan(self, *models: str, **fields) -> Plan:
        names = models or ("emulated/skill-0.8",)
        return Plan(task=str(self.task), models=tuple(ModelChoice(name) for name in names), **fields)

    async def run(self, plan: Plan, *, run_id=None, watchers=(), stop=None, environment=None) -> api.Result:
        return await api.run(
            plan,
            store=self.store,
            run_id=run_id,
            watchers=watchers,
            stop=stop or Stop(),
            environment=environment or Environment({}),
        )


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)
