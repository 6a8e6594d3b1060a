"""The samples of W1 and W2: prompts of about 60 words, each with the one word that answers it."""

from __future__ import annotations

import json
import random
from pathlib import Path

WORDS = ["the", "river", "stone", "light", "paper", "green", "house", "music", "water", "night"]
WORDS += ["table", "cloud", "bread", "train", "field", "glass", "market", "window", "garden", "letter"]

TASK = """\
name: bench
cases: qa.jsonl
exchange: single
prompt: {user: "{{INPUT}}"}
scorers: [exact]
sampling: {temperature: 0, max_tokens: 128}
"""


def write_task(folder: Path, samples: int) -> Path:
    """Writes a task of so many samples into the folder; gives its task.yaml."""
    draw = random.Random(7)
    with (folder / "qa.jsonl").open("w") as file:
        for n in range(samples):
            answer = f"k{draw.randrange(10**6)}"
            body = " ".join(draw.choice(WORDS) for _ in range(56))
            row = {"id": n, "input": f"Question {n}: {body}? ANSWER_KEY={answer}", "target": answer}
            file.write(json.dumps(row) + "\n")
    task = folder / "task.yaml"
    task.write_text(TASK)
    return task
