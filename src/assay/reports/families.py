"""Which models are of one family: a judge likes the words of its own kin."""

from __future__ import annotations

import re

FAMILIES = {
    "Claude": r"claude",
    "Command": r"command|c4ai|aya",
    "DeepSeek": r"deepseek",
    "Gemini and Gemma": r"gemini|gemma",
    "GigaChat": r"gigachat",
    "GPT": r"gpt|chatgpt|o[134](?:-\w+)?$|davinci",
    "Grok": r"grok",
    "Llama": r"llama|vicuna",
    "Mistral": r"mistral|mixtral|ministral|codestral|magistral|pixtral",
    "Nova": r"nova",
    "Phi": r"phi",
    "Qwen": r"qwen|qwq",
    "T-lite and T-pro": r"t-lite|t-pro",
    "YandexGPT": r"yandexgpt|aliceai",
}
"""Families by what the names of their models begin with. `yandexgpt` is not `gpt`: words are whole."""

_SPLIT = re.compile(r"[/\s:@]")


def family(model: str) -> str | None:
    """The family of `provider/name`; None for a name that says none, and for what is not a live model."""
    provider, _, name = model.partition("/")
    if provider in {"emulated", "recorded"}:
        return None
    parts = [part for part in _SPLIT.split(name.lower()) if part]
    for known, pattern in FAMILIES.items():
        if any(re.match(pattern, part) for part in parts):
            return known
    return None


def kin(judge: str, others: tuple[str, ...]) -> str | None:
    """The first of these models that is of the judge's family (or is the judge itself)."""
    own = family(judge)
    return next((other for other in others if other == judge or (own and family(other) == own)), None)
