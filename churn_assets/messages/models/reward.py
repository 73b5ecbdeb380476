"""The reward model: LoRA, a head (`scoring.py`), Bradley-Terry; and a second one as judge.

The judge has another seed and other pairs. PPO never sees it: a gain that only the first model
sees is a gain in fooling it.
"""

from __future__ import annotations

import random
import shutil
import warnings
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from peft import PeftModel
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from churn_assets.messages.config import RewardConfig, RewardSettings
from churn_assets.messages.corpus.answers import INPUT as ANSWERS
from churn_assets.messages.corpus.answers import read_answers, with_share
from churn_assets.messages.corpus.corpus import SOURCE
from churn_assets.messages.corpus.pairs import Pair, as_pairs, read_pairs
from churn_assets.messages.models.encoding import (
    batches_of_like_length,
    device,
    encode_pairs,
    of_like_length,
    pad_right,
)
from churn_assets.messages.models.language_model import (
    SFT,
    activate,
    head_width,
    last_hidden,
    load_base,
    load_training,
    save_adapter,
    save_training,
    speaking,
    use_threads,
    with_new_adapter,
)
from churn_assets.messages.models.model_card import write_model_card
from churn_assets.messages.models.plots import calibration_plot
from churn_assets.messages.models.reward_evaluation import evaluate, fit_figures
from churn_assets.messages.models.scoring import RewardHead
from churn_assets.stages.beside import running_beside
from churn_assets.stages.checkpoints import newest_checkpoint, steps_done, write_checkpoint
from churn_assets.stages.spec import Progress, silent
from churn_assets.stages.stopping import stop_between_steps

REWARD, JUDGE = "reward", "judge"
# Bradley-Terry fixes only differences; this holds the scores near zero (Eisenstein et al. 2023).
CENTRING = 0.01
# Bytes for what a gradient is taken through: on a processor 2,000 tokens of SmolLM2-135M;
# on a card a share of all that it has (not of what is free), so that one kind of card parts a batch
# in one way. Two models are trained beside each other, each with weights and moments.
MEMORY, OF_A_CARD = 3 * 2**30, 0.25
KEPT = 96  # bytes for each token, layer and unit of width
INPUTS = 4  # where activations are computed again layer by layer: of each layer but one its input


class Seen(NamedTuple):
    """What is made of a pair before anything is learnt, the better text first.

    tokens: of both texts behind the prompt. said: what the prompt says for the words, (2, 1 or 3),
    see `RewardHead.said`. states: the base's that the head reads, (2, width), if it is fitted to
    them.
    """

    tokens: tuple[list[int], list[int]]
    said: Tensor
    states: Tensor | None


def run(
    inputs: Mapping[str, Path],
    out: Path,
    config: RewardSettings,
    progress: Progress = silent,
    checkpoints: Path | None = None,
) -> dict[str, Any]:
    """Stage `reward_model`; inputs: message_base_model, retention_preferences, preference_pairs.

    Also answer_pairs, where there are enough, and sft_model for `reward.informed`: its adapter goes
    into the artifact, without which the scores can't be had.

    Resumes from `checkpoints`, each of the two models from its own; a stop request leaves a last
    one of each that has begun.
    """
    if config.reward.informed:
        shutil.copytree(inputs["sft_model"] / SFT, out / SFT, dirs_exist_ok=True)
    asked = (JUDGE, inputs, out, config, silent, checkpoints)
    with running_beside(train_and_evaluate, *asked) as judged:  # two trainings, two cores
        report = train_and_evaluate(REWARD, inputs, out, config, progress, checkpoints)
        report["judge"] = judged.result()
    calibration_plot(report["calibration"], out / "plots" / "reward_calibration.png")
    write_model_card(out, "Reward model and judge", config, report, inputs)
    return report


def train_and_evaluate(
    adapter: str,
    inputs: Mapping[str, Path],
    out: Path,
    config: RewardSettings,
    progress: Progress = silent,
    checkpoints: Path | None = None,
) -> dict[str, Any]:
    """One of the two models on its half of the pairs: saves adapter and head, returns figures."""
    use_threads(config.threads // 2 or config.threads)  # the other half is the other model's
    turn = (REWARD, JUDGE).index(adapter)
    seed = (config.reward.seed, config.reward.judge_seed)[turn]
    model, tokenizer = load_base(inputs["message_base_model"], eight_bit=config.base.eight_bit)
    torch.manual_seed(seed)  # the adapter begins at random
    adapted = with_new_adapter(model, config.lora, adapter)
    if config.reward.informed:
        adapted.load_adapter(inputs["sft_model"] / SFT, adapter_name=SFT)
    train, test = (read_pairs(inputs, config, split) for split in ("train", "test"))
    answers = as_pairs(read_answers(inputs.get(ANSWERS), "train"))[turn::2]
    own = with_share(train[turn::2], answers, config.reward.answer_share)
    folder = checkpoints / adapter if checkpoints else None
    head = train_reward(adapted, tokenizer, adapter, own, config, seed, progress, folder)
    save_file(head.state_dict(), out / f"{adapter}_head.safetensors")
    save_adapter(adapted, adapter, out)
    activate(adapted, adapter)
    if adapter == JUDGE:  # it is asked about our own messages alone, and judged by them
        test = [pair for pair in test if pair.source == SOURCE]
    fit = fit_figures(adapted, tokenizer, head, config) if adapter == REWARD else {}
    return {
        **evaluate(adapted, tokenizer, head, test, config),
        **fit,
        "train_pairs": len(own),
        **({"answer_pairs": len(answers)} if answers else {}),
    }


def train_reward(
    model: PeftModel,
    tokenizer: Any,
    adapter: str,
    pairs: Sequence[Pair],
    config: RewardSettings,
    seed: int,
    progress: Progress = silent,
    checkpoints: Path | None = None,
) -> RewardHead:
    """Maximise log sigmoid(r(chosen) - r(rejected)); trains the adapter in place.

    Goes on from the newest of `checkpoints`, step for step as if it had never stopped. A stop
    request waits for the end of the step and leaves a last checkpoint, as the end does: the other
    model may still be at work when the stage is stopped.
    """
    torch.manual_seed(seed)
    newest = newest_checkpoint(checkpoints)
    done = steps_done(newest) if newest else 0
    head, seen = begun_head(model, tokenizer, pairs if done < config.reward.steps else [], config)
    activate(model, adapter, trainable=True)
    model.train()
    parameters = [p for p in model.parameters() if p.requires_grad] + list(head.parameters())
    optimizer = torch.optim.AdamW(parameters, lr=config.reward.learning_rate, weight_decay=0.01)
    batches = batches_of_like_length(
        pairs, config.reward.batch, lambda pair: pair.length, random.Random(seed)
    )
    schedule = _schedule(optimizer, config.reward)
    if newest:
        load_training(newest, model, adapter, head, optimizer)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the optimizer's steps so far are in the checkpoint
        for _ in range(done):
            next(batches)
            schedule.step()
    keep = partial(save_training, model=model, adapter=adapter, head=head, optimizer=optimizer)
    with stop_between_steps() as stopping:
        for step in range(done, config.reward.steps):
            batch = [seen[pair] for pair in next(batches)]
            optimizer.zero_grad()
            loss, right = _learn(model, head, batch, tokenizer.pad_token_id)
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            schedule.step()
            progress(step + 1, config.reward.steps, loss=loss, accuracy=right / len(batch))
            stop = stopping()
            due = stop or (step + 1) % config.reward.checkpoint_every == 0
            if checkpoints and (due or step + 1 == config.reward.steps):
                write_checkpoint(checkpoints, step + 1, keep)
            if stop:
                break
    model.eval()
    return head


def begun_head(
    model: PeftModel, tokenizer: Any, pairs: Sequence[Pair], config: RewardSettings
) -> tuple[RewardHead, dict[Pair, Seen]]:
    """The head before training, at random or fitted to the base's states (`reward.probe`), and
    what it is trained on. Without pairs, as where all steps are done, it is random."""
    probed = config.reward.probe
    head = RewardHead(head_width(model), last_word=probed, informed=config.reward.informed)
    head.to(device())
    seen = seen_before(model, tokenizer, head, pairs, config.reward.max_length, states=probed)
    if probed and pairs:
        states = torch.stack(
            [found for pair in pairs if (found := seen[pair].states) is not None], 1
        )
        head.fit(states, torch.stack([seen[pair].said for pair in pairs], 1))
    return head, seen


def _schedule(
    optimizer: torch.optim.Optimizer, config: RewardConfig
) -> torch.optim.lr_scheduler.OneCycleLR:
    return torch.optim.lr_scheduler.OneCycleLR(
        optimizer, config.learning_rate, total_steps=config.steps, pct_start=config.rise
    )


def _learn(
    model: PeftModel, head: RewardHead, batch: Sequence[Seen], padding: int
) -> tuple[float, int]:
    """Adds one step's gradients, a few pairs at a time; returns its loss and how many are right."""
    loss, right = 0.0, 0
    longest = max(len(text) for pair in batch for text in pair.tokens)
    together = _pairs_together(model, longest)
    for i in range(0, len(batch), together):
        part = batch[i : i + together]  # padded by itself: a long pair doesn't make others long
        ids, mask = pad_right([pair.tokens[side] for side in (0, 1) for pair in part], padding)
        said = torch.stack([pair.said for pair in part], 1).flatten(0, 1)
        chosen, rejected = head(last_hidden(model, ids, mask), mask, said).chunk(2)
        margin, share_of = chosen - rejected, len(part) / len(batch)
        centring = CENTRING * (chosen + rejected).pow(2).mean()
        found = (centring - functional.logsigmoid(margin).mean()) * share_of
        found.backward()
        loss, right = loss + found.item(), right + int((margin > 0).sum())
    return loss, right


def _pairs_together(model: PeftModel, length: int) -> int:
    """How many pairs of `length` tokens a text may be kept for a gradient at once.

    A gradient is the same by parts as at once, to within rounding; but a base with dropout draws it
    part by part.
    """
    base: Any = model.get_base_model()
    layers = base.config.num_hidden_layers
    kept = INPUTS * layers + KEPT if base.is_gradient_checkpointing else KEPT * layers
    return int(max(1, _memory() // (2 * length * base.config.hidden_size * kept)))


def _memory() -> int:
    if device().type == "cpu":
        return MEMORY
    return int(torch.cuda.get_device_properties(device()).total_memory * OF_A_CARD)


def seen_before(
    model: PeftModel,
    tokenizer: Any,
    head: RewardHead,
    pairs: Sequence[Pair],
    max_length: int,
    *,
    states: bool = False,
) -> dict[Pair, Seen]:
    """What base and speaker make of each pair: once is enough for all of a training.

    states: whether those that the head reads are kept, too.
    """
    model.eval()  # a base with dropout would say something else each time
    found: dict[Pair, Seen] = {}
    with torch.no_grad():
        for part in of_like_length(pairs):
            texts = encode_pairs(tokenizer, part, max_length)
            with speaking(model, None):
                hidden = last_hidden(model, texts.ids, texts.mask)
            read = head.pooled(hidden, texts.mask).view(2, len(part), -1).transpose(0, 1)
            kept = read if states else [None] * len(part)
            with speaking(model, head.speaker):
                said = head.said(model, texts, hidden if head.speaker is None else None)
            said = said.view(2, len(part), -1).transpose(0, 1)
            rows = zip(texts.ids.tolist(), texts.mask.sum(1).tolist(), strict=True)
            tokens = [row[:length] for row, length in rows]
            both = zip(tokens[: len(part)], tokens[len(part) :], strict=True)
            found |= dict(zip(part, map(Seen, both, said, kept), strict=True))
    return found
