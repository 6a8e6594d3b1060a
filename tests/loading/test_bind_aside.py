"""Binding goes on beside the event loop: whoever else lives in it is served meanwhile."""

import asyncio

from tests.loading import gate

from assay.loading.bind import bound
from assay.loading.environment import Environment
from assay.plan import ModelChoice, Plan


async def test_the_event_loop_beats_while_a_task_is_read():
    plan = Plan(
        task="arithmetic",
        limit=3,
        models=(ModelChoice("emulated/skill-1"),),
        scorers=("python:tests.loading.gate:made",),
    )

    async def beat() -> int:
        beats = 0
        while not gate.BEGUN.is_set() or beats < 50:
            await asyncio.sleep(0)
            beats += 1
        gate.BEAT.set()
        return beats

    beating = asyncio.create_task(beat())
    async with bound(plan, Environment({})) as ready:
        assert len(ready.task) == 3
    assert await beating >= 50
