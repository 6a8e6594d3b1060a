"""Makes a tiny Llama with random weights as a GGUF file: nothing is downloaded.

    python benchmarks/tiny_model.py MODEL.gguf

A byte-level BPE tokenizer of 4,096 entries is trained on the Python standard library's own files; two
layers, 128 wide. real_server.py runs this in a virtual environment with numpy, tokenizers and gguf.
"""

from __future__ import annotations

import json
import sys
import sysconfig
from pathlib import Path

import gguf  # type: ignore[import-not-found]  # lives in an environment of its own, see above
import numpy as np
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

VOCABULARY, WIDTH, LAYERS, HEADS, INNER, CONTEXT = 4096, 128, 2, 4, 352, 4096
SPECIAL = ["<s>", "</s>", "<unk>", "<|user|>", "<|assistant|>", "<|system|>"]
TEMPLATE = (
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def trained() -> tuple[list[str], list[str]]:
    """The tokens in the order of their ids, and the merges, of a tokenizer for Python source."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    files = sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))
    tokenizer.train([str(file) for file in files], trainer)
    model = json.loads(tokenizer.to_str())["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].__getitem__)
    merges = [m if isinstance(m, str) else " ".join(m) for m in model["merges"]]
    return tokens, merges


def write(path: Path) -> None:
    tokens, merges = trained()
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
    out.add_vocab_size(len(tokens))
    out.add_tokenizer_model("gpt2")
    out.add_tokenizer_pre("gpt-2")
    out.add_token_list(tokens)
    control, normal = gguf.TokenType.CONTROL, gguf.TokenType.NORMAL
    out.add_token_types([control if token in SPECIAL else normal for token in tokens])
    out.add_token_merges(merges)
    out.add_bos_token_id(0)
    out.add_eos_token_id(1)
    out.add_chat_template(TEMPLATE)
    add_tensors(out, len(tokens))
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


def add_tensors(out: gguf.GGUFWriter, tokens: int) -> None:
    draw = np.random.default_rng(7)

    def random(name: str, rows: int, columns: int) -> None:
        weights = draw.normal(0, 0.08, (rows, columns)).astype(np.float32)
        out.add_tensor(f"{name}.weight", weights)

    def ones(name: str) -> None:
        out.add_tensor(f"{name}.weight", np.ones(WIDTH, dtype=np.float32))

    random("token_embd", tokens, WIDTH)
    random("output", tokens, WIDTH)
    ones("output_norm")
    for layer in range(LAYERS):
        block = f"blk.{layer}"
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            random(f"{block}.{name}", WIDTH, WIDTH)
        for name in ("ffn_gate", "ffn_up"):
            random(f"{block}.{name}", INNER, WIDTH)
        random(f"{block}.ffn_down", WIDTH, INNER)
        ones(f"{block}.attn_norm")
        ones(f"{block}.ffn_norm")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
