"""Constrained PPO, readable from top to bottom (Schulman et al. 2017; PPO-Lagrangian, Ray 2019),
told the budget's price and the world (`contexts.py`).

Why not a library's PPO: three exact identities of this environment remove most of the noise, and
need a say in the return's computation.

1. *Shaping* with Phi = 1 - loss (in the plain world 1 - churn_risk), the value of leaving the
   customer alone. It leaves the optimal policy unchanged (Ng, Harada, Russell 1999), and a wait's
   shaped reward is its cost.
2. *Expected rewards*: the shaped reward's mean over the customer's answer replaces the sample.
3. *Expected next values*: in the TD error, the mean of alive x V(next) over the answer and over
   survival replaces V at the sampled next state. Given state and action both have the same mean,
   so generalised advantage estimates stay unbiased wherever they were; only variance goes.

Budget and contact cap enter as linear penalties, lambda x use, on the *expected* discount and on
contacts above the cap. The budget's lambda is the episode's own, drawn from a range, and an input
of the network: it learns the answer to every price at once, and no price has to be known before.
Which price is *deployed* is found by the specification's dual update, from 0: after some updates
the multiplier takes a step on the exact spend of the deployed (argmax) policy when it is told the
multiplier; `calibration.py` takes the last step, by bisection. The cap's multiplier follows the
batch's mean use per episode.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import partial
from typing import Self

import numpy as np
import torch
from torch import Tensor

from churn_assets.decision.config import EnvironmentParams, PpoConfig
from churn_assets.decision.exact.policy_value import evaluate
from churn_assets.decision.learning.contexts import (
    draw_prices,
    draw_worlds,
    feature_spec,
    standardised,
)
from churn_assets.decision.learning.lagrange import LagrangeMultiplier
from churn_assets.decision.learning.network import PolicyNetwork
from churn_assets.decision.learning.network_numpy import (
    IMPOSSIBLE,
    action_masks,
    context_features,
    raw_features,
)
from churn_assets.decision.learning.rollout import (
    Steps,
    World,
    expected_ends,
    generalised_advantages,
    mean_alive,
)
from churn_assets.decision.mdp.customers import Customers, systematic_sample
from churn_assets.decision.mdp.dynamics import Array
from churn_assets.decision.mdp.observation import FATIGUE
from churn_assets.decision.mdp.transitions import Actions

OnUpdate = Callable[[int, PolicyNetwork, dict[str, float]], None]
"""Called after every update with its number, the network and the training statistics."""


@dataclass(frozen=True)
class Batch:
    """One roll-out, flattened to (B, ...), B = customers x horizon.

    advantage: standardised among like prices. target: of the value head.
    """

    features: Tensor
    actions: Tensor
    contact_mask: Tensor
    offer_mask: Tensor
    uses_delay: Tensor
    log_prob: Tensor
    advantage: Tensor
    target: Tensor

    def take(self, rows: Tensor | slice) -> Self:
        """Some rows of it."""
        return type(self)(*(getattr(self, column.name)[rows] for column in fields(self)))


class Trainer:
    """Trains one network from one seed: for `params`, every price, and worlds around `params`."""

    def __init__(
        self, customers: Customers, params: EnvironmentParams, config: PpoConfig, seed: int
    ) -> None:
        torch.manual_seed(seed)
        self.customers, self.params, self.config = customers, params, config
        self.rng = np.random.default_rng(seed)
        self.spec = feature_spec(customers, params, config)
        self.mean, self.scale = np.asarray(self.spec.mean), np.asarray(self.spec.scale)
        self.network = PolicyNetwork(config.hidden, self.spec.inputs)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=1.0, eps=1e-5)
        self.budget = LagrangeMultiplier(0.0, params.budget_limit, config.budget_rate)
        self.sample_of_base = systematic_sample(customers, config.dual_customers)
        self.fatigue = LagrangeMultiplier(
            config.fatigue_start, config.fatigue_tolerance, config.fatigue_rate
        )

    def train(self, report: OnUpdate) -> PolicyNetwork:
        """Run all updates; `report` sees each of them."""
        for update in range(self.config.updates):
            left = 1 - update / self.config.updates
            batch, over_cap = self.roll_out()
            statistics = self.update(batch, left)
            if left <= 1 - self.config.dual_from:
                self.fatigue.update(over_cap)
                if update % self.config.dual_every == 0:
                    self.budget.update(self.deployed_spend())
            statistics["budget_multiplier"] = self.budget.value
            statistics["fatigue_multiplier"] = self.fatigue.value
            statistics["sampled_over_contact_rate"] = over_cap
            report(update + 1, self.network, statistics)
        return self.network

    def deployed_spend(self) -> float:
        """Exact mean spend of the argmax policy at the multiplier, per period from clean sheets:
        share of value."""
        policy = self.network.deployed(self.spec.at(self.budget.value))
        return evaluate(policy, self.sample_of_base, self.params.clean).mean("spend")

    # ---- roll-out -------------------------------------------------------------------------

    def roll_out(self) -> tuple[Batch, float]:
        """`horizon` steps in every environment of newly drawn worlds, with their advantages; and
        contacts above the cap per episode."""
        config = self.config
        per_world = config.customers // config.worlds
        highest = config.highest_price * self.params.price_reach
        worlds = [
            World.begin(
                self.customers,
                params,
                draw_prices(self.rng, per_world, highest),
                int(self.rng.integers(2**62)),
            )
            for params in draw_worlds(self.rng, self.params, config)
        ]
        log_probs = []
        for _ in range(config.horizon):
            actions, log_prob = self.sample(worlds)
            log_probs.append(log_prob.reshape(len(worlds), per_world))
            following = draw_prices(self.rng, config.customers, highest)
            for world, action, price in zip(
                worlds,
                np.split(actions, len(worlds)),
                np.split(following, len(worlds)),
                strict=True,
            ):
                world.step(action, price)
        by_world = torch.stack(log_probs, dim=1).flatten(1)
        played = [world.steps(log) for world, log in zip(worlds, by_world, strict=True)]
        over_cap = sum(self.over_cap(steps).sum() for steps in played)
        episodes = sum(expected_ends(steps.outcome) for steps in played)
        return self.batch(played), float(over_cap / episodes)

    def features(self, states: Array, prices: Array, params: EnvironmentParams) -> Tensor:
        """(N, 9 + context) normalised with the stored constants."""
        told = context_features(self.spec.context, prices, params)
        features = np.concatenate([raw_features(states), told], axis=1)
        return torch.from_numpy((features - self.mean) / self.scale).float()

    @torch.no_grad()
    def sample(self, worlds: list[World]) -> tuple[Actions, Tensor]:
        """Actions (N, 3) drawn from the policy in all worlds, and their log-probabilities (N,)."""
        seen = [world.seen for world in worlds]
        features = torch.cat(
            [
                self.features(states, world.price, world.envs.params)
                for world, states in zip(worlds, seen, strict=True)
            ]
        )
        states = np.concatenate(seen)
        contact_mask, offer_mask = action_masks(states, self.params)
        contact, offer, delay, _ = self.network(features)
        contact = contact.masked_fill(~torch.from_numpy(contact_mask), IMPOSSIBLE)
        offer = offer.masked_fill(~torch.from_numpy(offer_mask), IMPOSSIBLE)
        drawn = [self._gumbel_max(logits) for logits in (contact, offer, delay)]
        actions = torch.stack(drawn, dim=1)
        uses_delay = (actions[:, 0] == 0) | torch.from_numpy(
            states[:, FATIGUE] + 1 < self.params.contact_stop
        )
        log_prob, _ = action_log_prob(contact, offer, delay, actions, uses_delay)
        return actions.numpy(), log_prob

    def _gumbel_max(self, logits: Tensor) -> Tensor:
        noise = self.rng.gumbel(size=logits.shape).astype(np.float32)
        return (logits + torch.from_numpy(noise)).argmax(dim=1)

    def batch(self, played: list[Steps]) -> Batch:
        """The steps of all worlds, with advantages and the value head's targets."""
        parts = [self.advantages(steps) for steps in played]
        raw = np.concatenate([advantage for advantage, _ in parts])
        price = np.concatenate([steps.price for steps in played])
        states = np.concatenate([steps.states[0] for steps in played])
        contact_mask, offer_mask = action_masks(states, self.params)
        last = np.concatenate([steps.outcome.accepted.contacts for steps in played])
        advantage = standardised(raw, price, self.config.price_bins)
        return Batch(
            torch.cat([self.features(one.states[0], one.price, one.params) for one in played]),
            torch.from_numpy(np.concatenate([steps.actions for steps in played])),
            torch.from_numpy(contact_mask),
            torch.from_numpy(offer_mask),
            torch.from_numpy(last < self.params.contact_stop),
            torch.cat([steps.log_prob for steps in played]),
            torch.from_numpy(advantage).float(),
            torch.from_numpy(np.concatenate([target for _, target in parts])).float(),
        )

    def advantages(self, steps: Steps) -> tuple[Array, Array]:
        """(B,) generalised advantages, and (B,) targets of the value head."""
        values, next_values = self.expected_values(steps)
        delta = (self.expected_rewards(steps) + next_values - values).reshape(steps.ended.shape)
        advantage = generalised_advantages(delta, steps.ended, self.config.gae_lambda).ravel()
        return advantage, advantage + values

    @torch.no_grad()
    def expected_values(self, steps: Steps) -> tuple[Array, Array]:
        """(B,) V(state), and the mean of alive x V(next) over answer and survival."""
        states, prices = np.concatenate(steps.states), np.tile(steps.price, 3)
        every = self.network.values(self.features(states, prices, steps.params))
        here, yes, no = every.numpy().astype(np.float64).reshape(3, -1)
        return here, mean_alive(yes, no, steps.outcome)

    def expected_rewards(self, steps: Steps) -> Array:
        """(B,) expected reward, shaped, penalised and scaled."""
        outcome, (before, yes, no) = steps.outcome, steps.losses
        p = outcome.probability
        retained = before - p * yes - (1 - p) * no
        cost = outcome.fixed_cost + (1 + steps.price) * p * outcome.discount
        reward = retained - cost - self.fatigue.value * self.over_cap(steps)
        scaled: Array = self.config.reward_scale * reward
        return scaled

    def over_cap(self, steps: Steps) -> Array:
        """(B,) 1 where a contact above the cap was made, else 0."""
        before, after, _ = steps.states
        contacted = after[:, FATIGUE] > before[:, FATIGUE]
        return (contacted & (before[:, FATIGUE] >= self.params.contact_cap)).astype(np.float64)

    # ---- update ---------------------------------------------------------------------------

    def update(self, batch: Batch, left: float) -> dict[str, float]:
        """Several epochs of clipped updates; `left` falls from 1 to 0 over the training."""
        config = self.config
        rate = config.learning_rate_end + left * (
            config.learning_rate_start - config.learning_rate_end
        )
        entropy_weight = config.entropy_end + left * (config.entropy_start - config.entropy_end)
        self.optimizer.param_groups[0]["lr"] = rate
        for _ in range(config.epochs):
            order = torch.from_numpy(self.rng.permutation(len(batch.advantage)))
            shuffled = batch.take(order)  # once: parts of it are views, not copies
            for start in range(0, len(order), config.minibatch):
                some = shuffled.take(slice(start, start + config.minibatch))
                loss, last_statistics = self.loss(some, entropy_weight)
                self.optimizer.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(self.network.parameters(), config.gradient_norm)
                self.optimizer.step()
        return last_statistics()

    def loss(
        self, some: Batch, entropy_weight: float
    ) -> tuple[Tensor, Callable[[], dict[str, float]]]:
        """-(L_CLIP - c1 x L_VF + c2 x H) on some rows of a batch; and what tells its figures."""
        contact, offer, delay, value = self.network(some.features)
        contact = contact.masked_fill(~some.contact_mask, IMPOSSIBLE)
        offer = offer.masked_fill(~some.offer_mask, IMPOSSIBLE)
        log_prob, entropy = action_log_prob(contact, offer, delay, some.actions, some.uses_delay)
        log_ratio = log_prob - some.log_prob
        ratio, clip = log_ratio.exp(), self.config.clip
        unclipped, kept = some.advantage * ratio, some.advantage * ratio.clamp(1 - clip, 1 + clip)
        surrogate = torch.min(unclipped, kept).mean()
        value_loss = (value.squeeze(-1) - some.target).square().mean()
        total = surrogate - self.config.value_coefficient * value_loss
        total = total + entropy_weight * entropy.mean()
        return -total, partial(_statistics, log_ratio, clip, value_loss, entropy, some.target)


@torch.no_grad()
def _statistics(
    log_ratio: Tensor, clip: float, value_loss: Tensor, entropy: Tensor, target: Tensor
) -> dict[str, float]:
    """How a minibatch went: asked of the last of an update alone, so not worked out for each."""
    change = log_ratio.exp() - 1
    return {
        "approx_kl": (change - log_ratio).mean().item(),
        "clip_fraction": (change.abs() > clip).float().mean().item(),
        "value_loss": value_loss.item(),
        "entropy": entropy.mean().item(),
        "explained_variance": 1 - (value_loss / target.var()).item(),
    }


def action_log_prob(
    contact: Tensor, offer: Tensor, delay: Tensor, actions: Tensor, uses_delay: Tensor
) -> tuple[Tensor, Tensor]:
    """(N,) log-probability and entropy; offer and delay count only where they do something."""
    logs = [torch.log_softmax(logits, dim=1) for logits in (contact, offer, delay)]
    picked = [
        log.gather(1, action[:, None]).squeeze(1)
        for log, action in zip(logs, actions.T, strict=True)
    ]
    contacts, delays = (actions[:, 0] == 1).float(), uses_delay.float()
    entropies = [-(log.exp() * log).sum(dim=1) for log in logs]
    log_prob = picked[0] + contacts * picked[1] + delays * picked[2]
    contact_share = logs[0][:, 1].exp()
    return log_prob, entropies[0] + contact_share * entropies[1] + delays * entropies[2]
