"""What each contact would bring and cost: the allocation's problem, from predictions and histories.

An option is a day, a channel and an offer. Its value is that of `decision.mdp.outcomes`, for a
contact that gets through, times the chance that the customer is still there on that day, minus what
the channel costs. Who has a contact history is scored anew for each day, with the history as
`POST /predict` would be told it: a cooldown that ends in three days makes the fourth day better.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from churn_assets.campaign.config import Channel
from churn_assets.campaign.contacts.history import History
from churn_assets.campaign.contacts.known import complete
from churn_assets.campaign.planning.allocation import Floats, Ints, Problem
from churn_assets.decision.config import EnvironmentParams
from churn_assets.decision.mdp.actions import Decisions
from churn_assets.decision.mdp.dynamics import affordable, daily_survival
from churn_assets.decision.mdp.observation import BUDGET, DAYS, build_states
from churn_assets.decision.mdp.outcomes import Outcomes, decision_outcomes
from churn_assets.domain.offers import OFFER_LEVELS
from churn_assets.domain.value import MONTHS_OF_VALUE
from churn_assets.serving.assessment import Assessor, empty_offers

KEPT = 1 << 22  # customers x options whose value and money are kept in memory: 64 megabytes
HALF = 0.5
"""A decision less probable than this was an exploration."""


@dataclass(frozen=True)
class Options:
    """Of N customers, what a contact with each offer brings.

    Attributes:
        value, cost: (N, offers) of a contact on the first day that gets through, in currency.
        survival: (N,) P(still a customer after one more day).
        earliest: (N,) the first day that the policy would contact on.
        special: row -> (value, cost), each (days, offers), of who has a contact history.
        accept: (N, offers) P(accept | offer). risk: (N,) P(churn).
    """

    value: Floats
    cost: Floats
    survival: Floats
    earliest: NDArray[np.int64]
    special: Mapping[int, tuple[Floats, Floats]]
    accept: Floats
    risk: Floats

    @classmethod
    def of(
        cls,
        table: pa.Table,
        histories: Mapping[str, History],
        assessor: Assessor,
        days: int,
        now: datetime,
        *,
        baseline: bool = False,
    ) -> Options:
        """From predictions (one row a customer) and the ledger's histories.

        Args:
            baseline: the kill switch is on: timing is the rules', as the predictions' decisions.
        """
        params = assessor.params
        risk = table["churn_risk"].to_numpy()
        accept = np.column_stack([table[f"accept_prob_{i}"] for i in range(OFFER_LEVELS)])
        monthly = table["monthly_charges"].to_numpy()
        none = np.full(len(risk), np.nan)
        states = build_states(risk, accept, np.ones(len(risk)), none, np.zeros(len(risk)), params)
        outcomes = decision_outcomes(states, MONTHS_OF_VALUE * monthly, params)
        value = _without_empty(outcomes.expected_value[:, 1:], monthly, assessor.percent)
        earliest = np.where(table["contact"], 0, table["delay_days"].to_numpy() + 1)
        stay = daily_survival(risk, params) / (1 - 1 / params.period_days)
        special: dict[int, tuple[Floats, Floats]] = {}
        before = table["action_probability"].to_numpy()
        if tried := np.flatnonzero(before < HALF).tolist():  # when it would without the draw
            customers = table.take(tried).to_pylist()
            chosen = assessor.assess(customers, [baseline] * len(tried)).decisions
            earliest[tried] = _first_days(chosen)
        ids = table["customer_id"].to_pylist()
        rows = [i for i, customer in enumerate(ids) if customer in histories]
        if rows:
            customers = table.take(rows).to_pylist()
            per_day: list[_Day] = []
            for day in range(days):
                told = _told(customers, histories, now + timedelta(days=day), assessor)
                assessed = assessor.assess(told, [baseline] * len(told))
                if day == 0:
                    earliest[rows] = _first_days(assessed.decisions)
                    accept[rows], risk = assessed.accept, _with(risk, rows, assessed.risk)
                per_day.append(_Day(assessed.outcomes, assessed.states))
            for place, row in enumerate(rows):
                worth, cost = _on_days(per_day, place, params)
                special[row] = (_without_empty(worth, monthly[[row]], assessor.percent), cost)
        cost = outcomes.expected_cost[:, 1:]
        return cls(value, cost, stay, earliest, special, accept, risk)

    def nobody_gains(self, channels: Mapping[str, Channel], allowed: NDArray[np.bool_]) -> bool:
        """Whether somebody may be contacted, and no contact brings more than it costs.

        On clean sheets, too: that those who were contacted yesterday gain nothing today is no news.
        """
        rows = np.flatnonzero(allowed.any(axis=(1, 2)))
        special = [self.special[row][0].max() for row in rows.tolist() if row in self.special]
        best = np.concatenate([self.value[rows].max(axis=1), np.array(special)])
        pays = [(channel.reach * best > channel.cost).any() for channel in channels.values()]
        return len(rows) > 0 and not any(pays)

    def at_any_time(self) -> Options:
        """The same, whenever the policy would contact: one that contacts nobody waits as long as it
        can, which says nothing of a day."""
        return replace(self, earliest=np.zeros_like(self.earliest))

    def problem(
        self,
        channels: Mapping[str, Channel],
        allowed: NDArray[np.bool_],
        places: Floats,
        budget: float,
        price: float = 0.0,
    ) -> Problem:
        """The allocation's problem over days x channels x offers, in this order.

        Args:
            allowed: (N, days, channels) where a contact may take place.
            places: (days x channels,) contacts that are still free.
            price: of money elsewhere; a contact that brings less isn't made.
        """
        days = allowed.shape[1]
        reach = np.array([channel.reach for channel in channels.values()])
        fee = np.array([channel.cost for channel in channels.values()])
        slots = np.repeat(np.arange(days * len(channels)), OFFER_LEVELS)
        when = np.arange(days)

        def chunk(rows: Ints) -> tuple[Floats, Floats]:
            there = self.survival[rows, None] ** when
            value = there[:, :, None] * self.value[rows, None, :]
            cost = there[:, :, None] * self.cost[rows, None, :]
            for place, row in enumerate(rows.tolist() if self.special else ()):
                if row in self.special:
                    worth, paid = self.special[row]
                    value[place] = there[place, :, None] * worth
                    cost[place] = there[place, :, None] * paid
            # (n, days, channels, offers)
            worth = reach[:, None] * value[:, :, None, :] - fee[:, None]
            money = reach[:, None] * cost[:, :, None, :] + fee[:, None]
            open_now = allowed[rows] & (when >= self.earliest[rows, None])[:, :, None]
            worth[~open_now] = -np.inf
            if price:
                worth[worth < price * money] = -np.inf
            shape = len(rows), len(slots)  # not -1: there may be no row
            return worth.reshape(shape), money.reshape(shape)

        return Problem(len(self.value), slots, places, budget, chunk)


def in_turn(allowed: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(N, days, channels) where a contact may take place, of each customer on one day alone, on all
    days about equally often.

    Of contacts that only lose, the last day's lose least, since some customers are gone by then:
    they would all be tried on that day, of which the places are few.
    """
    may = np.asarray(allowed.any(axis=2))
    place = np.arange(len(may)) % np.maximum(may.sum(axis=1), 1)
    its: NDArray[np.bool_] = may & (may.cumsum(axis=1) - 1 == place[:, None])
    return allowed & its[:, :, None]


def kept(problem: Problem) -> Problem:
    """The problem with its options in memory, where they are few enough: prices are sought in some
    thirty passes over them, and curves in a dozen searches."""
    if problem.count * len(problem.slots) > KEPT:
        return problem
    value, money = problem.chunk(np.arange(problem.count))
    return replace(problem, chunk=lambda rows: (value[rows], money[rows]))


class _Day(NamedTuple):
    """What a contact on one of the plan's days would bring M customers who have a history."""

    outcomes: Outcomes
    states: Floats


def _told(
    customers: Sequence[Mapping[str, Any]],
    histories: Mapping[str, History],
    then: datetime,
    assessor: Assessor,
) -> list[dict[str, Any]]:
    """The customers' rows with their histories as `POST /predict` would be told them `then`."""
    known = (histories[customer["customer_id"]] for customer in customers)
    return [
        {**customer, **complete({}, history, then, assessor.params, assessor.months)[0]}
        for customer, history in zip(customers, known, strict=True)
    ]


def _first_days(chosen: Decisions) -> NDArray[np.int64]:
    """The first day on which the policy would contact each customer, 0 for today: (M,)."""
    return np.where(chosen.contact, 0, chosen.delay + 1)


def _on_days(
    per_day: Sequence[_Day], place: int, params: EnvironmentParams
) -> tuple[Floats, Floats]:
    """Value and cost, each (days, offers), of a contact with the customer at `place` of the days'
    arrays; the value is -inf where money or the cooldown forbids it."""
    worth = np.stack([day.outcomes.expected_value[place, 1:] for day in per_day])
    cost = np.stack([day.outcomes.expected_cost[place, 1:] for day in per_day])
    fits = np.stack([affordable(day.states[place, BUDGET], params) for day in per_day])
    days_since = np.array([day.states[place, DAYS] for day in per_day])
    fits &= (days_since >= params.hard_cooldown_days)[:, None]
    return np.where(fits, worth, -np.inf), cost


def _without_empty(value: Floats, monthly: Floats, percent: Sequence[int]) -> Floats:
    """The values, without discounts of less than a cent a month."""
    return np.where(empty_offers(monthly, percent), -np.inf, value)


def _with(column: Floats, rows: Sequence[int], values: Floats) -> Floats:
    changed = column.copy()
    changed[list(rows)] = values
    return changed


def option_of(choice: int, channels: Sequence[str]) -> tuple[int, str, int]:
    """Day, channel and offer level of an option's number."""
    slot, offer = divmod(choice, OFFER_LEVELS)
    day, channel = divmod(slot, len(channels))
    return day, channels[channel], offer
