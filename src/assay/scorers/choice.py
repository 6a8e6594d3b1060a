"""The option that a reply chooses: read from what it states, never guessed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from assay.errors import UsageError
from assay.scorers.exact import as_text, normalise
from assay.scorers.rule import (
    Rule,
    alternatives,
    broken_case,
    ending,
    no_reply,
    not_applicable,
    shown,
)
from assay.trial import Score, Trial

LONGEST_READ = 50_000
"""Characters at the end of a reply that are read."""
SERIES = ("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "АБВГДЕЖЗИКЛМНОП", "123456789")
"""How options are lettered or numbered."""
_WORDS = "AIАВИКОСУЯ"
"""Letters that are words too: before another word they may be no letter of an option."""
_LOOKALIKE = str.maketrans("АВСЕНКМОРТХ", "ABCEHKMOPTX")
_OPTION = re.compile(r"^[ \t]*[(\[]?([A-Za-zА-Яа-я]|[1-9])[)\].:][ \t]+(\S.*)$", re.MULTILINE)
_STATED = re.compile(
    r"(?:(?P<box>\\boxed\s{0,3}\{(?:\\text\s?\{)?)"
    r"|(?<!\w)(?:(?:correct|right|best|final|правильный|верный)\s{1,3}(?:option|choice|вариант)|answer|ответ"
    r"|I\s{1,3}(?:choose|pick|select)|выбираю)(?!\w)"
    r"(?:\s{1,3}(?:to|for|на)\s[^\n.:]{0,80}?(?=\s+is\s|:|\s[—–=-]))?)"
    r"(?P<parted>(?:[\s*_\"']{0,3}(?:is|would\s+be|[:=—–>-]|это)){0,4})"
    r"(?:\s{0,3}(?:option|choice|letter|вариант|буква)\s)?[\s\"'«“*_`]{0,6}(?=(?P<said>[^\n]{1,300}))",
    re.IGNORECASE,
)
_CORRECT = re.compile(
    r"(?<![\w'’])(?P<said>[(\[]?[^\W_][)\]]?)\s{1,3}is\s{1,3}(?:the\s)?(?:correct|right|best)(?!\w)(?P<parted>)(?P<box>)"
)
_DENIED = re.compile(r"(?:\bnot|n['’]t|\bне)\s+(?:[\w'’]+(?:,\s+(?:что|that))?\s+){0,4}$", re.IGNORECASE)
_LETTER = re.compile(
    r"[\"'«“*_`]*(?P<open>[(\[{]?)\s*(?P<letter>[^\W_])(?P<close>(?:\s*[)\]}])?)(?P<rest>.*)", re.DOTALL
)
_ANOTHER = re.compile(
    r"[\s*_`]*(?:or|and|и|или|/|,|&|vs)[\s*_`]*[(\[]?(?P<letter>[^\W_])(?![\w'’])", re.IGNORECASE
)
_REASON = re.compile(r"\s+(?:because|since|as|for|so|which|потому|так|поскольку)\b", re.IGNORECASE)
_DECORATION = re.compile(r"[\s\"'«»“”*_`.,:;!)\]}(\[{$]*")
_LAST = re.compile(r"(?:[(\[](?P<closed>[^\W_])[)\]]|[:—–=][\s*_`]*(?P<marked>[^\W_]))[\s\"'»”*_`.!$}]*$")


def choice(*, letters: str | None = None) -> Rule:
    r"""Whether the reply chooses the target: a letter, or the text of an option.

    The options are the case's fact OPTIONS (a list, or an object by letter), else those listed a
    line each in its input ("A) ...", "(b) ...", "1. ..."); without any, `letters` (A to J). Read
    are, in this order: the whole reply; its last statement ("Answer: B", "the answer is (b)",
    "\boxed{B}"); its last line; its end ("... (b)", "...: B."); an option's text as the whole
    reply, statement or last line. Two letters at once are no choice, and none is guessed: then the
    score is false with the reason. The target may be `{any_of: [...]}`.
    """
    if letters is not None and (len(set(letters)) != len(letters) or not letters.isalnum()):
        raise UsageError(f"choice: letters {letters!r}", fix="give each letter once, as ABCD")

    def check(trial: Trial) -> tuple[Score, ...]:
        reply, target = trial.transcript.final, trial.case.target
        if target is None:
            return (not_applicable("choice", "the case has no target"),)
        options = _options(trial, letters)
        wanted = [_wanted(as_text(each), options) for each in alternatives(target)]
        if not wanted or None in wanted:
            return (broken_case("choice", f"the target {shown(as_text(target))} is none of the options"),)
        if reply is None:
            return (Score("choice", False, no_reply(trial)),)
        found = chosen(reply.text[-LONGEST_READ:], options)
        if found is None:
            reason = f"no choice of {_span(options)} is stated in {shown(reply.text[-200:])}{ending(reply)}"
            return (Score("choice", False, reason, details={"chosen": None}),)
        letter, method = found
        details = {"chosen": letter, "method": method}
        right = letter in wanted
        reason = f"chose {letter}" if right else f"chose {letter}, not {' or '.join(filter(None, wanted))}"
        return (Score("choice", right, reason, details=details),)

    return Rule("choice", 1, {"letters": letters}, check)


def chosen(text: str, options: Mapping[str, str]) -> tuple[str, str] | None:
    """The letter that a text chooses and how that was read; None where it states none.

    `options` are texts by letter, in their order; the texts may be empty.
    """
    text = text.strip()
    if letter := _alone(text, options):
        return letter, "whole"
    said = _statements(text)
    stated = [letter for each in said if (letter := _stated(each, options)) is not None]
    if stated:
        return (stated[-1], "stated") if stated[-1] else None
    last = text.rpartition("\n")[2].strip()
    if letter := _alone(last, options):
        return letter, "last_line"
    end = _LAST.search(last)
    if end is not None and (letter := _known(end["closed"] or end["marked"], options)):
        return letter, "end"
    for place, part in (("whole", text), ("stated", said[-1]["said"] if said else ""), ("last_line", last)):
        if letter := _by_text(part, options):
            return letter, f"{place}_text"
    return None


def _statements(text: str) -> list[re.Match[str]]:
    """Where a text says which option it is, in order, but for what it denies."""
    found = [*_STATED.finditer(text), *_CORRECT.finditer(text)]
    found.sort(key=lambda each: each.start())
    return [each for each in found if not _DENIED.search(text[max(0, each.start() - 60) : each.start()])]


def _alone(text: str, options: Mapping[str, str]) -> str | None:
    """The letter of a text that is one letter with marks, or a letter with its option's own text."""
    found = _LETTER.fullmatch(text)
    if found is None:
        return None
    letter = _known(found["letter"], options)
    rest = found["rest"]
    if letter is None or _DECORATION.fullmatch(rest):
        return letter
    marked = found["close"] or rest[:1] in ".:"
    own = normalise(options[letter])
    return letter if marked and own and normalise(rest) == own else None


def _stated(statement: re.Match[str], options: Mapping[str, str]) -> str | None:
    """The letter that a statement names; "" where it names two, None where it names none."""
    found = _LETTER.match(statement["said"])
    letter = None if found is None else _known(found["letter"], options)
    if found is None or letter is None:
        return None
    rest = found["rest"]
    another = _ANOTHER.match(rest)
    if another is not None and _known(another["letter"], options) not in (None, letter):
        return ""
    alone = _DECORATION.fullmatch(rest) is not None
    parted = bool(statement["parted"].strip() or statement["box"])  # else "Answer B is wrong" is one
    return letter if alone or (parted and _ends(found, options[letter])) else None


def _ends(found: re.Match[str], option: str) -> bool:
    """Whether a letter stands for an option, by what follows it: "B, since", "A) Paris", no "A dog"."""
    letter, rest = found["letter"], found["rest"]
    if rest[:1].isalnum() or rest.lstrip()[:1] in ("'", "’", "?") or _decimal(letter, rest):
        return False
    if found["close"] or not rest[:1].isspace() or _REASON.match(rest):
        return True
    if normalise(rest) == normalise(option) != "":
        return True
    return (letter.isupper() or letter.isdigit()) and letter not in _WORDS


def _decimal(letter: str, rest: str) -> bool:
    return letter.isdigit() and re.match(r"[.,]?\d|\s*%", rest) is not None


def _by_text(text: str, options: Mapping[str, str]) -> str | None:
    said = normalise(text)
    if not said:
        return None
    found = [letter for letter, option in options.items() if normalise(option) == said]
    return found[0] if len(found) == 1 else None


def _known(letter: str, options: Mapping[str, str]) -> str | None:
    """The option's letter; a Cyrillic one that looks like a Latin one stands for it."""
    upper = letter.upper()
    if upper in options:
        return upper
    alike = upper.translate(_LOOKALIKE)
    return alike if alike in options else None


def _options(trial: Trial, letters: str | None) -> dict[str, str]:
    given = trial.case.facts.get("OPTIONS")
    if isinstance(given, dict) and given and all(len(key) == 1 for key in given):
        return {key.upper(): as_text(value) for key, value in given.items()}
    if isinstance(given, list) and given:
        series = letters or SERIES[0]
        return dict(zip(series, map(as_text, given), strict=False))
    listed = _listed(trial.case.input_text[-LONGEST_READ:])
    if listed and letters is None:
        return listed
    return {letter.upper(): listed.get(letter.upper(), "") for letter in letters or SERIES[0][:10]}


def _listed(text: str) -> dict[str, str]:
    """The last list of options in a text: a series from its first letter on, two at least."""
    best: dict[str, str] = {}
    for run in _runs([(found[1].upper(), found[2].strip()) for found in _OPTION.finditer(text)]):
        best = run
    return best


def _runs(lines: Sequence[tuple[str, str]]) -> Iterator[dict[str, str]]:
    run: dict[str, str] = {}
    series = ""
    for letter, text in (*lines, ("", "")):
        if run and letter and series[len(run) : len(run) + 1] == letter:
            run[letter] = text
            continue
        if len(run) > 1:
            yield run
        series = next((each for each in SERIES if letter and each[0] == letter), "")
        run = {letter: text} if series else {}


def _wanted(target: str, options: Mapping[str, str]) -> str | None:
    bare = target.strip().strip("().[]:")
    if len(bare) == 1 and (letter := _known(bare, options)):
        return letter
    return _by_text(target, options)


def _span(options: Mapping[str, str]) -> str:
    names = list(options)
    return f"{names[0]} to {names[-1]}"
