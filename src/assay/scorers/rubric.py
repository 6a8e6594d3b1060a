"""What a judge goes by: dimensions with a scale and anchors, criteria, and the comment's language."""

from __future__ import annotations

from msgspec import Struct, structs

from assay.errors import UsageError
from assay.keys import JSON

CASE_CRITERIA = "criteria"
"""What the score of a case's own criteria is called after `judge_`; no dimension may be."""


class Dimension(Struct, frozen=True, forbid_unknown_fields=True):
    """What is graded from `low` to `high`; `anchors` says what a grade means, by its digits."""

    id: str
    about: str
    low: int = 1
    high: int = 5
    anchors: dict[str, str] = {}


class Criterion(Struct, frozen=True, forbid_unknown_fields=True):
    """A yes-or-no point that the judge marks beside its grade, with the turn that shows it."""

    id: str
    about: str


class Rubric(Struct, frozen=True, forbid_unknown_fields=True):
    """The grades that a judge gives and how it comes to them; `language` is its comment's."""

    name: str
    about: str
    dimensions: tuple[Dimension, ...]
    criteria: tuple[Criterion, ...] = ()
    language: str = "en"

    def __post_init__(self) -> None:
        ids = [dimension.id for dimension in self.dimensions]
        if not ids or len(set(ids)) != len(ids):
            raise ValueError("a rubric needs dimensions with different ids")
        if CASE_CRITERIA in ids and len(ids) > 1:
            raise ValueError(f"no dimension may be called {CASE_CRITERIA}: the cases' own criteria are")
        if any(dimension.low >= dimension.high for dimension in self.dimensions):
            raise ValueError("a dimension's low must be below its high")

    @property
    def text(self) -> str:
        """The rubric as the judge reads it."""
        lines = [self.about]
        for dimension in self.dimensions:
            lines.append(f"\n{dimension.id} ({dimension.low}-{dimension.high}): {dimension.about}")
            lines += [f"  {grade}: {meaning}" for grade, meaning in dimension.anchors.items()]
        if self.criteria:
            lines.append("\nCriteria:")
            lines += [f"  {criterion.id}: {criterion.about}" for criterion in self.criteria]
        return "\n".join(lines)

    @property
    def schema(self) -> JSON:
        """The JSON Schema of a verdict: `score`, or `scores` by dimension where there are several."""
        grades = {d.id: {"type": "integer", "enum": list(range(d.low, d.high + 1))} for d in self.dimensions}
        properties: dict[str, JSON] = (
            {"score": grades[self.dimensions[0].id]}
            if len(self.dimensions) == 1
            else {"scores": _closed_object(grades)}
        )
        properties["comment"] = {"type": "string"}
        if self.criteria:
            point = {
                "id": {"type": "string", "enum": [criterion.id for criterion in self.criteria]},
                "met": {"type": "boolean"},
                "evidence_turn": {"type": ["integer", "null"]},
            }
            properties["criteria"] = {"type": "array", "items": _closed_object(point)}
        return _closed_object(properties)

    def scaled(self, low: int, high: int) -> Rubric:
        """The same rubric on another scale; anchors outside it are left out."""
        dimensions = (
            structs.replace(
                dimension,
                low=low,
                high=high,
                anchors={g: text for g, text in dimension.anchors.items() if low <= int(g) <= high},
            )
            for dimension in self.dimensions
        )
        return structs.replace(self, dimensions=tuple(dimensions))


def _closed_object(properties: dict[str, JSON]) -> JSON:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


ANSWER = Rubric(
    name="answer",
    about="Judge the last reply of the assistant to what it was asked.",
    dimensions=(
        Dimension(
            "correctness",
            "Is what the reply says true, and does it follow from what was given?",
            anchors={
                "1": "wrong, or not about the question",
                "2": "mostly wrong, with something right in it",
                "3": "right and wrong in equal parts, or right by luck",
                "4": "right but for a detail that changes little",
                "5": "right in every point",
            },
        ),
        Dimension(
            "completeness",
            "Does the reply answer everything that was asked?",
            anchors={
                "1": "answers nothing of it",
                "2": "leaves out the main point",
                "3": "answers the main point only",
                "4": "leaves out a detail",
                "5": "leaves out nothing",
            },
        ),
        Dimension(
            "format",
            "Does the reply have the form that was asked for, without anything around it?",
            anchors={
                "1": "another form altogether",
                "2": "the form can be guessed",
                "3": "the form with several faults",
                "4": "the form with one small fault",
                "5": "just the form that was asked for",
            },
        ),
    ),
)

PHONE_ORDER = Rubric(
    name="phone_order",
    about=(
        "Оцени, как оператор принял заказ по телефону. Сверь разговор с целью клиента (brief), "
        "с вызовами инструментов и с изменениями в базе (state): слова оператора без вызова "
        "инструмента заказа не создают."
    ),
    dimensions=(
        Dimension(
            "order",
            "Качество обслуживания и правильность заказа.",
            low=1,
            high=3,
            anchors={
                "1": "заказ не оформлен или оформлен неверно, либо клиент ушёл недовольным по вине оператора",
                "2": "цель достигнута частично, или заказ верен, но разговор вёлся с заметными ошибками",
                "3": "заказ оформлен точно по цели клиента, адрес и время подтверждены, разговор вежлив",
            },
        ),
    ),
    criteria=(
        Criterion("goal", "состав и количество товаров в базе совпадают с целью клиента"),
        Criterion("confirmed", "оператор повторил заказ и получил согласие до оформления"),
        Criterion("delivery", "согласованы адрес и время доставки"),
        Criterion("polite", "оператор вежлив и терпелив"),
    ),
    language="ru",
)

RUBRICS = {rubric.name: rubric for rubric in (ANSWER, PHONE_ORDER)}
"""The rubrics that come with assay, by name."""


def find_rubric(rubric: str | Rubric) -> Rubric:
    """The rubric itself or the one of that name. Raises UsageError for an unknown name."""
    if isinstance(rubric, Rubric):
        return rubric
    if rubric not in RUBRICS:
        names = ", ".join(RUBRICS)
        raise UsageError(f"no rubric is called {rubric!r}", fix=f"use one of {names}, or write a rubric out")
    return RUBRICS[rubric]
