"""One world's environments during one update of PPO, and what came of each step."""

from dataclasses import dataclass, field, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from churn_assets.decision.config import EnvironmentParams
from churn_assets.decision.mdp.customers import Customers
from churn_assets.decision.mdp.dynamics import Array
from churn_assets.decision.mdp.environment import VectorRetention
from churn_assets.decision.mdp.transitions import Actions, Branches, State, branch, observe


@dataclass(frozen=True)
class Steps:
    """T steps of n environments in one world, flattened to B = T x n rows, step by step.

    states: (B, 9) before, after an acceptance, after a refusal; losses: (B,) what is lost there in
        expectation if nothing more is done. ended: (T, n) bool.
    outcome: both answers to the actions taken. price: (B,) of the episode.
    """

    params: EnvironmentParams
    states: list[Array]
    losses: list[Array]
    outcome: Branches
    actions: Actions
    log_prob: Tensor
    price: Array
    ended: NDArray[np.bool_]


@dataclass
class World:
    """Environments of one world with a price for each running episode.

    price: (n,) of the running episodes. An episode that ends is followed by one of another price.
    seen: (n, 9) what a policy sees now.
    """

    envs: VectorRetention
    price: Array
    seen: Array
    _situations: list[State] = field(default_factory=list)
    _actions: list[Actions] = field(default_factory=list)
    _prices: list[Array] = field(default_factory=list)
    _ended: list[NDArray[np.bool_]] = field(default_factory=list)

    @classmethod
    def begin(
        cls, customers: Customers, params: EnvironmentParams, prices: Array, seed: int
    ) -> Self:
        """As many environments as `prices` (n,), at the start of their episodes."""
        envs = VectorRetention(customers, params, len(prices), seed, draw="value")
        return cls(envs, prices, envs.observation)

    def step(self, actions: Actions, next_prices: Array) -> None:
        """Act (n, 3); episodes that begin after it have `next_prices` (n,)."""
        self._situations.append(self.envs.state)
        self._actions.append(actions)
        self._prices.append(self.price)
        ended = self.envs.play(actions)
        self.seen = self.envs.observation
        self._ended.append(ended)
        self.price = np.where(ended, next_prices, self.price)

    def steps(self, log_prob: Tensor) -> Steps:
        """All steps so far, with the log-probabilities (B,) of their actions."""
        params, before = self.envs.params, stack_states(self._situations)
        actions = np.concatenate(self._actions)
        outcome = branch(before, actions, params)
        states = (before, outcome.accepted, outcome.refused)
        return Steps(
            params,
            [observe(state, params) for state in states],
            [state.after_answers(params)[1] for state in states],
            outcome,
            actions,
            log_prob,
            np.concatenate(self._prices),
            np.stack(self._ended),
        )


def stack_states(states: list[State]) -> State:
    """One state of all rows, in order."""
    names = [column.name for column in fields(State)]
    return State(*(np.concatenate([getattr(s, name) for s in states]) for name in names))


def mean_alive(yes: Array, no: Array, outcome: Branches) -> Array:
    """(B,) mean over answer and survival of a quantity that is 0 once the episode has ended."""
    p = outcome.probability
    return p * outcome.alive_accepted * yes + (1 - p) * outcome.alive_refused * no


def expected_ends(outcome: Branches) -> float:
    """Expected number of episodes that end in these steps: the batch's number of episodes."""
    one = np.ones_like(outcome.probability)
    return float((1 - mean_alive(one, one, outcome)).sum())


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
