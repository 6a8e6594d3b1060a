"""SQuAD 1.1 and 2.0 (Rajpurkar et al. 2016, 2018): questions about paragraphs, some without an answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from assay.case import Case
from assay.errors import UsageError
from assay.keys import JSON
from assay.loading.files import read_json

UNANSWERABLE = "unanswerable"
"""The target of a question that the paragraph does not answer."""


def rows(path: Path) -> Iterator[tuple[str, dict[str, JSON]]]:
    """The questions of `{"data": [{"title", "paragraphs": [{"context", "qas": [...]}]}]}`, as flat rows."""
    document = read_json(path)
    articles = document.get("data") if isinstance(document, dict) else None
    if not isinstance(articles, list):
        raise UsageError(f"{path}: no list under data", fix="name a SQuAD file, as dev-v2.0.json")
    for a, article in enumerate(articles):
        where = f"{path}, /data/{a}"
        for p, paragraph in enumerate(_list(article, "paragraphs", where)):
            place = f"{where}/paragraphs/{p}"
            for q, question in enumerate(_list(paragraph, "qas", place)):
                if not isinstance(question, dict):
                    raise UsageError(f"{place}/qas/{q}: not an object", fix="mend the question")
                named = {"context": paragraph.get("context"), "title": article.get("title", "")}
                yield f"{place}/qas/{q}", {**question, **named}


def _list(value: JSON, key: str, where: str) -> list[JSON]:
    found = value.get(key) if isinstance(value, dict) else None
    if not isinstance(found, list):
        raise UsageError(f"{where}: no list under {key}", fix="name a SQuAD file, as dev-v2.0.json")
    return found


def case(row: dict[str, JSON], where: str) -> Case:
    """A question. Answers are a list of `{"text"}`, or an object of lists as in Hugging Face's copies."""
    context, question = row.get("context"), row.get("question")
    if not isinstance(context, str) or not isinstance(question, str):
        raise UsageError(f"{where}: no context or no question", fix="give both as texts")
    given = row.get("answers", [])
    texts = given.get("text") if isinstance(given, dict) else [_text(each, where) for each in given]
    answers = list(dict.fromkeys(texts or ()))
    if not all(isinstance(text, str) for text in answers):
        raise UsageError(f"{where}: an answer is no text", fix='write answers as [{"text": "..."}]')
    impossible = row.get("is_impossible") is True or not answers
    tags = {"answerable": "no" if impossible else "yes"}
    if row.get("title"):
        tags["title"] = str(row["title"])
    return Case(
        id="",
        name=str(row.get("id", "")),
        input=f"{context.strip()}\n\nQuestion: {question.strip()}",
        target=UNANSWERABLE if impossible else {"any_of": answers},
        tags=tags,
    )


def _text(answer: JSON, where: str) -> JSON:
    if not isinstance(answer, dict) or "text" not in answer:
        raise UsageError(f"{where}: an answer has no text", fix='write answers as [{"text": "..."}]')
    return answer["text"]
