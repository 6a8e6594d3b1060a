"""The session webhook: signed, bounded, retried, and able to change variables or to skip."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from random import Random

import pytest
from msgspec import structs

from assay.agenda import phrases_of
from assay.case import Case
from assay.errors import CallError, ErrorClass, UsageError
from assay.exchanges.conversation import Conversation, Settings, WebhookSettings
from assay.exchanges.conversation.loops import Side, Spoken, farewell_loop, repetition_loop
from assay.exchanges.conversation.webhook import FAILURES, OPEN_SECONDS, Webhook, keys_of, signed
from assay.keys import JSON, random_stream, run_uuid
from assay.message import Message, Reply
from assay.ports import Capabilities, Fetched
from assay.templates import Template
from assay.trial import EventKind, Status, Transcript, status_after_play
from assay.world.tables import Table
from assay.world.world import World

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode()
CASE = Case(
    "cafe", "first", facts={"ORDER_GOAL": "[]", "CITY": "Москва", "CLIENT": {}, "CURRENT_DATE": "2025-06-08"}
)


class Receiver:
    """A fetch that answers in order, the last for ever, and keeps what came."""

    def __init__(self, *answers) -> None:
        self.answers = list(answers)
        self.posts: list[tuple[str, bytes, dict[str, str]]] = []

    async def post(self, url, body, headers) -> Fetched:
        self.posts.append((url, body, headers))
        answer: Fetched | Exception = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


class Agent:
    role, capabilities = "agent", Capabilities()

    def __init__(self) -> None:
        self.asked: list[list[Message]] = []

    async def ask(
        self,
        messages,
        *,
        tools=(),
        tool_choice=None,
        format="text",
        schema=None,
        sampling=None,
        continuation=None,
    ) -> Reply:
        self.asked.append(list(messages))
        return Reply("Слушаю.")


class FakeTable:
    run, trial, repeat, seed, stopping, spent = "run_1", "f00d", 2, 7, False, Decimal(0)

    def __init__(self, held=None) -> None:
        self.agent, self.held = Agent(), held
        self.seats = {"agent": self.agent}
        self.effects: list[tuple[str, str]] = []

    def clock(self) -> float:
        return 0.0

    def random(self, name) -> Random:
        return random_stream(self.seed, name)

    def unguessable(self, name) -> Random:
        return self.random(f"secret.{name}")

    def emit(self, event) -> None:
        pass

    async def effect(self, name, key, act) -> JSON:
        self.effects.append((name, key))
        return await act() if self.held is None else self.held


def ok(status=200, headers=None, **body) -> Fetched:
    return Fetched(status, json.dumps(body).encode(), headers or {})


def exchange(receiver, **settings) -> Conversation:
    webhook = WebhookSettings("https://hooks.example/init", waits_s=(0.0,), **settings)
    return Conversation(
        Settings(client="scripted", script=("Да.",), webhook=webhook),
        Template("City {{CITY}}; goal {{ORDER_GOAL}}.", "agent.txt"),
        fetch=receiver,
        secret=SECRET,
        prompt_version="v3",
    )


async def played(*answers, **settings) -> tuple[Transcript, Receiver, FakeTable]:
    receiver, table = Receiver(*answers), FakeTable()
    return await exchange(receiver, **settings).play(CASE, table), receiver, table


def prompted(transcript) -> str:
    """The agent's system prompt."""
    texts = (e.message.text for e in transcript.events if e.kind is EventKind.PROMPT)
    return str(next(texts))


async def test_the_call_is_signed_and_tells_no_goal():
    _, receiver, table = await played(ok())
    url, body, headers = receiver.posts[0]
    assert url == "https://hooks.example/init"
    assert table.effects == [("webhook", "session.init")]
    assert headers["webhook-id"] == "run_1/f00d.init"
    signed_text = f"run_1/f00d.init.{headers['webhook-timestamp']}.".encode() + body
    mac = hmac.new(b"0123456789abcdef01234567", signed_text, hashlib.sha256).digest()
    assert headers["webhook-signature"] == "v1," + base64.b64encode(mac).decode()
    assert json.loads(body) == {
        "type": "session.init",
        "version": 1,
        "batch_id": run_uuid("run_1"),
        "session_id": "f00d",
        "trial_id": "run_1/f00d",
        "scenario": "first",
        "case_id": "cafe",
        "repeat": 2,
        "attempt": 1,
        "seed": 7,
        "prompt_version": "v3",
        "language": "ru",
        "current_date": "2025-06-08",
        "variables": {"CITY": "Москва", "CURRENT_DATE": "2025-06-08"},
    }
    assert headers["content-type"] == "application/json; charset=utf-8"
    assert headers["user-agent"].startswith("assay/")


async def test_the_goal_is_sent_where_the_settings_say_so():
    _, receiver, _ = await played(ok(), send_goal=True)
    assert json.loads(receiver.posts[0][1])["variables"]["ORDER_GOAL"] == "[]"


async def test_its_variables_take_the_place_of_the_cases():
    transcript, _, table = await played(ok(variables={"CITY": "Казань"}, agent={"greeting": "Привет!"}))
    assert transcript.outcome.reason == "goal_done"
    assert prompted(transcript).startswith("City Казань;")
    assert [e.message.text for e in transcript.events if e.kind is EventKind.SAID and e.message] == [
        "Привет!",
        "Да.",
    ]
    assert table.agent.asked == []


async def test_its_state_goes_over_that_of_the_case_and_leaves_the_rest():
    seen = []

    def expects(overlay, facts):
        del facts
        seen.append([dict(row) for row in overlay.rows("t")])

    world = World(
        "w", [Table("t", "k", [{"k": "a", "n": 1, "m": 1}, {"k": "b", "n": 1, "m": 1}])], [], expects=expects
    )
    webhook = WebhookSettings("https://hooks.example/init")
    call = Conversation(
        Settings(client="scripted", script=("Да.",), webhook=webhook),
        Template("x", "a"),
        world=world,
        fetch=Receiver(ok(state={"t": {"a": {"n": 3}}})),
        secret=SECRET,
    )
    start = {"t": {"a": {"n": 2, "m": 2}, "b": {"n": 2}}}
    await call.play(structs.replace(CASE, facts={**CASE.facts, "START": start}), FakeTable())
    assert seen == [[{"k": "a", "n": 3, "m": 2}, {"k": "b", "n": 2, "m": 1}]]


async def test_its_values_are_never_templates_again():
    transcript, _, _ = await played(ok(variables={"CITY": "{{ORDER_GOAL}}{{CITY}}"}))
    assert prompted(transcript).startswith("City {{ORDER_GOAL}}{{CITY}};")


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (ok(variables={"SEED": 1}), "forbidden_override: SEED"),
        (ok(variables={"ORDER_GOAL": "[]"}), "forbidden_override: ORDER_GOAL"),
        (ok(variables={"FAULTS": "x"}), "forbidden_override: FAULTS"),
        (ok(variables={"city": "x"}), "bad name"),
        (ok(agent={"greeting": "x" * 10_001}), "cannot be read"),
        (Fetched(200, b'{"state": {"t": {"k": ' + b"[" * 20_000 + b"]" * 20_000 + b"}}}"), "cannot be read"),
        (ok(variables={f"V{n}": n for n in range(51)}), "more than 50"),
        (ok(variables={"CITY": ["x"]}), "cannot be read"),
        (ok(variables="x"), "cannot be read"),
        (Fetched(200, b"{"), "cannot be read"),
        (Fetched(200, b"\xff"), "no UTF-8"),
        (Fetched(200, b'"' + b"x" * 70_000 + b'"'), "longer"),
        (Fetched(302, b""), "status 302"),
        (Fetched(400, b""), "status 400"),
        (CallError(ErrorClass.REJECTED, "private address"), "private address"),
    ],
)
async def test_what_it_may_not_do_ends_the_trial_before_any_model_is_asked(answer, says):
    transcript, receiver, table = await played(answer)
    assert transcript.outcome.reason == "webhook_error"
    assert says in transcript.outcome.detail
    assert status_after_play(transcript.outcome) == (Status.INVALID, "webhook")
    assert len(receiver.posts) == 1
    assert table.agent.asked == []


@pytest.mark.parametrize(
    "first",
    [
        ok(429, {"retry-after": "0"}),
        ok(503),
        ok(408),
        ok(425),
        CallError(ErrorClass.CONNECT, "refused"),
        CallError(ErrorClass.TIMEOUT, "total"),
        CallError(ErrorClass.TRANSPORT, "reset"),
    ],
    ids=["429", "503", "408", "425", "connect", "timeout", "reset"],
)
async def test_a_passing_failure_is_tried_again_under_the_same_id(first):
    transcript, receiver, _ = await played(first, ok())
    assert transcript.outcome.reason == "goal_done"
    assert {headers["webhook-id"] for _, _, headers in receiver.posts} == {"run_1/f00d.init"}
    assert len(receiver.posts) == 2


async def test_three_failures_are_the_end_unless_the_settings_go_on():
    transcript, receiver, _ = await played(ok(503))
    assert (transcript.outcome.reason, len(receiver.posts)) == ("webhook_error", 3)
    transcript, _, _ = await played(ok(503), on_error="continue")
    assert transcript.outcome.reason == "goal_done"


async def test_it_may_skip_a_trial():
    transcript, _, table = await played(ok(skip=True, reason="closed"))
    assert (transcript.outcome.reason, transcript.outcome.detail) == ("skipped", "closed")
    assert status_after_play(transcript.outcome)[0] is Status.SKIPPED
    assert table.agent.asked == []


async def test_204_changes_nothing():
    transcript, _, _ = await played(Fetched(204, b""))
    assert transcript.outcome.reason == "goal_done"


async def test_an_allow_list_replaces_the_default():
    transcript, _, _ = await played(ok(variables={"CITY": "x"}), allow_override=("REGION",))
    assert transcript.outcome.detail == "forbidden_override: CITY"


async def test_a_recorded_outcome_is_replayed_without_a_call():
    receiver = Receiver(ok())
    held = {"status": 200, "body": '{"variables": {"CITY": "Тверь"}}'}
    transcript = await exchange(receiver).play(CASE, FakeTable(held))
    assert receiver.posts == []
    assert prompted(transcript).startswith("City Тверь;")


async def test_variables_that_no_play_can_begin_with_are_the_webhooks_fault():
    webhook = WebhookSettings("https://h.example/")
    rules = Settings(client="rules", webhook=webhook)
    call = Conversation(
        rules, Template("x", "a"), fetch=Receiver(ok(variables={"PATIENCE": 9})), secret=SECRET
    )
    transcript = await call.play(CASE, FakeTable())
    assert transcript.outcome.reason == "webhook_error"
    assert "PATIENCE" in transcript.outcome.detail


def test_a_webhook_without_a_secret_is_refused_and_the_secret_is_in_no_key():
    with pytest.raises(UsageError, match="no secret"):
        Conversation(
            Settings(client="rules", webhook=WebhookSettings("https://h.example/")),
            Template("x", "a"),
            fetch=Receiver(),
        )
    assert SECRET not in json.dumps(exchange(Receiver(ok())).spec)


def test_a_plain_secret_signs_as_its_bytes():
    mac = hmac.new(b"plain", b"i.5.body", hashlib.sha256).digest()
    assert signed(keys_of("plain"), "i", 5, b"body") == "v1," + base64.b64encode(mac).decode()


def test_the_signature_is_that_of_the_standards_own_example():
    """The vector that the reference libraries of Standard Webhooks are tested with."""
    made = signed(
        keys_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    )
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_while_a_secret_takes_the_place_of_another_both_sign():
    old = base64.b64encode(b"an older key of some length").decode()
    both = signed(keys_of(f"{SECRET} whsec_{old}"), "i", 5, b"body").split()
    assert both == [
        signed(keys_of(SECRET), "i", 5, b"body"),
        signed([b"an older key of some length"], "i", 5, b"body"),
    ]


@pytest.mark.parametrize("secret", ["", " ", "whsec_", "whsec_not base64!", "whsec_a"])
def test_a_secret_that_signs_nothing_is_refused(secret):
    with pytest.raises(UsageError, match=r"secret|base64"):
        Webhook(WebhookSettings("https://h.example/"), Receiver(), secret)


class Patience:
    """A clock that only moves when somebody waits, and what they waited."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[float] = []

    def clock(self) -> float:
        return self.now

    async def pause(self, seconds) -> None:
        self.now += seconds
        self.waits.append(seconds)


def webhook(receiver, patience, **settings) -> Webhook:
    return Webhook(
        WebhookSettings("https://h.example/", **settings),
        receiver,
        SECRET,
        clock=patience.clock,
        pause=patience.pause,
    )


async def test_the_waits_are_half_a_second_and_two_with_the_jitter_of_the_seed():
    seen = []
    for seed in (1, 1, 2):
        patience = Patience()
        await webhook(Receiver(ok(503)), patience).init("t", {}, random_stream(seed, "webhook"))
        first, second = patience.waits
        assert 0.25 <= first <= 0.75
        assert 1 <= second <= 3
        seen.append(patience.waits)
    assert seen[0] == seen[1] != seen[2]


@pytest.mark.parametrize(
    ("asked", "waited"),
    [
        ("3", 3.0),
        ("99", 10.0),
        (timedelta(seconds=300), 10.0),
        (timedelta(seconds=-300), 0.0),
    ],
)
async def test_a_wait_that_is_asked_for_is_kept_up_to_ten_seconds(asked, waited):
    patience = Patience()
    if isinstance(asked, timedelta):
        asked = format_datetime(datetime.now(UTC) + asked)
    await webhook(Receiver(ok(429, {"retry-after": asked}), ok()), patience).init("t", {}, Random(1))
    assert patience.waits == [waited]


@pytest.mark.parametrize("asked", ["soon", "-3", "1e9", "NaN"])
async def test_a_wait_that_makes_no_sense_is_the_usual_one(asked):
    patience = Patience()
    await webhook(Receiver(ok(503, {"retry-after": asked}), ok()), patience).init("t", {}, Random(1))
    assert 0.25 <= patience.waits[0] <= 0.75


async def test_after_twenty_failures_in_a_row_the_rest_fails_at_once_for_half_a_minute():
    receiver, patience = Receiver(ok(503)), Patience()
    hook = webhook(receiver, patience, attempts=1)
    for _ in range(FAILURES):
        await hook.init("t", {}, Random(1))
    assert len(receiver.posts) == FAILURES
    with pytest.raises(CallError, match="not called"):
        await hook.init("t", {}, Random(1))
    assert len(receiver.posts) == FAILURES
    patience.now += OPEN_SECONDS + 1
    receiver.answers = [ok()]
    assert (await hook.init("t", {}, Random(1)))["status"] == 200
    receiver.answers = [ok(503)]
    for _ in range(FAILURES - 1):
        await hook.init("t", {}, Random(1))
    receiver.answers = [ok(400)]  # an answer, if a bad one: the address is there
    await hook.init("t", {}, Random(1))
    receiver.answers = [ok(503)]
    await hook.init("t", {}, Random(1))
    assert len(receiver.posts) == 2 * FAILURES + 2


RU = phrases_of("ru")


def spoken(*texts, worked=False) -> list[Spoken]:
    sides: tuple[Side, Side] = ("agent", "client")
    return [Spoken(sides[n % 2], text, worked) for n, text in enumerate(texts)]


@pytest.mark.parametrize(
    "lines",
    [
        spoken("До свидания!", "Спасибо!", "Всего доброго!", "Перезвоните в 5, до свидания"),
        spoken("До свидания!", "Спасибо!", "Всего доброго! Вам всё понятно?", "До свидания"),
        spoken("До свидания!", "Спасибо!", "Всего доброго!"),
        spoken("До свидания!", "Спасибо!", "Всего доброго!", "До свидания", worked=True),
        spoken("До свидания!", "Спасибо!", "Сыр положила", "До свидания"),
    ],
)
def test_a_line_that_says_more_than_good_bye_is_no_farewell_loop(lines):
    assert not farewell_loop(lines, RU)


def test_repetition_looks_past_case_and_punctuation_only():
    assert repetition_loop(spoken("Алло?", "1", "алло", "2", "АЛЛО!"), RU) == "agent"
    assert repetition_loop(spoken("Алло?", "1", "алло да", "2", "АЛЛО!"), RU) is None
    assert repetition_loop([], RU) is None


def test_a_circle_of_two_yeses_is_charged_to_the_side_that_began():
    assert repetition_loop(spoken(*["Да.", "Хорошо."] * 3), RU) == "agent"
    assert repetition_loop(spoken(*["Да.", "Хорошо."] * 3, "Да."), RU) == "client"
    assert repetition_loop(spoken(*["Да.", "Хорошо."] * 2, "Да.", "Ладно."), RU) is None
