"""Rule policies: the baselines, and what the release falls back on. Numpy only, saved as JSON.

Each rule scores the contacts it could make; how a contact is timed is the same for all of them:
never above the cap or within the hard cooldown, never an offer that the allowance doesn't cover,
and (unless the rule says otherwise) never within the cooldown.
"""

from abc import abstractmethod
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from churn_assets.decision.config import EnvironmentParams
from churn_assets.decision.mdp.actions import LONGEST_DELAY, Decisions, Ranking
from churn_assets.decision.mdp.dynamics import Array, affordable, highest
from churn_assets.decision.mdp.observation import (
    ACCEPT,
    BUDGET,
    COOLDOWN,
    DAYS,
    FATIGUE,
    RISK,
    validate_states,
)
from churn_assets.decision.mdp.outcomes import expected_retention, expected_worth


class Rule(BaseModel):
    """Contacts with the best-scored offer where its score is above 0."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    params: EnvironmentParams = EnvironmentParams()
    delay_after_contact: int = Field(6, ge=0, le=LONGEST_DELAY)
    contact_in_cooldown: bool = False

    @property
    def name(self) -> str:
        """The rule's kind, as shown in reports and in `metadata.policy`."""
        return self.kind

    @property
    def delay_taken(self) -> int:
        """The delay after a contact: not to look again while nothing could be done."""
        hard = min(self.params.hard_cooldown_days - 1, LONGEST_DELAY)
        return max(self.delay_after_contact, hard)

    @abstractmethod
    def scores(self, states: Array) -> Array:
        """(N, 4) score of contacting with each offer; not contacting scores 0."""

    def decide(self, states: NDArray[np.float64]) -> Decisions:
        """Decide for states (N, 9); see `actions.Policy`."""
        states = validate_states(states)
        scores = np.where(affordable(states[:, BUDGET], self.params), self.scores(states), -np.inf)
        offer = scores.argmax(axis=1)
        contact = highest(scores) > 0
        contact &= states[:, FATIGUE] < self.params.contact_cap
        contact &= states[:, DAYS] >= self.params.hard_cooldown_days
        if not self.contact_in_cooldown:
            contact &= states[:, COOLDOWN] == 0
        delay = np.where(contact, self.delay_taken, self._idle_delay(states))
        return Decisions(contact, np.where(contact, offer, 0), delay, np.ones(len(states)))

    def ranking(self, states: NDArray[np.float64]) -> Ranking:
        """The scores, not contacting among them; see `actions.Policy`."""
        states = validate_states(states)
        preference = np.column_stack([np.zeros(len(states)), self.scores(states)])
        delay = np.full(preference.shape, self.delay_taken, dtype=np.int64)
        delay[:, 0] = self._idle_delay(states)
        return Ranking(preference, delay)

    def _idle_delay(self, states: Array) -> NDArray[np.int64]:
        """Wait for the end of the cooldown (of the hard one, where the rule contacts in the other)
        if a contact could follow it, else as long as can be."""
        hard = self.params.hard_cooldown_days
        closed = states[:, DAYS] < (hard if self.contact_in_cooldown else 0)
        end = np.where(closed, hard, self.params.cooldown_days)
        left = end - states[:, DAYS] - 1
        could_contact = states[:, FATIGUE] < self.params.contact_cap
        waiting = (states[:, COOLDOWN] == 1) & could_contact
        return np.where(waiting, np.clip(left, 0, LONGEST_DELAY), LONGEST_DELAY).astype(np.int64)


class NeverContact(Rule):
    """The counterfactual: uplift 0 by definition."""

    kind: Literal["never"] = "never"

    def scores(self, states: Array) -> Array:
        return np.full((len(states), 4), -np.inf)

    def _idle_delay(self, states: Array) -> NDArray[np.int64]:
        return np.full(len(states), LONGEST_DELAY, dtype=np.int64)


class AlwaysOffer(Rule):
    """Contact everybody with the highest offer that fits."""

    kind: Literal["always_offer"] = "always_offer"

    def scores(self, states: Array) -> Array:
        return np.broadcast_to(np.arange(1.0, 5.0), (len(states), 4))


class RiskThreshold(Rule):
    """Contact above a churn risk, always with the same offer."""

    kind: Literal["risk_threshold"] = "risk_threshold"
    threshold: float = Field(0.5, ge=0, le=1)
    offer: int = Field(2, ge=0, le=3)

    def scores(self, states: Array) -> Array:
        scores = np.full((len(states), 4), -1.0)
        scores[:, self.offer] = states[:, RISK] - self.threshold
        return scores


class UpliftRule(Rule):
    """Contact where the fixed offer's retention uplift is high: ranks by uplift, blind to cost."""

    kind: Literal["uplift"] = "uplift"
    threshold: float = Field(0.05, ge=0)
    offer: int = Field(2, ge=0, le=3)

    def scores(self, states: Array) -> Array:
        retention = expected_retention(states, self.params)
        scores = np.full((len(states), 4), -1.0)
        scores[:, self.offer] = retention[:, 1 + self.offer] - retention[:, 0] - self.threshold
        return scores


class PricedGreedy(Rule):
    """Myopic optimum at a price on the budget: the best rule that looks no contact ahead.

    Score: expected worth gained - (1 + price) x expected discount - contact cost - threshold,
    as shares of value. `price` makes expected spend meet the limit.
    """

    kind: Literal["priced_greedy"] = "priced_greedy"
    price: float = Field(0.0, ge=0)
    threshold: float = Field(0.0)

    def scores(self, states: Array) -> Array:
        worth = expected_worth(states, self.params)
        cost = (1 + self.price) * states[:, ACCEPT] * np.asarray(self.params.discounts)
        gained = worth[:, 1:] - worth[:, :1]
        return gained - cost - self.params.contact_cost - self.threshold


class SegmentTable(Rule):
    """A learnt score for each segment (risk bin x acceptance bin) and offer.

    What Thompson sampling leaves behind: the posterior mean of each arm (`bandit.py`).
    """

    kind: Literal["thompson"] = "thompson"
    risk_edges: tuple[float, ...]
    accept_edges: tuple[float, ...]
    table: tuple[tuple[float, float, float, float], ...]
    """One row per segment: risk bin x (number of acceptance bins) + acceptance bin."""

    def scores(self, states: Array) -> Array:
        return np.asarray(self.table)[self.segments(states)]

    def segments(self, states: Array) -> NDArray[np.int64]:
        """(N,) row of `table` for each state; the 10 % offer's acceptance stands for the curve."""
        risk = np.searchsorted(self.risk_edges, states[:, RISK])
        accept = np.searchsorted(self.accept_edges, states[:, ACCEPT][:, 2])
        return risk * (len(self.accept_edges) + 1) + accept
