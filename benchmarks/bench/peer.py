"""Stable-Baselines3's PPO on this environment, as the peer of the product's own training.

    pip install --no-deps stable-baselines3    # its other needs are the product's

It is given what helps it: all environments in one vectorised step, rewards as shares of value, and
the optimum's own price of the budget, which ours has to find. Only what `benchmarks.bench` imports
when it is installed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecEnv

from churn_assets.decision.config import EnvironmentParams
from churn_assets.decision.mdp.actions import Decisions
from churn_assets.decision.mdp.customers import Customers
from churn_assets.decision.mdp.dynamics import affordable
from churn_assets.decision.mdp.environment import Multipliers, VectorRetention
from churn_assets.decision.mdp.observation import BUDGET

Captured = Callable[[Any], float]
"""Captured uplift of a policy on validation customers, by exact evaluation."""


class Together(VecEnv):
    """`VectorRetention` as SB3 takes it; the reward is a share of value, spend costs `price`."""

    def __init__(
        self, customers: Customers, params: EnvironmentParams, count: int, seed: int, price: float
    ) -> None:
        none = Multipliers(budget=0.0)
        self.envs = VectorRetention(customers, params, count, seed, "value", none)
        self.price = price
        self.infos: list[dict[str, Any]] = [{} for _ in range(count)]
        spaces = self.envs.single_observation_space, self.envs.single_action_space
        super().__init__(count, *spaces)

    def reset(self) -> NDArray[np.float64]:
        return self.envs.observation

    def step_async(self, actions: NDArray[np.int64]) -> None:
        self.actions = actions

    def step_wait(self) -> Any:
        value = self.envs.value
        step = self.envs.advance(self.actions)
        reward = (step.reward - self.price * step.spend) / value
        return step.observation, reward.astype(np.float32), step.terminated, self.infos

    def close(self) -> None: ...

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        return [None] * self.num_envs

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None: ...

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> Any:
        raise NotImplementedError(method_name)

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        return [False] * self.num_envs


@dataclass(frozen=True)
class Greedy:
    """The network's likeliest action, with the deployed policy's masks: cap and allowance."""

    model: PPO
    params: EnvironmentParams
    name: str = "sb3"

    def decide(self, states: NDArray[np.float64]) -> Decisions:
        """The likeliest of each head."""
        actions, _ = self.model.predict(states, deterministic=True)
        contact, offer, delay = actions.T
        fits = affordable(states[:, BUDGET], self.params)[np.arange(len(offer)), offer]
        contact = (contact == 1) & fits & (states[:, 8] < self.params.contact_cap)
        offer = np.where(contact, offer, 0)
        return Decisions(contact, offer, delay, np.ones(len(offer)))


class Clock:
    """Processor seconds without those of measuring, and when each share was reached.

    Attributes:
        reached: of each share the seconds, `limit` while it wasn't reached.
    """

    def __init__(self, captured: Captured, shares: Sequence[float], limit: float) -> None:
        self.captured, self.limit = captured, limit
        self.reached = dict.fromkeys(shares, limit)
        self.best = -np.inf
        self.measuring, self.began = 0.0, time.process_time()

    @property
    def seconds(self) -> float:
        return time.process_time() - self.began - self.measuring

    @property
    def over(self) -> bool:
        return self.seconds > self.limit or self.best >= max(self.reached)

    def look(self, policy: Any) -> None:
        """Measure the policy of this moment."""
        now, begun = self.seconds, time.process_time()
        found = self.captured(policy)
        self.best = max(self.best, found)
        for share, seconds in self.reached.items():
            if found >= share:
                self.reached[share] = min(seconds, now)
        self.measuring += time.process_time() - begun


class Watch(BaseCallback):
    """Notes the processor seconds of training at which each share was first captured."""

    def __init__(self, clock: Clock, params: EnvironmentParams, every: int) -> None:
        super().__init__()
        self.clock, self.params, self.every, self.rollouts = clock, params, every, 0

    def _on_step(self) -> bool:
        return not self.clock.over

    def _on_rollout_end(self) -> None:
        self.rollouts += 1
        if self.rollouts % self.every == 0:
            self.clock.look(Greedy(self.model, self.params))


def train(
    customers: Customers,
    params: EnvironmentParams,
    price: float,
    seed: int,
    clock: Clock,
    count: int,
    horizon: int,
) -> None:
    """SB3's PPO with its own settings, until the clock says that it is over; batches as ours."""
    torch.set_num_threads(1)
    envs = Together(customers, params, count, seed, price)
    model = PPO("MlpPolicy", envs, n_steps=horizon, batch_size=2048, seed=seed, device="cpu")
    model.learn(10**9, callback=Watch(clock, params, every=4))
