"""Values survive being recorded, whatever they hold."""

import asyncio
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from assay.case import Case
from assay.errors import ErrorClass
from assay.message import (
    Arrivals,
    Finish,
    Instants,
    Message,
    Reply,
    Request,
    Sampling,
    Text,
    ToolCall,
    ToolSpec,
    Usage,
)
from assay.ports import Effect, Run, Where
from assay.store.encoding import Unpacker, grown, json_of, message_of, packed, shrunk
from assay.store.sqlite import SqliteStore
from assay.trial import Call, CallState, Event, EventKind, Outcome, Score, Status, Transcript, Trial

names = st.text(min_size=1, max_size=12)
hostile = st.text(st.characters(exclude_categories=()), max_size=40)  # lone surrogates and NUL too
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | hostile,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(hostile, inner, max_size=3),
    max_leaves=6,
)
whole = st.integers(0, 2**53 - 1)
stamps = st.integers(0, 2**63 - 1)
tool_calls = st.lists(st.builds(ToolCall, hostile, hostile, hostile), max_size=2).map(tuple)
messages = st.builds(
    Message,
    st.sampled_from(["system", "user", "assistant", "tool"]),
    st.lists(st.builds(Text, hostile), max_size=2).map(tuple),
    tool_calls,
    st.none() | hostile,
)
tools = st.lists(st.builds(ToolSpec, names, hostile, json_values), max_size=2).map(tuple)


@st.composite
def arrivals(draw) -> Arrivals:
    found = Arrivals()
    for at in draw(st.lists(stamps, max_size=40)):
        found.append(at, draw(st.integers(0, 1023)), draw(st.integers(0, 2**32 - 1)), 7)
    return found


requests = st.builds(
    Request,
    messages=st.lists(messages, max_size=3).map(tuple),
    tools=tools,
    tool_choice=st.none() | names,
    format=st.sampled_from(["text", "json_object", "json_schema"]),
    schema=json_values,
    sampling=st.builds(
        Sampling,
        temperature=st.none() | st.floats(0, 2),
        max_tokens=st.none() | whole,
        stop=st.lists(hostile, max_size=2).map(tuple),
        seed=st.none() | whole,
    ),
    stream=st.booleans(),
    case=st.none() | names,
)
replies = st.builds(
    Reply,
    text=hostile | st.just("long " * 600),
    tool_calls=tool_calls,
    finish=st.sampled_from(Finish),
    usage=st.none() | st.builds(Usage, whole, whole, whole, whole, st.sampled_from(["provider", "events"])),
    reasoning=hostile,
    refusal=hostile,
    served_model=st.none() | hostile,
    fingerprint=st.none() | hostile,
    instants=st.builds(
        Instants, stamps, stamps, stamps, stamps, stamps, stamps, st.just("kernel"), st.booleans()
    ),
    arrivals=arrivals(),
    call=st.none() | names,
)
costs = st.none() | st.decimals(0, 1000, allow_nan=False, allow_infinity=False)


@st.composite
def calls(draw, run: str = "run") -> Call:
    state = draw(st.sampled_from(CallState))
    intent = Call(
        run=run,
        trial="key",
        role=draw(names),
        ordinal=draw(st.integers(0, 1000)),
        attempt=draw(st.integers(1, 9)),
        model=draw(names),
        request=draw(requests),
        request_hash=draw(names),
        occurrence=draw(st.integers(0, 9)),
        began=draw(stamps),
        origin=draw(st.sampled_from(["live", "cached"])),
    )
    if state is CallState.RESERVED:
        return intent
    return structs.replace(
        intent,
        state=state,
        reply=draw(replies),
        error=draw(st.none() | st.sampled_from(ErrorClass)),
        detail=draw(hostile),
        status=draw(st.none() | st.integers(100, 599)),
        cost=draw(costs),
        paused=draw(st.booleans()),
    )


scores = st.builds(
    Score,
    names,
    st.none() | st.booleans() | st.floats(allow_nan=False) | hostile,
    hostile,
    st.none() | names,
    json_values,
    names,
)
events = st.builds(
    Event,
    st.sampled_from(EventKind),
    names,
    st.none() | messages,
    st.none() | names,
    st.booleans(),
    json_values,
)


@st.composite
def trials(draw) -> Trial:
    made = draw(st.lists(calls(), max_size=3, unique_by=lambda call: call.id))
    final = draw(st.none() | replies)
    answered = [call for call in made if call.state is CallState.DONE]
    if answered and draw(st.booleans()):
        final = structs.replace(answered[-1].reply, call=answered[-1].id)
    outcome = Outcome(draw(names), draw(st.none() | st.sampled_from(ErrorClass)), draw(hostile))
    return Trial(
        run="run",
        key="key",
        case=Case(
            "id",
            draw(names),
            draw(hostile | st.lists(messages, max_size=2).map(tuple)),
            draw(json_values),
            draw(json_values),
            draw(tools),
            draw(st.dictionaries(hostile, hostile, max_size=2)),
            draw(st.dictionaries(hostile, json_values, max_size=2)),
        ),
        model=draw(names),
        repeat=draw(st.integers(0, 9)),
        seed=draw(whole),
        status=draw(st.sampled_from(Status)),
        detail=draw(names),
        phase=draw(st.sampled_from(["warm_up", "window", "tail"])),
        due=draw(st.floats(0, 1e6)),
        started=draw(st.floats(0, 1e6)),
        ended=draw(st.floats(0, 1e6)),
        wall=draw(stamps),
        transcript=Transcript(tuple(draw(st.lists(events, max_size=4))), outcome, final, draw(json_values)),
        calls=tuple(made),
        scores=tuple(draw(st.lists(scores, max_size=3, unique_by=lambda score: score.name))),
    )


def recorded(trial: Trial, *, reserve: bool) -> tuple[Trial, Trial]:
    """The trial as it is read again, with and without its calls."""

    async def record(place: Path) -> tuple[Trial, Trial]:
        store = SqliteStore.open(place)
        await store.open_run(
            Run(
                id="run",
                plan=trial.case.target,
                task="t",
                fingerprint="f",
                headline="h",
                models=("m",),
                planned=None,
                seed=0,
                wall=0,
                version="0",
            )
        )
        if reserve:
            for call in trial.calls:
                await store.reserve(call)
                if call.state is not CallState.RESERVED:
                    store.settle(call)
        await store.add(trial)
        whole_trial = next(store.trials(Where()))
        short = next(store.trials(Where(calls=False)))
        assert next(store.runs()).plan == trial.case.target
        await store.close()
        return whole_trial, short

    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(record(Path(folder) / "runs.db"))


@settings(max_examples=60)
@given(trials(), st.booleans())
def test_a_trial_is_read_as_it_was_written(trial, reserve) -> None:
    whole_trial, short = recorded(trial, reserve=reserve)
    assert whole_trial == trial
    assert short == structs.replace(trial, calls=())


@settings(max_examples=30)
@given(st.lists(calls(), max_size=4, unique_by=lambda call: call.id), json_values, st.none() | hostile)
def test_calls_and_effects_are_looked_up_as_they_were_written(made, result, error) -> None:
    async def record(place: Path) -> None:
        store = SqliteStore.open(place)
        await store.open_run(
            Run(
                id="run",
                plan=None,
                task="t",
                fingerprint="f",
                headline="h",
                models=(),
                planned=1,
                seed=0,
                wall=0,
                version="0",
            )
        )
        for call in made:
            await store.reserve(call)
            if call.state is not CallState.RESERVED:
                store.settle(call)
        effect = Effect("run", "key", "webhook", "1", settled=True, result=result, error=error)
        await store.reserve_effect(effect)
        store.settle_effect(effect)
        await store.close()
        again = SqliteStore.open(place)
        held = again.lookup("run", "key")
        assert held.calls == tuple(made)
        assert held.effects == (effect,)
        await again.close()

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(record(Path(folder) / "runs.db"))


@given(json_values)
def test_json_is_unpacked_as_it_was_packed(value) -> None:
    assert json_of(packed(value)) == value


@given(messages)
def test_a_message_is_unpacked_as_it_was_packed(message) -> None:
    assert message_of(packed(message)) == message


@given(st.binary(max_size=300), st.integers(1, 20))
def test_bytes_grow_back_to_what_was_shrunk(raw, times) -> None:
    body = b"\x80" + raw * times
    assert grown(shrunk(body)) == body


def test_long_texts_take_less_room() -> None:
    body = packed("word " * 1000)
    assert len(shrunk(body)) < len(body) / 10
    assert Unpacker(str)(shrunk(body)) == "word " * 1000
