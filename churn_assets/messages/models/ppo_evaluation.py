"""Did PPO-Text help? Policy against SFT on the same fresh prompts, judged by what it never saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from peft import PeftModel
from torch import Tensor

from churn_assets.domain.statistics import bootstrap_mean, share
from churn_assets.messages.config import GenerationConfig, Phrasing, PpoTextSettings
from churn_assets.messages.corpus.prompts import Situation
from churn_assets.messages.judging.agreement import correlation
from churn_assets.messages.judging.judge import fitted_judge
from churn_assets.messages.models.evaluation import (
    WHOLE_SAMPLES,
    clean_sentences,
    distinct_n,
    evaluation_situations,
    fits,
    passes,
    text_quality,
    violation_counts,
)
from churn_assets.messages.models.language_model import (
    Samples,
    activate,
    features,
    logit_rows,
    sample_many,
    tempered_logits,
)
from churn_assets.messages.models.ppo_formulas import (
    exact_kl,
)
from churn_assets.messages.models.ppo_text import (
    LOGIT_ROWS,
    POLICY,
    REFERENCE,
    REWARD,
)
from churn_assets.messages.models.reward import JUDGE
from churn_assets.messages.models.scoring import RewardHead, scores, what_is_said
from churn_assets.messages.shield.validation import Shield

SHOWN = 6
JUDGED = 1_024
VARIETY_SAMPLES = 1_024  # of different n-grams, more texts have a smaller share
# Both sides are sampled with one seed: what differs is the policy.
EVALUATION_SEED = 1_000_003


@dataclass(frozen=True)
class Side:
    """One adapter's messages: whether they pass, and what each reward model gives them."""

    sampled: list[Samples]
    texts: list[str]
    passed: list[bool]
    scores: Mapping[str, Tensor]


@torch.no_grad()
def evaluate(
    model: PeftModel,
    tokenizer: Any,
    heads: Mapping[str, RewardHead],
    shield: Shield,
    config: PpoTextSettings,
) -> dict[str, Any]:
    """Gains are in standard deviations of the reward model over SFT messages; ties halve a win."""
    situations = evaluation_situations(config.ppo.evaluation_samples, EVALUATION_SEED)
    sft, policy = (
        write_side(model, tokenizer, adapter, heads, shield, situations, config)
        for adapter in (REFERENCE, POLICY)
    )
    gains = {
        name: (policy.scores[name] - sft.scores[name]) / sft.scores[name].std() for name in heads
    }
    wins = (gains[JUDGE] > 0).double() + 0.5 * (gains[JUDGE] == 0).double()
    quality = {
        "sft": text_quality(sft.texts[:VARIETY_SAMPLES]),
        "ppo": text_quality(policy.texts[:VARIETY_SAMPLES]),
    }
    return {
        **share(sum(sft.passed), len(situations)).as_dict("sft_pass_rate"),
        **share(sum(policy.passed), len(situations)).as_dict("ppo_pass_rate"),
        **share(sum(fits(shield, sft.texts, situations)), len(situations)).as_dict("sft_fit_rate"),
        **share(sum(fits(shield, policy.texts, situations)), len(situations)).as_dict("fit_rate"),
        **bootstrap_mean(gains[REWARD].numpy()).as_dict("reward_gain"),
        **bootstrap_mean(gains[JUDGE].numpy()).as_dict("reward_gain_second_rm"),
        **bootstrap_mean(wins.numpy()).as_dict("win_rate"),
        **other_kind(sft, policy, situations),
        "sampling": config.generation.model_dump(),
        "ppo_pass_rate_without_min_p": whole_pass_rate(model, tokenizer, shield, config),
        "kl": sequence_kl(model, policy.sampled, config.generation),
        "quality": quality,
        "distinct2_ratio": clean_variety_ratio(sft, policy, config.corpus.phrasing),
        "distinct2_ratio_with_garble": (
            quality["ppo"]["distinct_2"] / quality["sft"]["distinct_2"]
        ),
        "violations": violation_counts(shield, policy.texts, situations),
        "samples": [_shown(situations[i], sft, policy, i) for i in range(SHOWN)],
    }


def clean_variety_ratio(sft: Side, policy: Side, phrasing: Phrasing = "fixed") -> float:
    """Distinct-2 of the policy's clean sentences over that of SFT's, of as many sentences each.

    0 where a side has no clean sentence.
    """
    clean = [
        clean_sentences(side.texts[:VARIETY_SAMPLES], side.passed[:VARIETY_SAMPLES], phrasing)
        for side in (policy, sft)
    ]
    count = min(map(len, clean))
    ours, theirs = (distinct_n(sentences[:count], 2) for sentences in clean)
    return ours / theirs if theirs else 0.0


def other_kind(sft: Side, policy: Side, situations: Sequence[Situation]) -> dict[str, float]:
    """What the judge of another kind says: how often it prefers the policy's message, and how its
    sums go with the reward model's scores over both sides' messages."""
    judged = situations[:JUDGED]
    old, new = (fitted_judge().sums(side.texts[:JUDGED], judged) for side in (sft, policy))
    rewards = [side.scores[REWARD][:JUDGED].numpy() for side in (sft, policy)]
    wins = (new > old) + 0.5 * (new == old)
    return {
        **bootstrap_mean(wins).as_dict("win_rate_judge"),
        "judge_rm_correlation": correlation(np.concatenate([old, new]), np.concatenate(rewards)),
    }


def write_side(
    model: PeftModel,
    tokenizer: Any,
    adapter: str,
    heads: Mapping[str, RewardHead],
    shield: Shield,
    situations: Sequence[Situation],
    config: PpoTextSettings,
) -> Side:
    """What an adapter writes to each customer, with each reward head's score of it and the shield's
    verdict. The draws depend on a fixed seed: two adapters are compared on equal terms.

    Args:
        heads: adapter -> its reward head; `REWARD` among them.
    """
    activate(model, adapter)
    model.eval()
    prompts = [situation.prompt for situation in situations]
    sampled = sample_many(model, tokenizer, prompts, config.generation, EVALUATION_SEED)
    texts = [text for samples in sampled for text in samples.texts]
    dialogues = [samples.dialogues for samples in sampled]
    said = [what_is_said(model, heads[REWARD], some) for some in dialogues]  # the judge's too
    found = {}
    for name, head in heads.items():
        activate(model, name)
        parts = [
            scores(model, head, some, said=words)
            for some, words in zip(dialogues, said, strict=True)
        ]
        found[name] = torch.cat(parts).double().cpu()
    return Side(sampled, texts, passes(shield, texts, situations), found)


def whole_pass_rate(
    model: PeftModel, tokenizer: Any, shield: Shield, config: PpoTextSettings
) -> float:
    """The policy's share that passes when any token may be drawn."""
    count = min(WHOLE_SAMPLES, config.ppo.evaluation_samples)
    situations = evaluation_situations(count, EVALUATION_SEED)
    activate(model, POLICY)
    prompts = [situation.prompt for situation in situations]
    sampled = sample_many(model, tokenizer, prompts, config.generation.whole(), EVALUATION_SEED)
    texts = [text for samples in sampled for text in samples.texts]
    return sum(passes(shield, texts, situations)) / count


def sequence_kl(
    model: PeftModel, sampled: Sequence[Samples], generation: GenerationConfig
) -> float:
    """KL(policy || SFT) in nats per message, exact at each position that the policy visited."""
    total, count = 0.0, 0
    for samples in sampled:
        together = min(LOGIT_ROWS, logit_rows(model, samples.response_mask.shape[1]))
        for rows in torch.arange(len(samples.texts)).split(together):
            part = samples.rows(rows)
            real = part.response_mask.bool()
            logits = []
            for adapter in (POLICY, REFERENCE):
                activate(model, adapter)
                hidden = features(model, part)[real]
                logits.append(tempered_logits(model, hidden, generation))
            total += exact_kl(*logits).sum().item()
            count += len(rows)
    return total / count


def _shown(situation: Situation, sft: Side, policy: Side, i: int) -> dict[str, Any]:
    return {
        "prompt": situation.prompt.strip(),
        "sft": sft.texts[i],
        "sft_score": float(sft.scores[REWARD][i]),
        "ppo": policy.texts[i],
        "ppo_score": float(policy.scores[REWARD][i]),
    }
