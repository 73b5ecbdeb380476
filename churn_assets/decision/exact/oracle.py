"""The exact optimum: dynamic programming per customer, and a price on the budget.

A customer's state is (n, a, b, s, d): contacts, acceptances, annoyances, spend units, days since
the last contact. A contact raises n, waiting raises d until the cooldown is over, and there
nothing changes any more: so one sweep from n = contact_cap down to 0 and from d = cooldown_days
down to 0 solves the problem exactly, without iteration.

Values are *uplifts over leaving the customer alone*, as shares of yearly value: V - (1 - risk).
Since 1 - risk is a martingale of the uncontacted customer, only contacts and costs contribute.

The budget is a constraint on the mean over customers. Its Lagrangian separates into customers,
and for every price p, D(p) + p x spend bounds the uplift of any policy with that spend (weak
duality): the Pareto curve used as the yardstick is the least of these bounds.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from churn_assets.decision.config import EnvironmentParams
from churn_assets.decision.mdp.actions import DELAYS
from churn_assets.decision.mdp.customers import Customers
from churn_assets.decision.mdp.dynamics import (
    Array,
    daily_survival,
    offer_units,
    reluctance,
    risk_shift,
    spend_levels,
)
from churn_assets.domain.statistics import logit, sigmoid


@dataclass(frozen=True)
class Chain:
    """What the states' transitions need, for C customers.

    stay: (C, N, N) 1 - risk after a acceptances and b annoyances, N = contact_cap + 2.
    survival: (C, N, N, 8) P(neither churn nor period end) within 1 .. 8 days.
    accept: (C, cap + 1, D, 4) P(accept) after n contacts and d days.
    """

    params: EnvironmentParams
    customers: Customers
    stay: Array
    survival: Array
    accept: Array

    @property
    def rest(self) -> Array:
        """(C, N, N) uplift of never contacting again: the cost of looking every eighth day."""
        rest: Array = -self.params.decision_cost / (1 - self.survival[..., -1])
        return rest


@dataclass(frozen=True)
class GridActions:
    """Decisions at every state with n contacts; each array is (C, n+1, n+1, S, D)."""

    contact: NDArray[np.bool_]
    offer: NDArray[np.int64]
    delay: NDArray[np.int64]


def build_chain(customers: Customers, params: EnvironmentParams) -> Chain:
    """Tabulate the customers' transitions."""
    levels = np.arange(params.contact_stop + 1)
    shift = risk_shift(levels[:, None], levels[None, :], params)
    risk = sigmoid(logit(customers.risk)[:, None, None] + shift)
    survival = daily_survival(risk, params)[..., None] ** np.arange(1, DELAYS + 1)
    fall = reluctance(
        np.arange(params.contact_cap + 1)[:, None], np.arange(params.cooldown_days + 1), params
    )
    accept = sigmoid(logit(customers.accept)[:, None, None, :] - fall[None, :, :, None])
    return Chain(params, customers, 1 - risk, survival, accept)


def grid_shape(params: EnvironmentParams, contacts: int) -> tuple[int, int, int, int]:
    """(acceptances, annoyances, spend levels, days) of the states with `contacts` contacts."""
    return contacts + 1, contacts + 1, spend_levels(params), params.cooldown_days + 1


def solve(chain: Chain, price: float) -> list[GridActions]:
    """Optimal decisions at a price on spend, for n = 0 .. contact_cap (no contact at the cap)."""
    params = chain.params
    count, cap = len(chain.customers), params.contact_cap
    shape = (count, *grid_shape(params, cap))
    side = slice(0, cap + 1)
    following = np.broadcast_to(chain.rest[:, side, side, None, None], shape)
    longest = np.full(shape, DELAYS - 1)
    none = np.zeros(shape, dtype=np.int64)
    grid = [GridActions(none.astype(bool), none, longest)]
    for contacts in range(cap - 1, -1, -1):
        actions, following = _solve_level(chain, price, contacts, following)
        grid.append(actions)
    return grid[::-1]


def _solve_level(
    chain: Chain, price: float, contacts: int, following: Array
) -> tuple[GridActions, Array]:
    """Best decisions and values with `contacts` contacts made, given those with one more."""
    params = chain.params
    shape = (len(chain.customers), *grid_shape(params, contacts))
    side, cooldown = slice(0, contacts + 1), params.cooldown_days
    value = np.empty(shape)
    actions = GridActions(
        np.empty(shape, bool), np.empty(shape, np.int64), np.empty(shape, np.int64)
    )
    for day in range(cooldown, -1, -1):
        wait = np.broadcast_to(chain.rest[:, side, side, None], shape[:-1]).copy()
        wait_delay = np.full(wait.shape, DELAYS - 1)
        for delay in range(DELAYS) if day < cooldown else ():
            later = value[..., min(day + 1 + delay, cooldown)]
            look = chain.survival[:, side, side, None, delay] * later - params.decision_cost
            better = look > wait
            wait[better], wait_delay[better] = look[better], delay
        contact_value, offer, after = _best_contact(chain, price, contacts, day, following)
        contact = contact_value > wait
        value[..., day] = np.where(contact, contact_value, wait)
        actions.contact[..., day] = contact
        actions.offer[..., day] = np.where(contact, offer, 0)
        actions.delay[..., day] = np.where(contact, after, wait_delay)
    return actions, value


def _best_contact(
    chain: Chain, price: float, contacts: int, day: int, following: Array
) -> tuple[Array, NDArray[np.int64], NDArray[np.int64]]:
    """Best value, offer and delay of a contact on `day`, each (C, n+1, n+1, S)."""
    params, n = chain.params, contacts
    inside = int(day < params.cooldown_days)
    here, up = slice(0, n + 1), slice(1, n + 2)
    annoyed = slice(inside, inside + n + 1)
    shape = (len(chain.customers), *grid_shape(params, n)[:3])
    best = np.full(shape, -np.inf)
    best_offer, best_delay = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    for offer, units in enumerate(offer_units(params)):
        fits = slice(0, shape[3] - units)
        accept = chain.accept[:, n, day, offer, None, None]
        gain = accept * (chain.stay[:, up, annoyed] - (1 + price) * params.discounts[offer])
        gain = gain + (1 - accept) * chain.stay[:, here, up] - chain.stay[:, here, here]
        gain = gain - params.contact_cost - params.decision_cost
        for delay in range(DELAYS):
            later = min(delay + 1, params.cooldown_days)
            accepted = following[:, up, annoyed, units:, later]
            refused = following[:, here, up, fits, later]
            value = (
                gain[..., None]
                + (accept * chain.survival[:, up, annoyed, delay])[..., None] * accepted
                + ((1 - accept) * chain.survival[:, here, up, delay])[..., None] * refused
            )
            better = value > best[..., fits]
            best[..., fits][better] = value[better]
            best_offer[..., fits][better], best_delay[..., fits][better] = offer, delay
    return best, best_offer, best_delay
