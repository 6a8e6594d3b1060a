from collections import Counter

import pytest

from assay.emulator.choice import Choice, mix_of, script_of
from assay.errors import UsageError


def picked(
    choice: Choice,
    *,
    direct: str | None = None,
    model: str = "skill-1",
    prompt: str = "p",
    request: str = "r",
    attempt: int = 1,
) -> str:
    return choice.pick(direct, model, prompt, request, attempt).text


def test_what_is_asked_directly_comes_first_then_model_script_mix_and_ok():
    choice = Choice(script_of({"p": ["503"]}), mix_of("529=1"))
    assert picked(choice, direct="400", model="fault-401") == "400"
    assert picked(choice, model="fault-401") == "401"
    assert picked(choice) == "503"
    assert picked(choice, prompt="q") == "529"
    assert picked(Choice()) == "ok"


def test_a_script_gives_the_nth_attempt_its_fault_and_then_none():
    choice = Choice(script_of({"*": ["429:ra=0", "ok", "500"], "p": ["s_cut"]}))
    assert [picked(choice, prompt="q", attempt=n) for n in (1, 2, 3, 4)] == ["429:ra=0", "ok", "500", "ok"]
    assert [picked(choice, attempt=n) for n in (1, 2)] == ["s_cut", "ok"]


def test_a_fault_for_some_attempts_only_lets_the_later_ones_through():
    assert [picked(Choice(), model="fault-500:times=2", attempt=n) for n in (1, 2, 3)] == [
        "500:times=2",
        "500:times=2",
        "ok",
    ]


def test_a_mix_is_drawn_by_hash_in_the_shares_of_its_weights():
    choice = Choice(mix=mix_of("ok=80,500=15,s_cut:after=1=5"), seed=7)
    drawn = [picked(choice, request=str(n)) for n in range(4000)]
    assert drawn == [picked(choice, request=str(n)) for n in range(4000)]
    share = {name: count / 4000 for name, count in Counter(drawn).items()}
    assert share == pytest.approx({"ok": 0.8, "500": 0.15, "s_cut:after=1": 0.05}, abs=0.02)
    other = [picked(Choice(mix=choice.mix, seed=8), request=str(n)) for n in range(4000)]
    assert other != drawn
    assert len({picked(choice, request="1", attempt=n) for n in range(1, 60)}) > 1


@pytest.mark.parametrize("text", ["ok", "ok=x", "ok=-1", "=5", "bang=1", "ok=0,500=0", "ok=inf", "ok=nan"])
def test_a_mix_without_sense_is_an_error(text):
    with pytest.raises(UsageError):
        mix_of(text)


@pytest.mark.parametrize("value", [[], {"*": "500"}, {"*": [500.5]}, 3])
def test_a_script_without_sense_is_an_error(value):
    with pytest.raises(UsageError):
        script_of(value)
