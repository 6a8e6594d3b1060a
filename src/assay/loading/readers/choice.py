"""Multiple-choice questions: columns question, A, B, C, D, answer, or the forms of MMLU and ARC."""

from __future__ import annotations

from string import ascii_uppercase

from assay.case import Case
from assay.errors import UsageError
from assay.keys import JSON
from assay.loading.files import did_you_mean

_ANSWERS = ("answer", "answerkey", "correct")
_TAGS = ("subject", "category", "difficulty", "split")


def case(row: dict[str, JSON], where: str) -> Case:
    """A question with its options lettered below it. The answer is a letter, a number from 0 (of
    `choices` only), or an option's own text.
    """
    columns = {str(key).strip().casefold(): value for key, value in row.items()}
    question = columns.get("question")
    if not isinstance(question, str) or not question.strip():
        raise UsageError(
            f"{where}: no question", fix="head the file with the columns question,A,B,C,D,answer"
        )
    options = _options(columns, where)
    given = next((columns[name] for name in _ANSWERS if columns.get(name) not in (None, "")), None)
    if given is None:
        raise UsageError(f"{where}: no answer", fix=f"give a column {' or '.join(_ANSWERS)}")
    listed = "\n".join(f"{letter}) {text}" for letter, text in options.items())
    return Case(
        id="",
        name=str(columns.get("id", "")),
        input=f"{question.strip()}\n\n{listed}",
        target=_letter(given, options, by_place="choices" in columns, where=where),
        tags={name: str(columns[name]) for name in _TAGS if columns.get(name)},
    )


def _options(columns: dict[str, JSON], where: str) -> dict[str, str]:
    """The options by letter: of the columns A, B, ... or of `choices`, with labels of its own or without."""
    choices = columns.get("choices")
    if choices is None:
        found = {letter: columns.get(letter.casefold()) for letter in ascii_uppercase}
        listed = [str(text).strip() for text in found.values() if text not in (None, "")]
        named = [letter for letter, text in found.items() if text not in (None, "")]
        if named != list(ascii_uppercase[: len(named)]):
            raise UsageError(f"{where}: the options {', '.join(named)} leave a gap", fix="fill A, B, C, ...")
    else:
        texts = choices.get("text") if isinstance(choices, dict) else choices
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise UsageError(f"{where}: choices is no list of texts", fix='write "choices": ["...", "..."]')
        listed = [text.strip() for text in texts]
    if not 1 < len(listed) <= len(ascii_uppercase):
        raise UsageError(f"{where}: {len(listed)} options", fix="give two at least, and 26 at most")
    labels = choices.get("label") if isinstance(choices, dict) else None
    letters = [str(label) for label in labels] if isinstance(labels, list) else ascii_uppercase
    return dict(zip(letters, listed, strict=False))


def _letter(given: JSON, options: dict[str, str], *, by_place: bool, where: str) -> str:
    letters = list(options)
    if by_place and isinstance(given, int) and not isinstance(given, bool) and 0 <= given < len(letters):
        return letters[given]
    text = str(given).strip()
    for letter in letters:
        if text.casefold() == letter.casefold():
            return letter
    same = [letter for letter, option in options.items() if option == text]
    if len(same) == 1:
        return same[0]
    raise UsageError(f"{where}: {text!r} is none of the options", fix=did_you_mean(text, letters))
