"""Shared handling of the language model: loading, adapters, encoding, sampling, probabilities.

One base model is in memory, whatever number of adapters ride on it. Every function takes masks
seriously: prompts are padded on the left for sampling, and padding never changes a probability.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model, prepare_model_for_kbit_training
from peft.utils import get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    BitsAndBytesConfig,
    DynamicCache,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging as transformers_logging

from churn_assets.messages.config import GenerationConfig, LoraSettings
from churn_assets.messages.models.embedded.muon import load_moments, save_moments
from churn_assets.messages.models.encoding import (
    Dialogues,
    Others,
    device,
    encode_prompts,
    for_another_customer,
    some_others,
)
from churn_assets.messages.models.tensors import read_tensors

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
transformers_logging.disable_progress_bar()  # weights are there in milliseconds: no bar in a log
warnings.filterwarnings("ignore", "`.*gradient_checkpointing.*` is", FutureWarning)  # PEFT asks it
SFT = "sft"  # the adapter that writes good messages: PPO-Text's reference
LOGITS = 2**26  # in memory together: 256 MB in 32 bits, a handful of such tensors at a time


def use_threads(threads: int) -> None:
    """0 keeps torch's own choice."""
    if threads:
        torch.set_num_threads(threads)


def load_base(folder: Path, *, eight_bit: bool) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The frozen base model and its tokenizer, from a `message_base_model` folder.

    Its weights are of the type that they were saved in (`base.dtype`); adapters, heads and
    probabilities are of 32 bits.

    Raises RuntimeError when 8 bit is asked for without CUDA: a processor takes hours for it.
    """
    tokenizer = AutoTokenizer.from_pretrained(folder)
    if eight_bit:
        _require_cuda()
        quantized = AutoModelForCausalLM.from_pretrained(
            folder,
            quantization_config=BitsAndBytesConfig(load_in_8bit=True),
            device_map={"": device()},  # whole: `auto` would part it among several cards
        )
        model = prepare_model_for_kbit_training(
            quantized, gradient_checkpointing_kwargs={"use_reentrant": True}
        )
    else:
        model = AutoModelForCausalLM.from_pretrained(folder, dtype="auto")
        model.to(device())  # type: ignore[arg-type]
    ensure_padding(model, tokenizer)
    return model.requires_grad_(False), tokenizer


def _require_cuda() -> None:
    if not torch.cuda.is_available():
        raise RuntimeError(
            "base.eight_bit needs a CUDA device and there is none here: run this stage on a GPU "
            "(compute.backend=modal) or set CHURN_MESSAGES__BASE__EIGHT_BIT=false"
        )


def ensure_padding(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    """Give model and tokenizer a padding token: pooling and batching cannot do without."""
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    model.config.pad_token_id = tokenizer.pad_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.generation_config.eos_token_id = tokenizer.eos_token_id


def with_new_adapter(model: PreTrainedModel, settings: LoraSettings, name: str) -> PeftModel:
    """The model with an untrained LoRA adapter (Hu et al. 2022) called `name`; it writes as before
    until that is trained."""
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=list(settings.targets),
        task_type="CAUSAL_LM",
    )
    return get_peft_model(model, config, adapter_name=name)


def save_adapter(model: PeftModel, name: str, out: Path) -> None:
    """Write one adapter to `out / name`: the same bytes for the same weights, wherever and when.

    PEFT also writes a card, the base model's path and sets in the order of their hashes.
    """
    with tempfile.TemporaryDirectory() as scratch:
        model.save_pretrained(scratch, selected_adapters=[name])
        shutil.move(Path(scratch) / name, out / name)
    (out / name / "README.md").unlink(missing_ok=True)
    path = out / name / "adapter_config.json"
    config = json.loads(path.read_text(encoding="utf-8")) | {"base_model_name_or_path": None}
    config = {k: sorted(v) if k == "target_modules" else v for k, v in sorted(config.items())}
    path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def save_training(
    folder: Path, model: PeftModel, adapter: str, head: nn.Module, optimizer: torch.optim.Optimizer
) -> None:
    """Adapter, head, the optimizer's moments and the state of random numbers (dropout draws them),
    all as safetensors, for `load_training` to go on."""
    weights = get_peft_model_state_dict(model, adapter_name=adapter)
    save_file({k: v.contiguous() for k, v in weights.items()}, folder / "adapter.safetensors")
    save_file(dict(head.state_dict()), folder / "head.safetensors")
    save_moments(optimizer, folder / "optimizer.safetensors")
    drawn = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        drawn["cuda"] = torch.cuda.get_rng_state()
    save_file(drawn, folder / "random.safetensors")


def load_training(
    folder: Path, model: PeftModel, adapter: str, head: nn.Module, optimizer: torch.optim.Optimizer
) -> None:
    """Put into place what `save_training` wrote; learning rates stay as they are.

    Raises DamagedArtifactError as `read_tensors`.
    """
    weights = read_tensors(folder / "adapter.safetensors")
    set_peft_model_state_dict(model, weights, adapter_name=adapter)
    head.load_state_dict(read_tensors(folder / "head.safetensors"))
    load_moments(optimizer, folder / "optimizer.safetensors")
    drawn = read_tensors(folder / "random.safetensors")
    torch.set_rng_state(drawn["cpu"])
    if "cuda" in drawn:
        torch.cuda.set_rng_state(drawn["cuda"])


def activate(model: PeftModel, adapter: str, *, trainable: bool = False) -> None:
    """Switch to `adapter`. PEFT's own switch makes every adapter it activates trainable."""
    model.set_adapter(adapter)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(trainable and f".{adapter}." in name)


@contextmanager
def speaking(model: PeftModel, adapter: str | None) -> Iterator[None]:
    """The base with another adapter, or with none, and then as it was. PEFT's own switches leave
    what they put back trainable."""
    trainable = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    active = model.active_adapter
    try:
        if adapter is None:
            with model.disable_adapter():
                yield
        else:
            model.set_adapter(adapter)
            yield
    finally:
        if adapter is not None:
            model.set_adapter(active)
        for parameter, wanted in trainable:
            parameter.requires_grad_(wanted)


def head_width(model: PeftModel | PreTrainedModel) -> int:
    """Width of the last hidden state: OPT-350m's is word_embed_proj_dim, not hidden_size."""
    return int(model.get_output_embeddings().weight.shape[1])


def last_hidden(model: PeftModel | PreTrainedModel, ids: Tensor, mask: Tensor) -> Tensor:
    """(batch, length) tokens -> (batch, length, head_width)."""
    return _decoded(model, ids, mask, use_cache=False)


def _decoded(model: PeftModel | PreTrainedModel, ids: Tensor, mask: Tensor, **kept: Any) -> Tensor:
    """The last layer's output for `ids`, the last tokens of those that `mask` covers."""
    base: Any = model.get_base_model() if isinstance(model, PeftModel) else model
    positions = (mask.cumsum(1) - 1).clamp(min=0)[:, -ids.shape[1] :]
    found = base.base_model(input_ids=ids, attention_mask=mask, position_ids=positions, **kept)
    hidden: Tensor = found.last_hidden_state
    return hidden


@dataclass(frozen=True)
class Samples:
    """Sampled responses behind left-padded prompts.

    ids, mask: (batch, prompt width + response width); the mask covers the response up to and
    including its end-of-text token. texts: the decoded responses.
    """

    ids: Tensor
    mask: Tensor
    prompt_width: int
    texts: list[str]
    others: Others

    @property
    def response_mask(self) -> Tensor:
        """(batch, response width) 1 for each token of a response, its end-of-text included."""
        return self.mask[:, self.prompt_width :]

    @property
    def dialogues(self) -> Dialogues:
        """Prompts and responses as what losses and reward heads read."""
        answered = self.mask.clone()
        answered[:, : self.prompt_width] = 0
        return Dialogues(self.ids, self.mask, answered, self.others)

    def ended(self, end: int) -> Tensor:
        """Whether each response has its end-of-text token, (batch,); else it was cut off."""
        found = self.ids[:, self.prompt_width :] == end
        return (found & self.response_mask.bool()).any(1)

    def rows(self, chosen: Tensor) -> Samples:
        """Some of the responses, by their numbers (n,), in that order."""
        texts = [self.texts[i] for i in chosen.tolist()]
        others = some_others(self.others, chosen)
        return Samples(self.ids[chosen], self.mask[chosen], self.prompt_width, texts, others)


def drawable(logits: Tensor, min_p: float) -> Tensor:
    """The tokens that sampling may draw: tempered logits (..., vocabulary) -> booleans.

    Min-p (Nguyen et al. 2025): those at least `min_p` times as probable as the likeliest.
    """
    if min_p == 0:
        return torch.ones_like(logits, dtype=torch.bool)
    return logits >= logits.amax(-1, keepdim=True) + math.log(min_p)


def drawing_logits(logits: Tensor, allowed: Tensor) -> Tensor:
    """Logits of the distribution that is sampled from, which is 0 off `allowed`."""
    return logits.masked_fill(~allowed, -math.inf)


@torch.no_grad()
def sample(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[str],
    config: GenerationConfig,
    seed: int,
    before_token: Callable[[], None] = lambda: None,
) -> Samples:
    """One response per prompt, drawn as `config` says; the seed decides every draw, and
    `before_token`, called before each, ends it all by raising."""
    ids, mask = encode_prompts(tokenizer, prompts)
    count, width = ids.shape
    # A uniform number for every row and step, drawn beforehand and turned into a token by the
    # distribution function: torch.multinomial took two fifths of the sampling's time.
    shape = (count, config.max_new_tokens)
    draws = torch.rand(shape, generator=torch.Generator().manual_seed(seed)).to(ids.device)
    tokens = torch.full(shape, tokenizer.pad_token_id, device=ids.device)
    written = torch.zeros_like(tokens)
    rows = torch.arange(count, device=ids.device)
    cache, fed, seen = DynamicCache(config=model.config), ids, mask
    for step in range(config.max_new_tokens):
        before_token()
        logits = _next_logits(model, fed, seen, cache).float() / config.temperature
        logits = drawing_logits(logits, drawable(logits, config.min_p))
        drawn = drawn_token(logits.softmax(-1), draws[rows, step])
        tokens[rows, step], written[rows, step] = drawn, 1
        going = (drawn != tokenizer.eos_token_id).nonzero().squeeze(1)
        if not len(going):
            break
        if len(going) < len(rows):
            cache.batch_select_indices(going)
        rows, fed = rows[going], drawn[going].unsqueeze(1)
        seen = torch.cat([seen[going], torch.ones_like(fed)], 1)
    length = int(written.sum(1).max())
    tokens, written = tokens[:, :length], written[:, :length]
    texts = tokenizer.batch_decode(
        [row[keep.bool()] for row, keep in zip(tokens, written, strict=True)],
        skip_special_tokens=True,
    )
    full, mask = torch.cat([ids, tokens], 1), torch.cat([mask, written], 1)
    others = for_another_customer(tokenizer, prompts)
    return Samples(full, mask, width, [text.strip() for text in texts], others)


def drawn_token(shares: Tensor, draws: Tensor) -> Tensor:
    """Where uniform numbers (rows,) in [0, 1) fall in the distributions (rows, vocabulary)."""
    below = shares.cumsum(-1)
    total = below[:, -1:]
    # Below the total whatever the rounding, or the last token would be drawn, drawable or not.
    highest = torch.nextafter(total, torch.zeros_like(total))
    point = torch.minimum(draws.unsqueeze(1) * total, highest)
    return torch.searchsorted(below, point, right=True).squeeze(1)


def _next_logits(model: Any, fed: Tensor, seen: Tensor, cache: DynamicCache) -> Tensor:
    """Logits of the token after `fed`, which follows what the cache holds; `seen` masks both."""
    hidden = _decoded(model, fed, seen, past_key_values=cache, use_cache=True)[:, -1]
    # Of a matrix: for a slice of three dimensions the words' weights were copied for every text.
    found: Tensor = model.get_output_embeddings()(hidden)
    return found


def sample_many(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[str],
    config: GenerationConfig,
    seed: int,
    batch: int = 256,
) -> list[Samples]:
    """`sample` over any number of prompts, a batch at a time."""
    return [
        sample(model, tokenizer, prompts[i : i + batch], config, seed + i)
        for i in range(0, len(prompts), batch)
    ]


def features(model: Any, samples: Samples) -> Tensor:
    """For every response position the hidden state before it: (batch, T, head_width)."""
    return last_hidden(model, samples.ids, samples.mask)[:, samples.prompt_width - 1 : -1]


def logit_rows(model: Any, length: int) -> int:
    """How many texts of `length` tokens may have their logits in memory together."""
    vocabulary = model.get_output_embeddings().weight.shape[0]
    return int(max(1, LOGITS // (length * vocabulary)))


def tempered_logits(model: Any, hidden: Tensor, config: GenerationConfig) -> Tensor:
    """Hidden states (..., head_width) -> logits (..., vocabulary) at the temperature of sampling,
    in 32 bits: the distribution that tokens are drawn from before improbable ones are cut off."""
    logits: Tensor = model.get_output_embeddings()(hidden).float() / config.temperature
    return logits
