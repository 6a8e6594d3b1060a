"""A played trial as scorers get it."""

from collections.abc import Callable
from random import Random

import pytest

from assay.case import Case
from assay.message import Finish, Reply, ToolCall, ToolSpec
from assay.trial import Outcome, Status, Transcript, Trial


def _played(  # one reply to one case
    text: str | None = "",
    target=None,
    *,
    calls=(),
    tools=(),
    schema=None,
    finish=Finish.STOP,
    refusal="",
) -> Trial:
    made = tuple(ToolCall(f"c{n}", name, arguments) for n, (name, arguments) in enumerate(calls))
    reply = None if text is None else Reply(text, made, finish, refusal=refusal)
    offered = tuple(ToolSpec(name, "", parameters) for name, parameters in tools)
    case = Case("id", "name", "question", target, schema, offered)
    end = Outcome("answered" if reply is not None else "max_turns")
    return Trial("run", "key", case, "m", 0, 7, Status.PLAYED, transcript=Transcript((), end, reply))


@pytest.fixture(scope="session")
def played() -> Callable[..., Trial]:
    return _played


WORDS = (
    "the ship leaves at nine, from Hull don't wait! Order ORD-17 costs 1,250.50 dollars (about) half; "
    "well-known naïve 'quoted' U.S. e-mail 20% ... заказ номер принят, доставка завтра в 10:30! "
    "Ёлка ещё не пришла — «Ромашка» ООО по-русски №5 и так далее; что? да. straße ﬁne １２"
)


def _text(random: Random) -> str:
    """A text of words in English and Russian, with marks, now and then none at all."""
    return " ".join(random.choices(WORDS.split(), k=random.randint(0, 30)))


@pytest.fixture(scope="session")
def pairs() -> list[tuple[str, str]]:
    """1,000 pairs of a reply and a reference: near ones and far ones, in two languages."""
    random, made = Random(20), []
    for _ in range(1000):
        reference = _text(random)
        words = [word for word in reference.split() if random.random() < 0.8]
        if random.random() < 0.3:
            random.shuffle(words)
        made.append((" ".join(words) if random.random() < 0.8 else _text(random), reference))
    return made
