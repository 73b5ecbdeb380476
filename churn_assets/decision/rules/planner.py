"""The exact planner as a policy: for each customer it solves the rest of the period.

What is shown as churn risk counts as certain: where the effect works for a share of those who
accept, the plan is the optimum until somebody has accepted. About half a millisecond a customer.
"""

from collections.abc import Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from churn_assets.decision.exact.oracle import (
    Chain,
    GridActions,
    best_waits,
    build_chain,
    contact_values,
    solve,
    solve_levels,
)
from churn_assets.decision.exact.states import Start
from churn_assets.decision.mdp.actions import LONGEST_DELAY, Decisions, Ranking
from churn_assets.decision.mdp.customers import Customers
from churn_assets.decision.mdp.dynamics import Array, reluctance, spend_levels, units_left
from churn_assets.decision.mdp.observation import (
    ACCEPT,
    BUDGET,
    DAYS,
    FATIGUE,
    RISK,
    validate_states,
)
from churn_assets.decision.rules.families import Rule
from churn_assets.domain.offers import OFFER_LEVELS
from churn_assets.domain.statistics import logit, sigmoid

BLOCK = 256
"""Customers planned for together: bounds the memory."""
NEARLY = 1e-9
"""How near a probability may come to 0 and 1: certainty has no log-odds."""


class Planner(Rule):
    """The optimum from where each customer stands, at a price on the budget."""

    kind: Literal["planner"] = "planner"
    price: float = Field(0.0, ge=0)

    def scores(self, states: Array) -> Array:
        """(N, 4) value of contacting with each offer over that of the best wait."""
        preference = self.ranking(states).preference
        return preference[:, 1:] - preference[:, :1]

    def decide(self, states: NDArray[np.float64]) -> Decisions:
        """Decide for states (N, 9); see `actions.Policy`."""
        states = validate_states(states)
        count = len(states)
        contact, offer = np.zeros(count, dtype=bool), np.zeros(count, dtype=np.int64)
        delay = np.full(count, LONGEST_DELAY, dtype=np.int64)
        for rows, start, chain in self._chains(states):
            actions = solve(chain, self.price)[start[0]]
            place = _place(chain, start)
            for whole, part in (
                (contact, actions.contact),
                (offer, actions.offer),
                (delay, actions.delay),
            ):
                whole[rows] = part[place]
        return Decisions(contact, offer, delay, np.ones(count))

    def ranking(self, states: NDArray[np.float64]) -> Ranking:
        """The values that `decide` compares, with the delay of each; see `actions.Policy`."""
        states = validate_states(states)
        preference = np.full((len(states), 1 + OFFER_LEVELS), -np.inf)
        preference[:, 0] = 0.0
        delay = np.full(preference.shape, LONGEST_DELAY, dtype=np.int64)
        for rows, start, chain in self._chains(states):
            following = solve_levels(chain, self.price)[start[0] + 1].value
            values, delays = contact_values(chain, self.price, start[0], following)
            wait, waiting = best_waits(chain, start[0], values.max(axis=0))
            place = _place(chain, start)
            preference[rows, 0], delay[rows, 0] = wait[place], waiting[place]
            preference[rows, 1:], delay[rows, 1:] = values[:, place].T, delays[:, place].T
        return Ranking(preference, delay)

    def on_grid(self, chain: Chain) -> list[GridActions] | None:
        """What it decides at every state of a chain: the optimum, where it sees all that counts;
        None where it doesn't."""
        sees_all = chain.params.clean == self.params.clean and self.params.effect_share == 1
        return solve(chain, self.price) if sees_all else None

    def _chains(self, states: Array) -> Iterator[tuple[NDArray[np.int64], Start, Chain]]:
        """Customers (R,) who stand alike, where that is, and what can follow it."""
        params = self.params
        units = spend_levels(params) - 1
        left = units_left(states[:, BUDGET], params)
        days = np.minimum(np.floor(states[:, DAYS]), params.cooldown_days)
        where = np.column_stack([states[:, FATIGUE], units - left, days]).astype(np.int64)
        accept = sigmoid(
            logit(states[:, ACCEPT])
            + reluctance(states[:, FATIGUE], states[:, DAYS], params)[:, None]
        )
        probabilities = np.clip(np.column_stack([states[:, RISK], accept]), NEARLY, 1 - NEARLY)
        open_rows = np.flatnonzero(where[:, 0] < params.contact_cap)
        kinds, kind = np.unique(where[open_rows], axis=0, return_inverse=True)
        for number, (contacts, spent, day) in enumerate(kinds.tolist()):
            alike = open_rows[kind.ravel() == number]
            for begin in range(0, len(alike), BLOCK):
                rows = alike[begin : begin + BLOCK]
                some = probabilities[rows]
                customers = Customers(some[:, 0], some[:, 1:], np.ones(len(rows)))
                start = (contacts, spent, day)
                yield rows, start, build_chain(customers, params, start)


def _place(chain: Chain, start: Start) -> int:
    """Where a start stands among the states of its level."""
    contacts, spent, day = start
    return int(chain.levels[contacts].place[0, 0, 0, spent, day])
