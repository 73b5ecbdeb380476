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
from churn_assets.decision.exact.states import Level, Moves, Start, levels, moves, rows_of
from churn_assets.decision.mdp.actions import DELAYS, LONGEST_DELAY
from churn_assets.decision.mdp.customers import Customers
from churn_assets.decision.mdp.dynamics import (
    Array,
    after_answers,
    daily_survival,
    reluctance,
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
    levels, moves: the states that the customers can come to, and how, by the number of contacts.
    """

    params: EnvironmentParams
    customers: Customers
    risk: Array
    kept: Array
    survival: Array
    accept: Array
    levels: tuple[Level, ...]
    moves: tuple[Moves, ...]

    @cached_property
    def rest(self) -> Array:
        """(N, F, N, C) uplift of never contacting again: the cost of looking every eighth day."""
        rest: Array = -self.params.decision_cost / (1 - self.survival[..., -1, :])
        return rest


@dataclass(frozen=True)
class GridActions:
    """Decisions at every state with n contacts (`states.Level`); each array is (K, C).

    reached: where something is decided, since decisions lead there (`following.py`); None:
        everywhere.
    """

    contact: NDArray[np.bool_]
    offer: NDArray[np.int64]
    delay: NDArray[np.int64]
    reached: NDArray[np.bool_] | None = None


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
    places = levels(params, start), moves(params, start)
    return Chain(params, customers, risk, 1 - loss, survival, accept, *places)


@dataclass(frozen=True)
class Solved:
    """The optimum at every state with n contacts: decisions, and values (K, C)."""

    actions: GridActions
    value: Array


def solve(chain: Chain, price: float) -> list[GridActions]:
    """Optimal decisions at a price on spend, for n = 0 .. contact_cap (no contact at the cap)."""
    return [level.actions for level in solve_levels(chain, price)]


def solve_levels(chain: Chain, price: float) -> list[Solved]:
    """The optimum for n = 0 .. contact_cap contacts; nothing where no state can come about."""
    cap = chain.params.contact_cap
    rest = chain.rest[chain.levels[cap].answers]
    none = np.zeros(rest.shape, dtype=np.int64)
    nothing = GridActions(none.astype(bool), none, np.full_like(none, LONGEST_DELAY))
    solved = [Solved(nothing, rest)]
    for contacts in range(cap - 1, -1, -1):
        if not len(chain.levels[contacts]):  # begun later
            solved.append(Solved(GridActions(none[:0].astype(bool), none[:0], none[:0]), rest[:0]))
            continue
        values, delays = contact_values(chain, price, contacts, solved[-1].value)
        offer, best = values.argmax(axis=0), values.max(axis=0)
        wait, delay = best_waits(chain, contacts, best)
        contact = best > wait
        after = np.take_along_axis(delays, offer[None], axis=0)[0]
        actions = GridActions(contact, offer * contact, np.where(contact, after, delay))
        solved.append(Solved(actions, np.maximum(best, wait)))
    return solved[::-1]


def best_waits(
    chain: Chain, contacts: int, contact_value: Array
) -> tuple[Array, NDArray[np.int64]]:
    """Best value and delay (K, C) of not contacting now, given the value of contacting.

    The best wait leads to a state where a contact is best, in one look where it is at most eight
    days off, else in two: a look in between would only cost. Else nothing follows.
    """
    level, params, moves = chain.levels[contacts], chain.params, chain.moves[contacts]
    value = chain.rest[level.answers]
    delay = np.full(value.shape, LONGEST_DELAY)
    rows = moves.cooling
    survival = chain.survival[rows_of(level.answers, rows)]
    for _ in range(1 + (params.cooldown_days > DELAYS)):
        look = survival * np.maximum(contact_value, value)[moves.waited] - params.decision_cost
        found, chosen = look.max(axis=1), look.argmax(axis=1)
        better = found > value[rows]
        value[rows] = np.where(better, found, value[rows])
        delay[rows] = np.where(better, chosen, delay[rows])
    return value, delay


def contact_values(
    chain: Chain, price: float, contacts: int, following: Array
) -> tuple[Array, NDArray[np.int64]]:
    """Value of contacting with each offer (4, K, C), -inf where that can't be done, and the delay
    after it, given the values with one contact more."""
    params, level, moves = chain.params, chain.levels[contacts], chain.moves[contacts]
    shape = (len(params.discounts), len(level), len(chain.customers))
    values, delays = np.full(shape, -np.inf), np.zeros(shape, np.int64)
    no = moves.refused
    kept_no = chain.kept[no.answers]
    after_no = chain.survival[no.answers] * following[no.place]
    alone = kept_no - chain.kept[rows_of(level.answers, no.rows)]
    alone -= params.contact_cost + params.decision_cost
    for offer, (yes, fits) in enumerate(moves.accepted):
        accept = chain.accept[contacts, level.days[yes.rows], offer]
        price_paid = (1 + price) * params.discounts[offer]
        gain = alone[fits] + accept * (chain.kept[yes.answers] - kept_no[fits] - price_paid)
        after_yes = chain.survival[yes.answers] * following[yes.place]
        later = accept[:, None] * (after_yes - after_no[fits]) + after_no[fits]
        values[offer, yes.rows] = gain + later.max(axis=1)
        delays[offer, yes.rows] = later.argmax(axis=1)
    return values, delays
