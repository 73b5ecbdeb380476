"""Supervised fine-tuning: a LoRA adapter that writes good messages only."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import PeftModel
from torch.nn import functional
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer import TRAINER_STATE_NAME
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR, get_last_checkpoint
from trl.trainer.sft_config import SFTConfig as TrlSftConfig
from trl.trainer.sft_trainer import SFTTrainer

from churn_assets.domain.statistics import share
from churn_assets.messages.config import GenerationConfig, SftSettings
from churn_assets.messages.corpus.corpus import read_jsonl
from churn_assets.messages.corpus.prompts import Situation
from churn_assets.messages.models.encoding import worded
from churn_assets.messages.models.evaluation import (
    WHOLE_SAMPLES,
    evaluation_situations,
    passes,
    text_quality,
    violation_counts,
)
from churn_assets.messages.models.language_model import (
    SFT,
    activate,
    last_hidden,
    load_base,
    sample_many,
    save_adapter,
    use_threads,
    with_new_adapter,
)
from churn_assets.messages.models.model_card import write_model_card
from churn_assets.messages.models.tensors import read_tensors
from churn_assets.messages.shield.validation import Shield
from churn_assets.stages.checkpoints import flush
from churn_assets.stages.spec import Progress, silent
from churn_assets.stages.stopping import stop_between_steps
from churn_assets.storage.scratch import scratch_folder

SHOWN = 5
IGNORED = -100  # the libraries' mark of a token that isn't learnt


class _Report(TrainerCallback):
    """Hands the trainer's log to the stage's progress, and a stop request to the trainer."""

    def __init__(self, progress: Progress, stopping: Callable[[], bool]) -> None:
        self.progress = progress
        self.stopping = stopping
        self.started, self.seen_before = time.perf_counter(), 0

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        # A resumed training has seen tokens in another process's time.
        self.started, self.seen_before = time.perf_counter(), int(state.num_input_tokens_seen)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if self.stopping():
            control.should_save = control.should_training_stop = True

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        flush(Path(str(args.output_dir)) / f"{PREFIX_CHECKPOINT_DIR}-{state.global_step}")

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        if logs and "loss" in logs:
            seen = state.num_input_tokens_seen - self.seen_before
            speed = seen / (time.perf_counter() - self.started)
            self.progress(
                state.global_step, state.max_steps, loss=logs["loss"], tokens_per_second=speed
            )


class _WholeLogitsTrainer(SFTTrainer):
    """TRL's trainer with the plain loss: the mean of -log p over the completions' tokens.

    Its own head goes through the vocabulary in tiles, once forward and once backward, and sums the
    entropy beside: on a processor that takes a third of a step, and memory isn't short there.
    """

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        if return_outputs:
            raise ValueError("nothing is evaluated by this trainer: it keeps no outputs")
        labels = inputs["labels"][:, 1:]
        answered = labels != IGNORED
        hidden = last_hidden(model, inputs["input_ids"], inputs["attention_mask"])[:, :-1]
        logits = model.get_output_embeddings()(hidden[answered]).float()
        total = functional.cross_entropy(logits, labels[answered], reduction="sum")
        return total / (len(logits) if num_items_in_batch is None else num_items_in_batch)


def run(
    inputs: Mapping[str, Path],
    out: Path,
    config: SftSettings,
    progress: Progress = silent,
    checkpoints: Path | None = None,
) -> dict[str, Any]:
    """Stage `sft_model`; inputs: message_base_model, retention_messages, oasst1_pairs.

    Resumes from `checkpoints`; a stop request leaves a last one.
    """
    use_threads(config.threads)
    model, tokenizer = load_base(inputs["message_base_model"], eight_bit=config.base.eight_bit)
    torch.manual_seed(config.sft.seed)  # the adapter begins at random
    adapted = with_new_adapter(model, config.lora, SFT)
    rows = training_rows(inputs, tokenizer, config)
    count, drawn = config.ppo.evaluation_samples, config.generation
    # The new adapter is still without effect.
    before = pass_rate(adapted, tokenizer, config, count, drawn)
    activate(adapted, SFT, trainable=True)
    with scratch_folder("sft") as scratch, stop_between_steps() as stopping:
        folder = checkpoints or scratch
        trainer = (_WholeLogitsTrainer if config.sft.whole_logits else SFTTrainer)(
            model=adapted,
            args=_trainer_arguments(config, folder),
            train_dataset=Dataset.from_list(rows),
            processing_class=tokenizer,
            callbacks=[_Report(progress, stopping)],
        )
        learn_in_32_bits(adapted)
        trainer.train(resume_from_checkpoint=_last_whole_checkpoint(folder))
    save_adapter(adapted, SFT, out)
    report = {
        "rows": len(rows),
        "losses": [row["loss"] for row in trainer.state.log_history if "loss" in row],
        "base_pass_rate": before,
        **evaluate(adapted, tokenizer, config),
        "sampling": config.generation.model_dump(),
        "pass_rate_without_min_p": pass_rate(
            adapted, tokenizer, config, min(WHOLE_SAMPLES, count), drawn.whole()
        ),
    }
    write_model_card(out, "SFT adapter", config, report, inputs)
    return report


def learn_in_32_bits(model: torch.nn.Module) -> None:
    """What is trained is of 32 bits, and so are the moments that Adam keeps of it.

    On a base of 8 bit TRL makes the adapter bfloat16, where small steps are rounded away; a resumed
    training got an adapter of 32 bits from PEFT nevertheless, and so another model.
    """
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()


def _last_whole_checkpoint(folder: Path) -> str | None:
    """The library's newest checkpoint; one that a kill cut short goes: it lacks the last file.

    The library pickles optimizer and random state in it. Only this stage writes to the folder, and
    it is deleted when the stage has succeeded: no artifact ever holds a pickle.
    """
    for checkpoint in folder.glob("checkpoint-*"):
        if not (checkpoint / TRAINER_STATE_NAME).exists():
            shutil.rmtree(checkpoint)
    found: str | None = get_last_checkpoint(folder)
    for weights in Path(found).rglob("*.safetensors") if found else ():
        read_tensors(weights, Path(found or ""))  # the library wouldn't say which file is damaged
    return found


def training_rows(
    inputs: Mapping[str, Path], tokenizer: Any, config: SftSettings
) -> list[dict[str, str]]:
    """Prompt and completion, in an order drawn by the seed; public dialogues are a small share.

    Dialogues that are too long are left out: their beginnings alone teach a small model nothing,
    and their many improbable tokens outweigh every message in the batch.
    """
    wanted = config.sft.steps * config.sft.batch
    public = read_jsonl(inputs["oasst1_pairs"] / "train.jsonl")
    fitting = [row for row in public if _fits(row, tokenizer, config.sft.max_length)]
    fitting = fitting[: config.corpus.public_dialogues]
    own = read_jsonl(inputs["retention_messages"] / "train.jsonl", max(1, wanted - len(fitting)))
    prompts = worded(tokenizer, [row["prompt"] for row in (*own, *fitting)])
    rows = [
        {"prompt": prompt.removesuffix("\n") + "\n", "completion": row["response"]}
        for prompt, row in zip(prompts, (*own, *fitting), strict=True)
    ]
    random.Random(config.sft.seed).shuffle(rows)
    return rows


def _fits(row: Mapping[str, str], tokenizer: Any, max_length: int) -> bool:
    return len(tokenizer(row["prompt"] + row["response"]).input_ids) < max_length - 1


def _trainer_arguments(config: SftSettings, folder: Path) -> TrlSftConfig:
    on_gpu = torch.cuda.is_available()
    return TrlSftConfig(
        output_dir=str(folder),
        max_steps=config.sft.steps,
        per_device_train_batch_size=config.sft.batch,
        learning_rate=config.sft.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=max(1, config.sft.steps // 20),
        max_length=config.sft.max_length,
        include_num_input_tokens_seen="non_padding",
        completion_only_loss=True,
        packing=False,
        train_sampling_strategy="group_by_length" if config.sft.like_length else "random",
        activation_checkpointing=on_gpu,
        use_cpu=not on_gpu,
        bf16=on_gpu,
        seed=config.sft.seed,
        data_seed=config.sft.seed,
        logging_steps=10,
        save_strategy="steps",
        save_steps=config.sft.checkpoint_every,
        save_total_limit=1,
        report_to="none",
        disable_tqdm=True,
    )


def evaluate(model: PeftModel, tokenizer: Any, config: SftSettings) -> dict[str, Any]:
    """Samples as `config.generation` draws them against the shield; no text is filtered."""
    count = config.ppo.evaluation_samples
    situations = evaluation_situations(count, config.sft.seed)
    texts = written(model, tokenizer, situations, config.generation, config.sft.seed)
    shield = Shield.load()
    passed = passes(shield, texts, situations)
    return {
        **share(sum(passed), len(passed)).as_dict("pass_rate"),
        "violations": violation_counts(shield, texts, situations),
        "quality": text_quality(texts),
        "samples": [
            {"prompt": s.prompt.strip(), "text": t, "passed": p}
            for s, t, p in list(zip(situations, texts, passed, strict=True))[:SHOWN]
        ],
    }


def pass_rate(
    model: PeftModel, tokenizer: Any, config: SftSettings, count: int, generation: GenerationConfig
) -> float:
    """The share of so many samples that passes the shield, drawn in this way."""
    situations = evaluation_situations(count, config.sft.seed)
    texts = written(model, tokenizer, situations, generation, config.sft.seed)
    return sum(passes(Shield.load(), texts, situations)) / count


def written(
    model: PeftModel,
    tokenizer: Any,
    situations: Sequence[Situation],
    generation: GenerationConfig,
    seed: int,
) -> list[str]:
    """What the adapter writes to each customer."""
    activate(model, SFT)
    model.eval()
    prompts = [situation.prompt for situation in situations]
    batches = sample_many(model, tokenizer, prompts, generation, seed)
    return [text for samples in batches for text in samples.texts]
