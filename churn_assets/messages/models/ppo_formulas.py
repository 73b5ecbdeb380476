"""PPO-Text's formulas, on tensors (batch, T): probabilities, rewards, advantages, losses.

No model and no text is needed to check them; the loop that uses them is `ppo_text.py`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from churn_assets.messages.config import PpoTextConfig
from churn_assets.messages.models.evaluation import ngrams


def log_probs(logits: Tensor, tokens: Tensor) -> Tensor:
    """log p(token): (..., vocabulary), (...) -> (...)."""
    return of_tokens(logits.log_softmax(-1), tokens)


def of_tokens(log_p: Tensor, tokens: Tensor) -> Tensor:
    """The same from all tokens' log-probabilities."""
    return log_p.gather(-1, tokens.unsqueeze(-1)).squeeze(-1)


def exact_kl(logits: Tensor, reference_logits: Tensor) -> Tensor:
    """KL(p || q) per position over the whole vocabulary, in nats; never negative."""
    return kl_of(logits.log_softmax(-1), reference_logits.log_softmax(-1))


def kl_of(log_p: Tensor, log_q: Tensor) -> Tensor:
    """The same from log-probabilities."""
    return (log_p.exp() * (log_p - log_q)).sum(-1)


def entropy_of(log_p: Tensor) -> Tensor:
    """In nats per position, from log-probabilities: (..., vocabulary) -> (...)."""
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
        """Adjust beta by an iteration's measured KL to the reference (nats a message); it stays
        between a quarter of the first beta and `beta_limit` times it."""
        if kl > self.config.kl_target:
            self.beta *= 1.5
        elif kl < self.config.kl_target / 2:
            self.beta /= 1.5
        lowest, highest = self.config.beta / 4, self.config.beta * self.config.beta_limit
        self.beta = min(max(self.beta, lowest), highest)


@dataclass(frozen=True)
class TokenSets:
    """A set of tokens for each real position: few of a vocabulary, so kept as indices.

    counts: (positions,); tokens: all sets one after the other; width: of the vocabulary.
    """

    counts: Tensor
    tokens: Tensor
    width: int

    @classmethod
    def of(cls, members: Tensor) -> TokenSets:
        """From booleans (positions, vocabulary)."""
        return cls(members.sum(1), members.nonzero()[:, 1].int(), members.shape[1])

    @classmethod
    def joined(cls, parts: Sequence[TokenSets]) -> TokenSets:
        """The sets of several batches one after the other; all of one vocabulary."""
        counts, tokens = (torch.cat([getattr(p, n) for p in parts]) for n in ("counts", "tokens"))
        return cls(counts, tokens, parts[0].width)

    def dense(self, places: Tensor) -> Tensor:
        """The sets of some positions (n,) as booleans (n, vocabulary)."""
        counts = self.counts[places]
        rows = torch.arange(len(places), device=places.device).repeat_interleave(counts)
        first = (self.counts.cumsum(0) - self.counts)[places]
        within = torch.arange(len(rows), device=places.device) - (
            counts.cumsum(0) - counts
        ).repeat_interleave(counts)
        found = torch.zeros(len(places), self.width, dtype=torch.bool, device=places.device)
        found[rows, self.tokens[first.repeat_interleave(counts) + within].long()] = True
        return found
