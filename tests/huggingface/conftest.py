"""Tiny models made on the spot: a tokenizer trained on the tasks' texts, two layers of random weights."""

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path

import pytest

NEEDED = ("torch", "transformers", "peft", "tokenizers")
MISSING = [name for name in NEEDED if importlib.util.find_spec(name) is None]

TEMPLATE = (
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
SPECIAL = ["<pad>", "<s>", "</s>", "<|system|>", "<|user|>", "<|assistant|>"]
TASKS = Path(__file__).parents[2] / "src" / "assay" / "tasks"


def pytest_collection_modifyitems(items):
    """Without torch these tests have nothing to run on, and say so."""
    reason = f"{', '.join(MISSING)} not installed: make test-hf runs these tests"
    for item in items:
        if Path(__file__).parent in item.path.parents:
            # PEFT asks transformers for an attribute that is on its way out
            item.add_marker(pytest.mark.filterwarnings("ignore:.*gradient_checkpointing.*:FutureWarning"))
            if MISSING:
                item.add_marker(pytest.mark.skip(reason=reason))


def corpus() -> list[str]:
    texts = []
    for task in ("json_extraction", "qa"):
        for line in (TASKS / task / "validation.jsonl").read_text("utf-8").splitlines():
            row = json.loads(line)
            texts += [row["input"], json.dumps(row["target"], ensure_ascii=False)]
    return texts


def save_tokenizer(folder: Path, template: str | None) -> int:
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.BPE(unk_token=None))
    words = pre_tokenizers.Split(Regex(r"\w+|[^\w]"), "isolated")
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made.pre_tokenizer = pre_tokenizers.Sequence([words, byte_level])
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=1024, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    made.train_from_iterator(corpus(), trainer)
    kinds = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>"}
    fast = PreTrainedTokenizerFast(tokenizer_object=made, **kinds)
    fast.chat_template = template
    fast.save_pretrained(folder)
    return len(fast)


def save_model(folder: Path, *, template: str | None = TEMPLATE, context: int = 4096, seed: int = 1) -> Path:
    """A whole folder, as `save_pretrained` writes one."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    size = save_tokenizer(folder, template)
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=size,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=context,
        tie_word_embeddings=True,
        initializer_range=0.07,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def save_adapter(base: Path, folder: Path, *, random: bool) -> Path:
    """A LoRA adapter over all linear layers: of zero effect, or with random weights."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(5)
    model = AutoModelForCausalLM.from_pretrained(base)
    settings = LoraConfig(r=8, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM")
    model = get_peft_model(model, settings)
    if random:
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(weight, std=0.5)
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def base(tmp_path_factory) -> Path:
    return save_model(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="session")
def zero(base, tmp_path_factory) -> Path:
    return save_adapter(base, tmp_path_factory.mktemp("zero"), random=False)


@pytest.fixture(scope="session")
def random_adapter(base, tmp_path_factory) -> Path:
    return save_adapter(base, tmp_path_factory.mktemp("random"), random=True)


@pytest.fixture(scope="session")
def tiny() -> Callable[..., Path]:
    """Makes another such folder: with a template or without, with a context of its own."""
    return save_model
