"""Makes a tiny Llama as a GGUF file and as a folder of safetensors: nothing is downloaded.

    python benchmarks/tiny_model.py FOLDER

FOLDER gets tiny.gguf and tiny/. A byte-level BPE tokenizer is trained on the Python standard library's
own files; two layers, 128 wide, both files of the same weights. They are random but for the scripts:
where the last message holds one of SCRIPTS, the model says its pieces, whatever it is sampled with, so
that a server's parsing of tool calls, of thoughts and of stop strings can be seen. Each piece is one
token with a dimension of its own, which leads to the next piece; no other token reaches there.
real_servers.py runs this in a virtual environment with numpy, tokenizers, safetensors and gguf.
"""

from __future__ import annotations

import itertools
import json
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import gguf  # type: ignore[import-not-found]  # lives in an environment of its own, see above
import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file  # type: ignore[import-not-found]  # as gguf
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

VOCABULARY, WIDTH, LAYERS, HEADS, INNER, CONTEXT = 4096, 128, 2, 4, 352, 4096
SCRIPTS = {
    "!say": ("The answer", " is forty", "-two — сорок два", ", of course."),
    "!call": (
        *("<tool_call>\n", '{"name": "get_weather', '", "arguments": {"city": "'),
        *('Осло"', "}}\n", "</tool_call>"),
    ),
    "!think": (
        *("<think>\n", "Six times", " seven is", " forty-two now.", "\n</think>\n\n"),
        *("It is 42", " indeed."),
    ),
}
"""What the last message holds, and the pieces that the model then says before it ends."""

SCRIPTED = 32
"""The first dimensions: one a piece or trigger, and the last of them says of a token that it is none."""

BEGIN, END = "<s>", "</s>"
ROLES = ("user", "assistant", "system", "tool")
SPECIAL = [BEGIN, END, "<unk>", *(f"<|{role}|>" for role in ROLES), *(f"<|{name}|>" for name in SCRIPTS)]
TEMPLATE = (
    "{% if tools %}<|system|>You may call these tools, as <tool_call>\n"
    '{"name": ..., "arguments": ...}\n</tool_call>:{% for t in tools %}\n{{ t | tojson }}{% endfor %}</s>'
    "{% endif %}"
    "{% for m in messages %}<|{{ m['role'] }}|>"
    "{% if m['reasoning_content'] %}<think>\n{{ m['reasoning_content'] }}\n</think>\n\n{% endif %}"
    "{{ m['content'] or '' }}"
    "{% for c in m['tool_calls'] or [] %}<tool_call>\n"
    '{"name": "{{ c.function.name }}", "arguments": {{ c.function.arguments | tojson }}}'
    "\n</tool_call>{% endfor %}</s>{% endfor %}"
    "{% if add_generation_prompt %}{% set last = messages[-1]['content'] or '' %}"
    "{% "
    + "".join(f"if '{name}' in last %}}<|{name}|>{{% el" for name in SCRIPTS)
    + "se %}<|assistant|>"
    + "{% endif %}" * 2
)
"""Where the last message asks for a script, its trigger stands for the assistant."""

Weights = NDArray[np.float32]


@dataclass(frozen=True)
class Words:
    """A trained tokenizer: its tokens in the order of their ids, its merges, and itself as JSON."""

    tokens: list[str]
    merges: list[str]
    form: str

    def ids(self, name: str) -> list[int]:
        """The tokens of a script: its trigger, its pieces, the end."""
        pieces = [_spelled(piece) for piece in SCRIPTS[name]]
        return [self.tokens.index(token) for token in (f"<|{name}|>", *pieces, END)]


def _spelled(text: str) -> str:
    """A text as a byte-level tokenizer spells it."""
    return "".join(piece for piece, _ in _bytewise(use_regex=False).pre_tokenize_str(text))


def _bytewise(*, use_regex: bool = True) -> pre_tokenizers.ByteLevel:
    return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=use_regex)


def trained() -> Words:
    """A tokenizer for Python source, and the pieces of the scripts after it."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = _bytewise()
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    pieces = [_spelled(piece) for name in SCRIPTS for piece in SCRIPTS[name]]
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - len(pieces),
        special_tokens=SPECIAL,
        initial_alphabet=alphabet,
        show_progress=False,
    )
    files = sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))
    tokenizer.train([str(file) for file in files], trainer)
    form = json.loads(tokenizer.to_str())
    model = form["model"]
    for piece in pieces:
        assert piece not in model["vocab"], piece  # noqa: S101  no merge may lead to a piece
        model["vocab"][piece] = len(model["vocab"])
    tokens = sorted(model["vocab"], key=model["vocab"].__getitem__)
    merges = [m if isinstance(m, str) else " ".join(m) for m in model["merges"]]
    return Words(tokens, merges, json.dumps(form))


def weights_of(words: Words) -> dict[str, Weights]:
    """The weights by the names that they have in a folder of safetensors."""
    draw = np.random.default_rng(7)

    def random(rows: int, columns: int) -> Weights:
        return draw.normal(0, 0.08, (rows, columns)).astype(np.float32)

    tokens, ones = len(words.tokens), np.ones(WIDTH, dtype=np.float32)
    said, out = random(tokens, WIDTH), random(tokens, WIDTH)
    found = {"model.embed_tokens.weight": said, "lm_head.weight": out, "model.norm.weight": ones}
    for layer in range(LAYERS):
        block = f"model.layers.{layer}"
        for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
            found[f"{block}.self_attn.{name}.weight"] = random(WIDTH, WIDTH)
        for name in ("gate_proj", "up_proj"):
            found[f"{block}.mlp.{name}.weight"] = random(INNER, WIDTH)
        found[f"{block}.mlp.down_proj.weight"] = random(WIDTH, INNER)
        found[f"{block}.input_layernorm.weight"] = ones
        found[f"{block}.post_attention_layernorm.weight"] = ones
        for name in ("self_attn.o_proj", "mlp.down_proj"):  # nothing but a token writes to these dimensions
            found[f"{block}.{name}.weight"][:SCRIPTED] = 0
    script(words, said, out)
    return found


def script(words: Words, said: Weights, out: Weights) -> None:
    """Writes the scripts into the embeddings and the output."""
    none = SCRIPTED - 1
    said[:, :SCRIPTED] = out[:, :SCRIPTED] = 0
    said[:, none] = 0.3
    own = 0
    for name in SCRIPTS:
        trigger, *said_next, end = words.ids(name)
        for token in (trigger, *said_next):  # noise leads to none of them
            out[token, SCRIPTED:] = 0
            out[token, none] = -20
        for token, after in itertools.pairwise((trigger, *said_next, end)):
            said[token] = 0
            said[token, own] = 20
            out[after, own] = 4
            own += 1
    assert own <= none  # noqa: S101  a dimension each


GGUF_NAMES = {
    "model.embed_tokens": "token_embd",
    "lm_head": "output",
    "model.norm": "output_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}


def write_gguf(path: Path, words: Words, weights: dict[str, Weights]) -> None:
    out = gguf.GGUFWriter(str(path), "llama")
    out.add_name("tiny")
    out.add_context_length(CONTEXT)
    out.add_embedding_length(WIDTH)
    out.add_block_count(LAYERS)
    out.add_feed_forward_length(INNER)
    out.add_head_count(HEADS)
    out.add_head_count_kv(HEADS)
    out.add_rope_dimension_count(WIDTH // HEADS)
    out.add_layer_norm_rms_eps(1e-5)
    out.add_vocab_size(len(words.tokens))
    out.add_tokenizer_model("gpt2")
    out.add_tokenizer_pre("gpt-2")
    out.add_token_list(words.tokens)
    control, normal = gguf.TokenType.CONTROL, gguf.TokenType.NORMAL
    out.add_token_types([control if token in SPECIAL else normal for token in words.tokens])
    out.add_token_merges(words.merges)
    out.add_bos_token_id(words.tokens.index(BEGIN))
    out.add_eos_token_id(words.tokens.index(END))
    out.add_chat_template(TEMPLATE)
    for name, value in weights.items():
        head = name.removesuffix(".weight")
        if head.startswith("model.layers."):
            layer, _, inner = head.removeprefix("model.layers.").partition(".")
            head = f"blk.{layer}.{GGUF_NAMES[inner]}"
            turned = inner in ("self_attn.q_proj", "self_attn.k_proj")
            out.add_tensor(f"{head}.weight", _interleaved(value) if turned else value)
        else:
            out.add_tensor(f"{GGUF_NAMES[head]}.weight", value)
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


def _interleaved(value: Weights) -> Weights:
    """Rows in the order in which llama.cpp turns them: pairs side by side instead of half by half."""
    halves = value.reshape(HEADS, 2, WIDTH // HEADS // 2, WIDTH)
    return np.ascontiguousarray(halves.swapaxes(1, 2).reshape(value.shape))


def write_folder(folder: Path, words: Words, weights: dict[str, Weights]) -> None:
    folder.mkdir(parents=True)
    save_file(weights, str(folder / "model.safetensors"), metadata={"format": "pt"})
    (folder / "tokenizer.json").write_text(words.form)
    begin, end = words.tokens.index(BEGIN), words.tokens.index(END)
    texts: dict[str, object] = {
        "config.json": {
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "vocab_size": len(words.tokens),
            "hidden_size": WIDTH,
            "intermediate_size": INNER,
            "num_hidden_layers": LAYERS,
            "num_attention_heads": HEADS,
            "num_key_value_heads": HEADS,
            "max_position_embeddings": CONTEXT,
            "rms_norm_eps": 1e-5,
            "tie_word_embeddings": False,
            "bos_token_id": begin,
            "eos_token_id": end,
            "dtype": "float32",
        },
        "generation_config.json": {"bos_token_id": begin, "eos_token_id": end, "do_sample": True},
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": BEGIN,
            "eos_token": END,
            "unk_token": "<unk>",
            "pad_token": END,
            "clean_up_tokenization_spaces": False,
            "model_max_length": CONTEXT,
            "chat_template": TEMPLATE,
            "response_template": RESPONSES,
        },
    }
    for name, value in texts.items():
        (folder / name).write_text(json.dumps(value))


RESPONSES = {
    "defaults": {"role": "assistant"},
    "start_anchor": ["<|assistant|>", *(f"<|{name}|>" for name in SCRIPTS)],
    "fields": {
        "reasoning_content": {"open": "<think>", "close": "</think>", "content": "text"},
        "tool_calls": {
            "open_pattern": r"\s*<tool_call>",
            "close": "</tool_call>",
            "repeats": True,
            "content": "json",
            "transform": {"type": "function", "function": "{content}"},
        },
        "content": {"close": END, "content": "text"},
    },
}
"""How `transformers serve` is told to take an answer apart; llama.cpp learns it from the template."""


def main(folder: Path) -> None:
    words = trained()
    weights = weights_of(words)
    write_gguf(folder / "tiny.gguf", words, weights)
    write_folder(folder / "tiny", words, weights)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
