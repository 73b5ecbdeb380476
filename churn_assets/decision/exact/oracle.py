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

Arrays have states before customers, so that looking up a following state copies whole rows.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from churn_assets.decision.config import EnvironmentParams
from churn_assets.decision.exact.states import Level, levels
from churn_assets.decision.mdp.actions import DELAYS, LONGEST_DELAY
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

    stay: (N, N, C) 1 - risk after a acceptances and b annoyances, N = contact_cap + 2.
    survival: (N, N, 8, C) P(neither churn nor period end) within 1 .. 8 days.
    accept: (cap + 1, D, 4, C) P(accept) after n contacts and d days.
    """

    params: EnvironmentParams
    customers: Customers
    stay: Array
    survival: Array
    accept: Array

    @property
    def rest(self) -> Array:
        """(N, N, C) uplift of never contacting again: the cost of looking every eighth day."""
        rest: Array = -self.params.decision_cost / (1 - self.survival[:, :, -1])
        return rest

    @property
    def levels(self) -> tuple[Level, ...]:
        """The states that the customers can come to."""
        return levels(self.params)


@dataclass(frozen=True)
class GridActions:
    """Decisions at every state with n contacts (`states.Level`); each array is (K, C)."""

    contact: NDArray[np.bool_]
    offer: NDArray[np.int64]
    delay: NDArray[np.int64]


def build_chain(customers: Customers, params: EnvironmentParams) -> Chain:
    """Tabulate the customers' transitions."""
    counts = np.arange(params.contact_stop + 1)
    shift = risk_shift(counts[:, None], counts[None, :], params)
    risk = sigmoid(logit(customers.risk) + shift[..., None])
    survival = daily_survival(risk, params)[:, :, None] ** np.arange(1, DELAYS + 1)[:, None]
    fall = reluctance(
        np.arange(params.contact_cap + 1)[:, None], np.arange(params.cooldown_days + 1), params
    )
    accept = sigmoid(logit(customers.accept).T - fall[:, :, None, None])
    return Chain(params, customers, 1 - risk, survival, accept)


def solve(chain: Chain, price: float) -> list[GridActions]:
    """Optimal decisions at a price on spend, for n = 0 .. contact_cap (no contact at the cap)."""
    cap = chain.params.contact_cap
    last = chain.levels[cap]
    following = chain.rest[last.yes, last.annoyed]
    none = np.zeros(following.shape, dtype=np.int64)
    grid = [GridActions(none.astype(bool), none, np.full_like(none, LONGEST_DELAY))]
    for contacts in range(cap - 1, -1, -1):
        actions, following = _solve_level(chain, price, contacts, following)
        grid.append(actions)
    return grid[::-1]


def _solve_level(
    chain: Chain, price: float, contacts: int, following: Array
) -> tuple[GridActions, Array]:
    """Best decisions and values (K, C) with `contacts` contacts made, given the values with one
    more."""
    level, params = chain.levels[contacts], chain.params
    value, offer, delay = _best_contact(chain, price, contacts, following)
    contact = np.ones(value.shape, dtype=bool)
    for day in range(params.cooldown_days, -1, -1):
        some = level.on(day)
        yes, annoyed, spent = level.yes[some], level.annoyed[some], level.spent[some]
        wait = chain.rest[yes, annoyed]
        wait_delay = np.full(wait.shape, LONGEST_DELAY)
        for skipped in range(DELAYS) if day < params.cooldown_days else ():
            then = min(day + 1 + skipped, params.cooldown_days)
            later = value[level.place[yes, annoyed, spent, then]]
            look = chain.survival[yes, annoyed, skipped] * later - params.decision_cost
            better = look > wait
            wait[better], wait_delay[better] = look[better], skipped
        contact[some] = value[some] > wait
        value[some] = np.maximum(value[some], wait)
        delay[some] = np.where(contact[some], delay[some], wait_delay)
    return GridActions(contact, np.where(contact, offer, 0), delay), value


def _best_contact(
    chain: Chain, price: float, contacts: int, following: Array
) -> tuple[Array, NDArray[np.int64], NDArray[np.int64]]:
    """Best value, offer and delay of a contact in each state, each (K, C)."""
    params, level, after = chain.params, chain.levels[contacts], chain.levels[contacts + 1]
    yes, annoyed, spent = level.yes, level.annoyed, level.spent
    soon = annoyed + (level.days < params.cooldown_days)
    days = np.minimum(np.arange(DELAYS) + 1, params.cooldown_days)
    refused = [
        chain.survival[yes, annoyed + 1, delay]
        * following[after.place[yes, annoyed + 1, spent, day]]
        for delay, day in enumerate(days)
    ]
    shape = (len(level), len(chain.customers))
    best = np.full(shape, -np.inf)
    best_offer, best_delay = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    kept, here = chain.stay[yes + 1, soon], chain.stay[yes, annoyed]
    lost = chain.stay[yes, annoyed + 1]
    for offer, units in enumerate(offer_units(params)):
        fits = np.flatnonzero(spent + units < spend_levels(params))
        accept = chain.accept[contacts, level.days[fits], offer]
        gain = accept * (kept[fits] - (1 + price) * params.discounts[offer])
        gain += (1 - accept) * lost[fits] - here[fits]
        gain -= params.contact_cost + params.decision_cost
        a, b, s = yes[fits] + 1, soon[fits], spent[fits] + units
        value, chosen = np.full(gain.shape, -np.inf), np.zeros(gain.shape, np.int64)
        for delay, day in enumerate(days):
            accepted = chain.survival[a, b, delay] * following[after.place[a, b, s, day]]
            later = accept * accepted + (1 - accept) * refused[delay][fits]
            better = later > value
            value[better], chosen[better] = later[better], delay
        value += gain
        better = value > best[fits]
        for whole, part in ((best, value), (best_delay, chosen), (best_offer, offer)):
            whole[fits] = np.where(better, part, whole[fits])
    return best, best_offer, best_delay
