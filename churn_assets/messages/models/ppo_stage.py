"""Stage `ppo_text_model`: runs PPO-Text with checkpoints, judges it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from peft import PeftModel
from pydantic import TypeAdapter
from safetensors.torch import save_file

from churn_assets.messages.config import PpoTextSettings
from churn_assets.messages.models.evaluation import evaluation_situations
from churn_assets.messages.models.language_model import (
    activate,
    head_width,
    load_base,
    load_training,
    sample_many,
    save_adapter,
    save_training,
    use_threads,
)
from churn_assets.messages.models.model_card import write_model_card
from churn_assets.messages.models.plots import training_plot
from churn_assets.messages.models.ppo_evaluation import evaluate
from churn_assets.messages.models.ppo_text import POLICY, REFERENCE, REWARD, PpoText, Scorer
from churn_assets.messages.models.reward import JUDGE
from churn_assets.messages.models.scoring import load_head
from churn_assets.messages.shield.validation import Shield
from churn_assets.stages.checkpoints import newest_checkpoint, write_checkpoint
from churn_assets.stages.spec import Progress, silent
from churn_assets.stages.stopping import stop_between_steps
from churn_assets.storage.current import parse_json

CALIBRATION_SEED = 7
CALIBRATION_SAMPLES = 256  # at most
_STATE = TypeAdapter(dict[str, Any])
SHOWN = ("score", "kl", "beta", "pass_rate", "length")  # of each iteration, as it goes


def run(
    inputs: Mapping[str, Path],
    out: Path,
    config: PpoTextSettings,
    progress: Progress = silent,
    checkpoints: Path | None = None,
) -> dict[str, Any]:
    """Inputs: message_base_model, sft_model, reward_model. Resumes from `checkpoints`."""
    use_threads(config.threads)
    model, tokenizer = load_adapters(inputs, config)
    shield = Shield.load()
    heads = {
        name: load_head(inputs["reward_model"], name, head_width(model)) for name in (REWARD, JUDGE)
    }
    scorer = Scorer(heads[REWARD], shield)
    trainer = PpoText(model, tokenizer, scorer, config.ppo, config.generation)
    history = train(trainer, config, progress, checkpoints)
    report = evaluate(model, tokenizer, heads, shield, config)
    report["history"] = history
    report["kl_target"] = config.ppo.kl_target
    report["kl_peak"] = max(row["kl"] for row in history)
    save_adapter(model, POLICY, out)
    save_file(dict(trainer.value_head.state_dict()), out / "value_head.safetensors")
    training_plot(history, config.ppo.kl_target, out / "plots" / "ppo_text.png")
    write_model_card(out, "PPO-Text policy", config, report, inputs)
    return report


def load_adapters(inputs: Mapping[str, Path], config: PpoTextSettings) -> tuple[PeftModel, Any]:
    """One base; `policy` starts as a copy of `sft`; `reward` and `judge` are frozen for good."""
    base, tokenizer = load_base(inputs["message_base_model"], eight_bit=config.base.eight_bit)
    sft = inputs["sft_model"] / REFERENCE
    model = PeftModel.from_pretrained(base, sft, adapter_name=POLICY, is_trainable=True)
    model.load_adapter(sft, adapter_name=REFERENCE)
    for name in (REWARD, JUDGE):
        model.load_adapter(inputs["reward_model"] / name, adapter_name=name)
    return model, tokenizer


def train(
    trainer: PpoText, config: PpoTextSettings, progress: Progress, checkpoints: Path | None
) -> list[dict[str, float]]:
    """All iterations from the last checkpoint on; returns the whole history.

    A stop request waits for the end of the iteration and leaves a last checkpoint.
    """
    history = restore(trainer, checkpoints) if checkpoints else []
    if not history:
        calibrate(trainer, config)
    with stop_between_steps() as stopping:
        for iteration in range(len(history), config.ppo.iterations):
            history.append(trainer.iterate(iteration))
            figures = {name: history[-1][name] for name in SHOWN}
            progress(iteration + 1, config.ppo.iterations, **figures)
            stop = stopping()  # asked once: a request between two looks would end without a save
            due = stop or (iteration + 1) % config.ppo.checkpoint_every == 0
            if checkpoints and due:
                save(trainer, history, checkpoints)
            if stop:
                break
    return history


def calibrate(trainer: PpoText, config: PpoTextSettings) -> None:
    """Sample the reference once, for the reward's scale and a value head that knows it."""
    count = min(CALIBRATION_SAMPLES, config.ppo.evaluation_samples)
    situations = evaluation_situations(count, CALIBRATION_SEED)
    activate(trainer.model, REFERENCE)
    trainer.model.eval()
    prompts = [situation.prompt for situation in situations]
    sampled = sample_many(
        trainer.model, trainer.tokenizer, prompts, config.generation, CALIBRATION_SEED
    )
    trainer.start(sampled)


# --- checkpoints: safetensors and JSON, replaced atomically ------------------------------------


def save(trainer: PpoText, history: Sequence[Mapping[str, float]], folder: Path) -> None:
    """Write everything that the next iteration depends on."""

    def write(fresh: Path) -> None:
        save_training(fresh, trainer.model, POLICY, trainer.value_head, trainer.optimizer)
        state = {
            "history": list(history),
            "beta": trainer.control.beta,
            "score_mean": trainer.scorer.mean,
            "score_deviation": trainer.scorer.deviation,
        }
        (fresh / "state.json").write_text(json.dumps(state), encoding="utf-8")

    write_checkpoint(folder, len(history), write)


def restore(trainer: PpoText, folder: Path) -> list[dict[str, float]]:
    """Load the newest checkpoint into the trainer; an empty history when there is none."""
    newest = newest_checkpoint(folder)
    if newest is None:
        return []
    load_training(newest, trainer.model, POLICY, trainer.value_head, trainer.optimizer)
    path = newest / "state.json"
    state = parse_json(_STATE, str(path), path.read_bytes(), f"remove {newest}")
    trainer.control.beta = state["beta"]
    trainer.scorer.mean = state["score_mean"]
    trainer.scorer.deviation = state["score_deviation"]
    history: list[dict[str, float]] = state["history"]
    return history
