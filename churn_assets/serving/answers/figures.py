"""Assessments as the plain numbers of an answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from churn_assets.predictors.scoring.held_out import RISK_SOURCES
from churn_assets.serving.assessment import Assessments

CENTS = 2  # decimal places of money
PLACES = 4  # of probabilities


class Figures:
    """Assessments as plain Python numbers, converted once for all customers (NumPy scalars are slow
    to handle one by one): money in cents, probabilities to four places, unless `exact`."""

    def __init__(self, assessed: Assessments, exact: bool, percent: Sequence[int]) -> None:
        def plain(figures: NDArray[np.float64], places: int) -> list[Any]:
            return (figures if exact else figures.round(places) + 0.0).tolist()  # no -0.0

        decisions, outcomes = assessed.decisions, assessed.outcomes
        self.percent = percent
        self.risk = plain(assessed.risk, PLACES)
        self.source = assessed.risk_source.tolist()
        self.accept = plain(assessed.accept, PLACES)
        self.contact = decisions.contact.tolist()
        self.offer = decisions.offer.tolist()
        self.delay = decisions.delay.tolist()
        self.probability = plain(decisions.probability, PLACES)
        self.option = assessed.option.tolist()
        self._options = [(False, percent[0]), *((True, each) for each in percent)]
        self.values = plain(outcomes.expected_value, CENTS)
        self.costs = plain(outcomes.expected_cost, CENTS)
        self.retention = plain(outcomes.retention, PLACES)

    def decision(self, i: int) -> dict[str, Any]:
        """The i-th answer's `decision`; retention, in [0, 1], is that of the chosen option."""
        return {
            "contact": self.contact[i],
            "offer_level": self.offer[i],
            "offer_percentage": self.offer_percentage(i),
            "delay_days": self.delay[i],
            "estimated_retention_prob": self.retention[i][self.option[i]],
        }

    def offer_percentage(self, i: int) -> int:
        """The discount of the i-th customer's offer in percent, whether or not they are
        contacted."""
        return self.percent[self.offer[i]]

    def metadata(self, i: int) -> dict[str, Any]:
        """The i-th answer's figures: risk and acceptance within 0 to 1, amounts in currency."""
        return {
            "churn_risk": self.risk[i],
            **({"risk_source": RISK_SOURCES[self.source[i]]} if self.source[i] else {}),
            "accept_prob": self.accept[i][self.offer[i]],
            "expected_value": self.values[i][self.option[i]],
            "action_probability": self.probability[i],
            "alternatives": self._alternatives(i),
        }

    def _alternatives(self, i: int) -> list[dict[str, Any]]:
        accept: list[float | None] = [None, *self.accept[i]]
        found: list[dict[str, Any]] = [
            {
                "contact": contact,
                "offer_percentage": percent,
                "accept_prob": accept_prob,
                "expected_value": value,
                "expected_cost": cost,
                "estimated_retention_prob": retention,
                "chosen": False,
            }
            for (contact, percent), accept_prob, value, cost, retention in zip(
                self._options,
                accept,
                self.values[i],
                self.costs[i],
                self.retention[i],
                strict=True,
            )
        ]
        found[self.option[i]]["chosen"] = True
        return found
