"""R31: a usage that is missing, wrong or sent twice is kept, flagged and estimated beside, never mixed in."""

import json

import pytest

from assay import api
from assay.emulator.index import Index, entry
from assay.emulator.server import Emulator
from assay.loading.environment import Environment
from assay.message import say
from assay.plan import ModelChoice, Plan
from assay.ports import Where
from assay.reports.summary import summarise
from assay.store.sqlite import SqliteStore

QUESTION, ANSWER = "Tell me a story of this and that.", "Once there was a fox in a wood. " * 8
COUNT = 3
TRUE = (9, 64)  # tokens of question and answer, as the emulator counts: four characters each


async def played(folder, fault, stream):
    """A run of which every reply carries the fault; its calls and its summary."""
    (folder / "task.yaml").write_text(
        'name: short\ncases: cases.jsonl\nexchange: single\nprompt: {user: "{{INPUT}}"}\nscorers: [exact]\n'
    )
    rows = [json.dumps({"id": f"c{n}", "input": QUESTION, "target": ANSWER}) + "\n" for n in range(COUNT)]
    (folder / "cases.jsonl").write_text("".join(rows))
    known = Index(filter(None, [entry((say("user", QUESTION),), ANSWER)]))
    async with Emulator(known) as server:
        url = f"{server.root}/f/{fault}/v1"
        plan = Plan(
            task=str(folder / "task.yaml"),
            models=(ModelChoice("openai-compatible/skill-1", base_url=url),),
            stream=stream,
        )
        result = await api.run(plan, store=folder / "s.db", environment=Environment({}))
    store = SqliteStore.open(result.store, create=False)
    calls = [call for trial in store.trials(Where()) for call in trial.calls]
    (run,) = store.runs()
    again = summarise(store.trials(Where()), run)
    assert again.models[0].tokens == result.summary.models[0].tokens
    return calls, result.summary.models[0]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("kind", ["negative", "float", "text"])
async def test_a_usage_that_is_none_is_kept_as_it_came_and_counted_by_nobody(tmp_path, kind, stream):
    calls, model = await played(tmp_path, f"usage:kind={kind}", stream)
    assert [call.reply.usage for call in calls] == [None] * COUNT
    kept = {"negative": -TRUE[1] - 1, "float": TRUE[1] + 0.5, "text": str(TRUE[1])}[kind]
    assert all(json.loads(call.reply.odd_usage)["completion_tokens"] == kept for call in calls)
    told = model.tokens
    assert (told.input, told.output, told.uncounted, told.odd) == (0, 0, COUNT, COUNT)
    assert (told.estimated_input, told.estimated_output) == (COUNT * TRUE[0], COUNT * TRUE[1])
    assert f"{COUNT} replies have no usage, {COUNT} have one that cannot be right" in model.notes[-1]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_missing_usage_is_estimated_beside_the_totals(tmp_path, stream):
    calls, model = await played(tmp_path, "nousage", stream)
    assert {(call.reply.usage, call.reply.odd_usage) for call in calls} == {(None, "")}
    told = model.tokens
    assert (told.input, told.output, told.uncounted, told.odd) == (0, 0, COUNT, 0)
    assert told.estimated_output == COUNT * TRUE[1]
    assert all(call.cost is None for call in calls)


@pytest.mark.parametrize("stream", [False, True])
async def test_ten_times_the_text_is_what_the_provider_counts_but_flagged(tmp_path, stream):
    calls, model = await played(tmp_path, "usage:kind=tenfold", stream)
    assert {call.reply.usage.output for call in calls} == {10 * TRUE[1]}
    assert all(json.loads(call.reply.odd_usage)["completion_tokens"] == 10 * TRUE[1] for call in calls)
    told = model.tokens
    assert (told.output, told.uncounted, told.odd) == (COUNT * 10 * TRUE[1], 0, COUNT)
    assert told.estimated_output == COUNT * TRUE[1]


async def test_a_usage_that_grows_on_the_way_counts_once_and_is_not_odd(tmp_path):
    calls, model = await played(tmp_path, "s_usagetwice", stream=True)
    assert {call.reply.usage.output for call in calls} == {TRUE[1]}
    assert {call.reply.odd_usage for call in calls} == {""}
    assert (model.tokens.output, model.tokens.estimated_output) == (COUNT * TRUE[1], 0)
    assert not any("usage" in note for note in model.notes)
