"""Weights and tokenizer in memory: prompts to tokens, tokens to replies and log-probabilities.

Only `huggingface` uses it, from its one thread; here alone torch is imported.
"""

from __future__ import annotations

import gc
import inspect
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from jinja2 import TemplateError
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging

from assay.errors import CallError, ErrorClass
from assay.keys import JSON
from assay.message import Message
from assay.models.local_reply import Row

Chosen = Callable[[int], bool]
"""Told a row's place after each of its tokens; says whether that row has ended."""


class LocalWeights:
    """A causal language model that `save_pretrained` wrote, and the adapter over it.

    `context` is the most tokens it can hold, `max_tokens` its own bound on a reply, `ends` the
    tokens that end one.
    """

    def __init__(self, folder: Path, adapter: Path | None, device: str | None, dtype: str | None) -> None:
        logging.disable_progress_bar()
        self._device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        kind: JSON = "auto" if dtype is None else getattr(torch, dtype)
        self._tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        base = AutoModelForCausalLM.from_pretrained(folder, dtype=kind, local_files_only=True)
        self._cuts_logits = "logits_to_keep" in inspect.signature(base.forward).parameters
        model = base
        if adapter is not None:
            from peft import PeftModel

            model = PeftModel.from_pretrained(base, str(adapter))
        self._model = model.to(self._device).eval()
        text = base.config.get_text_config()
        self.context: int | None = getattr(text, "max_position_embeddings", None)
        own = base.generation_config
        self.max_tokens: int | None = own.max_new_tokens
        self._temperature = float(own.temperature or 1.0) if own.do_sample else 0.0
        self._top_p = own.top_p if own.do_sample else None
        self._top_k = own.top_k if own.do_sample else None
        self.ends = frozenset(_ids(own.eos_token_id) + _ids(self._tokenizer.eos_token_id))
        pad = self._tokenizer.pad_token_id
        self._pad = pad if pad is not None else next(iter(self.ends), 0)
        # choosing is ours: what the model's file says of it has been read above
        own.do_sample, own.temperature, own.top_p, own.top_k, own.max_new_tokens = (
            False,
            None,
            None,
            None,
            None,
        )

    def tokens(self, text: str) -> list[int]:
        """The tokens of a text that goes on from a prompt."""
        return _ids(self._tokenizer(text, add_special_tokens=False).input_ids)

    def text(self, tokens: list[int]) -> str:
        """The text of tokens, without special ones."""
        return str(
            self._tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        )

    def prompt(self, messages: Sequence[Message]) -> list[int]:
        """The tokens of a dialogue by the tokenizer's chat template, else by a plain one.

        Raises CallError(REJECTED) where the template refuses the dialogue.
        """
        if not self._tokenizer.chat_template:
            return _ids(self._tokenizer(plain(messages)).input_ids)
        said = [{"role": message.role, "content": message.text} for message in messages]
        try:
            text = self._tokenizer.apply_chat_template(said, add_generation_prompt=True, tokenize=False)
        except (TemplateError, ValueError, TypeError) as failure:
            detail = f"the chat template refuses the dialogue: {failure}"[:500]
            raise CallError(ErrorClass.REJECTED, detail) from failure
        return self.tokens(text)

    def generate(self, rows: Sequence[Row], chosen: Chosen) -> None:
        """Writes all rows together. `chosen` is told each token's row, as soon as it is chosen."""
        longest = max(len(row.prompt) for row in rows)
        padded = [[self._pad] * (longest - len(row.prompt)) + row.prompt for row in rows]
        mask = [[0] * (longest - len(row.prompt)) + [1] * len(row.prompt) for row in rows]
        choice = _Choice(rows, chosen, self)
        with torch.inference_mode():
            self._model.generate(
                input_ids=torch.tensor(padded, device=self._device),
                attention_mask=torch.tensor(mask, device=self._device),
                logits_processor=[choice],
                stopping_criteria=[choice.stopped],
                do_sample=False,
                max_new_tokens=max(row.limit for row in rows),
                pad_token_id=self._pad,
                eos_token_id=None,
            )

    def logprobs(self, prompt: list[int], target: list[int]) -> list[float]:
        """The natural log-probability of each target token, given all tokens before it.

        Their negative mean is the loss that transformers gives for these ids with the prompt's
        labels masked.
        """
        ids = torch.tensor([prompt + target], device=self._device)
        few = {"logits_to_keep": len(target) + 1} if self._cuts_logits else {}
        with torch.inference_mode():
            logits = self._model(input_ids=ids, **few).logits[0, -len(target) - 1 : -1]
            every = torch.log_softmax(logits.float(), dim=-1)
            picked = every.gather(1, ids[0, -len(target) :, None])[:, 0]
        return [float(each) for each in picked.tolist()]

    def choose(self, logits: JSON, row: Row, stream: JSON) -> int:
        """The next token of a row from its logits; `stream` is its random numbers."""
        sampling = row.sampling
        temperature = self._temperature if sampling.temperature is None else sampling.temperature
        if temperature == 0:
            return int(logits.argmax())
        weights = torch.softmax(logits.double() / temperature, dim=-1)
        order = torch.sort(weights, descending=True)
        kept, ids = order.values, order.indices
        if self._top_k:
            kept, ids = kept[: self._top_k], ids[: self._top_k]
        top_p = self._top_p if sampling.top_p is None else sampling.top_p
        if top_p is not None and top_p < 1:
            before = kept.cumsum(0) - kept
            kept = kept[before < top_p]  # the first is always kept
        return int(ids[torch.multinomial(kept, 1, generator=stream)])

    def free(self) -> None:
        """Gives the memory back."""
        self._model = self._tokenizer = None
        gc.collect()
        if self._device.startswith("cuda"):
            torch.cuda.empty_cache()


class _Choice:
    """Chooses each row's next token, in the place of transformers' own sampling: so each row has
    its own temperature, seed and end, and a token is known the moment that it is chosen.
    """

    def __init__(self, rows: Sequence[Row], chosen: Chosen, weights: LocalWeights) -> None:
        self._rows = rows
        self._chosen = chosen
        self._weights = weights
        self._ended = [False] * len(rows)
        self._streams = [_stream(row.sampling.seed) for row in rows]

    def __call__(self, _ids: JSON, scores: JSON) -> JSON:
        on_cpu = scores.cpu()
        picked = []
        for place, row in enumerate(self._rows):
            if self._ended[place]:
                picked.append(self._weights._pad)  # noqa: SLF001  one object in two parts
                continue
            token = self._weights.choose(on_cpu[place], row, self._streams[place])
            row.add(token)
            self._ended[place] = self._chosen(place)
            picked.append(token)
        only = torch.full_like(scores, float("-inf"))
        only[torch.arange(len(picked)), torch.tensor(picked)] = 0.0
        return only

    def stopped(self, ids: JSON, _scores: JSON, **_more: JSON) -> JSON:
        return torch.tensor(self._ended, device=ids.device)


def _stream(seed: int | None) -> JSON:
    stream = torch.Generator()
    if seed is None:
        stream.seed()
    else:
        stream.manual_seed(seed & 0xFFFF_FFFF_FFFF_FFFF)
    return stream


def _ids(given: JSON) -> list[int]:
    if given is None:
        return []
    return [int(each) for each in given] if isinstance(given, (list, tuple)) else [int(given)]


def plain(messages: Sequence[Message]) -> str:
    """A dialogue as a text for a model without a chat template: the texts, parted by a blank line;
    where the model has spoken before, each with its role, and the model's turn opened.
    """
    if all(message.role in {"system", "user"} for message in messages):
        return "\n\n".join(message.text for message in messages)
    said = [f"{message.role.capitalize()}: {message.text}" for message in messages]
    return "\n\n".join([*said, "Assistant:"])
