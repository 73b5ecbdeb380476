"""The reward model: LoRA, a head (`scoring.py`), Bradley-Terry; and a second one as judge.

The judge has another seed and other pairs. PPO never sees it: a gain that only the first model
sees is a gain in fooling it.
"""

from __future__ import annotations

import random
import shutil
import sys
import warnings
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from peft import PeftModel
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from churn_assets.domain.statistics import share, sigmoid
from churn_assets.messages.config import RewardSettings
from churn_assets.messages.corpus.answers import INPUT as ANSWERS
from churn_assets.messages.corpus.answers import read_answers, with_share
from churn_assets.messages.corpus.comparisons import (
    REASON,
    REVIEWED,
    RIGHT_OVER_WRONG,
    write_comparisons,
)
from churn_assets.messages.corpus.corpus import SOURCE
from churn_assets.messages.corpus.pairs import Pair, as_pairs, read_pairs
from churn_assets.messages.models.encoding import (
    Dialogues,
    batches_of_like_length,
    device,
    encode_dialogues,
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
from churn_assets.messages.models.scoring import RewardHead, scores
from churn_assets.stages.beside import running_beside
from churn_assets.stages.checkpoints import newest_checkpoint, steps_done, write_checkpoint
from churn_assets.stages.spec import Progress, silent
from churn_assets.stages.stopping import stop_between_steps

REWARD, JUDGE = "reward", "judge"
# Bradley-Terry fixes only differences; this holds the scores near zero (Eisenstein et al. 2023).
CENTRING = 0.01
ACTIVATIONS = 2**25  # tokens x width x layers: 2,000 tokens, 3 GB, of SmolLM2-135M
COMPARISON_SEED = 1_000_003
TOGETHER = 64  # pairs, where no gradient is kept
MARGIN_EDGES = (0.0, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0, float("inf"))


class Seen(NamedTuple):
    """What is made of a pair before anything is learnt, the better text first.

    said: what the prompt says for the words, (2, 1 or 3), see `RewardHead.said`. states: the base's
    that the head reads, (2, width).
    """

    said: Tensor
    states: Tensor


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
    probed, limit = config.reward.probe, config.reward.max_length
    head = RewardHead(head_width(model), last_word=probed, informed=config.reward.informed)
    head.to(device())
    seen = seen_before(model, tokenizer, head, pairs, limit)
    if probed:
        states = torch.stack([seen[pair].states for pair in pairs], 1)
        head.fit(states, torch.stack([seen[pair].said for pair in pairs], 1))
    activate(model, adapter, trainable=True)
    model.train()
    parameters = [p for p in model.parameters() if p.requires_grad] + list(head.parameters())
    optimizer = torch.optim.AdamW(parameters, lr=config.reward.learning_rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        config.reward.learning_rate,
        total_steps=config.reward.steps,
        pct_start=config.reward.rise,
    )
    batches = batches_of_like_length(
        pairs, config.reward.batch, lambda pair: pair.length, random.Random(seed)
    )
    done = 0
    if newest := newest_checkpoint(checkpoints):
        load_training(newest, model, adapter, head, optimizer)
        done = steps_done(newest)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the optimizer's steps so far are in the checkpoint
        for _ in range(done):
            next(batches)
            schedule.step()
    with stop_between_steps() as stopping:
        for step in range(done, config.reward.steps):
            batch = next(batches)
            optimizer.zero_grad()
            loss, right = _learn(model, head, batch, _encoded(tokenizer, batch, limit), seen)
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            schedule.step()
            progress(step + 1, config.reward.steps, loss=loss, accuracy=right / len(batch))
            stop = stopping()
            due = stop or (step + 1) % config.reward.checkpoint_every == 0
            if checkpoints and (due or step + 1 == config.reward.steps):
                keep = partial(
                    save_training, model=model, adapter=adapter, head=head, optimizer=optimizer
                )
                write_checkpoint(checkpoints, step + 1, keep)
            if stop:
                break
    model.eval()
    return head


def _learn(
    model: PeftModel,
    head: RewardHead,
    batch: Sequence[Pair],
    texts: Dialogues,
    seen: Mapping[Pair, Seen],
) -> tuple[float, int]:
    """Adds one step's gradients, a few pairs at a time; returns its loss and how many are right."""
    loss, right = 0.0, 0
    said = torch.stack([seen[pair].said for pair in batch], 1).flatten(0, 1)
    for part in torch.arange(len(batch)).split(_pairs_together(model, texts.ids.shape[1])):
        rows = torch.cat([part, part + len(batch)])
        some = texts.rows(rows)  # one long pair doesn't make the others long
        hidden = last_hidden(model, some.ids, some.mask)
        chosen, rejected = head(hidden, some.mask, said[rows]).chunk(2)
        margin, share_of = chosen - rejected, len(part) / len(batch)
        centring = CENTRING * (chosen + rejected).pow(2).mean()
        found = (centring - functional.logsigmoid(margin).mean()) * share_of
        found.backward()
        loss, right = loss + found.item(), right + int((margin > 0).sum())
    return loss, right


def _pairs_together(model: PeftModel, length: int) -> int:
    """How many pairs of `length` tokens a text may be kept for a gradient at once."""
    shape: Any = model.get_base_model().config
    of_a_pair = 2 * length * shape.hidden_size * shape.num_hidden_layers
    return int(max(1, ACTIVATIONS // of_a_pair))


def seen_before(
    model: PeftModel, tokenizer: Any, head: RewardHead, pairs: Sequence[Pair], max_length: int
) -> dict[Pair, Seen]:
    """What base and speaker make of each pair: once is enough for all of a training."""
    model.eval()  # a base with dropout would say something else each time
    found: dict[Pair, Seen] = {}
    with torch.no_grad():
        for part in _of_like_length(pairs):
            texts = _encoded(tokenizer, part, max_length)
            with speaking(model, None):
                hidden = last_hidden(model, texts.ids, texts.mask)
            states = head.pooled(hidden, texts.mask).view(2, len(part), -1).transpose(0, 1)
            with speaking(model, head.speaker):
                said = head.said(model, texts, hidden if head.speaker is None else None)
            said = said.view(2, len(part), -1).transpose(0, 1)
            found |= dict(zip(part, map(Seen, said, states), strict=True))
    return found


def _of_like_length(pairs: Sequence[Pair]) -> Iterator[list[Pair]]:
    """All of them, shortest first, a few at a time."""
    order = sorted(pairs, key=lambda pair: len(pair.prompt) + pair.length)
    return (order[i : i + TOGETHER] for i in range(0, len(order), TOGETHER))


def _encoded(tokenizer: Any, pairs: Sequence[Pair], max_length: int) -> Dialogues:
    """The chosen texts, then the rejected ones."""
    replies = [pair.chosen for pair in pairs] + [pair.rejected for pair in pairs]
    return encode_dialogues(tokenizer, [pair.prompt for pair in pairs] * 2, replies, max_length)


def score_pairs(
    model: PeftModel, tokenizer: Any, head: RewardHead, pairs: Sequence[Pair], max_length: int
) -> tuple[Tensor, Tensor]:
    """Scores of chosen and rejected, in one pass."""
    both = scores(model, head, _encoded(tokenizer, pairs, max_length))
    return both[: len(pairs)], both[len(pairs) :]


@torch.no_grad()
def evaluate(
    model: PeftModel,
    tokenizer: Any,
    head: RewardHead,
    pairs: Sequence[Pair],
    config: RewardSettings,
) -> dict[str, Any]:
    """Accuracy on held-out pairs: overall (the grammar's), by flaw, by source with its interval and
    the share of pairs that were cut at `max_length`; calibration. Its adapter is the active one."""
    margins = _margins(model, tokenizer, head, pairs, config)
    own = [m for m, pair in zip(margins, pairs, strict=True) if pair.source == SOURCE]
    by_flaw: dict[str, list[float]] = defaultdict(list)
    by_source: dict[str, list[float]] = defaultdict(list)
    for margin, pair in zip(margins, pairs, strict=True):
        by_source[pair.source].append(margin)
        if pair.flaw:
            by_flaw[pair.flaw].append(margin)
    return {
        **share(sum(m > 0 for m in own), len(own)).as_dict("accuracy"),
        "accuracy_by_flaw": {flaw: _accuracy(found) for flaw, found in sorted(by_flaw.items())},
        "accuracy_by_source": {name: _accuracy(found) for name, found in sorted(by_source.items())},
        "interval_by_source": {
            name: share(sum(m > 0 for m in found), len(found)).as_dict("accuracy")
            for name, found in sorted(by_source.items())
        },
        "cut_share_by_source": cut_shares(tokenizer, pairs, config.reward.max_length),
        "calibration": calibration(np.array(own)),
        "test_pairs": len(own),
    }


def _margins(
    model: PeftModel,
    tokenizer: Any,
    head: RewardHead,
    pairs: Sequence[Pair],
    config: RewardSettings,
) -> list[float]:
    """Score of chosen less that of rejected, for each pair."""
    found: dict[Pair, float] = {}
    for part in _of_like_length(pairs):
        chosen, rejected = score_pairs(model, tokenizer, head, part, config.reward.max_length)
        found |= dict(zip(part, (chosen - rejected).tolist(), strict=True))
    return [found[pair] for pair in pairs]


@torch.no_grad()
def fit_figures(
    model: PeftModel, tokenizer: Any, head: RewardHead, config: RewardSettings
) -> dict[str, Any]:
    """How often the better of two messages scores higher, by what is better about it.

    `right_over_wrong` is of all its kinds together. The comparisons are the same for every seed of
    the model.
    """
    pairs = [
        Pair(found.prompt, found.better, found.worse, SOURCE, found.kind)
        for found in write_comparisons(
            COMPARISON_SEED, config.reward.comparisons, config.corpus.phrasing
        )
    ]
    margins = _margins(model, tokenizer, head, pairs, config)
    better: dict[str, list[bool]] = defaultdict(list)
    for pair, margin in zip(pairs, margins, strict=True):
        better[str(pair.flaw)].append(margin > 0)
    kinds = {kind: share(sum(found), len(found)) for kind, found in better.items()}
    every = [right for kind in RIGHT_OVER_WRONG for right in better[kind]]
    return {
        **share(sum(every), len(every)).as_dict("right_over_wrong"),
        "right_over_wrong_by_kind": {
            kind: kinds[kind].as_dict("share") for kind in RIGHT_OVER_WRONG
        },
        **kinds[REASON].as_dict(REASON),
        **kinds[REVIEWED].as_dict(REVIEWED),
    }


def cut_shares(tokenizer: Any, pairs: Sequence[Pair], max_length: int) -> dict[str, float]:
    """Of each source's pairs, the share that is longer than `max_length` tokens with its prompt."""
    cut: dict[str, list[bool]] = defaultdict(list)
    for i in range(0, len(pairs), 256):
        part = pairs[i : i + 256]
        mask = _encoded(tokenizer, part, sys.maxsize).mask
        for pair, length in zip(part, mask.sum(1).view(2, -1).amax(0).tolist(), strict=True):
            cut[pair.source].append(length > max_length)
    return {name: sum(found) / len(found) for name, found in sorted(cut.items())}


def _accuracy(margins: Sequence[float]) -> float:
    return sum(margin > 0 for margin in margins) / len(margins)


def calibration(margins: NDArray[np.float64]) -> list[dict[str, float]]:
    """By bins of |margin|: what the model says (mean sigmoid) and how often it is right."""
    size, right = np.abs(margins), margins > 0
    bins = []
    for low, high in pairwise(MARGIN_EDGES):
        inside = (size >= low) & (size < high)
        if inside.any():
            said = sigmoid(size[inside])
            bins.append(
                {
                    "margin": float(size[inside].mean()),
                    "expected": float(said.mean()),
                    "observed": float(right[inside].mean()),
                    "pairs": int(inside.sum()),
                }
            )
    return bins
