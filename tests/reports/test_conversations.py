"""The figures of conversations: one by one from its record, and of a group."""

from decimal import Decimal

import pytest
from msgspec import structs

from assay.case import Case
from assay.errors import ErrorClass
from assay.message import Instants, Message, Reply, Request, Sampling, ToolCall, Usage, say
from assay.reports.conversations import conversations, level_of
from assay.reports.talks import talk_of
from assay.trial import Call, CallState, Event, EventKind, Outcome, Score, Status, Transcript, Trial

S = 1_000_000_000


def said(side, text, call=None, **data) -> Event:
    return Event(EventKind.SAID, side, say("user", text), call, data=data or None)


def tool(name, arguments, call, asked, **result) -> list[Event]:
    called = Message("assistant", (), (ToolCall(call, name, arguments),))
    return [
        Event(EventKind.TOOL_CALL, "agent", called, asked),
        Event(
            EventKind.TOOL_RESULT, "tool", Message("tool", (), (), call), asked, data={"name": name, **result}
        ),
    ]


def call(role, ordinal, attempt=1, *, at=0.0, took=1.0, queue=0.0, seed: int | None = 5, cost="0.01") -> Call:
    picked = int((1 + at) * S)
    instants = Instants(
        picked=picked,
        admitted=picked + int(queue * S),
        sent=picked + int(queue * S),
        ended=picked + int(took * S),
    )
    return Call(
        run="r",
        trial="k",
        role=role,
        ordinal=ordinal,
        attempt=attempt,
        model="m",
        request=Request((), sampling=Sampling(seed=seed)),
        request_hash="h",
        occurrence=0,
        began=0,
        state=CallState.DONE,
        reply=Reply("x", usage=Usage(10, 2, 3, 1), instants=instants),
        cost=Decimal(cost) if cost else None,
    )


EVENTS = (
    said("agent", "Лавка.", "agent.0.1"),
    Event(
        EventKind.DISCARDED,
        "client",
        say("user", "Чем помочь?"),
        "client.0.1",
        delivered=False,
        data={"fault": "role_flip"},
    ),
    said(
        "client",
        "Филе.",
        "client.1.1",
        faults=[{"code": "early_disclosure", "severity": "helped", "critical": False}],
    ),
    *tool("search", '{"q":1}', "t1", "agent.1.1"),
    *tool("search", '{"q":1}', "t2", "agent.1.1", error="NOT_FOUND"),
    *tool("add", "{}", "t3", "agent.1.1"),
    *tool("search", '{"q":1}', "t4", "agent.1.1"),
    said("agent", "Сколько?", "agent.2.1"),
    said("client", "Два.", "client.2.1", diverged=3),
)
CALLS = (
    call("agent", 0),
    call("client", 0),
    call("client", 1),
    call("agent", 1, at=10, took=2, queue=0.5),
    call("agent", 2, at=13, took=1),
    call("client", 2, attempt=1, seed=None),
    call("client", 2, attempt=2, seed=None, cost=""),
)


def trial(
    case="c",
    repeat=0,
    *,
    right: bool | None = True,
    grade=3.0,
    reason="goal_done",
    status=Status.SCORED,
    **changes,
) -> Trial:
    scores = [Score("judge", grade, details={})]
    if right is not None:
        scores.append(Score("state", right))
    made = Trial(
        "r",
        f"{case}{repeat}",
        Case(case, case, tags={"mood": "calm" if case < "c" else "cross"}),
        "emulated/agent",
        repeat,
        7,
        status,
        transcript=Transcript(
            EVENTS, Outcome(reason), state={"journal": [{"tool_call_id": "t3", "table": "cart"}]}
        ),
        calls=CALLS,
        scores=tuple(scores),
    )
    return structs.replace(made, **changes)


def test_a_conversations_figures_come_from_its_record():
    talk = talk_of(trial())
    assert talk is not None
    assert (talk.end_reason, talk.success, talk.judge, talk.validity) == ("goal_done", True, 3.0, "suspect")
    assert talk.faults == {"role_flip": 1, "early_disclosure": 1}
    assert (talk.turns, talk.tool_calls, talk.tool_errors) == (4, 4, 1)
    assert talk.redundant_reads == 1, "a read after a write tells something new"
    assert (talk.retries, talk.diverged, talk.attempt) == (1, 3, 1)
    agent, client = talk.roles["agent"], talk.roles["client"]
    assert (agent.calls, agent.input, agent.output, agent.cached, agent.reasoning) == (3, 30, 6, 9, 3)
    assert (agent.cost_usd, client.cost_usd) == (Decimal("0.03"), None)
    assert (agent.seed_supported, client.seed_supported) == (True, True)


def test_a_turn_of_the_agent_is_silence_but_for_the_wait_for_limits():
    talk = talk_of(trial())
    assert talk is not None
    assert [turn.turn for turn in talk.agent_turns] == [1, 3]
    second = talk.agent_turns[1]
    assert (second.total, second.queue, second.tool, second.dead_air) == (4.0, 0.5, 1.0, 3.5)


@pytest.mark.parametrize("reason", ["max_turns", "timeout", "repetition_loop", "agent_loop"])
def test_what_broke_off_is_no_success_whatever_the_state(reason):
    talk = talk_of(trial(reason=reason))
    assert talk is not None
    assert talk.success is False


def test_a_trial_without_lines_is_no_conversation():
    assert talk_of(trial(transcript=Transcript((), Outcome("answered")))) is None


def test_a_fallback_that_stands_for_a_missing_grade_is_no_grade():
    fallback = Score("judge", 1.0, details={"score_is_fallback": True})
    talk = talk_of(trial(scores=(fallback, Score("state", True))))
    assert talk is not None
    assert talk.judge is None


def run(maker, **plan):
    return maker.run("emulated/agent", plan=plan)


def test_a_group_counts_failed_conversations_as_failures_and_shows_the_others_beside(make):
    failed = Trial(
        "r", "f", Case("z", "z"), "emulated/agent", 0, 7, Status.FAILED, "timeout",
        transcript=Transcript((), Outcome("provider_error", ErrorClass.TIMEOUT)),
    )  # fmt: skip
    broken = trial("d", status=Status.INVALID, reason="client_fault", right=None)
    group = one(make, [trial("a"), trial("b", right=False, grade=1.0), broken, failed])
    assert (group.trials, group.success.trials, group.success.value) == (4, 4, 0.25)
    assert (group.valid_only.trials, group.valid_only.value) == (2, 0.5)
    assert (group.completed_only.trials, group.completed_only.value) == (2, 0.5)
    assert group.judge == {"reached": {"3": 1}, "missed": {"1": 1, "3": 1}}
    assert group.validity == {"suspect": 2, "invalid": 1}
    assert group.ends["provider_error"] == 1


def test_repeats_give_pass_hat_k_over_cases_and_split_the_variance(make):
    trials = [trial("a", n, right=True) for n in range(4)] + [trial("b", n, right=n < 2) for n in range(4)]
    group = one(make, trials)
    hats = {each.k: each.estimate.value for each in group.pass_hat if each.estimate is not None}
    assert hats == {1: 0.75, 2: pytest.approx((1 + 1 / 6) / 2), 4: 0.5}
    assert group.spread.within == pytest.approx((0 + 0.25 * 4 / 3) / 2)
    assert group.success.value == 0.75


def test_a_factors_effect_is_the_distance_to_the_other_values(make):
    group = one(make, [trial("a"), trial("b"), trial("x", right=False)])
    effects = {(each.factor, each.value): each.difference for each in group.effects}
    assert effects == {("mood", "calm"): 1.0, ("mood", "cross"): -1.0}


def test_what_a_repetition_promises_follows_from_the_models(make):
    assert level_of("emulated/agent", run(make, cast={})) == "D1"
    assert level_of("emulated/agent", run(make, cast={"client": {"name": "openai/x"}})) == "D3"
    assert level_of("openai/x", run(make, replay="strict")) == "D2"


def one(make, trials):
    (group,) = conversations(trials, run(make))
    return group
