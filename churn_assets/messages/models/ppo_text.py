"""PPO-Text: maximise E[r(x, y)] - beta KL(policy || SFT), readable from top to bottom.

Clipped surrogate and value loss of Schulman et al. 2017 (eqs. 7, 9), GAE of Schulman et al. 2016
(eq. 16), per-token KL penalty and adaptive beta of Ziegler et al. 2019. One base model carries the
adapters `policy`, `sft` (reference) and `reward`; a message is an episode, a token is a step.

Messages are drawn at the set temperature with min-p. Every probability is of that temperature, and
the ratio is one of the distributions so cut off: the tokens that could be drawn are kept with the
rollout and hold for its updates too ("keep sampling mask", DeepSeek-V3.2, 2025).

Logits are taken a few messages at a time: of a whole batch they would be gigabytes with a public
model's vocabulary.

A small model leaves a few per mille of each token's probability to words that fit nowhere, and one
among thirty spoils a message. Sampled rewards hardly see them, so their mass is a loss of its own.
And reward alone narrows the choice of words: rare word pairs of a batch earn a little.
"""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from peft import PeftModel
from torch import Tensor, nn

from churn_assets.messages.config import GenerationConfig, PpoTextConfig
from churn_assets.messages.corpus.prompts import Situation, random_situation
from churn_assets.messages.models.encoding import device
from churn_assets.messages.models.evaluation import gives_reason, passes
from churn_assets.messages.models.language_model import (
    SFT,
    Samples,
    activate,
    drawable,
    drawing_logits,
    features,
    head_width,
    logit_rows,
    sample,
    tempered_logits,
)
from churn_assets.messages.models.ppo_formulas import (
    BetaController,
    TokenSets,
    advantages,
    entropy_of,
    explained_variance,
    kl_of,
    log_probs,
    masked_mean,
    of_tokens,
    policy_loss,
    rarity,
    tail_mass,
    tail_of,
    token_rewards,
    value_loss,
    whiten,
)
from churn_assets.messages.models.scoring import RewardHead, scores
from churn_assets.messages.shield.validation import Shield

POLICY, REFERENCE, REWARD = "policy", SFT, "reward"
KL_TOLERANCE = 1e-3
LOGIT_ROWS = 32  # messages whose logits are in memory together, and fewer where those are large


# --- the loop -------------------------------------------------------------------------------


@dataclass(frozen=True)
class TokenFigures:
    """What a rollout keeps of two models' logits; tensors (batch, T), sets by real position.

    kl, log_ratio: policy against reference. log_probs: of the drawn tokens, as they were drawn. All
    are 0 on padding.
    head: tokens outside the reference's tail. allowed: tokens that could be drawn.
    """

    kl: Tensor
    log_ratio: Tensor
    log_probs: Tensor
    entropy: Tensor
    tail_mass: Tensor
    head: TokenSets
    allowed: TokenSets


@dataclass(frozen=True)
class Rollout:
    """One iteration's messages with everything that the update must not recompute."""

    samples: Samples
    hidden: Tensor
    log_probs: Tensor
    values: Tensor
    advantages: Tensor
    returns: Tensor
    head: TokenSets
    allowed: TokenSets
    metrics: dict[str, float]

    @property
    def places(self) -> Tensor:
        """Where each real position stands in `head` and `allowed`: (batch, T)."""
        mask = self.samples.response_mask
        return (mask.flatten().cumsum(0) - 1).view_as(mask)


@dataclass
class Scorer:
    """Reward-model scores in units of their own spread over SFT samples, and shield verdicts."""

    head: RewardHead
    shield: Shield
    mean: float = 0.0
    deviation: float = 1.0

    def calibrate(self, found: Tensor) -> None:
        """Take mean and deviation from the reference's raw scores, (samples,)."""
        self.mean, self.deviation = found.mean().item(), max(found.std().item(), 1e-6)

    @torch.no_grad()
    def raw(self, model: PeftModel, samples: Samples) -> Tensor:
        """(batch,) the reward model's scores as they are; leaves its adapter active."""
        activate(model, REWARD)
        return scores(model, self.head, samples.dialogues)

    def standard(self, raw: Tensor) -> Tensor:
        """Raw scores in standard deviations from the mean of SFT's samples (`calibrate`)."""
        return (raw - self.mean) / self.deviation

    def fit(self, samples: Samples, situations: Sequence[Situation]) -> Tensor:
        """1 where the message names the customer's contract or one of their services, else 0."""
        given = gives_reason(self.shield, samples.texts, situations)
        return torch.tensor(given, dtype=torch.float32, device=samples.ids.device)

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
        values: Tensor = self.value_head(hidden.detach().float()).squeeze(-1)
        return values

    @torch.no_grad()
    def start(self, sampled: Sequence[Samples]) -> None:
        """Learn the reward's scale, and fit the value head, from samples of the reference."""
        raw = [self.scorer.raw(self.model, samples) for samples in sampled]
        self.scorer.calibrate(torch.cat(raw))
        for samples, found in zip(sampled, raw, strict=True):
            mask = samples.response_mask.float()
            score = self.scorer.standard(found)
            activate(self.model, REFERENCE)
            hidden = features(self.model, samples)
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

        hidden = features(self.model, samples)
        values = self.values(hidden) * mask
        activate(self.model, REFERENCE)
        drawn = self.token_figures(hidden, features(self.model, samples), tokens, mask)
        kl = (drawn.kl * mask).sum(1).mean().item()
        # Before the first update the two are one and the same: any KL is an error of the inputs.
        if not math.isfinite(kl) or (iteration == 0 and abs(kl) > KL_TOLERANCE):
            raise FloatingPointError(f"KL to the reference is {kl} at iteration {iteration}")

        ended = samples.ended(self.tokenizer.eos_token_id).float()
        rule = self.scorer.rule(samples, situations) * ended
        fit = self.scorer.fit(samples, situations) * rule
        score = self.scorer.standard(self.scorer.raw(self.model, samples))
        score = score - self.config.missing_end_penalty * (1 - ended)
        rewards = token_rewards(score, drawn.log_ratio, mask, self.control.beta)
        advantage, returns = advantages(
            rewards, values, mask, self.config.gamma, self.config.gae_lambda
        )
        # Nothing in the value head's features foretells a verdict: its baseline is the mean.
        earned = self.config.rule_reward * rule + self.config.fit_reward * fit
        # Rare words are worth something only in a message that may be sent.
        earned = earned + self.config.variety_reward * rule * rarity(samples.texts).to(rule.device)
        advantage = advantage + (earned - earned.mean()).unsqueeze(1)
        metrics = {
            "score": score.mean().item(),
            "reward": (rewards.sum(1) + earned).mean().item(),
            "kl": kl,
            "entropy": masked_mean(drawn.entropy, mask).item(),
            "explained_variance": explained_variance(values, returns, mask),
            "length": mask.sum(1).mean().item(),
            "unique_share": len(set(samples.texts)) / len(samples.texts),
            "pass_rate": rule.mean().item(),
            "fit_rate": fit.mean().item(),
            "ended_rate": ended.mean().item(),
            "tail_mass": masked_mean(drawn.tail_mass, mask).item(),
        }
        return Rollout(
            samples, hidden, drawn.log_probs, values, whiten(advantage, mask), returns,
            drawn.head, drawn.allowed, metrics,
        )  # fmt: skip

    def token_figures(
        self, hidden: Tensor, reference_hidden: Tensor, tokens: Tensor, mask: Tensor
    ) -> TokenFigures:
        """What the update needs of both models' logits, a few messages at a time.

        hidden, reference_hidden: (batch, T, head_width); tokens, mask: (batch, T).
        """
        parts, heads, alloweds = [], [], []
        together = min(LOGIT_ROWS, logit_rows(self.model, tokens.shape[1]))
        for rows in torch.arange(len(tokens), device=tokens.device).split(together):
            real = mask[rows].bool()  # half of a batch is padding
            logits, reference = (
                tempered_logits(self.model, of[rows], self.generation)[real]
                for of in (hidden, reference_hidden)
            )
            own = tokens[rows][real]
            # The KL is one of the models, before improbable tokens are cut off: the reference may
            # never draw a token that the policy draws. The ratio is one of the distributions drawn.
            allowed = drawable(logits, self.generation.min_p).scatter(-1, own.unsqueeze(-1), True)
            tail = tail_of(reference, self.config.tail_floor)
            log_p, log_q = logits.log_softmax(-1), reference.log_softmax(-1)
            parts.append(
                torch.stack(
                    [
                        kl_of(log_p, log_q),
                        of_tokens(log_p, own) - of_tokens(log_q, own),
                        log_probs(drawing_logits(logits, allowed), own),
                        entropy_of(log_p),
                        tail_mass(logits, tail),
                    ]
                )
            )
            heads.append(TokenSets.of(~tail))
            alloweds.append(TokenSets.of(allowed))
        figures = torch.zeros(5, *mask.shape, device=mask.device)
        figures[:, mask.bool()] = torch.cat(parts, 1)
        kl, log_ratio, drawn, spread, mass = figures.unbind()
        return TokenFigures(
            kl, log_ratio, drawn, spread, mass, TokenSets.joined(heads), TokenSets.joined(alloweds)
        )

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
        """One gradient step on some messages; gradients of a few at a time add up to it."""
        mask = rollout.samples.response_mask
        total = mask[chosen].sum().item()
        gauges: dict[str, float] = defaultdict(float)
        self.optimizer.zero_grad()
        for part in chosen.split(logit_rows(self.model, mask.shape[1])):
            share = mask[part].sum().item() / total  # means are over tokens
            loss, found = self._loss(rollout, part)
            (loss * share).backward()
            for name, value in found.items():
                gauges[name] += value * share
        nn.utils.clip_grad_norm_(self.policy_parameters, self.config.max_grad_norm)
        self.optimizer.step()
        return dict(gauges)

    def _loss(self, rollout: Rollout, chosen: Tensor) -> tuple[Tensor, dict[str, float]]:
        """Clipped surrogate and the tail's mass, means over the messages' real tokens."""
        samples, config = rollout.samples.rows(chosen), self.config
        real = samples.response_mask.bool()  # half of a batch is padding: no logits there
        hidden = features(self.model, samples)[real]
        logits = tempered_logits(self.model, hidden, self.generation)
        places = rollout.places[chosen][real]
        # Over the tokens that could be drawn then: the two distributions have one support.
        drawn_from = drawing_logits(logits, rollout.allowed.dense(places))
        new = log_probs(drawn_from, samples.ids[:, samples.prompt_width :][real])
        surrogate, gauges = policy_loss(
            new,
            rollout.log_probs[chosen][real],
            rollout.advantages[chosen][real],
            torch.ones_like(new),
            config.clip,
        )
        unlikely = tail_mass(logits, ~rollout.head.dense(places)).mean()
        loss = surrogate + config.tail_coefficient * unlikely
        return loss, gauges | {"policy_loss": surrogate.item()}

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
