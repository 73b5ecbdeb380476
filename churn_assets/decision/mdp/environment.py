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

import numpy as np
from numpy.typing import NDArray

from churn_assets.decision.config import EnvironmentParams
from churn_assets.decision.mdp.customers import Customers
from churn_assets.decision.mdp.dynamics import (
    Array,
    daily_survival,
    offer_units,
    reluctance,
    spend_levels,
    start_histories,
)
from churn_assets.domain.statistics import logit, sigmoid

Actions = NDArray[np.int64]
"""(N, 3) contact 0/1, offer 0..3, delay 0..7."""
ACTION_SIZES = (2, 4, 8)


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
class State:
    """Where N customers stand: all that the future depends on, and what `observe` shows.

    score: (N,) logit of the churn risk. accept: (N, 4) logits of acceptance without history.
    contacts, spent (in units), days: (N,) whole numbers.
    """

    score: Array
    accept: Array
    contacts: NDArray[np.int64]
    spent: NDArray[np.int64]
    days: NDArray[np.int64]

    def where(self, condition: NDArray[np.bool_], other: "State") -> "State":
        """This state where the condition holds, the other elsewhere."""
        return State(
            np.where(condition, self.score, other.score),
            np.where(condition[:, None], self.accept, other.accept),
            np.where(condition, self.contacts, other.contacts),
            np.where(condition, self.spent, other.spent),
            np.where(condition, self.days, other.days),
        )


@dataclass(frozen=True)
class Branches:
    """What an action leads to before chance decides: two answers, then survival.

    accepted, refused: the states after the wait (equal without a contact).
    probability: (N,) P(accepted), 0 without a contact.
    alive_accepted, alive_refused: (N,) P(neither churn nor period end during the wait).
    discount: (N,) share of value paid if accepted. fixed_cost: (N,) attention and decision cost.
    """

    accepted: State
    refused: State
    probability: Array
    alive_accepted: Array
    alive_refused: Array
    discount: Array
    fixed_cost: Array


@dataclass(frozen=True)
class Step:
    """What happened to N customers in one step.

    observation: (N, 9) after the step, of the next episode where one ended.
    final_observation: (N, 9) after the step, before a next episode begins.
    reward: (N,) currency. terminated: (N,) bool.
    retained, accepted, contacted: (N,) bool. spend: (N,) currency.
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
    spend: Array
    budget_violation: Array
    fatigue_violation: Array


def fresh_start(customers: Customers, params: EnvironmentParams) -> State:
    """The customers with a clean sheet: nobody contacted, nothing spent."""
    none = np.zeros(len(customers), dtype=np.int64)
    rested = np.full(len(customers), params.cooldown_days)
    return State(logit(customers.risk), logit(customers.accept), none, none, rested)


def observe(state: State, params: EnvironmentParams) -> Array:
    """(N, 9) the specification's state."""
    fall = reluctance(state.contacts, state.days, params)
    return np.column_stack(
        [
            sigmoid(state.score),
            sigmoid(state.accept - fall[:, None]),
            1 - state.spent / (spend_levels(params) - 1),
            state.days,
            state.days < params.cooldown_days,
            state.contacts,
        ]
    )


def branch(state: State, actions: Actions, params: EnvironmentParams) -> Branches:
    """Both answers to an action; a contact or offer that isn't possible doesn't happen."""
    contact, offer, delay = actions.T
    units = offer_units(params)[offer]
    open_channel = state.contacts < params.contact_stop
    fits = state.spent + units < spend_levels(params)
    contact = (contact == 1) & open_channel & fits
    fall = reluctance(state.contacts, state.days, params)
    willing = sigmoid(state.accept[np.arange(len(offer)), offer] - fall)
    annoyed = params.annoyance_effect * (state.days < params.cooldown_days)
    score_yes = state.score + contact * (annoyed - params.acceptance_effect)
    score_no = state.score + contact * params.annoyance_effect
    contacts = state.contacts + contact
    days = np.where(contact, 0, state.days) + 1 + delay
    days = np.minimum(days, params.cooldown_days)
    spent_yes = state.spent + contact * units
    accept = state.accept
    closed = contacts >= params.contact_stop
    length = np.where(closed, np.inf, 1.0 + delay)
    return Branches(
        State(score_yes, accept, contacts, spent_yes, days),
        State(score_no, accept, contacts, state.spent, days),
        willing * contact,
        daily_survival(sigmoid(score_yes), params) ** length,
        daily_survival(sigmoid(score_no), params) ** length,
        contact * np.asarray(params.discounts)[offer],
        contact * params.contact_cost + params.decision_cost,
    )


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


class VectorRetention:
    """N environments in step; an environment whose episode ends begins the next one at once.

    Args:
        customers: whom episodes are drawn from.
        params: the assumed world.
        count: number of environments N, >= 1.
        seed: environment i's luck is that of the scalar environment with seed `seed` + i.
        draw: "value" draws a customer with probability proportional to value (what training
            needs: rewards divided by value then average to shares of all value), "uniform" alike.

    Raises:
        ValueError: what is wrong by name: `draw`, `count`, `seed`, or an action out of range, of
            the wrong shape or not whole.
    """

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
        self.customers, self.params, self.count = customers, params, count
        self.multipliers = multipliers or Multipliers()
        weight = (
            customers.weight if draw == "value" else np.full(len(customers), 1 / len(customers))
        )
        self._customer_edges = np.cumsum(weight)[:-1]
        self._histories, weights = start_histories(params)
        self._history_edges = np.cumsum(weights)[:-1]
        self._scores, self._accepts = logit(customers.risk), logit(customers.accept)
        self.reset(seed)

    def reset(self, seed: int) -> Array:
        """Begin anew in every environment; returns (N, 9) observations."""
        if not 0 <= seed < 2**64 - self.count:
            raise ValueError(f"seed: {seed} is not a whole number from 0 to below 2^64")
        self.seeds = np.arange(seed, seed + self.count, dtype=np.uint64)
        self.counter = np.zeros(self.count, dtype=np.uint64)
        self.customer = np.zeros(self.count, dtype=np.int64)
        blank = np.zeros(self.count, dtype=np.int64)
        self.state = State(np.zeros(self.count), np.zeros((self.count, 4)), *[blank] * 3)
        self._begin(np.ones(self.count, dtype=bool))
        return self.observation

    @property
    def observation(self) -> Array:
        """(N, 9) what a policy sees now."""
        return observe(self.state, self.params)

    @property
    def value(self) -> Array:
        """(N,) yearly value of the present customers, in currency."""
        return self.customers.value[self.customer]

    def step(self, actions: Actions) -> Step:
        """Act in every environment; see `Step`."""
        actions = _checked(actions, self.count)
        params, before = self.params, self.state
        branches = branch(before, actions, params)
        luck = self._luck()
        accepted = luck[:, 0] < branches.probability
        after = branches.accepted.where(accepted, branches.refused)
        alive = np.where(accepted, branches.alive_accepted, branches.alive_refused)
        terminated = luck[:, 1] >= alive
        retained = terminated & (luck[:, 2] >= sigmoid(after.score))
        value, spend = self.value, self.value * branches.discount * accepted
        budget_excess = self._excess(after) - self._excess(before)
        cap_excess = np.maximum(after.contacts - np.maximum(before.contacts, params.contact_cap), 0)
        reward = value * (retained - branches.fixed_cost) - spend
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
            spend=spend,
            budget_violation=budget_excess,
            fatigue_violation=cap_excess.astype(np.float64),
        )

    def _excess(self, state: State) -> Array:
        """Hinge of the budget: currency spent on the customer above the limit."""
        spent = state.spent * self.params.spend_unit
        return self.value * np.maximum(spent - self.params.budget_limit, 0)

    def _luck(self) -> Array:
        self.counter += np.uint64(1)
        return uniforms(self.seeds, self.counter, 3)

    def _begin(self, fresh: NDArray[np.bool_]) -> None:
        """Draw a customer and a history for the environments in `fresh`."""
        if not fresh.any():
            return
        luck = uniforms(self.seeds, self.counter, 5)[:, 3:]
        customer = np.searchsorted(self._customer_edges, luck[:, 0], side="right")
        history = self._histories[np.searchsorted(self._history_edges, luck[:, 1], side="right")]
        self.customer = np.where(fresh, customer, self.customer)
        begun = State(self._scores[customer], self._accepts[customer], *history.T)
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
