"""Constrained PPO, readable from top to bottom (Schulman et al. 2017; PPO-Lagrangian, Ray 2019).

Why not a library's PPO: three exact identities of this environment remove most of the noise, and
need a say in the return's computation.

1. *Shaping* with Phi = 1 - churn_risk, the value of leaving the customer alone. It leaves the
   optimal policy unchanged (Ng, Harada, Russell 1999), and a wait's shaped reward is its cost.
2. *Expected rewards*: the shaped reward's mean over the customer's answer replaces the sample.
3. *Expected next values*: in the TD error, the mean of alive x V(next) over the answer and over
   survival replaces V at the sampled next state. Given state and action both have the same mean,
   so generalised advantage estimates stay unbiased wherever they were; only variance goes.

Budget and contact cap enter as linear penalties, lambda x use, on the *expected* discount and on
contacts above the cap. The cap's multiplier follows the batch's mean use per episode. The budget's
follows, once the policy has taken shape, the exact mean spend of the *deployed* (argmax) policy on
a sample of training customers: sampled actions spend 10 to 20 % less than the deployed ones, and a
multiplier that followed them sank by a third and took the policy off the optimum's trade-off.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from churn_assets.decision.config import EnvironmentParams, PpoConfig
from churn_assets.decision.exact.policy_value import evaluate
from churn_assets.decision.learning.lagrange import LagrangeMultiplier
from churn_assets.decision.learning.network import PolicyNetwork
from churn_assets.decision.learning.network_numpy import (
    IMPOSSIBLE,
    NetworkSpec,
    action_masks,
    raw_features,
)
from churn_assets.decision.mdp.customers import Customers, representative
from churn_assets.decision.mdp.dynamics import Array
from churn_assets.decision.mdp.environment import (
    Actions,
    Branches,
    Situation,
    VectorRetention,
    branch,
    observe,
)
from churn_assets.decision.mdp.state import FATIGUE, RISK

Report = Callable[[int, PolicyNetwork, dict[str, float]], None]
"""Called after every update with its number, the network and the training statistics."""


@dataclass(frozen=True)
class Batch:
    """One roll-out, flattened to (B, ...), B = customers x horizon."""

    features: Tensor
    actions: Tensor
    contact_mask: Tensor
    offer_mask: Tensor
    uses_delay: Tensor
    log_prob: Tensor
    advantage: Tensor
    target: Tensor
    excess_per_episode: float


class Trainer:
    """Trains one network on one environment from one seed."""

    def __init__(
        self,
        customers: Customers,
        params: EnvironmentParams,
        config: PpoConfig,
        price: float,
        seed: int,
    ) -> None:
        torch.manual_seed(seed)
        self.params, self.config = params, config
        self.rng = np.random.default_rng(seed)
        self.envs = VectorRetention(
            customers, params, config.customers, seed=1_000_003 * (seed + 1), draw="value"
        )
        self.spec = feature_spec(customers, params)
        self.mean, self.scale = np.asarray(self.spec.mean), np.asarray(self.spec.scale)
        self.network = PolicyNetwork(config.hidden)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=1.0, eps=1e-5)
        self.budget = LagrangeMultiplier(price, params.budget_limit, config.budget_rate)
        self.sample_of_base = representative(customers, config.dual_customers)
        self.fatigue = LagrangeMultiplier(
            config.fatigue_start, config.fatigue_tolerance, config.fatigue_rate
        )

    def train(self, report: Report) -> PolicyNetwork:
        """Run all updates; `report` sees each of them."""
        for update in range(self.config.updates):
            left = 1 - update / self.config.updates
            batch = self.roll_out()
            statistics = self.improve(batch, left)
            if left <= 1 - self.config.dual_from:
                self.fatigue.update(batch.excess_per_episode)
                if update % self.config.dual_every == 0:
                    self.budget.update(self.deployed_spend())
            statistics["budget_multiplier"] = self.budget.value
            statistics["fatigue_multiplier"] = self.fatigue.value
            statistics["sampled_over_contact_rate"] = batch.excess_per_episode
            report(update + 1, self.network, statistics)
        return self.network

    def deployed_spend(self) -> float:
        """Exact mean spend per episode of the argmax policy, share of value."""
        policy = self.network.deployed(self.spec)
        return evaluate(policy, self.sample_of_base, self.params).mean("spend")

    # ---- roll-out -------------------------------------------------------------------------

    def roll_out(self) -> Batch:
        """`horizon` steps in every environment, and their advantages."""
        before: list[Situation] = []
        actions, log_probs, ended = [], [], []
        for _ in range(self.config.horizon):
            before.append(self.envs.situation)
            action, log_prob = self.sample(self.envs.observation)
            step = self.envs.step(action)
            actions.append(action)
            log_probs.append(log_prob)
            ended.append(step.terminated)
        flat, action = stack_situations(before), np.concatenate(actions)
        outcome = branch(flat, action, self.params)
        states = observe(flat, self.params)
        following = [observe(one, self.params) for one in (outcome.accepted, outcome.refused)]
        values, next_values = self.expected_values([states, *following], outcome)
        reward, excess = self.expected_rewards([states, *following], outcome)
        shape = (self.config.horizon, self.config.customers)
        delta = (reward + next_values - values).reshape(shape)
        advantage = generalised_advantages(delta, np.stack(ended), self.config.gae_lambda)
        episodes = expected_ends(outcome)
        contact_mask, offer_mask = action_masks(states, self.params)
        last = outcome.accepted.contacts >= self.params.contact_stop
        return Batch(
            self.features(states),
            torch.from_numpy(action),
            torch.from_numpy(contact_mask),
            torch.from_numpy(offer_mask),
            torch.from_numpy(~last),
            torch.cat(log_probs),
            torch.from_numpy(advantage.ravel()).float(),
            torch.from_numpy(advantage.ravel() + values).float(),
            float(excess.sum() / episodes),
        )

    def features(self, states: Array) -> Tensor:
        """(N, 9) normalised with the stored constants."""
        return torch.from_numpy((raw_features(states) - self.mean) / self.scale).float()

    @torch.no_grad()
    def sample(self, states: Array) -> tuple[Actions, Tensor]:
        """Actions (N, 3) drawn from the policy, and their log-probabilities (N,)."""
        contact_mask, offer_mask = action_masks(states, self.params)
        contact, offer, delay, _ = self.network(self.features(states))
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

    @torch.no_grad()
    def expected_values(self, states: list[Array], outcome: Branches) -> tuple[Array, Array]:
        """(B,) V(state), and the mean of alive x V(next) over answer and survival.

        `states`: (B, 9) before, after an acceptance, after a refusal.
        """
        every = self.network.values(self.features(np.concatenate(states)))
        here, yes, no = every.numpy().astype(np.float64).reshape(3, -1)
        return here, mean_alive(yes, no, outcome)

    def expected_rewards(self, states: list[Array], outcome: Branches) -> tuple[Array, Array]:
        """(B,) expected reward, shaped, penalised and scaled; (B,) contacts above the cap."""
        p, (before, yes, no) = outcome.probability, states
        retained = before[:, RISK] - p * yes[:, RISK] - (1 - p) * no[:, RISK]
        contacted = yes[:, FATIGUE] > before[:, FATIGUE]
        excess = (contacted & (before[:, FATIGUE] >= self.params.contact_cap)).astype(np.float64)
        cost = outcome.fixed_cost + (1 + self.budget.value) * p * outcome.discount
        reward = retained - cost - self.fatigue.value * excess
        return self.config.reward_scale * reward, excess

    # ---- update ---------------------------------------------------------------------------

    def improve(self, batch: Batch, left: float) -> dict[str, float]:
        """Several epochs of clipped updates; `left` falls from 1 to 0 over the training."""
        config = self.config
        rate = config.learning_rate_end + left * (
            config.learning_rate_start - config.learning_rate_end
        )
        entropy_weight = config.entropy_end + left * (config.entropy_start - config.entropy_end)
        self.optimizer.param_groups[0]["lr"] = rate
        count = len(batch.advantage)
        advantage = (batch.advantage - batch.advantage.mean()) / (batch.advantage.std() + 1e-8)
        statistics: dict[str, float] = {}
        for _ in range(config.epochs):
            for rows in torch.from_numpy(self.rng.permutation(count)).split(config.minibatch):
                loss, statistics = self.loss(batch, advantage, rows, entropy_weight)
                self.optimizer.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(self.network.parameters(), config.gradient_norm)
                self.optimizer.step()
        unexplained = (batch.advantage.var() / batch.target.var()).item()
        statistics["explained_variance"] = 1 - unexplained
        return statistics

    def loss(
        self, batch: Batch, advantage: Tensor, rows: Tensor, entropy_weight: float
    ) -> tuple[Tensor, dict[str, float]]:
        """-(L_CLIP - c1 x L_VF + c2 x H) on some rows of the batch."""
        contact, offer, delay, value = self.network(batch.features[rows])
        contact = contact.masked_fill(~batch.contact_mask[rows], IMPOSSIBLE)
        offer = offer.masked_fill(~batch.offer_mask[rows], IMPOSSIBLE)
        log_prob, entropy = action_log_prob(
            contact, offer, delay, batch.actions[rows], batch.uses_delay[rows]
        )
        log_ratio = log_prob - batch.log_prob[rows]
        ratio, clip = log_ratio.exp(), self.config.clip
        chosen = advantage[rows]
        clipped = torch.min(chosen * ratio, chosen * ratio.clamp(1 - clip, 1 + clip)).mean()
        value_loss = (value.squeeze(-1) - batch.target[rows]).square().mean()
        total = clipped - self.config.value_coefficient * value_loss
        total = total + entropy_weight * entropy.mean()
        with torch.no_grad():
            statistics = {
                "approx_kl": ((ratio - 1) - log_ratio).mean().item(),
                "clip_fraction": ((ratio - 1).abs() > clip).float().mean().item(),
                "value_loss": value_loss.item(),
                "entropy": entropy.mean().item(),
            }
        return -total, statistics


def mean_alive(yes: Array, no: Array, outcome: Branches) -> Array:
    """(B,) mean over answer and survival of a quantity that is 0 once the episode has ended."""
    p = outcome.probability
    return p * outcome.alive_accepted * yes + (1 - p) * outcome.alive_refused * no


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


def generalised_advantages(delta: Array, ended: NDArray[np.bool_], gae_lambda: float) -> Array:
    """(T, N) A_t = delta_t + lambda x [not ended] x A_{t+1} (Schulman et al. 2016).

    Survival is in delta and in `ended`: there is no other discount. The roll-out's cut-off is a
    truncation, which delta has bootstrapped.
    """
    advantage = np.empty_like(delta)
    following = np.zeros(delta.shape[1])
    for t in range(len(delta) - 1, -1, -1):
        following = delta[t] + gae_lambda * ~ended[t] * following
        advantage[t] = following
    return advantage


def expected_ends(outcome: Branches) -> float:
    """Expected number of episodes that end in these steps: the batch's number of episodes."""
    one = np.ones_like(outcome.probability)
    return float((1 - mean_alive(one, one, outcome)).sum())


def stack_situations(situations: list[Situation]) -> Situation:
    """One situation of all rows, in order."""
    names = ("score", "accept", "contacts", "spent", "days")
    return Situation(*(np.concatenate([getattr(s, name) for s in situations]) for name in names))


def feature_spec(customers: Customers, params: EnvironmentParams) -> NetworkSpec:
    """Fixed normalisation: mean and spread of the features over customers and start histories."""
    envs = VectorRetention(customers, params, 4096, seed=0, draw="value")
    features = raw_features(envs.observation)
    scale = np.maximum(features.std(axis=0), 0.1)
    return NetworkSpec(params=params, mean=tuple(features.mean(axis=0)), scale=tuple(scale))
