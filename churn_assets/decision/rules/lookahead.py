"""Rules that look one contact further, in closed form: greedy with credit for a later try, and the
two-contact look-ahead.

Both compare *uplifts over leaving the customer alone*, as shares of value, as the exact optimum
does (`exact/oracle.py`), but stop after one or two contacts where that goes on to the cap. For
churn score x, the uplift of one contact with offer k at acceptance a and of none after it is linear
in a:

    gain_k = base + a_k slope_k,   base  = risk(x) - risk(refused) - costs,
                                   slope = risk(refused) - risk(accepted) - (1 + price) discount_k.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from churn_assets.decision.config import EnvironmentParams
from churn_assets.decision.mdp.actions import DELAYS, LONGEST_DELAY, Decisions, Ranking
from churn_assets.decision.mdp.dynamics import (
    Array,
    Whole,
    affordable,
    daily_survival,
    offer_units,
    reluctance,
    risk_shift,
    spend_levels,
)
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

BLOCK = 4096
"""States looked at together: bounds the memory."""


@dataclass(frozen=True)
class Standing:
    """Where N customers stand in their period, without what chance adds.

    score: (N,) logit of the churn risk. accept: (N, 4) logits of acceptance without any contact.
    contacts, days: (N,). left: (N,) spend units left of the allowance.
    """

    score: Array
    accept: Array
    contacts: Array
    days: Array
    left: Array
    params: EnvironmentParams

    @classmethod
    def of(cls, states: Array, params: EnvironmentParams) -> "Standing":
        """From states (N, 9)."""
        contacts, days = states[:, FATIGUE], states[:, DAYS]
        fall = reluctance(contacts, days, params)
        left = np.floor(states[:, BUDGET] * (spend_levels(params) - 1) + 1e-9)  # whole units
        accept = logit(states[:, ACCEPT]) + fall[:, None]
        return cls(logit(states[:, RISK]), accept, contacts, days, left, params)

    def at(self, days: Array) -> "Standing":
        """The same customers so many days after their last contact."""
        return Standing(self.score, self.accept, self.contacts, days, self.left, self.params)

    @property
    def soon(self) -> NDArray[np.bool_]:
        """(N,) whether the cooldown runs."""
        return self.days < self.params.cooldown_days

    @property
    def willing(self) -> Array:
        """(N, 4) P(accept) now."""
        fall = reluctance(self.contacts, self.days, self.params)
        return sigmoid(self.accept - fall[:, None])

    @property
    def if_refused(self) -> Array:
        """(N,) churn score after a refused contact."""
        return self.score + risk_shift(np.zeros(1), np.ones(1), self.params)

    @property
    def if_accepted(self) -> Array:
        """(N,) churn score after an accepted contact."""
        return self.score + risk_shift(np.ones(1), self.soon.astype(np.float64), self.params)


def resting(score: Array, params: EnvironmentParams) -> Array:
    """Uplift of never contacting again: the cost of looking every eighth day."""
    alive = daily_survival(sigmoid(score), params) ** DELAYS
    rest: Array = -params.decision_cost / (1 - alive)
    return rest


def one_contact(
    score: Array, soon: int, price: float, params: EnvironmentParams
) -> tuple[Array, Array]:
    """Base (N,) and slopes (N, 4) of the uplift of one contact and none after it.

    Args:
        soon: 1 within the cooldown, else 0.
    """
    refused = score + risk_shift(np.zeros(1), np.ones(1), params)
    accepted = score + risk_shift(np.ones(1), np.full(1, soon), params)
    yes, no = (_ended(after, params) for after in (accepted, refused))
    base = no - (1 - sigmoid(score)) - params.contact_cost - params.decision_cost
    slope = (yes - no)[:, None] - (1 + price) * np.asarray(params.discounts)
    return base, slope


def _ended(score: Array, params: EnvironmentParams) -> Array:
    """P(stays) after the last contact, less the looks that are still to come."""
    risk = sigmoid(score)
    alive = daily_survival(risk, params) ** DELAYS
    kept: Array = 1 - risk - params.decision_cost * alive / (1 - alive)
    return kept


class Lookahead(Rule):
    """What both rules share: the price of the budget, and what a later contact is worth."""

    price: float = Field(0.0, ge=0)

    def gains(self, standing: Standing) -> Array:
        """(N, 4) uplift of contacting now with each offer, and never again."""
        days = standing.days[:, None]
        return self._gains(standing.score, standing.accept, standing.contacts, days)[:, 0]

    def later(self, standing: Standing, score: Array, delays: Sequence[int]) -> Array:
        """(N, D, 4) uplift of one more contact with each offer, each delay after one made now that
        left the churn score at `score`."""
        days = np.minimum(np.asarray(delays) + 1, self.params.cooldown_days)
        return self._gains(score, standing.accept, standing.contacts + 1, days[None])

    def _gains(self, score: Array, accept: Array, contacts: Array, days: Whole) -> Array:
        """(N, D, 4) uplift of one contact so many days (N or 1, D) after the last, and no other."""
        params = self.params
        fall = reluctance(contacts[:, None], days, params)
        soon = (days < params.cooldown_days)[..., None]
        in_time, too_soon = (one_contact(score, early, self.price, params) for early in (0, 1))
        base = np.where(soon[..., 0], too_soon[0][:, None], in_time[0][:, None])
        slope = np.where(soon, too_soon[1][:, None], in_time[1][:, None])
        return base[..., None] + sigmoid(accept[:, None] - fall[..., None]) * slope

    def surviving(self, score: Array) -> Array:
        """(N, 8) P(neither churn nor period end) within 1 .. 8 days."""
        alive = daily_survival(sigmoid(score), self.params)
        survival: Array = alive[:, None] ** np.arange(1, DELAYS + 1)
        return survival


class RetryGreedy(Lookahead):
    """Greedy, with credit for a later try: where this contact is refused, the best next one counts.

    Score: the uplift of the contact, plus P(refused) x P(still there) x the uplift of the best
    contact when the rule looks again.
    """

    kind: Literal["greedy_retry"] = "greedy_retry"

    def scores(self, states: Array) -> Array:
        standing = Standing.of(states, self.params)
        fits = affordable(states[:, BUDGET], self.params)
        score, delay = standing.if_refused, self.delay_after_contact
        again = np.where(fits, self.later(standing, score, [delay])[:, 0], -np.inf).max(axis=1)
        again = np.maximum(again - resting(score, self.params), 0) * self.surviving(score)[:, delay]
        again = again * (standing.contacts + 1 < self.params.contact_cap)
        gains = self.gains(standing) - resting(standing.score, self.params)[:, None]
        return gains + (1 - standing.willing) * again[:, None]


class TwoContacts(Lookahead):
    """Two-contact look-ahead: the best offer and delay, if the best second contact follows.

    Of every offer and delay now, and after either answer of every offer and day then (or of none),
    the expected uplift in closed form; within the cooldown also of waiting first. The allowance and
    the cap are kept. `delay_after_contact` and `contact_in_cooldown` are its own choice. With a cap
    of two contacts it is the optimum from a clean sheet (a test holds it to 1e-9).
    """

    kind: Literal["look2"] = "look2"

    def scores(self, states: Array) -> Array:
        """(N, 4) uplift of contacting with each offer over the best of waiting and resting."""
        values, _ = self._contact_values(Standing.of(states, self.params))
        wait, _ = self._waiting(Standing.of(states, self.params))
        return values - wait[:, None]

    def decide(self, states: NDArray[np.float64]) -> Decisions:
        """Decide for states (N, 9); see `actions.Policy`."""
        states = validate_states(states)
        count = len(states)
        contact, offer = np.zeros(count, dtype=bool), np.zeros(count, dtype=np.int64)
        delay = np.full(count, LONGEST_DELAY, dtype=np.int64)
        open_rows = np.flatnonzero(states[:, FATIGUE] < self.params.contact_cap)
        for start in range(0, len(open_rows), BLOCK):
            rows = open_rows[start : start + BLOCK]
            standing = Standing.of(states[rows], self.params)
            values, delays = self._contact_values(standing)
            wait, waiting = self._waiting(standing)
            best = values.argmax(axis=1)
            every = np.arange(len(rows))
            chosen = values[every, best] > wait
            contact[rows], offer[rows] = chosen, np.where(chosen, best, 0)
            delay[rows] = np.where(chosen, delays[every, best], waiting)
        return Decisions(contact, offer, delay, np.ones(count))

    def ranking(self, states: NDArray[np.float64]) -> Ranking:
        """The uplifts that `decide` compares, with the delay of each; see `actions.Policy`."""
        states = validate_states(states)
        preference = np.empty((len(states), 1 + OFFER_LEVELS))
        delay = np.empty(preference.shape, dtype=np.int64)
        for start in range(0, len(states), BLOCK):
            rows = slice(start, start + BLOCK)
            standing = Standing.of(states[rows], self.params)
            preference[rows, 0], delay[rows, 0] = self._waiting(standing)
            preference[rows, 1:], delay[rows, 1:] = self._contact_values(standing)
        return Ranking(preference, delay)

    def _waiting(self, standing: Standing) -> tuple[Array, NDArray[np.int64]]:
        """(N,) uplift of the best wait, and its delay: for one contact on any day of the cooldown,
        for two from its end on, or for good."""
        params, units = self.params, offer_units(self.params)
        value = resting(standing.score, params)
        delay = np.full(len(value), LONGEST_DELAY, dtype=np.int64)
        rows = np.flatnonzero(standing.soon)
        if not len(rows):
            return value, delay
        cooling = take(standing, rows)
        survival, fits = self.surviving(cooling.score), units <= cooling.left[:, None]
        left = params.cooldown_days - cooling.days
        waits = np.arange(min(DELAYS, params.cooldown_days))
        then = np.minimum(cooling.days[:, None] + waits + 1, params.cooldown_days)
        gains = self._gains(cooling.score, cooling.accept, cooling.contacts, then)
        best = np.where(fits[:, None], gains, -np.inf).max(axis=2)
        last = np.minimum(left, DELAYS).astype(np.int64) - 1
        every = np.arange(len(rows))
        at_the_end = cooling.at(then[every, last])
        best[every, last] = self._contact_values(at_the_end)[0].max(axis=1)
        best = survival[:, : len(waits)] * best - params.decision_cost
        best[waits >= left[:, None]] = -np.inf
        chosen = best.argmax(axis=1)
        better = best[every, chosen] > value[rows]
        value[rows[better]], delay[rows[better]] = best[every, chosen][better], chosen[better]
        return value, delay

    def _contact_values(self, standing: Standing) -> tuple[Array, NDArray[np.int64]]:
        """(N, 4) uplift of contacting now with each offer (-inf where it doesn't fit), and the
        delay that it takes."""
        units = offer_units(self.params)
        fits = units <= standing.left[:, None]
        values, delays = self.gains(standing), np.full(fits.shape, LONGEST_DELAY)
        rows = np.flatnonzero(standing.contacts + 1 < self.params.contact_cap)
        if len(rows):
            values[rows], delays[rows] = self._with_a_second(take(standing, rows))
        return np.where(fits, values, -np.inf), delays

    def _with_a_second(self, standing: Standing) -> tuple[Array, NDArray[np.int64]]:
        """`_contact_values` where a second contact can follow; offers that don't fit among them."""
        willing, units = standing.willing, offer_units(self.params)
        first_alone = self._first_alone(standing)
        refused, accepted = standing.if_refused, standing.if_accepted
        days = range(max(DELAYS, self.params.cooldown_days))
        after_no, after_yes = (self.later(standing, score, days) for score in (refused, accepted))
        no = self._best_second(refused, after_no, standing.left)
        values, delays = np.empty_like(willing), np.empty(willing.shape, dtype=np.int64)
        for offer, spent in enumerate(units):
            yes = self._best_second(accepted, after_yes, standing.left - spent)
            a = willing[:, offer, None]
            value = a * yes + (1 - a) * no
            delays[:, offer] = value.argmax(axis=1)
            values[:, offer] = first_alone[:, offer] + value.max(axis=1)
        return values, delays

    def _best_second(self, score: Array, gains: Array, left: Array) -> Array:
        """(N, 8) uplift of looking again after each delay, with the best second contact from then
        on: that day, a later one, or none. `gains` (N, D, 4) are of the days' offers."""
        fits = offer_units(self.params) <= left[:, None]
        contact = np.where(fits[:, None], gains, -np.inf).max(axis=2)
        best = np.maximum(contact, resting(score, self.params)[:, None])
        survival, days = self.surviving(score), np.arange(contact.shape[1])
        wait = days - np.arange(DELAYS)[:, None]  # (8, D) days from looking again to a later day
        reachable = (wait > 0) & (wait <= DELAYS)
        later = survival[:, np.clip(wait, 1, DELAYS) - 1] * contact[:, None]
        later = np.where(reachable, later - self.params.decision_cost, -np.inf).max(axis=2)
        best = np.maximum(best[:, :DELAYS], later)
        uplift: Array = survival * best
        return uplift

    def _first_alone(self, standing: Standing) -> Array:
        """(N, 4) uplift of the contact itself, without what comes after it."""
        params = self.params
        risk, no, yes = (
            sigmoid(score) for score in (standing.score, standing.if_refused, standing.if_accepted)
        )
        slope = (no - yes)[:, None] - (1 + self.price) * np.asarray(params.discounts)
        costs = params.contact_cost + params.decision_cost
        alone: Array = (risk - no - costs)[:, None] + standing.willing * slope
        return alone


def take(standing: Standing, rows: NDArray[np.int64]) -> Standing:
    """The customers in `rows`."""
    return Standing(
        standing.score[rows],
        standing.accept[rows],
        standing.contacts[rows],
        standing.days[rows],
        standing.left[rows],
        standing.params,
    )
