"""A plan played over each wire: the same task, the same answers, the same figures."""

import pytest

from assay import api
from assay.errors import UsageError
from assay.loading.bind import emulator, load_task
from assay.loading.environment import Environment
from assay.plan import ModelChoice, Plan
from assay.ports import Where
from assay.store.sqlite import SqliteStore

WIRES = ("openai-compatible", "anthropic", "ollama")
TASKS = ("json_extraction", "arithmetic")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("task", TASKS)
async def test_a_task_comes_to_the_same_over_every_wire(task, stream, tmp_path):
    plan = Plan(task=task, limit=12, models=(ModelChoice("emulated/skill-0.8"),), stream=stream)
    said = {}
    loaded, _ = load_task(plan, Environment({}))
    async with emulator(plan, loaded) as server:
        for wire in WIRES:
            # skill 1: a seed would draw the wrong answers, and one of the wires has none
            choice = ModelChoice(f"{wire}/skill-1", base_url=server.url)
            chosen = Plan(task=task, limit=12, models=(choice,), stream=stream)
            result = await api.run(chosen, store=tmp_path / "x.db", environment=Environment({}))
            store = SqliteStore.open(tmp_path / "x.db", create=False)
            trials = list(store.trials(Where(run=result.run.id)))
            await store.close()
            said[wire] = sorted((t.case.id, t.transcript.final.text, t.status) for t in trials)
            assert all(
                score.number == 1 for t in trials for score in t.scores if score.name == result.run.headline
            )
    assert len(said[WIRES[0]]) == 12
    assert said[WIRES[0]] == said[WIRES[1]] == said[WIRES[2]]


async def test_a_name_that_the_server_does_not_know_is_refused_before_anything_runs(tmp_path):
    plan = Plan(task="arithmetic", limit=1, models=(ModelChoice("emulated/skill-1"),))
    loaded, _ = load_task(plan, Environment({}))
    async with emulator(plan, loaded) as server:
        for wire in ("anthropic", "ollama"):
            choice = ModelChoice(f"{wire}/claude", base_url=server.url)
            chosen = Plan(task="arithmetic", limit=1, models=(choice,))
            with pytest.raises(UsageError, match="no such model"):
                await api.run(chosen, store=tmp_path / "x.db", environment=Environment({}))
