"""A client that speaks as the shop: offers service, reads out the catalogue, greets as an operator."""

from __future__ import annotations

import re

from assay.agenda.phrases import mentions_name
from assay.exchanges.conversation.guard.numbers import numbers
from assay.exchanges.conversation.guard.patterns import each, one
from assay.exchanges.conversation.guard.situation import Candidate, Situation
from assay.exchanges.conversation.guard.text import grams, grams_of, plain, words
from assay.exchanges.conversation.guard.topics import SENTENCE

RUN = 4
"""Words in a row by which a line is held against the two prompts."""
PROMPT_RUNS = 2
ECHO = 0.6
TAIL = 7
"""So many last digits make a telephone known again."""


def role_flip(situation: Situation, candidate: Candidate) -> str | None:
    """One strong sign, or two weak ones."""
    text = _without_callers_own(situation, one("role_flip.aside").sub(" ", plain(candidate.text)))
    found = one("role_flip.ru").search(text) or one("role_flip.en").search(text)
    if found is not None:
        return found[0]
    weak = (*each("role_flip.weak.ru"), *each("role_flip.weak.en"))
    signs = [found[0] for pattern in weak if (found := pattern.search(text)) is not None]
    if _reads_prices(text):
        signs += ["several prices", "several prices"]
    if _tells_stock(situation, text):
        signs += ["what is in stock"] * 2
    if _quotes_price(situation, text):
        signs += ["a price that the shop has not told"] * 2
    if _calls_itself(situation, text):
        signs.append("its own name as the other's")
    if _echoes(situation, candidate.text):
        signs.append("the agent's own words")
    if len(signs) >= 2:
        return "; ".join(signs)
    return _from_agent_prompt(situation, candidate.text)


def _without_callers_own(situation: Situation, text: str) -> str:
    """The text without the caller giving its name and without the sentences that only a caller says."""
    if name := plain(situation.brief.name):
        text = text.replace(f"this is {name} from ", f"i am {name} of ")
    if _gives_number(situation, text):
        text = one("role_flip.own_number").sub(" ", text)
    if one("role_flip.caller").search(text) is None:
        return text
    own = one("role_flip.caller")
    return " ".join(each for each in SENTENCE.findall(text) if own.search(each) is None)


def _gives_number(situation: Situation, text: str) -> bool:
    """Its own telephone, as the agent has just asked: whoever gives it may add when to call, and ask back."""
    number = _NO_DIGIT.sub("", situation.brief.phone)[-TAIL:]
    asked = one("topic.phone").search(plain(situation.asked)) is not None
    return asked and len(number) == TAIL and number in _NO_DIGIT.sub("", text)


def _reads_prices(text: str) -> bool:
    """Two or more sums of money, each with a name before it, in statements."""
    if "?" in text:
        return False
    if one("own_money").search(text):
        return False
    if _PRICED.search(text) and len(_LISTED.findall(text)) >= 2:
        return True
    each_at = len(_EACH_AT.findall(text))
    if each_at >= 2 and _PRICED.search(text):
        return True
    priced = [
        n for n in numbers(text) if _PRICE.match(text, n.end) or text[: n.start].endswith(("$", "€", "£"))
    ]
    return len(priced) >= 2 and all(re.search(r"[^\W\d]{3,}[^.!?]{0,12}\Z", text[: n.start]) for n in priced)


def _tells_stock(situation: Situation, text: str) -> bool:
    """That what the caller wants is there, or is not: a statement, and no echo of the agent's."""
    if "?" in text or one("own_stock").search(text) or not one("stock").search(text):
        return False
    told = any(one("stock").search(plain(line)) for line in situation.heard)
    return not told and any(mentions_name(text, item.name) for item in situation.brief.goal)


def _quotes_price(situation: Situation, text: str) -> bool:
    """A sum that no agent's line has told, stated of goods: not the caller's own money or memory."""
    if "?" in text or one("own_money").search(text):
        return False
    told = {number.value for line in (*situation.heard, *situation.told) for number in numbers(line)}
    told |= {value * item.qty for item in situation.brief.goal for value in tuple(told)}
    priced = [
        n for n in numbers(text) if _PRICE.match(text, n.end) or text[: n.start].endswith(("$", "€", "£"))
    ]
    goods = one("priced").search(text) is not None
    return goods and any(number.value not in told for number in priced)


def _calls_itself(situation: Situation, text: str) -> bool:
    """Its own name, set off by commas: the name by which the shop calls the caller."""
    name = plain(situation.brief.name)
    if not name or name in plain(situation.asked) or text.startswith(f"{name}."):  # an answer, no address
        return False
    called = re.search(rf"(?:^|[\w!.]*,)\s*{re.escape(name)}\s*[,!.?]", text)
    return called is not None and one("addressed").search(text) is not None


def _echoes(situation: Situation, text: str) -> bool:
    mine = grams(words(text), RUN)
    if len(mine) < 3:
        return False
    theirs = {gram for line in situation.heard for gram in grams(words(line), RUN)}
    return len(mine & theirs) / len(mine) >= ECHO


def _from_agent_prompt(situation: Situation, text: str) -> str | None:
    """More runs of words in common with the agent's prompt than with the client's."""
    mine = grams(words(text), RUN)
    agents = mine & grams_of(situation.agent_prompt, RUN)
    clients = mine & grams_of(situation.client_prompt, RUN)
    if len(agents) < PROMPT_RUNS or len(agents) <= len(clients):
        return None
    return " ".join(min(agents))


_NO_DIGIT = re.compile(r"\D+")
_EACH_AT = re.compile(r"\b(?:по|за|at|for)\s+[$€£]?\d+")
_LISTED = re.compile(r"[^\W\d]{3,}\s*(?:—|–|-|:|по|за|at|is|are|for|'s)\s*[$€£]?\d")
_PRICED = re.compile(r"руб|₽|\$|€|£|dollar|euro|pound")
_PRICE = re.compile(r"\s*(?:руб|р\.|₽|рубл|коп|\$|€|£|dollar|rouble|ruble|euro|pounds?\b|usd|rub)")
