"""Exact policy evaluation: decisions at every grid state, then the chain solved. No roll-outs."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from churn_assets.decision.config import EnvironmentParams
from churn_assets.decision.exact.oracle import Chain, GridActions, build_chain, grid_shape
from churn_assets.decision.mdp.actions import DELAYS, Decisions, Policy
from churn_assets.decision.mdp.customers import Customers
from churn_assets.decision.mdp.dynamics import Array, offer_units, start_histories

METRICS = ("uplift", "spend", "contacts", "over_cap", "decisions", "retention")
CHUNK = 512
"""Customers evaluated at a time: bounds the memory (1,200 states a customer)."""


@dataclass(frozen=True)
class Evaluation:
    """Expected figures per customer and period, (C,) each; money as shares of yearly value.

    uplift: reward (before multipliers) minus P(stays | left alone); never contacting is a little
        below 0, since looking at a customer costs something.
    spend: discount paid. contacts: contacts made in the rest of the period.
    over_cap: P(the contact cap is exceeded). decisions: decisions taken.
    retention: P(stays) minus P(stays | left alone).
    weight: (C,) the customer's share of all value, sums to 1.
    """

    uplift: Array
    spend: Array
    contacts: Array
    over_cap: Array
    decisions: Array
    retention: Array
    weight: Array

    @classmethod
    def of(cls, figures: Array, weight: Array) -> "Evaluation":
        """From (C, 6) METRICS and the customers' weights."""
        return cls(**dict(zip(METRICS, figures.T, strict=True)), weight=weight)

    def mean(self, metric: str) -> float:
        """Value-weighted mean for money and retention, plain mean for counts of customers."""
        values: Array = getattr(self, metric)
        if metric in ("uplift", "spend", "retention"):
            return float(values @ self.weight)
        return float(values.mean())


def evaluate(policy: Policy, customers: Customers, params: EnvironmentParams) -> Evaluation:
    """Evaluate a policy exactly on every customer, over the start histories' distribution."""
    return evaluate_actions(lambda chain: policy_actions(policy, chain), customers, params)


def evaluate_actions(
    decide: Callable[[Chain], list[GridActions]], customers: Customers, params: EnvironmentParams
) -> Evaluation:
    """Evaluate decisions given on the grid (the oracle's, or a policy's through `decide`)."""
    figures = [chain_figures(chain, decide(chain)) for chain in chains(customers, params)]
    return Evaluation.of(np.concatenate(figures), customers.weight)


def chains(customers: Customers, params: EnvironmentParams) -> Iterator[Chain]:
    """The customers' chains, some customers at a time, in order."""
    for start in range(0, len(customers), CHUNK):
        yield build_chain(customers.take(slice(start, start + CHUNK)), params)


def summarise(evaluation: Evaluation) -> dict[str, float]:
    """Every figure's mean, by name."""
    return {metric: evaluation.mean(metric) for metric in METRICS}


def grid_states(chain: Chain, contacts: int) -> Array:
    """(C x (n+1)² x S x D, 9) the observation at every state with `contacts` contacts."""
    params = chain.params
    side = slice(0, contacts + 1)
    shape = (len(chain.customers), *grid_shape(params, contacts))
    states = np.empty((*shape, 9))
    days = np.arange(shape[4])
    cooldown = (days < params.cooldown_days).astype(np.int64)
    states[..., 0] = 1 - chain.stay[:, side, side, None, None]
    states[..., 1:5] = chain.accept[:, contacts, None, None, None]
    states[..., 5] = 1 - np.arange(shape[3])[:, None] / (shape[3] - 1)
    states[..., 6] = days
    states[..., 7] = cooldown
    states[..., 8] = contacts
    return states.reshape(-1, 9)


def policy_actions(policy: Policy, chain: Chain) -> list[GridActions]:
    """A policy's decisions at every state, for n = 0 .. contact_cap."""
    return actions_from(lambda _, states: policy.decide(states), chain)


def actions_from(decide: Callable[[int, Array], Decisions], chain: Chain) -> list[GridActions]:
    """Decisions at every state of the grid; `decide` gets n and the states with n contacts."""
    grid = []
    for contacts in range(chain.params.contact_cap + 1):
        decided = decide(contacts, grid_states(chain, contacts))
        shape = (len(chain.customers), *grid_shape(chain.params, contacts))
        grid.append(
            GridActions(
                decided.contact.reshape(shape),
                decided.offer.reshape(shape),
                decided.delay.reshape(shape),
            )
        )
    return grid


def chain_figures(chain: Chain, grid: list[GridActions]) -> Array:
    """(C, 6) expected METRICS per customer, over the start histories."""
    following = np.zeros((len(chain.customers), *grid_shape(chain.params, len(grid)), len(METRICS)))
    histories, weights = start_histories(chain.params)
    total = np.zeros((len(chain.customers), len(METRICS)))
    for contacts in range(len(grid) - 1, -1, -1):
        following = _evaluate_level(chain, contacts, grid[contacts], following)
        here = histories[:, 0] == contacts
        begun = following[:, 0, 0][:, histories[here, 1], histories[here, 2]]
        total += np.einsum("chm,h->cm", begun, weights[here])
    return total


def _evaluate_level(chain: Chain, contacts: int, actions: GridActions, following: Array) -> Array:
    """METRICS at every state with `contacts` contacts, given those at states with one more."""
    params, side = chain.params, slice(0, contacts + 1)
    shape = actions.contact.shape
    values = np.empty((*shape, len(METRICS)))
    values[actions.contact] = _contact_figures(chain, contacts, actions, following)
    by_row = values.reshape(-1, shape[-1], len(METRICS))  # a row: all days of (c, a, b, s)
    survival = chain.survival[:, side, side].reshape(-1, DELAYS)
    delays, waits = (column.reshape(-1, shape[-1]) for column in (actions.delay, ~actions.contact))
    look = np.zeros(len(METRICS))
    look[0], look[4] = -params.decision_cost, 1
    cooldown = params.cooldown_days
    for day in range(cooldown, -1, -1):
        rows = np.flatnonzero(waits[:, day])
        delay = delays[rows, day]
        alive = survival[rows // shape[3], delay][:, None]
        if day == cooldown:  # nothing changes any more: the same decision until the end
            by_row[rows, day] = look / (1 - alive)
        else:
            later = by_row[rows, np.minimum(day + 1 + delay, cooldown)]
            by_row[rows, day] = look + alive * later
    return values


def _contact_figures(
    chain: Chain, contacts: int, actions: GridActions, following: Array
) -> NDArray[np.float64]:
    """(K, 6) METRICS at the K states where a contact is made, in the grid's order."""
    params = chain.params
    c, a, b, s, d = np.nonzero(actions.contact)
    offer, delay = actions.offer[actions.contact], actions.delay[actions.contact]
    inside = (d < params.cooldown_days).astype(np.int64)
    accept = chain.accept[c, contacts, d, offer]
    discount = accept * np.asarray(params.discounts)[offer]
    day = np.minimum(delay + 1, params.cooldown_days)
    kept = accept * chain.stay[c, a + 1, b + inside] + (1 - accept) * chain.stay[c, a, b + 1]
    retained = kept - chain.stay[c, a, b]
    values = np.empty((len(c), len(METRICS)))
    values[:, 0] = retained - discount - params.contact_cost - params.decision_cost
    values[:, 1], values[:, 2] = discount, 1
    values[:, 3], values[:, 4], values[:, 5] = contacts >= params.contact_cap, 1, retained
    after_yes = following[c, a + 1, b + inside, s + offer_units(params)[offer], day]
    after_no = following[c, a, b + 1, s, day]
    values += (accept * chain.survival[c, a + 1, b + inside, delay])[:, None] * after_yes
    values += ((1 - accept) * chain.survival[c, a, b + 1, delay])[:, None] * after_no
    return values
