"""The rule-following customer: a pure function from a brief and what was said to the next line.

PATIENCE p allows 2 + 2p unhelpful turns before the customer hangs up; AMB_LEVEL a withholds at
least a goal slots in the first line, and from 2 on one slot a turn at most is volunteered.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

from msgspec import Struct

from assay.agenda.brief import Brief
from assay.agenda.phrases import Phrases, Tone, mentions_name, phrases_of, tone_of
from assay.keys import unit

Reason = Literal["goal_done", "gave_up", "transferred", "out_of_scope", "wrong_number"]
"""Why a customer hangs up."""
Slot: TypeAlias = tuple[Literal["name", "qty"], int]
"""One thing that the customer can tell: the name or the quantity of the nth goal item."""


MAX_HEARD = 2000
"""Characters of an agent's line that the customer listens to."""


class Line(Struct, frozen=True):
    """One spoken line as the customer hears the call."""

    side: Literal["agent", "client"]
    text: str


class Move(Struct, frozen=True):
    """What the customer says next; with a `reason` it hangs up after it."""

    say: str
    reason: Reason | None = None


def next_move(brief: Brief, dialogue: Sequence[Line], seed: int) -> Move:
    """What the customer says after `dialogue`; equal arguments, equal move.

    Its own earlier lines are not read: they follow from the agent's, so that a line which was
    said another way (a fixed opening) changes nothing later.
    """
    heard = [line.text[:MAX_HEARD] for line in dialogue if line.side == "agent"]
    if not dialogue or dialogue[0].side == "client":
        heard.insert(0, "")
    talk = _Talk(brief, seed)
    move = talk.open(heard[0])
    for turn, text in enumerate(heard[1:], 1):
        move = talk.hear(turn, text)
    return move


class _Talk:
    """Where the customer stands in its agenda: what it has told, how often it was not helped."""

    def __init__(self, brief: Brief, seed: int) -> None:
        self.brief = brief
        self.words: Phrases = phrases_of(brief.language)
        self.tone: Tone = tone_of(brief.personality)
        self.seed = seed
        self.slots: list[Slot] = []
        for n in range(len(brief.goal)):
            self.slots += [("name", n), ("qty", n)]
        self.told: set[Slot] = set()
        self.names = {n: item.name for n, item in enumerate(brief.goal)}
        self.changes = {change.name: change.qty_first for change in brief.sheet.changes}
        self.wish = brief.sheet.delivery
        self.answered: set[str] = set()
        self.unhelpful = 0
        self.turn, self.heard = 0, ""

    def open(self, heard: str) -> Move:
        """The first line: what the ambiguity level lets out, and the telephone where it is asked for."""
        shown = self.slots[: max(0, len(self.slots) - self.brief.ambiguity)]
        if self.brief.ambiguity >= 2:
            shown = shown[:1]
        say = self.brief.sheet.opening or (self._items("opening", shown) if shown else self._say("vague"))
        self.told.update(shown)
        if self.words.asks_phone.search(heard):
            self.answered.add("phone")
            say = f"{say} {self._say('phone', phone=self.brief.phone)}"
        return Move(say)

    def hear(self, turn: int, text: str) -> Move:
        """The answer to an agent's line: the first rule that fits."""
        self.turn, self.heard = turn, text
        words = self.words
        rules = (
            (words.asks_confirm, self._confirm),
            (words.is_placed, self._placed),
            (words.is_transfer, self._transferred),
            (words.is_unavailable, self._unavailable),
            (words.asks_phone, self._phone),
            (words.asks_quantity, self._quantity),
            (words.asks_which, self._which),
            (words.asks_city, self._city),
            (words.asks_more, self._more),
            (words.asks_delivery, self._delivery),
            (words.is_farewell, self._farewell),
        )
        for pattern, answer in rules:
            if pattern.search(self.heard):
                return answer()
        return self._not_helped()

    def _confirm(self) -> Move:
        for n, item in enumerate(self.brief.goal):
            if item.name in self.changes and ("qty", n) in self.told:
                del self.changes[item.name]
                return Move(self._items("change", [("name", n), ("qty", n)]))
        if self._untold():
            return self._volunteer("more")
        return Move(self._say("yes"))

    def _placed(self) -> Move:
        if self._untold():
            self.unhelpful += 1
            return self._patient() or self._volunteer("not_all")
        return Move(self._say("thanks"), "goal_done")

    def _transferred(self) -> Move:
        return Move(self._say("bye"), "transferred")

    def _unavailable(self) -> Move:
        for swap in self.brief.sheet.accept:
            if isinstance(swap, str):
                continue
            for n, name in self.names.items():
                if name == swap.instead_of and mentions_name(self.heard, name):
                    self.names[n] = swap.name
                    self.told.update({("name", n), ("qty", n)})
                    return Move(self._items("swap", [("name", n), ("qty", n)]))
        return Move(self._say("without"), "gave_up")

    def _phone(self) -> Move:
        if not self.brief.phone:
            return self._not_helped()
        return self._again("phone") or Move(self._say("phone", phone=self.brief.phone))

    def _quantity(self) -> Move:
        named = [n for n, name in self.names.items() if ("name", n) in self.told]
        meant = [n for n in named if mentions_name(self.heard, self.names[n])]
        open_ = [n for n in meant or named if ("qty", n) not in self.told]
        if not named:
            return self._volunteer("more")
        n = (open_ or meant or named)[0]
        if ("qty", n) in self.told:
            self.unhelpful += 1
        self.told.add(("qty", n))
        return self._patient() or Move(self._say("quantity", qty=self._qty(n)))

    def _which(self) -> Move:
        for n, item in enumerate(self.brief.goal):
            if ("name", n) in self.told and mentions_name(self.heard, item.name):
                if not item.variant:
                    self.unhelpful += 1
                exact = f"{item.name} {item.variant}".strip()
                return self._patient() or Move(self._say("variant", items=exact))
        return self._more()

    def _city(self) -> Move:
        if not self.brief.city:
            return self._not_helped()
        return self._again("city") or Move(self._say("city", city=self.brief.city))

    def _more(self) -> Move:
        if self._untold():
            return self._volunteer("more")
        return self._again("more") or Move(self._say("enough"))

    def _delivery(self) -> Move:
        if self.wish:
            wish, self.wish = self.wish, ""
            return Move(self._say("wish", day=wish))
        return Move(self._say("suits"))

    def _farewell(self) -> Move:
        return Move(self._say("bye"), "gave_up")

    def _not_helped(self) -> Move:
        self.unhelpful += 1
        return self._patient() or self._volunteer("repeat")

    def _again(self, question: str) -> Move | None:
        """A question that was answered before helps no one: it counts against the patience."""
        if question in self.answered:
            self.unhelpful += 1
        self.answered.add(question)
        return self._patient()

    def _patient(self) -> Move | None:
        """None while patience lasts, else the line with which the customer hangs up."""
        if self.unhelpful <= 2 + 2 * self.brief.patience:
            return None
        return Move(self._say("gave_up"), "gave_up")

    def _untold(self) -> list[Slot]:
        return [slot for slot in self.slots if slot not in self.told]

    def _volunteer(self, phrase: str) -> Move:
        """The next slots, as many as the ambiguity level lets out; the first again where none is left."""
        left = self._untold()
        count = (len(left), 2, 1, 1)[self.brief.ambiguity]
        shown = left[:count] or self.slots[:2]
        self.told.update(shown)
        if not shown:
            return Move(self._say("vague"))
        return Move(self._items(phrase, shown))

    def _qty(self, n: int) -> float | int:
        item = self.brief.goal[n]
        return self.changes.get(item.name, item.qty)

    def _items(self, phrase: str, shown: Sequence[Slot]) -> str:
        parts = []
        for n in dict.fromkeys(n for _, n in shown):
            usual = self.words.usual if self.brief.goal[n].from_history else ""
            text = self.names[n] + usual
            if ("qty", n) in shown:
                text += f" — {self._qty(n)}"
            parts.append(text)
        return self._say(phrase, items=", ".join(parts))

    def _say(self, phrase: str, **values: object) -> str:
        """One of the wordings of a phrase, drawn by seed and turn."""
        wordings = self.words.lines[phrase]
        texts = wordings.get(self.tone) or wordings["calm"]
        return texts[int(unit(self.seed, "agenda", phrase, self.turn) * len(texts))].format(**values)
