"""Reading a judge's reply: a ladder of steps, none of which invents or clamps a number."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from msgspec import Struct

from assay.keys import JSON
from assay.scorers.rubric import Dimension, Rubric
from assay.scorers.strict_json import ParseError, parse

MAX_REPLY = 32_000
"""Characters of a judge's reply that are read; a longer one is no verdict."""
MAX_OBJECTS = 32
MAX_CRITERIA = 50
MAX_COMMENT = 2000
MAX_TURN = 100_000
"""The last line that a mark may point to as its evidence."""


class NotAVerdict(ValueError):
    """A reply holds no verdict; the message is in our own words and quotes nothing of it."""


class Verdict(Struct, frozen=True):
    """A judge's grades by dimension, its comment, its criteria, and the step that read them."""

    grades: dict[str, int]
    comment: str
    criteria: tuple[JSON, ...]
    step: str

    @property
    def marks(self) -> dict[str, bool]:
        """Met or not, by criterion; one that is marked as both is left out."""
        found: dict[str, bool] = {}
        torn: set[str] = set()
        for mark in self.criteria:
            if found.setdefault(mark["id"], mark["met"]) != mark["met"]:
                torn.add(mark["id"])
        return {name: met for name, met in found.items() if name not in torn}


def read_verdict(text: str, rubric: Rubric) -> Verdict:
    """The first three steps: strict JSON; an object in a fence or in prose; small repairs.

    Several objects must agree on the grades; then the last one counts. Raises NotAVerdict.
    """
    if not text.strip():
        raise NotAVerdict("the reply is empty")
    if len(text) > MAX_REPLY:
        raise NotAVerdict("the reply is too long")
    try:
        whole = parse(text)
    except ParseError as error:
        problem = f"the reply is not one JSON object ({error.code} at {error.line}:{error.column})"
    else:
        problem = "the reply is not a JSON object with the grade"
        if _is_verdict(whole, rubric):
            return _verdict(whole, rubric, "strict")
    step = "fenced" if "```" in text else "balanced"
    found: list[Verdict] = []
    for raw in _objects(text):
        value, repaired = _read_object(raw)
        if _is_verdict(value, rubric):
            step = "repaired" if repaired else step
            found.append(_verdict(value, rubric, step))
    if not found:
        raise NotAVerdict(problem)
    if any(verdict.grades != found[0].grades for verdict in found):
        raise NotAVerdict("the reply holds several verdicts that differ")
    return found[-1]


def labelled_verdict(text: str, rubric: Rubric) -> Verdict:
    """The last step: grades that stand behind their label ("score", оценка, балл) in other text.

    Every labelled number must be valid and end its clause ("2 or 3" is no grade), and all of one
    dimension must agree. A reply that breaks
    off inside an object is none: what it was going to say is not known. Raises NotAVerdict.
    """
    if len(text) > MAX_REPLY or text.count("{") > text.count("}"):
        raise NotAVerdict("the reply breaks off")
    grades = {}
    for dimension in rubric.dimensions:
        labels = [re.escape(dimension.id)]
        if len(rubric.dimensions) == 1:
            labels = ["score", "оценка", r"балл(?:а|ов|ы)?"]
        pattern = rf"(?<!\w)(?:{'|'.join(labels)})[\"'*_]*\s*[:=][\"'*_\s]*({_GRADE})({_CLOSED})?"
        said = list(re.finditer(pattern, text, re.IGNORECASE | re.MULTILINE))
        if any(one[2] is None for one in said):
            raise NotAVerdict("a labelled grade goes on")
        found = {grade(one[1], dimension) for one in said}
        if len(found) != 1:
            raise NotAVerdict("no labelled grade" if not found else "labelled grades differ")
        grades[dimension.id] = found.pop()
    return Verdict(grades, "", (), "labelled")


_GRADE = r"[+-]?[0-9０-９]+(?:[.,][0-9]+)?(?:\s*(?:/|из|of|out of)\s*[0-9]+)?"
_CLOSED = r"[\"'*_`]*[ \t]*(?:$|[,;.!)\]}\n](?!\d)|[—–-](?!\s*\d))"
_OF = re.compile(r"([0-9]+)(?:\.0+)?(?:\s*(?:/|из|of|out of)\s*([0-9]+))?", re.IGNORECASE)
_FULL_WIDTH = str.maketrans("０１２３４５６７８９：，", "0123456789:,")


def grade(value: JSON, dimension: Dimension) -> int:
    """The grade that a value stands for: 3, 3.0, "3", "3/3", "3 из 3". Raises NotAVerdict for any
    other, and for one outside the scale: it is never clamped.
    """
    number: int | None = None
    if isinstance(value, str):
        said = _OF.fullmatch(value.strip().translate(_FULL_WIDTH)) if len(value) <= 32 else None
        if said is not None and (said[2] is None or int(said[2]) == dimension.high):
            number = int(said[1])
    elif isinstance(value, float):
        number = int(value) if value.is_integer() else None
    elif isinstance(value, int) and not isinstance(value, bool):
        number = value
    if number is None or not dimension.low <= number <= dimension.high:
        raise NotAVerdict(f"{dimension.id} is not an integer from {dimension.low} to {dimension.high}")
    return number


def _is_verdict(value: JSON, rubric: Rubric) -> bool:
    if not isinstance(value, dict):
        return False
    if len(rubric.dimensions) == 1:
        return "score" in value
    return "scores" in value or all(dimension.id in value for dimension in rubric.dimensions)


def _verdict(value: JSON, rubric: Rubric, step: str) -> Verdict:
    if len(rubric.dimensions) == 1:
        only = rubric.dimensions[0]
        grades = {only.id: grade(value["score"], only)}
    else:
        given = value.get("scores", value)
        given = given if isinstance(given, dict) else {}
        grades = {d.id: grade(given.get(d.id), d) for d in rubric.dimensions}
    comment = value.get("comment")
    comment = comment.strip() if isinstance(comment, str) else ""
    return Verdict(grades, comment, tuple(_criteria(value.get("criteria"), rubric)), step)


def _criteria(given: JSON, rubric: Rubric) -> Iterator[JSON]:
    """The marks that name a criterion of the rubric, bounded; anything else is left out."""
    known = {criterion.id for criterion in rubric.criteria}
    for mark in given[:MAX_CRITERIA] if isinstance(given, list) else ():
        if isinstance(mark, dict) and mark.get("id") in known and isinstance(mark.get("met"), bool):
            turn = mark.get("evidence_turn")
            known_turn = isinstance(turn, int) and not isinstance(turn, bool) and 0 < turn <= MAX_TURN
            turn = turn if known_turn else None
            yield {"id": mark["id"], "met": mark["met"], "evidence_turn": turn}


_QUOTED_OR_BRACE = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[{}]', re.DOTALL)


def _objects(text: str) -> Iterator[str]:
    """The outermost balanced objects of a text, in order."""
    at, tried = 0, 0
    while (start := text.find("{", at)) >= 0:
        tried += 1
        if tried > MAX_OBJECTS:
            raise NotAVerdict("the reply holds too many braces")
        end = _closing(text, start)
        if end is not None:
            yield text[start:end]
        at = start + 1 if end is None else end


def _closing(text: str, start: int) -> int | None:
    depth = 0
    for token in _QUOTED_OR_BRACE.finditer(text, start):
        depth += {"{": 1, "}": -1}.get(token[0], 0)
        if not depth:
            return token.end()
    return None


def _read_object(raw: str) -> tuple[JSON, bool]:
    """The object's value and whether it took a repair; null where none helps."""
    try:
        return parse(raw), False
    except ParseError:
        try:
            return parse(repaired(raw)), True
        except ParseError:
            return None, True


_STRINGS = re.compile(r""""[^"\\]*(?:\\.[^"\\]*)*"|'[^'\\]*(?:\\.[^'\\]*)*'""", re.DOTALL)


def repaired(raw: str) -> str:
    """The text with single quotes as double ones, without trailing commas and BOM, and with
    full-width digits, colons and commas outside texts as plain ones.
    """
    out, at = [], 0
    for string in _STRINGS.finditer(raw):
        out += [_plain(raw[at : string.start()]), _double_quoted(string[0])]
        at = string.end()
    return "".join([*out, _plain(raw[at:])])


def _plain(text: str) -> str:
    return re.sub(r",(\s*[}\]])", r"\1", text.replace("\ufeff", "").translate(_FULL_WIDTH))


def _double_quoted(string: str) -> str:
    if string[0] == '"':
        return string
    inner = re.sub(r'\\(.)|(")', lambda m: '\\"' if m[2] else "'" if m[1] == "'" else m[0], string[1:-1])
    return f'"{inner}"'


_NOT_PROSE = re.compile(
    r"https?://\S+|www\.\S+|«[^»]*»|“[^”]*”|„[^“”]*[“”]|\"[^\"]*\"|`[^`]*`"
    r"|\b\w*[\d_]\w*(?:-\w+)*\b|\b[A-Z]{2,}(?:-\w+)*\b"
)


def is_russian(text: str) -> bool:
    """Whether at least 0.6 of the letters are Cyrillic, without quotes, addresses and identifiers.

    A text of quotes and identifiers alone is judged with them.
    """
    for considered in (_NOT_PROSE.sub(" ", text), text):
        letters = [c for c in considered if c.isalpha()]
        if letters:
            cyrillic = sum("\u0400" <= c <= "\u052f" for c in letters)
            return cyrillic >= 0.6 * len(letters)
    return False


def as_data(value: JSON) -> str:
    """A value as one line of JSON in which nothing can look like a mark or a line of its own."""
    text = json.dumps(value, ensure_ascii=False)
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


_UNSAFE = re.compile("[<>`\u0085\u2028\u2029\u200b-\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
