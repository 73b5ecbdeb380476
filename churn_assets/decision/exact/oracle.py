"""The exact optimum: dynamic programming per customer, and a price on the budget.

A customer's state is (n, a, b, s, d): contacts, acceptances, annoyances, spend units, days since
the last contact. A contact raises n, waiting raises d until the cooldown is over, and there
nothing changes any more: so one sweep from n = contact_cap down to 0, in each first the contacts
and then the waits for them, solves the problem exactly, without iteration.

Values are *uplifts over leaving the customer alone*, as shares of yearly value: V - (1 - loss).
Since 1 - loss (1 - risk, in the plain world) is a martingale of the uncontacted customer, only
contacts and costs contribute.

The budget is a constraint on the mean over customers. Its Lagrangian separates into customers,
and for every price p, D(p) + p x spend bounds the uplift of any policy with that spend (weak
duality): the Pareto curve used as the yardstick is the least of these bounds.

Arrays have states before customers, so that looking up a following state copies whole rows.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from churn_assets.decision.config import EnvironmentParams
from churn_assets.decision.exact.states import Answered, Index, Level, Start, levels
from churn_assets.decision.mdp.actions import DELAYS, LONGEST_DELAY
from churn_assets.decision.mdp.customers import Customers
from churn_assets.decision.mdp.dynamics import (
    Array,
    after_answers,
    daily_survival,
    offer_units,
    reluctance,
    spend_levels,
)
from churn_assets.domain.statistics import logit, sigmoid


@dataclass(frozen=True)
class Chain:
    """What the states' transitions need, for C customers; N = contact_cap + 2, F = N where bare
    acceptances are counted apart, else 1.

    risk, kept: (N, F, N, C) churn risk, and 1 - the expected loss, after a acceptances, f of them
        without a discount, and b annoyances.
    survival: (N, F, N, 8, C) P(neither churn nor period end) within 1 .. 8 days.
    accept: (cap + 1, D, 4, C) P(accept) after n contacts and d days.
    levels: the states that the customers can come to.
    """

    params: EnvironmentParams
    customers: Customers
    risk: Array
    kept: Array
    survival: Array
    accept: Array
    levels: tuple[Level, ...]

    @cached_property
    def rest(self) -> Array:
        """(N, F, N, C) uplift of never contacting again: the cost of looking every eighth day."""
        rest: Array = -self.params.decision_cost / (1 - self.survival[..., -1, :])
        return rest


@dataclass(frozen=True)
class GridActions:
    """Decisions at every state with n contacts (`states.Level`); each array is (K, C)."""

    contact: NDArray[np.bool_]
    offer: NDArray[np.int64]
    delay: NDArray[np.int64]


def build_chain(
    customers: Customers, params: EnvironmentParams, start: Start | None = None
) -> Chain:
    """Tabulate the customers' transitions, from their start histories or from `start` on."""
    counts = np.arange(params.contact_stop + 1)
    bare = counts if params.counts_bare_apart else counts[:1]
    yes, bare, annoyed, _ = np.ix_(counts, bare, counts, counts[:1])
    risk, loss = after_answers(logit(customers.risk), yes, annoyed, params, np.minimum(bare, yes))
    survival = daily_survival(risk, params)[..., None, :] ** np.arange(1, DELAYS + 1)[:, None]
    fall = reluctance(
        np.arange(params.contact_cap + 1)[:, None], np.arange(params.cooldown_days + 1), params
    )
    accept = sigmoid(logit(customers.accept).T - fall[:, :, None, None])
    return Chain(params, customers, risk, 1 - loss, survival, accept, levels(params, start))


def solve(chain: Chain, price: float) -> list[GridActions]:
    """Optimal decisions at a price on spend, for n = 0 .. contact_cap (no contact at the cap)."""
    cap = chain.params.contact_cap
    last = chain.levels[cap]
    following = chain.rest[last.answers]
    none = np.zeros(following.shape, dtype=np.int64)
    grid = [GridActions(none.astype(bool), none, np.full_like(none, LONGEST_DELAY))]
    for contacts in range(cap - 1, -1, -1):
        if not len(chain.levels[contacts]):  # begun later
            grid += [GridActions(*(array[:0] for array in (none.astype(bool), none, none)))]
            continue
        actions, following = _solve_level(chain, price, contacts, following)
        grid.append(actions)
    return grid[::-1]


def _solve_level(
    chain: Chain, price: float, contacts: int, following: Array
) -> tuple[GridActions, Array]:
    """Best decisions and values (K, C) with `contacts` contacts made, given the values with one
    more.

    The best wait leads to a state where a contact is best, in one look where it is at most eight
    days off, else in two: a look in between would only cost.
    """
    level, params = chain.levels[contacts], chain.params
    value, offer, delay = _best_contact(chain, price, contacts, following)
    rest = chain.rest[level.answers]
    contact = value > rest
    value = np.maximum(value, rest)
    delay = np.where(contact, delay, LONGEST_DELAY)
    waiting = np.flatnonzero(level.days < params.cooldown_days)
    if len(waiting):
        answers = rows_of(level.answers, waiting)
        then = np.minimum(level.days[waiting, None] + np.arange(DELAYS) + 1, params.cooldown_days)
        spent = level.spent[waiting, None]
        place = level.place[(*(column[:, None] for column in answers), spent, then)]
        survival = chain.survival[answers]
        for _ in range(1 + (params.cooldown_days > DELAYS)):
            look = survival * value[place] - params.decision_cost
            chosen = look.argmax(axis=1)
            found = np.take_along_axis(look, chosen[:, None], axis=1)[:, 0]
            better = found > value[waiting]
            value[waiting] = np.where(better, found, value[waiting])
            delay[waiting] = np.where(better, chosen, delay[waiting])
            contact[waiting] &= ~better
    return GridActions(contact, np.where(contact, offer, 0), delay), value


def _best_contact(
    chain: Chain, price: float, contacts: int, following: Array
) -> tuple[Array, NDArray[np.int64], NDArray[np.int64]]:
    """Best value, offer and delay of a contact in each state, each (K, C)."""
    params, level, after = chain.params, chain.levels[contacts], chain.levels[contacts + 1]
    shape = (len(level), len(chain.customers))
    best = np.full(shape, -np.inf)
    best_offer, best_delay = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    days = np.minimum(np.arange(DELAYS) + 1, params.cooldown_days)

    def then(answers: Answered, spent: Index) -> Array:
        """(R, 8, C) value of each delay after the contact."""
        place = after.place[(*(column[:, None] for column in answers), spent[:, None], days)]
        later: Array = chain.survival[answers] * following[place]
        return later

    open_states = np.flatnonzero(level.days >= params.hard_cooldown_days)
    after_no = np.zeros((len(level), DELAYS, shape[1]))
    after_no[open_states] = then(
        refused(rows_of(level.answers, open_states)), level.spent[open_states]
    )
    for offer, units in enumerate(offer_units(params)):
        fits = open_states[level.spent[open_states] + units < spend_levels(params)]
        here, day = rows_of(level.answers, fits), level.days[fits]
        yes, no = accepted(here, day, offer, params), refused(here)
        accept = chain.accept[contacts, day, offer]
        gain = accept * (chain.kept[yes] - (1 + price) * params.discounts[offer])
        gain += (1 - accept) * chain.kept[no] - chain.kept[here]
        gain -= params.contact_cost + params.decision_cost
        later = then(yes, level.spent[fits] + units) - after_no[fits]
        later = accept[:, None] * later + after_no[fits]
        chosen = later.argmax(axis=1)
        value = gain + np.take_along_axis(later, chosen[:, None], axis=1)[:, 0]
        better = value > best[fits]
        for whole, part in ((best, value), (best_delay, chosen), (best_offer, offer)):
            whole[fits] = np.where(better, part, whole[fits])
    return best, best_offer, best_delay


def rows_of(answers: Answered, rows: Index) -> Answered:
    """What has been answered in some of the states."""
    yes, bare, annoyed = answers
    return yes[rows], bare[rows], annoyed[rows]


def accepted(
    answers: Answered, days: Index, offer: int | Index, params: EnvironmentParams
) -> Answered:
    """What has been answered after an accepted offer, so many days after the last contact."""
    yes, bare, annoyed = answers
    bare = bare + (params.counts_bare_apart & (np.asarray(offer) == 0))
    return yes + 1, bare, annoyed + (days < params.cooldown_days)


def refused(answers: Answered) -> Answered:
    """What has been answered after a refused contact."""
    yes, bare, annoyed = answers
    return yes, bare, annoyed + 1
