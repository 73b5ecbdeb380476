"""A scalar environment written for speed: the retention world of one customer in plain floats.

What somebody would write who has no vectorised one: no arrays but the observation, every constant
of the world looked up once. Only worlds in which each acceptance works and twelve bills count.
"""

from __future__ import annotations

import math
import random
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Any, cast

import gymnasium
import numpy as np
from numpy.typing import NDArray

from churn_assets.decision.config import EnvironmentParams
from churn_assets.decision.mdp.customers import Customers
from churn_assets.decision.mdp.dynamics import offer_units, spend_levels, start_histories
from churn_assets.decision.mdp.environment import Multipliers, state_spaces
from churn_assets.domain.statistics import logit

Draw = Callable[[], Sequence[float]]
"""Five numbers in [0, 1): the answer, survival, whether the period ended, and who comes next."""


def five() -> list[float]:
    """From Python's own generator."""
    draw = random.random
    return [draw(), draw(), draw(), draw(), draw()]


class ScalarRetention(gymnasium.Env[NDArray[np.float64], NDArray[np.int64]]):
    """Steps as `VectorRetention` with one customer, to the last digits of a sum.

    Raises:
        ValueError: the world has what this environment leaves out.
    """

    def __init__(self, customers: Customers, params: EnvironmentParams, draw: Draw = five) -> None:
        if params.effect_share != 1 or params.persistence is not None or params.counts_bare_apart:
            raise ValueError("a world whose acceptances may fail, or with other bills than twelve")
        observed, self.action_space = state_spaces(params)
        self.observation_space = cast("gymnasium.Space[NDArray[np.float64]]", observed)
        self.params, self.draw, self.luck = params, draw, draw()
        self.scores, self.values = logit(customers.risk).tolist(), customers.value.tolist()
        self.accepts = logit(customers.accept).tolist()
        histories, weights = start_histories(params)
        self.histories = histories.tolist()
        self.edges = np.cumsum(weights)[:-1].tolist()
        self.units = offer_units(params).tolist()
        self.levels = spend_levels(params)
        self.end = 1 / params.period_days
        self.weights = Multipliers()

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float64], dict[str, Any]]:
        """The next customer, as the last step's numbers have it."""
        customer = int(self.luck[3] * len(self.scores))
        self.score, self.accept = self.scores[customer], self.accepts[customer]
        self.value = self.values[customer]
        self.contacts, self.spent, self.days = self.histories[
            bisect_right(self.edges, self.luck[4])
        ]
        self.yes = 0
        return self._seen(), {}

    def step(
        self, action: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], float, bool, bool, dict[str, Any]]:
        """One decision of three whole numbers."""
        params, luck = self.params, self.draw()
        self.luck = luck
        contact, offer, delay = action.tolist()
        before_contacts, before_spent = self.contacts, self.spent
        contact = (
            contact == 1
            and self.contacts < params.contact_stop
            and self.days >= params.hard_cooldown_days
            and self.spent + self.units[offer] < self.levels
        )
        accepted = False
        if contact:
            accepted = luck[0] < _sigmoid(self.accept[offer] - self._reluctance())
            if not accepted or self.days < params.cooldown_days:
                self.score += params.annoyance_effect
            if accepted:
                self.yes += 1
                self.spent += self.units[offer]
            self.contacts += 1
            self.days = 0
        self.days = min(self.days + 1 + delay, params.cooldown_days)
        risk = self._risk()
        stay = (1 - risk) / (1 - risk * (1 - self.end)) * (1 - self.end)
        closed = self.contacts >= params.contact_stop
        terminated = closed or luck[1] >= stay ** (1 + delay)
        cost = params.decision_cost + contact * params.contact_cost
        cost += accepted * params.discounts[offer]
        cost += self.weights.budget * (self._excess(self.spent) - self._excess(before_spent))
        over = max(self.contacts - max(before_contacts, params.contact_cap), 0)
        cost += self.weights.fatigue * over
        retained = terminated and luck[2] >= risk
        return self._seen(risk), self.value * (retained - cost), terminated, False, {}

    def _seen(self, risk: float | None = None) -> NDArray[np.float64]:
        fall = self._reluctance()
        return np.array(
            [
                self._risk() if risk is None else risk,
                *(_sigmoid(logits - fall) for logits in self.accept),
                1 - self.spent / (self.levels - 1),
                self.days,
                self.days < self.params.cooldown_days,
                self.contacts,
            ]
        )

    def _risk(self) -> float:
        return _sigmoid(self.score - self.params.acceptance_effect * self.yes)

    def _reluctance(self) -> float:
        params = self.params
        fresh = 1 - self.days / params.cooldown_days
        return params.fatigue_reluctance * self.contacts + params.cooldown_reluctance * fresh

    def _excess(self, spent: int) -> float:
        return max(spent * self.params.spend_unit - self.params.budget_limit, 0.0)


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))
