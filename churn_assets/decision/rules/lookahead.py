"""Rules that look one contact further, in closed form: greedy with credit for a later try, and the
two-contact look-ahead.

Both compare *uplifts over leaving the customer alone*, as shares of value, as the exact optimum
does (`exact/oracle.py`), but stop after one or two contacts where that goes on to the cap. The
uplift of one contact with offer k at acceptance a and of none after it is linear in a:

    gain_k = base + a_k slope_k,   base  = loss(now) - loss(refused) - costs,
                                   slope = loss(refused) - loss(accepted) - (1 + price) discount_k.

What is shown as churn risk counts as certain. Where the effect works for a share of those who
accept, it is a mean once somebody has accepted, and the rules are exact until then only.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
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
    after_answers,
    daily_survival,
    highest,
    offer_units,
    reluctance,
    units_left,
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
class Answered:
    """N customers by their answers since the decision that is looked at.

    score: (N,) logit of the churn risk with all annoyances and no acceptance.
    yes: acceptances, 0 or 1; bare: (N, 4) or less, whether of a contact without a discount.
    """

    score: Array
    params: EnvironmentParams
    yes: int = 0
    bare: int = 0

    @cached_property
    def outlook(self) -> tuple[Array, Array]:
        """(N,) churn risk, and expected loss."""
        return after_answers(self.score, np.full(1, self.yes), np.zeros(1), self.params, self.bare)

    @cached_property
    def refused(self) -> "Answered":
        """After one more contact, refused."""
        return replace(self, score=self.score + self.params.annoyance_effect)

    def accepted(self, soon: NDArray[np.bool_] | int, bare: bool) -> "Answered":
        """After one more contact, accepted; `soon` (N,) is 1 where it came within the cooldown."""
        annoyed = self.score + self.params.annoyance_effect * soon
        return replace(self, score=annoyed, yes=self.yes + 1, bare=self.bare + bare)

    def take(self, rows: NDArray[np.int64]) -> "Answered":
        """The customers in `rows`."""
        return replace(self, score=self.score[rows])

    @cached_property
    def surviving(self) -> Array:
        """(N, 8) P(neither churn nor period end) within 1 .. 8 days."""
        alive = daily_survival(self.outlook[0], self.params)
        survival: Array = alive[:, None] ** np.arange(1, DELAYS + 1)
        return survival

    @cached_property
    def lasting(self) -> Array:
        """(N,) P(neither churn nor period end) within 8 days."""
        survival: Array = daily_survival(self.outlook[0], self.params) ** DELAYS
        return survival

    @cached_property
    def resting(self) -> Array:
        """(N,) uplift of never contacting again: the cost of looking every eighth day."""
        rest: Array = -self.params.decision_cost / (1 - self.lasting)
        return rest

    @cached_property
    def ended(self) -> Array:
        """(N,) what is kept if this was the last contact, less the looks still to come."""
        kept: Array = 1 - self.outlook[1] + self.lasting * self.resting
        return kept


@dataclass(frozen=True)
class Standing:
    """Where N customers stand in their period, without what chance adds.

    now: their risk. accept: (N, 4) logits of acceptance without any contact.
    contacts, days: (N,). left: (N,) spend units left of the allowance.
    """

    now: Answered
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
        left = units_left(states[:, BUDGET], params)
        accept = logit(states[:, ACCEPT]) + fall[:, None]
        now = Answered(logit(states[:, RISK]), params)
        return cls(now, accept, contacts, days, left, params)

    def at(self, days: Array) -> "Standing":
        """The same customers so many days after their last contact."""
        return replace(self, days=days)

    def take(self, rows: NDArray[np.int64]) -> "Standing":
        """The customers in `rows`."""
        return Standing(
            self.now.take(rows),
            self.accept[rows],
            self.contacts[rows],
            self.days[rows],
            self.left[rows],
            self.params,
        )

    @property
    def soon(self) -> NDArray[np.bool_]:
        """(N,) whether the cooldown runs."""
        return self.days < self.params.cooldown_days

    @property
    def willing(self) -> Array:
        """(N, 4) P(accept) now."""
        fall = reluctance(self.contacts, self.days, self.params)
        return sigmoid(self.accept - fall[:, None])

    def accepted(self, offer: int) -> Answered:
        """If the contact with this offer is accepted now."""
        return self._accepted[is_bare(offer, self.params)]

    @cached_property
    def _accepted(self) -> tuple[Answered, Answered]:
        """If it is accepted with a discount, and without."""
        return self.now.accepted(self.soon, bare=False), self.now.accepted(self.soon, bare=True)


def is_bare(offer: int, params: EnvironmentParams) -> bool:
    """Whether an acceptance of the offer is counted apart from those of a discount."""
    return offer == 0 and params.counts_bare_apart


def one_contact(
    before: Answered, soon: int, price: float, params: EnvironmentParams
) -> tuple[Array, Array]:
    """Base (N,) and slopes (N, 4) of the uplift of one contact and none after it.

    Args:
        soon: 1 within the cooldown, else 0.
    """
    no = before.refused.ended
    base = no - (1 - before.outlook[1]) - params.contact_cost - params.decision_cost
    paid = before.accepted(soon, bare=False).ended
    yes = np.repeat(paid[:, None], len(params.discounts), axis=1)
    if params.counts_bare_apart:
        yes[:, 0] = before.accepted(soon, bare=True).ended
    slope = yes - no[:, None] - (1 + price) * np.asarray(params.discounts)
    return base, slope


class Lookahead(Rule):
    """What both rules share: the price of the budget, and what a later contact is worth."""

    price: float = Field(0.0, ge=0)

    def gains(self, standing: Standing) -> Array:
        """(N, 4) uplift of contacting now with each offer, and never again."""
        days = standing.days[:, None]
        return self._gains(standing.now, standing.accept, standing.contacts, days)[:, 0]

    def later(self, standing: Standing, answered: Answered, delays: Sequence[int]) -> Array:
        """(N, D, 4) uplift of one more contact with each offer, each delay after one made now that
        was answered so."""
        days = np.minimum(np.asarray(delays) + 1, self.params.cooldown_days)
        return self._gains(answered, standing.accept, standing.contacts + 1, days[None])

    def _gains(self, before: Answered, accept: Array, contacts: Array, days: Whole) -> Array:
        """(N, D, 4) uplift of one contact so many days (N or 1, D) after the last, and no other;
        -inf within the hard cooldown."""
        params = self.params
        fall = reluctance(contacts[:, None], days, params)
        soon = (days < params.cooldown_days)[..., None]
        in_time, too_soon = (one_contact(before, early, self.price, params) for early in (0, 1))
        base = np.where(soon[..., 0], too_soon[0][:, None], in_time[0][:, None])
        slope = np.where(soon, too_soon[1][:, None], in_time[1][:, None])
        gains = base[..., None] + sigmoid(accept[:, None] - fall[..., None]) * slope
        return np.where((days < params.hard_cooldown_days)[..., None], -np.inf, gains)


class RetryGreedy(Lookahead):
    """Greedy, with credit for a later try: where this contact is refused, the best next one counts.

    Score: the uplift of the contact, plus P(refused) x P(still there) x the uplift of the best
    contact when the rule looks again.
    """

    kind: Literal["greedy_retry"] = "greedy_retry"

    def scores(self, states: Array) -> Array:
        standing = Standing.of(states, self.params)
        fits = affordable(states[:, BUDGET], self.params)
        no, delay = standing.now.refused, self.delay_taken
        again = highest(np.where(fits, self.later(standing, no, [delay])[:, 0], -np.inf))
        again = np.maximum(again - no.resting, 0) * no.surviving[:, delay]
        again = again * (standing.contacts + 1 < self.params.contact_cap)
        gains = self.gains(standing) - standing.now.resting[:, None]
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
        value = standing.now.resting
        delay = np.full(len(value), LONGEST_DELAY, dtype=np.int64)
        rows = np.flatnonzero(standing.soon)
        if not len(rows):
            return value, delay
        value, cooling = value.copy(), standing.take(rows)
        survival, fits = cooling.now.surviving, units <= cooling.left[:, None]
        left = params.cooldown_days - cooling.days
        waits = np.arange(min(DELAYS, params.cooldown_days))
        then = np.minimum(cooling.days[:, None] + waits + 1, params.cooldown_days)
        gains = self._gains(cooling.now, cooling.accept, cooling.contacts, then)
        best = highest(np.where(fits[:, None], gains, -np.inf))
        last = np.minimum(left, DELAYS).astype(np.int64) - 1
        every = np.arange(len(rows))
        at_the_end = cooling.at(then[every, last])
        best[every, last] = highest(self._contact_values(at_the_end)[0])
        best = survival[:, : len(waits)] * best - params.decision_cost
        best[waits >= left[:, None]] = -np.inf
        chosen = best.argmax(axis=1)
        better = best[every, chosen] > value[rows]
        value[rows[better]], delay[rows[better]] = best[every, chosen][better], chosen[better]
        return value, delay

    def _contact_values(self, standing: Standing) -> tuple[Array, NDArray[np.int64]]:
        """(N, 4) uplift of contacting now with each offer (-inf where it can't be made), and the
        delay that it takes."""
        fits = offer_units(self.params) <= standing.left[:, None]
        fits &= (standing.days >= self.params.hard_cooldown_days)[:, None]
        values, delays = self.gains(standing), np.full(fits.shape, LONGEST_DELAY)
        rows = np.flatnonzero(standing.contacts + 1 < self.params.contact_cap)
        if len(rows):
            values[rows], delays[rows] = self._with_a_second(standing.take(rows))
        return np.where(fits, values, -np.inf), delays

    def _with_a_second(self, standing: Standing) -> tuple[Array, NDArray[np.int64]]:
        """`_contact_values` where a second contact can follow; offers that don't fit among them."""
        willing = standing.willing
        first_alone = self._first_alone(standing)
        days = range(max(DELAYS, self.params.cooldown_days))
        no = standing.now.refused
        after_no = self._best_second(no, self.later(standing, no, days), standing.left)
        values, delays = np.empty_like(willing), np.empty(willing.shape, dtype=np.int64)
        yes, gains, bare = no, np.empty(0), None
        for offer, spent in enumerate(offer_units(self.params)):
            if bare != is_bare(offer, self.params):
                bare, yes = is_bare(offer, self.params), standing.accepted(offer)
                gains = self.later(standing, yes, days)
            after_yes = self._best_second(yes, gains, standing.left - spent)
            a = willing[:, offer, None]
            value = a * after_yes + (1 - a) * after_no
            delays[:, offer] = value.argmax(axis=1)
            values[:, offer] = first_alone[:, offer] + highest(value)
        return values, delays

    def _best_second(self, answered: Answered, gains: Array, left: Array) -> Array:
        """(N, 8) uplift of looking again after each delay, with the best second contact from then
        on: that day, a later one, or none. `gains` (N, D, 4) are of the days' offers."""
        fits = offer_units(self.params) <= left[:, None]
        contact = highest(np.where(fits[:, None], gains, -np.inf))
        best = np.maximum(contact, answered.resting[:, None])
        survival, days = answered.surviving, np.arange(contact.shape[1])
        wait = days - np.arange(DELAYS)[:, None]  # (8, D) days from looking again to a later day
        reachable = (wait > 0) & (wait <= DELAYS)
        later = survival[:, np.clip(wait, 1, DELAYS) - 1] * contact[:, None]
        later = highest(np.where(reachable, later - self.params.decision_cost, -np.inf))
        best = np.maximum(best[:, :DELAYS], later)
        uplift: Array = survival * best
        return uplift

    def _first_alone(self, standing: Standing) -> Array:
        """(N, 4) uplift of the contact itself, without what comes after it."""
        params, offers = self.params, range(len(self.params.discounts))
        loss, no = standing.now.outlook[1], standing.now.refused.outlook[1]
        yes = np.column_stack([standing.accepted(offer).outlook[1] for offer in offers])
        slope = no[:, None] - yes - (1 + self.price) * np.asarray(params.discounts)
        costs = params.contact_cost + params.decision_cost
        alone: Array = (loss - no - costs)[:, None] + standing.willing * slope
        return alone
