"""PPO-Text: maximise E[r(x, y)] - beta KL(policy || SFT), readable from top to bottom.

Clipped surrogate and value loss of Schulman et al. 2017 (eqs. 7, 9), GAE of Schulman et al. 2016
(eq. 16), per-token KL penalty and adaptive beta of Ziegler et al. 2019. One base model carries the
adapters `policy`, `sft` (reference) and `reward`; a message is an episode, a token is a step.

Messages are drawn with min-p, and the ratio is one of the distributions so cut off: the tokens that
could be drawn are kept with the rollout and hold for its updates too ("keep sampling mask",
DeepSeek-V3.2, 2025).

A small model leaves a few per mille of each token's probability to words that fit nowhere, and one
among thirty spoils a message. Sampled rewards hardly see them, so their mass is a loss of its own.
And reward alone narrows the choice of words: rare word pairs of a batch earn a little.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from peft import PeftModel
from torch import Tensor, nn

from churn_assets.messages.config import GenerationConfig, PpoTextConfig
from churn_assets.messages.corpus.prompts import Situation, random_situation
from churn_assets.messages.models.evaluation import ngrams, passes
from churn_assets.messages.models.language_model import (
    RewardHead,
    Samples,
    activate,
    device,
    drawable,
    drawing_logits,
    features,
    head_width,
    sample,
    scores,
    token_logits,
)
from churn_assets.messages.shield.validation import Shield

POLICY, REFERENCE, REWARD = "policy", "sft", "reward"
KL_TOLERANCE = 1e-3


# --- the algorithm's formulas, on (batch, T) tensors -----------------------------------------


def log_probs(logits: Tensor, tokens: Tensor) -> Tensor:
    """log p(token): (batch, T, vocabulary), (batch, T) -> (batch, T)."""
    return logits.log_softmax(-1).gather(-1, tokens.unsqueeze(-1)).squeeze(-1)


def exact_kl(logits: Tensor, reference_logits: Tensor) -> Tensor:
    """KL(p || q) per position over the whole vocabulary, in nats; never negative."""
    p, q = logits.log_softmax(-1), reference_logits.log_softmax(-1)
    return (p.exp() * (p - q)).sum(-1)


def entropy(logits: Tensor) -> Tensor:
    """In nats per position: (..., vocabulary) -> (...)."""
    log_p = logits.log_softmax(-1)
    return -(log_p.exp() * log_p).sum(-1)


def tail_of(logits: Tensor, floor: float) -> Tensor:
    """Tokens less than `floor` times as probable as the most probable one: (..., vocabulary)."""
    return logits < logits.amax(-1, keepdim=True) + math.log(floor)


def tail_mass(logits: Tensor, tail: Tensor) -> Tensor:
    """The probability of all tokens of the tail together, per position."""
    return (logits.softmax(-1) * tail).sum(-1)


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean over the places where the mask (same shape) is 1; 0 when there is none."""
    return (values * mask).sum() / mask.sum().clamp(min=1)


def token_rewards(final: Tensor, log_ratio: Tensor, mask: Tensor, beta: float) -> Tensor:
    """-beta log(pi / pi_ref) at each token, plus the score at the last real one, not at padding."""
    rewards = -beta * log_ratio * mask
    last = mask.sum(1).long().clamp(min=1) - 1
    return rewards.scatter_add(1, last.unsqueeze(1), final.unsqueeze(1))


def advantages(
    rewards: Tensor, values: Tensor, mask: Tensor, gamma: float, lam: float
) -> tuple[Tensor, Tensor]:
    """GAE: A_t = sum_k (gamma lambda)^k delta_{t+k}; returns are A + V. Zero off the mask."""
    advantage = torch.zeros_like(rewards)
    running = torch.zeros_like(rewards[:, 0])
    for t in reversed(range(rewards.shape[1])):
        after = values[:, t + 1] * mask[:, t + 1] if t + 1 < rewards.shape[1] else 0.0
        delta = rewards[:, t] + gamma * after - values[:, t]
        running = (delta + gamma * lam * running) * mask[:, t]
        advantage[:, t] = running
    return advantage, (advantage + values) * mask


def whiten(values: Tensor, mask: Tensor) -> Tensor:
    """Mean 0 and variance 1 over the real tokens."""
    mean = masked_mean(values, mask)
    variance = masked_mean((values - mean) ** 2, mask)
    return (values - mean) * torch.rsqrt(variance + 1e-8) * mask


def policy_loss(
    new: Tensor, old: Tensor, advantage: Tensor, mask: Tensor, clip: float
) -> tuple[Tensor, dict[str, float]]:
    """-min(ratio A, clip(ratio) A), with the two usual gauges of how far the update went."""
    log_ratio = new - old
    ratio = log_ratio.exp()
    clipped = ratio.clamp(1 - clip, 1 + clip)
    loss = masked_mean(-torch.min(ratio * advantage, clipped * advantage), mask)
    gauges = {
        "clip_fraction": masked_mean(((ratio - 1).abs() > clip).float(), mask).item(),
        "approx_kl": masked_mean(ratio - 1 - log_ratio, mask).item(),
    }
    return loss, gauges


def value_loss(new: Tensor, old: Tensor, returns: Tensor, mask: Tensor, clip: float) -> Tensor:
    """Half the larger of the squared errors with and without clipping the value's move."""
    clipped = old + (new - old).clamp(-clip, clip)
    error = torch.max((new - returns) ** 2, (clipped - returns) ** 2)
    return 0.5 * masked_mean(error, mask)


def explained_variance(values: Tensor, returns: Tensor, mask: Tensor) -> float:
    """1 - Var(returns - values) / Var(returns) over real tokens; 0 when returns do not vary."""
    real = mask.bool()
    spread = returns[real].var()
    return float(1 - (returns[real] - values[real]).var() / spread) if spread > 0 else 0.0


def rarity(texts: Sequence[str]) -> Tensor:
    """For each text the mean of 1 / count over its word pairs, counted in all texts; (0, 1].

    The mean over equally long texts is their distinct-2; 0 for a text without a pair.
    """
    pairs = [ngrams(text, 2) for text in texts]
    counts = Counter(pair for found in pairs for pair in found)
    return torch.tensor(
        [sum(1 / counts[pair] for pair in found) / max(1, len(found)) for found in pairs]
    )


class BetaController:
    """beta x 1.5 above the target, / 1.5 below half of it, within limits (the specification)."""

    def __init__(self, config: PpoTextConfig, beta: float | None = None) -> None:
        self.config = config
        self.beta = config.beta if beta is None else beta

    def update(self, kl: float) -> None:
        if kl > self.config.kl_target:
            self.beta *= 1.5
        elif kl < self.config.kl_target / 2:
            self.beta /= 1.5
        lowest, highest = self.config.beta / 4, self.config.beta * self.config.beta_limit
        self.beta = min(max(self.beta, lowest), highest)


# --- the loop -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rollout:
    """One iteration's messages with everything that the update must not recompute."""

    samples: Samples
    hidden: Tensor
    log_probs: Tensor
    values: Tensor
    advantages: Tensor
    returns: Tensor
    tail: Tensor
    allowed: Tensor
    metrics: dict[str, float]


@dataclass
class Scorer:
    """Reward-model scores in units of their own spread over SFT samples, and shield verdicts."""

    head: RewardHead
    shield: Shield
    mean: float = 0.0
    deviation: float = 1.0

    def calibrate(self, model: PeftModel, sampled: Sequence[Samples]) -> None:
        """Take mean and deviation from samples of the reference."""
        found = torch.cat([self.raw(model, samples) for samples in sampled])
        self.mean, self.deviation = found.mean().item(), max(found.std().item(), 1e-6)

    @torch.no_grad()
    def raw(self, model: PeftModel, samples: Samples) -> Tensor:
        activate(model, REWARD)
        return scores(model, self.head, samples.ids, samples.mask)

    def standard(self, model: PeftModel, samples: Samples) -> Tensor:
        return (self.raw(model, samples) - self.mean) / self.deviation

    def rule(self, samples: Samples, situations: Sequence[Situation]) -> Tensor:
        """1 where the shield passes, else 0."""
        passed = passes(self.shield, samples.texts, situations)
        return torch.tensor(passed, dtype=torch.float32, device=samples.ids.device)


class PpoText:
    """Trains the `policy` adapter and a value head; everything else stays as it is."""

    def __init__(
        self,
        model: PeftModel,
        tokenizer: Any,
        scorer: Scorer,
        config: PpoTextConfig,
        generation: GenerationConfig,
    ) -> None:
        self.model, self.tokenizer, self.scorer = model, tokenizer, scorer
        self.config, self.generation = config, generation
        torch.manual_seed(config.seed)
        width = head_width(model)
        self.value_head = nn.Sequential(
            nn.Linear(width, 2 * width), nn.Tanh(), nn.Linear(2 * width, 1)
        ).to(device())
        self.control = BetaController(config)
        activate(model, POLICY, trainable=True)
        self.policy_parameters = [p for p in model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.Adam(
            [
                {"params": self.policy_parameters, "lr": config.learning_rate},
                {"params": self.value_head.parameters(), "lr": config.value_learning_rate},
            ]
        )

    def values(self, hidden: Tensor) -> Tensor:
        """The expected return at each position, read from the policy's features as they are."""
        values: Tensor = self.value_head(hidden.detach()).squeeze(-1)
        return values

    @torch.no_grad()
    def start(self, sampled: Sequence[Samples]) -> None:
        """Learn the reward's scale, and fit the value head, from samples of the reference."""
        self.scorer.calibrate(self.model, sampled)
        for samples in sampled:
            mask = samples.response_mask.float()
            score = self.scorer.standard(self.model, samples)
            activate(self.model, REFERENCE)
            _, hidden = token_logits(self.model, samples)
            returns = score.unsqueeze(1) * mask
            with torch.enable_grad():
                self._fit_values(hidden, returns, returns, mask, 10 * self.config.value_steps)

    def iterate(self, iteration: int) -> dict[str, float]:
        """One iteration; its draws depend on seed and iteration only, so that it can be resumed."""
        left = 1 - iteration / self.config.iterations
        self.optimizer.param_groups[0]["lr"] = self.config.learning_rate * left
        rollout = self.collect(iteration)
        metrics = rollout.metrics | self.update(rollout, iteration)
        metrics |= {"iteration": iteration, "beta": self.control.beta}
        if (iteration + 1) % self.config.beta_every == 0:
            self.control.update(metrics["kl"])
        return metrics

    @torch.no_grad()
    def collect(self, iteration: int) -> Rollout:
        """Sample messages, score them, and turn scores and KL into advantages."""
        rng = random.Random(f"{self.config.seed}-{iteration}")
        situations = [random_situation(rng) for _ in range(self.config.batch)]
        self.model.eval()
        activate(self.model, POLICY)
        prompts = [situation.prompt for situation in situations]
        seed = self.config.seed * 100_003 + iteration
        samples = sample(self.model, self.tokenizer, prompts, self.generation, seed)
        tokens, mask = samples.ids[:, samples.prompt_width :], samples.response_mask.float()

        logits, hidden = token_logits(self.model, samples)
        values = self.values(hidden) * mask
        activate(self.model, REFERENCE)
        reference_logits, _ = token_logits(self.model, samples)
        kl = (exact_kl(logits, reference_logits) * mask).sum(1).mean().item()
        # Before the first update the two are one and the same: any KL is an error of the inputs.
        if not math.isfinite(kl) or (iteration == 0 and abs(kl) > KL_TOLERANCE):
            raise FloatingPointError(f"KL to the reference is {kl} at iteration {iteration}")

        rule = self.scorer.rule(samples, situations)
        score = self.scorer.standard(self.model, samples)
        # The KL is one of the models, before improbable tokens are cut off: the reference may never
        # draw a token that the policy draws. The ratio is one of the distributions drawn from.
        log_ratio = log_probs(logits, tokens) - log_probs(reference_logits, tokens)
        allowed = drawable(logits, self.generation).scatter(-1, tokens.unsqueeze(-1), True)
        old = log_probs(drawing_logits(logits, allowed, self.generation), tokens)
        rewards = token_rewards(score, log_ratio, mask, self.control.beta)
        advantage, returns = advantages(
            rewards, values, mask, self.config.gamma, self.config.gae_lambda
        )
        # Nothing in the value head's features foretells a verdict: its baseline is the mean.
        earned = self.config.rule_reward * rule
        # Rare words are worth something only in a message that may be sent.
        earned = earned + self.config.variety_reward * rule * rarity(samples.texts).to(rule.device)
        advantage = advantage + (earned - earned.mean()).unsqueeze(1)
        tail = tail_of(reference_logits, self.config.tail_floor)
        metrics = {
            "score": score.mean().item(),
            "reward": (rewards.sum(1) + earned).mean().item(),
            "kl": kl,
            "entropy": masked_mean(entropy(logits), mask).item(),
            "explained_variance": explained_variance(values, returns, mask),
            "length": mask.sum(1).mean().item(),
            "unique_share": len(set(samples.texts)) / len(samples.texts),
            "pass_rate": rule.mean().item(),
            "tail_mass": masked_mean(tail_mass(logits, tail), mask).item(),
        }
        advantage = whiten(advantage, mask)
        return Rollout(samples, hidden, old, values, advantage, returns, tail, allowed, metrics)

    def update(self, rollout: Rollout, iteration: int) -> dict[str, float]:
        """A few epochs of clipped updates, then the value head's; returns the mean gauges."""
        activate(self.model, POLICY, trainable=True)
        shuffle = torch.Generator().manual_seed(self.config.seed * 100_003 + iteration)
        gauges: list[dict[str, float]] = []
        for _ in range(self.config.epochs):
            order = torch.randperm(len(rollout.samples.texts), generator=shuffle)
            gauges += [self._step(rollout, part) for part in order.split(self.config.minibatch)]
        mask = rollout.samples.response_mask.float()
        critic = self._fit_values(
            rollout.hidden, rollout.values, rollout.returns, mask, self.config.value_steps
        )
        means = {name: sum(g[name] for g in gauges) / len(gauges) for name in gauges[0]}
        return means | {"value_loss": critic}

    def _step(self, rollout: Rollout, chosen: Tensor) -> dict[str, float]:
        samples, config = rollout.samples.rows(chosen), self.config
        real = samples.response_mask.bool()  # half of a batch is padding: no logits there
        logits = self.model.get_output_embeddings()(features(self.model, samples)[real])
        # Over the tokens that could be drawn then: the two distributions have one support.
        drawn_from = drawing_logits(logits, rollout.allowed[chosen][real], self.generation)
        new = log_probs(drawn_from, samples.ids[:, samples.prompt_width :][real])
        surrogate, gauges = policy_loss(
            new,
            rollout.log_probs[chosen][real],
            rollout.advantages[chosen][real],
            torch.ones_like(new),
            config.clip,
        )
        unlikely = tail_mass(logits, rollout.tail[chosen][real]).mean()
        loss = surrogate + config.tail_coefficient * unlikely
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.policy_parameters, config.max_grad_norm)
        self.optimizer.step()
        return gauges | {"policy_loss": surrogate.item()}

    def _fit_values(
        self, hidden: Tensor, old: Tensor, returns: Tensor, mask: Tensor, steps: int
    ) -> float:
        """Minimise the value loss by itself: it shares no weight with the policy's loss."""
        for _ in range(steps):
            values = self.values(hidden) * mask
            loss = value_loss(values, old, returns, mask, self.config.value_clip)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
        return loss.item()
