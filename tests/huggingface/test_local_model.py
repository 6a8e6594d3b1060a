"""Local weights as a model: replies, ends, times, batches, cancelling, and what transformers itself says."""

import asyncio
import threading
import time

import pytest

from assay.errors import CallError, ErrorClass, UsageError
from assay.loading.weights import check_weights
from assay.message import Finish, Kind, Message, Request, Sampling, Text, ToolSpec, say
from assay.models.huggingface import HuggingFaceModel

GREEDY = Sampling(temperature=0, max_tokens=12)
WARM = Sampling(temperature=1.0, max_tokens=12, seed=3)


def asking(text: str, sampling: Sampling = GREEDY, **more) -> Request:
    return Request((say("system", "Answer."), say("user", text)), sampling=sampling, **more)


@pytest.fixture
async def open_model():
    made: list[HuggingFaceModel] = []

    def opened(folder, **more) -> HuggingFaceModel:
        made.append(HuggingFaceModel(f"hf/{folder.name}", folder, **more))
        return made[-1]

    yield opened
    for model in made:
        await model.close()


@pytest.fixture(scope="module")
def reference(base):
    """Model and tokenizer as transformers loads them."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    return AutoModelForCausalLM.from_pretrained(base).eval(), AutoTokenizer.from_pretrained(base)


def generated(reference, request: Request) -> tuple[str, int, int]:
    """Greedy text, prompt and reply tokens, by transformers alone."""
    model, tokenizer = reference
    said = [{"role": message.role, "content": message.text} for message in request.messages]
    ids = tokenizer.apply_chat_template(
        said, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    out = model.generate(**ids, do_sample=False, max_new_tokens=request.sampling.max_tokens)
    new = out[0, ids.input_ids.shape[1] :]
    return tokenizer.decode(new, skip_special_tokens=True), ids.input_ids.shape[1], len(new)


async def test_a_greedy_reply_is_the_one_that_transformers_gives(open_model, base, reference):
    model = open_model(base)
    for text in ("How much is the milk?", "Привет, сколько стоит?", "x"):
        reply = await model.ask(asking(text))
        wanted, taken, given = generated(reference, asking(text))
        assert reply.text == wanted
        assert reply.usage is not None
        assert (reply.usage.input, reply.usage.output, reply.usage.source) == (taken, given, "tokenizer")


async def test_requests_together_get_the_replies_that_each_gets_alone(open_model, base):
    texts = [f"What is {n} + 1?{' Think.' * (n % 5)}" for n in range(12)]
    alone, together = open_model(base, batch=1), open_model(base, batch=5)
    for sampling in (GREEDY, WARM):
        single = [await alone.ask(asking(text, sampling)) for text in texts]
        both = await asyncio.gather(*(together.ask(asking(text, sampling)) for text in texts))
        assert [reply.text for reply in single] == [reply.text for reply in both]
    assert len({reply.text for reply in single}) > 1


async def test_each_row_of_a_batch_has_its_own_settings(open_model, base):
    model = open_model(base)
    short = Sampling(temperature=0, max_tokens=3)
    three, twelve, warm = await asyncio.gather(
        model.ask(asking("a b c", short)), model.ask(asking("a b c")), model.ask(asking("a b c", WARM))
    )
    assert [reply.usage.output for reply in (three, twelve, warm)] == [3, 12, 12]
    assert twelve.text.startswith(three.text)
    assert warm.text != twelve.text


async def test_a_seed_gives_the_same_reply_and_another_seed_another(open_model, base):
    model = open_model(base)
    first, again = [await model.ask(asking("Tell.", WARM)) for _ in range(2)]
    other = await model.ask(asking("Tell.", Sampling(temperature=1.0, max_tokens=12, seed=4)))
    assert first.text == again.text != other.text


async def test_top_p_keeps_the_likeliest_tokens_alone(open_model, base):
    model = open_model(base)
    narrow = Sampling(temperature=1.0, top_p=1e-9, max_tokens=12, seed=3)
    assert (await model.ask(asking("Tell.", narrow))).text == (await model.ask(asking("Tell."))).text


async def test_a_reply_ends_at_a_stop_and_does_not_hold_it(open_model, base):
    model = open_model(base)
    whole = (await model.ask(asking("Tell."))).text
    stop = whole[4:7]
    shown: list[str] = []
    reply = await model.ask(
        asking("Tell.", Sampling(temperature=0, max_tokens=12, stop=(stop,))), shown.append
    )
    assert reply.finish is Finish.STOP
    assert reply.text == whole[: whole.index(stop)]
    assert "".join(shown) == reply.text


async def test_a_reply_ends_at_the_models_own_end_or_at_the_limit(open_model, base, monkeypatch):
    model = open_model(base)
    cut = await model.ask(asking("Tell."))
    assert cut.finish is Finish.LENGTH
    await model.load()
    assert model._weights is not None
    third = generated_token(model, cut.text, 2)
    monkeypatch.setattr(model._weights, "ends", frozenset({third}))
    ended = await model.ask(asking("Tell."))
    assert ended.finish is Finish.STOP
    assert ended.usage.output <= 3
    assert cut.text.startswith(ended.text)


def generated_token(model: HuggingFaceModel, text: str, place: int) -> int:
    assert model._weights is not None
    return model._weights.tokens(text)[place]


async def test_a_stream_has_an_event_a_token_with_its_time_and_what_is_shown_is_the_text(open_model, base):
    model = open_model(base)
    shown: list[str] = []
    reply = await model.ask(asking("Сколько?", stream=True), shown.append)
    assert "".join(shown) == reply.text
    assert len(reply.arrivals) == 12 == reply.usage.output
    assert list(reply.arrivals.at) == sorted(reply.arrivals.at)
    assert sum(reply.arrivals.length) == len(reply.text)
    assert list(reply.arrivals.read) == list(range(1, 13))
    instants = reply.instants
    assert (
        instants.sent <= instants.headers == reply.arrivals.at[0] <= reply.arrivals.at[-1] == instants.ended
    )
    assert instants.clock == "read"
    assert reply.arrivals.kind[-1] & Kind.FINISH


async def test_without_a_stream_the_reply_is_one_event(open_model, base):
    reply = await open_model(base).ask(asking("x"))
    assert len(reply.arrivals) == 1


async def test_the_loop_goes_on_while_weights_are_loaded_and_work(open_model, base):
    model = open_model(base)
    longest, last = 0.0, time.monotonic()
    asked = asyncio.create_task(model.ask(asking("x", Sampling(temperature=0, max_tokens=200))))
    while not asked.done():
        await asyncio.sleep(0)
        longest, last = max(longest, time.monotonic() - last), time.monotonic()
    assert (await asked).usage.output == 200
    assert longest < 0.5


async def test_requests_collect_while_others_are_answered(open_model, base, monkeypatch):
    model = open_model(base)
    await model.load()
    sizes: list[int] = []
    real = model._weights.generate

    def counted(rows, chosen):
        sizes.append(len(rows))
        real(rows, chosen)

    monkeypatch.setattr(model._weights, "generate", counted)
    first = asyncio.create_task(model.ask(asking("first", Sampling(temperature=0, max_tokens=100))))
    while not sizes:
        await asyncio.sleep(0.001)
    await asyncio.gather(first, *(model.ask(asking(f"n {n}")) for n in range(7)))
    assert sizes == [1, 7]


async def test_a_request_that_nobody_waits_for_ends_early_and_spoils_no_other(open_model, base):
    model = open_model(base)
    await model.load()
    began = time.monotonic()
    long = asyncio.create_task(model.ask(asking("x", Sampling(temperature=0, max_tokens=4000))))
    beside = asyncio.create_task(model.ask(asking("y")))
    await beside
    long.cancel()
    with pytest.raises(asyncio.CancelledError):
        await long
    assert (await model.ask(asking("y"))).text == beside.result().text
    assert time.monotonic() - began < 15


async def test_closing_ends_what_is_asked_and_frees_the_thread(base):
    model = HuggingFaceModel("hf/base", base)
    await model.load()
    long = asyncio.create_task(model.ask(asking("x", Sampling(temperature=0, max_tokens=4000))))
    await asyncio.sleep(0.05)
    await model.close()
    with pytest.raises(CallError) as caught:
        await long
    assert caught.value.error is ErrorClass.TRANSPORT
    assert model._weights is None
    for thread in threading.enumerate():
        if thread.name.startswith("weights"):
            thread.join(5)
            assert not thread.is_alive() or thread is threading.current_thread()


async def test_a_prompt_beyond_the_context_is_an_overflow_and_its_neighbours_are_answered(
    tmp_path, open_model, tiny
):
    model = open_model(tiny(tmp_path / "small", context=64))
    long = asyncio.create_task(model.ask(asking("word " * 200)))
    short = await model.ask(asking("x", Sampling(temperature=0, max_tokens=500)))
    with pytest.raises(CallError) as caught:
        await long
    assert caught.value.error is ErrorClass.CONTEXT_OVERFLOW
    assert "the model's context 64" in caught.value.detail
    assert short.finish is Finish.LENGTH
    assert short.usage.input + short.usage.output == 64


async def test_no_batch_goes_beyond_the_context(tmp_path, open_model, tiny, monkeypatch):
    model = open_model(tiny(tmp_path / "small", context=64))
    await model.load()
    assert model._weights is not None
    reached: list[int] = []
    real = model._weights.generate

    def noted(rows, chosen):
        reached.append(max(len(row.prompt) for row in rows) + max(row.limit for row in rows))
        real(rows, chosen)

    monkeypatch.setattr(model._weights, "generate", noted)
    much = Sampling(temperature=0, max_tokens=500)
    await asyncio.gather(*(model.ask(asking("word " * n, much)) for n in (0, 9, 0, 9)))
    assert len(reached) > 1
    assert max(reached) == 64


@pytest.mark.parametrize(
    "request_",
    [
        asking("x", tools=(ToolSpec("t", "", {}),)),
        asking("x", format="json_object"),
        asking("x", Sampling(reasoning_effort="low")),
        asking("x", continuation=""),
    ],
)
async def test_what_it_cannot_carry_is_refused_not_dropped(open_model, base, request_):
    with pytest.raises(CallError) as caught:
        await open_model(base).ask(request_)
    assert caught.value.error is ErrorClass.REJECTED


async def test_a_dialogue_that_the_template_refuses_is_refused(tmp_path, open_model, tiny):
    template = "{{ raise_exception('no system role') }}"
    model = open_model(tiny(tmp_path / "strict", template=template))
    with pytest.raises(CallError, match="no system role"):
        await model.ask(asking("x"))


async def test_a_model_without_a_template_gets_the_texts_alone(tmp_path, open_model, tiny):
    model = open_model(tiny(tmp_path / "plain", template=None))
    reply = await model.ask(Request((say("user", "1 2 3"),), sampling=GREEDY))
    assert reply.usage.input == len(model._weights.tokens("1 2 3"))
    spoken = (say("user", "a"), Message("assistant", (Text("b"),)), say("user", "c"))
    ids = model._weights.prompt(spoken)
    assert model._weights.text(ids) == "User: a\n\nAssistant: b\n\nUser: c\n\nAssistant:"


async def test_a_zero_adapter_changes_nothing_and_a_random_one_does(open_model, base, zero, random_adapter):
    plain, same, other = (open_model(base, adapter=adapter) for adapter in (None, zero, random_adapter))
    texts = [f"Tell me of {n}." for n in range(5)]
    replies = [[(await model.ask(asking(text))).text for text in texts] for model in (plain, same, other)]
    assert replies[0] == replies[1]
    assert replies[0] != replies[2]


async def test_log_probabilities_are_the_loss_of_transformers_on_the_same_ids(open_model, base, reference):
    import torch

    model, tokenizer = reference
    local = open_model(base)
    for text, target in (
        ("How many?", "42"),
        ("Сколько?", '{"name": "молоко", "qty": 2}'),
        ("x", "a b c " * 40),
    ):
        told = await local.ask(asking(text, continuation=target))
        said = [{"role": "system", "content": "Answer."}, {"role": "user", "content": text}]
        prompt = tokenizer.apply_chat_template(said, add_generation_prompt=True, return_dict=True)[
            "input_ids"
        ]
        wanted = tokenizer(target, add_special_tokens=False)["input_ids"]
        ids = torch.tensor([prompt + wanted])
        labels = torch.tensor([[-100] * len(prompt) + wanted])
        with torch.no_grad():
            loss = float(model(input_ids=ids, labels=labels).loss)
        assert len(told.logprobs) == len(wanted)
        assert -sum(told.logprobs) / len(wanted) == pytest.approx(loss, abs=1e-5)
        assert told.usage.input == len(prompt) + len(wanted)


async def test_weights_that_cannot_be_loaded_are_one_clear_error(tmp_path, open_model, base):
    broken = tmp_path / "broken"
    broken.mkdir()
    for file in base.iterdir():
        (broken / file.name).write_bytes(file.read_bytes())
    (broken / "model.safetensors").write_bytes(b"nonsense")
    model = open_model(broken)
    with pytest.raises(UsageError, match="cannot be loaded"):
        await model.load()
    with pytest.raises(CallError) as caught:
        await model.ask(asking("x"))
    assert caught.value.error is ErrorClass.PROVIDER_ERROR


def test_the_fingerprint_is_that_of_the_files_and_changes_with_the_adapter(
    base, zero, random_adapter, tmp_path
):
    assert check_weights("hf/x", base, None) == check_weights("hf/x", base, None)
    prints = {check_weights("hf/x", base, adapter) for adapter in (None, zero, random_adapter)}
    assert len(prints) == 3
