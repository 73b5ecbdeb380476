"""The retention environment: one customer an episode, thousands of customers a step, in numpy.

A step is one decision: perhaps a contact, whose answer is immediate, then 1 + delay days in which
the customer may churn or the period may end. Both end the episode (termination); nothing is ever
truncated here. After `contact_stop` contacts the channel is closed, and the next step runs to the
end of the episode.

Randomness is counter-based: a step's three numbers are a hash of (seed, episode, step). So an
environment's luck doesn't depend on its neighbours, the scalar environment (`gym_env.py`) steps
identically, and two policies can be compared on the same customers with the same luck.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from churn_assets.decision.config import EnvironmentParams
from churn_assets.decision.mdp.customers import Customers
from churn_assets.decision.mdp.dynamics import Array, loss_at, start_histories
from churn_assets.decision.mdp.transitions import Actions, Branches, State, branch, observe
from churn_assets.domain.statistics import logit

ACTION_SIZES = (2, 4, 8)
INFOS = ("retained", "accepted", "contacted", "spend", "budget_violation", "fatigue_violation")
"""Figures of a step that gymnasium's users are told besides the reward."""


@dataclass(frozen=True)
class Multipliers:
    """Weights of the two violations in the reward, as shares of value per unit of violation."""

    budget: float = 1.0
    fatigue: float = 0.05

    def __post_init__(self) -> None:
        for name, weight in (("budget", self.budget), ("fatigue", self.fatigue)):
            if not 0 <= weight < np.inf:
                raise ValueError(f"{name}: a multiplier is a finite number >= 0, not {weight}")


@dataclass(frozen=True)
class Step:
    """What happened to N customers in one step.

    observation: (N, 9) after the step, of the next episode where one ended.
    final_observation: (N, 9) after the step, before a next episode begins.
    reward: (N,) currency. terminated: (N,) bool.
    retained, accepted, contacted: (N,) bool.
    revenue: (N,) currency, what a retained customer is worth (the yearly value, or the bills that
        `persistence` counts), 0 of all others. spend: (N,) currency.
    budget_violation, fatigue_violation: (N,) growth of the episode's hinge excess, in currency
        and in contacts.
    """

    observation: Array
    final_observation: Array
    reward: Array
    terminated: NDArray[np.bool_]
    retained: NDArray[np.bool_]
    accepted: NDArray[np.bool_]
    contacted: NDArray[np.bool_]
    revenue: Array
    spend: Array
    budget_violation: Array
    fatigue_violation: Array


def uniforms(seeds: NDArray[np.uint64], counter: NDArray[np.uint64], count: int) -> Array:
    """(N, count) numbers in [0, 1): splitmix64 (Steele et al. 2014) of seed and counter."""
    golden, lanes = np.uint64(0x9E3779B97F4A7C15), np.arange(1, count + 1, dtype=np.uint64)
    state = _mix(seeds + golden)[:, None] ^ _mix(counter * golden)[:, None]
    drawn: Array = (_mix(state + lanes * golden) >> np.uint64(11)) * np.float64(2.0**-53)
    return drawn


def _mix(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def state_spaces(params: EnvironmentParams) -> tuple[spaces.Box, spaces.MultiDiscrete]:
    """The nine numbers, with the bounds that occur, and a decision."""
    high = np.ones(9)
    high[6], high[8] = params.cooldown_days, params.contact_stop
    return spaces.Box(np.zeros(9), high, dtype=np.float64), spaces.MultiDiscrete(list(ACTION_SIZES))


class VectorRetention(VectorEnv[Array, Actions, NDArray[Any]]):
    """N environments in step, as a `gymnasium.vector.VectorEnv`: an environment whose episode ends
    begins the next one at once (`AutoresetMode.SAME_STEP`; `infos["final_obs"]` is where the
    customer stood). `advance` is the same step with all its figures.

    Args:
        customers: whom episodes are drawn from.
        params: the assumed world.
        count: number of environments N, >= 1 (`num_envs`).
        seed: environment i's luck is that of the scalar environment with seed `seed` + i.
        draw: "value" draws a customer with probability proportional to value (what training
            needs: rewards divided by value then average to shares of all value), "uniform" alike.

    Raises:
        ValueError: what is wrong by name: `draw`, `count`, `seed`, or an action out of range, of
            the wrong shape or not whole.
    """

    counter: NDArray[np.uint64]

    def __init__(
        self,
        customers: Customers,
        params: EnvironmentParams,
        count: int,
        seed: int = 0,
        draw: str = "uniform",
        multipliers: Multipliers | None = None,
    ) -> None:
        if draw not in ("uniform", "value"):
            raise ValueError(f"draw: {draw!r} is neither 'uniform' nor 'value'")
        if count < 1:
            raise ValueError(f"count: {count} environments, there must be at least 1")
        self.customers, self.params, self.num_envs = customers, params, count
        self.metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}
        self.single_observation_space, self.single_action_space = state_spaces(params)
        self.observation_space = batch_space(self.single_observation_space, count)
        self.action_space = batch_space(self.single_action_space, count)
        self.multipliers = multipliers or Multipliers()
        weight = (
            customers.weight if draw == "value" else np.full(len(customers), 1 / len(customers))
        )
        self._customer_edges = np.cumsum(weight)[:-1]
        self._histories, weights = start_histories(params)
        self._history_edges = np.cumsum(weights)[:-1]
        self._scores, self._accepts = logit(customers.risk), logit(customers.accept)
        self.reset(seed=seed)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Array, dict[str, Any]]:
        """Begin anew in every environment; without a seed the next episodes of the random streams.

        Returns (N, 9) observations, and the customers' `value` (N,) in currency.
        """
        if seed is None:
            self.counter += np.uint64(1)
        elif not 0 <= seed < 2**64 - self.num_envs:
            raise ValueError(f"seed: {seed} is not a whole number from 0 to below 2^64")
        else:
            super().reset(seed=seed)
            self.seeds = np.arange(seed, seed + self.num_envs, dtype=np.uint64)
            self.counter = np.zeros(self.num_envs, dtype=np.uint64)
            self.customer = np.zeros(self.num_envs, dtype=np.int64)
            blank = np.zeros(self.num_envs, dtype=np.int64)
            self.state = State(np.zeros(self.num_envs), np.zeros((self.num_envs, 4)), *[blank] * 5)
        self._begin(np.ones(self.num_envs, dtype=bool))
        return self.observation, {"value": self.value}

    @property
    def observation(self) -> Array:
        """(N, 9) what a policy sees now."""
        return observe(self.state, self.params)

    @property
    def value(self) -> Array:
        """(N,) yearly value of the present customers, in currency."""
        return self.customers.value[self.customer]

    def step(
        self, actions: Actions
    ) -> tuple[Array, Array, NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """Act in every environment, as gymnasium has it: observations (N, 9), rewards, terminations
        and truncations (N,) (none), and the figures of `Step` by name."""
        value = self.value
        step = self.advance(actions)
        infos = {name: getattr(step, name) for name in INFOS} | {
            "value": value,
            "final_obs": step.final_observation,
            "_final_obs": step.terminated,
        }
        never = np.zeros(self.num_envs, dtype=bool)
        return step.observation, step.reward, step.terminated, never, infos

    def play(self, actions: Actions) -> NDArray[np.bool_]:
        """Act in every environment; which episodes ended (N,), without any other figure."""
        _, _, after, terminated, _ = self._drawn(actions)
        self.state = after
        self._begin(terminated)
        return terminated

    def advance(self, actions: Actions) -> Step:
        """Act in every environment; see `Step`."""
        params, before = self.params, self.state
        branches, accepted, after, terminated, luck = self._drawn(actions)
        risk, loss = after.after_answers(params)
        retained = terminated & (luck >= risk)
        value, spend = self.value, self.value * branches.discount * accepted
        revenue = value * retained * ((1 - loss) / (1 - risk))
        budget_excess = self._excess(after) - self._excess(before)
        cap_excess = np.maximum(after.contacts - np.maximum(before.contacts, params.contact_cap), 0)
        reward = revenue - value * branches.fixed_cost - spend
        reward = reward - self.multipliers.budget * budget_excess
        reward = reward - self.multipliers.fatigue * value * cap_excess
        final = observe(after, params)
        self.state = after
        self._begin(terminated)
        return Step(
            observation=self.observation if terminated.any() else final,
            final_observation=final,
            reward=reward,
            terminated=terminated,
            retained=retained,
            accepted=accepted,
            contacted=after.contacts > before.contacts,
            revenue=revenue,
            spend=spend,
            budget_violation=budget_excess,
            fatigue_violation=cap_excess.astype(np.float64),
        )

    def _drawn(
        self, actions: Actions
    ) -> tuple[Branches, NDArray[np.bool_], State, NDArray[np.bool_], Array]:
        """Both answers to the actions; of N environments who accepts, where that leads, whose
        episode ends, and the number that says who is retained then."""
        branches = branch(self.state, _checked(actions, self.num_envs), self.params)
        self.counter += np.uint64(1)
        answer, end, stay = uniforms(self.seeds, self.counter, 3).T
        accepted = answer < branches.probability
        after = branches.accepted.where(accepted, branches.refused)
        alive = np.where(accepted, branches.alive_accepted, branches.alive_refused)
        return branches, accepted, after, end >= alive, stay

    @property
    def left_alone(self) -> Array:
        """(N,) expected revenue of the present customers if nothing were done, in currency."""
        return self.value * (1 - loss_at(self.customers.risk[self.customer], self.params))

    def _excess(self, state: State) -> Array:
        """Hinge of the budget: currency spent on the customer above the limit."""
        spent = state.spent * self.params.spend_unit
        return self.value * np.maximum(spent - self.params.budget_limit, 0)

    def _begin(self, fresh: NDArray[np.bool_]) -> None:
        """Draw a customer and a history for the environments in `fresh`."""
        if not fresh.any():
            return
        luck = uniforms(self.seeds, self.counter, 5)[:, 3:]
        customer = np.searchsorted(self._customer_edges, luck[:, 0], side="right")
        history = self._histories[np.searchsorted(self._history_edges, luck[:, 1], side="right")]
        self.customer = np.where(fresh, customer, self.customer)
        none = np.zeros_like(customer)
        contacts, spent, days = history.T
        begun = State(
            self._scores[customer], self._accepts[customer], contacts, spent, days, none, none
        )
        self.state = begun.where(fresh, self.state)


def _checked(actions: Actions, count: int) -> Actions:
    actions = np.asarray(actions)
    if actions.shape != (count, 3) or not np.issubdtype(actions.dtype, np.integer):
        raise ValueError(
            f"actions: {actions.dtype} {actions.shape}, expected ({count}, 3) integers"
        )
    for name, column, size in zip(
        ("contact", "offer", "delay"), actions.T, ACTION_SIZES, strict=True
    ):
        if ((column < 0) | (column >= size)).any():
            raise ValueError(f"{name}: every action must be 0 .. {size - 1}")
    return actions
