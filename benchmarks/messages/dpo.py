"""DPO (Rafailov et al. 2023) by TRL on the same base, SFT adapter and pairs: a baseline of PPO."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import PeftModel
from trl.trainer.dpo_config import DPOConfig
from trl.trainer.dpo_trainer import DPOTrainer

from benchmarks.messages.methods import DPO
from churn_assets.messages.config import MessagesConfig
from churn_assets.messages.corpus.corpus import read_jsonl
from churn_assets.messages.models.encoding import worded
from churn_assets.messages.models.language_model import load_base, use_threads
from churn_assets.messages.models.ppo_text import REFERENCE

BETA, LEARNING_RATE = 0.1, 3e-4
"""TRL's default, and the learning rate of SFT."""
STEPS, BATCH = 100, 16
"""At most so many gradient steps and pairs a step: one costs as much as ten of the reward model's,
since two models' logits of both texts are taken."""


def train_dpo(inputs: Mapping[str, Path], config: MessagesConfig, out: Path) -> dict[str, Any]:
    """Write the adapter `dpo` to `out`, of the half of the pairs that the reward model has."""
    steps, batch = min(STEPS, config.reward.steps), min(BATCH, config.reward.batch)
    use_threads(config.threads)
    base, tokenizer = load_base(inputs["message_base_model"], eight_bit=config.base.eight_bit)
    sft = inputs["sft_model"] / REFERENCE
    torch.manual_seed(config.reward.seed)
    # The trainer copies the adapter that it is given as its reference; ours is called `default`.
    model = PeftModel.from_pretrained(base, sft, adapter_name="default", is_trainable=True)
    rows = read_jsonl(inputs["retention_preferences"] / "train.jsonl")[::2]
    prompts = worded(tokenizer, [row["prompt"] for row in rows])  # as they are when it writes
    pairs = [
        {"prompt": prompt, "chosen": row["chosen"], "rejected": row["rejected"]}
        for prompt, row in zip(prompts, rows, strict=True)
    ]
    on_gpu = torch.cuda.is_available()
    trainer = DPOTrainer(
        model=model,
        args=DPOConfig(
            output_dir=str(out / "trainer"),
            max_steps=steps,
            per_device_train_batch_size=batch,
            learning_rate=LEARNING_RATE,
            beta=BETA,
            max_length=config.reward.max_length,
            seed=config.reward.seed,
            use_cpu=not on_gpu,
            bf16=on_gpu,
            activation_checkpointing=on_gpu,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            logging_steps=20,
        ),
        train_dataset=Dataset.from_list(pairs),
        processing_class=tokenizer,
    )
    trainer.train()
    model.save_pretrained(
        str(out / DPO), selected_adapters=["default"]
    )  # `default` is in no subfolder
    losses = [row["loss"] for row in trainer.state.log_history if "loss" in row]
    return {"losses": losses, "steps": steps, "pairs": len(pairs)}
