"""Why the risk is what it is, in words that a retention agent understands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from churn_assets.customers.schema import CustomerSchema

VERSION = 2
"""To be raised when reasons or warnings come out otherwise for the same customer: a release keeps
answers with the explanations of the code that built it (`golden.py`), and must outlive that code.
"""
EXPLANATIONS = ("reasons", "warnings")  # fields of an answer's `metadata`
TOP_REASONS = 5

LABELS = {
    "tenure": "time with us",
    "monthly_charges": "monthly bill",
    "contract": "contract",
    "payment_method": "payment method",
    "total_charges": "billed so far",
    "senior_citizen": "senior citizen",
    "partner": "partner",
    "dependents": "dependents",
    "phone_service": "phone service",
    "multiple_lines": "multiple lines",
    "internet_service": "internet service",
    "online_security": "online security",
    "online_backup": "online backup",
    "device_protection": "device protection",
    "tech_support": "tech support",
    "streaming_tv": "streaming TV",
    "streaming_movies": "streaming movies",
    "paperless_billing": "paperless billing",
    "acceptances_this_period": "offers accepted in this period",
    "refusals_this_period": "contacts refused in this period",
    "acceptances_in_cooldown": "accepted, but contacted too soon again",
}
ADD_ONS = (
    *("online_security", "online_backup", "device_protection", "tech_support"),
    *("streaming_tv", "streaming_movies"),
)
IMPLAUSIBLE_BILLS = 3.0  # times too much or too little; all of IBM's are within 0.69 and 1.57


@dataclass(frozen=True)
class Fact:
    """Columns that say one thing about a customer, and are one reason together.

    Attributes:
        name: the first column, which gives the reason its name and value.
        others: columns that repeat it.
        silent: the value that the others have when they only repeat it; None: they always do.
    """

    name: str
    others: tuple[str, ...]
    silent: str | None = None

    def columns(self, row: Mapping[str, Any]) -> list[str]:
        """Which columns are this fact of the customer; none where the first has no value."""
        if row.get(self.name) is None:
            return []
        repeating = [
            other
            for other in self.others
            if row.get(other) is not None and self.silent in (None, row[other])
        ]
        return [self.name, *repeating]


# Time with us and what was billed in it grow together, and so pull the score in opposite directions
# for no reason that a person could name. Seven columns say that there is no internet.
FACTS = (
    Fact("tenure", ("total_charges",)),
    Fact("internet_service", ADD_ONS, silent="No internet service"),
    Fact("phone_service", ("multiple_lines",), silent="No phone service"),
)


@dataclass(frozen=True)
class Wording:
    """How a contract's customers are spoken of.

    Attributes:
        labels: feature -> its name for people.
        units: feature -> what its numbers count.
        facts: columns that are one reason together.
        built_in: whether they are the built-in contract's, of which more is known.
    """

    labels: Mapping[str, str]
    units: Mapping[str, str] = field(default_factory=dict)
    facts: tuple[Fact, ...] = ()
    built_in: bool = False

    def text(self, feature: str, value: Any, raises: bool) -> str:
        """A reason in words."""
        if self.built_in:
            return _text(feature, value, raises)
        label = self.labels.get(feature) or LABELS.get(feature) or feature.replace("_", " ")
        direction = "raises" if raises else "lowers"
        named = f"{label[:1].upper()}{label[1:]}"
        return f"{named}: {self._said(feature, value)}; {direction} the churn risk"

    def _said(self, feature: str, value: Any) -> str:
        if isinstance(value, bool):
            return "yes" if value else "no"
        if not isinstance(value, int | float):
            return str(value)
        number = f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"
        unit = self.units.get(feature, "")
        return f"{number} {unit}".rstrip()

    def warnings_of(self, row: Mapping[str, Any]) -> list[str]:
        """What looks wrong in a customer's data: each value is allowed, but not all together."""
        return warnings_of(row) if self.built_in else _history(row)


BUILT_IN_WORDS = Wording(LABELS, facts=FACTS, built_in=True)


def wording_of(schema: CustomerSchema) -> Wording:
    """The wording of a contract's customers."""
    return Wording(
        {said.name: said.words for said in schema.fields},
        {said.name: said.unit for said in schema.fields if said.unit},
    )


def top_reasons(
    features: Sequence[str],
    contributions: NDArray[np.floating[Any]],
    rows: Sequence[Mapping[str, Any]],
    count: int = TOP_REASONS,
    wording: Wording = BUILT_IN_WORDS,
) -> list[list[dict[str, Any]]]:
    """For each customer, the facts about them that moved their risk most, largest first.

    Contributions add up, so columns that say the same thing are one reason with their sum. What
    wasn't given is no reason: nobody leaves because we don't know something.

    Args:
        features: names, F of them.
        contributions: (N, F) exact SHAP values in log-odds, for the uncalibrated score.
        rows: the N customers.
        count: at most so many reasons for each.
        wording: of the customers' contract.
    """
    sizes = contributions.tolist()
    return [
        _reasons(features, size, row, count, wording) for row, size in zip(rows, sizes, strict=True)
    ]


def _reasons(
    features: Sequence[str],
    sizes: Sequence[float],
    row: Mapping[str, Any],
    count: int,
    wording: Wording,
) -> list[dict[str, Any]]:
    size_of = {
        name: size for name, size in zip(features, sizes, strict=True) if row.get(name) is not None
    }
    for fact in wording.facts:
        together = [name for name in fact.columns(row) if name in size_of]
        if len(together) > 1:
            size_of[fact.name] = sum(size_of.pop(name) for name in together)
    largest = sorted(size_of.items(), key=lambda item: -abs(item[1]))[:count]
    return [
        _reason(name, row[name], round(size, 4), wording)
        for name, size in largest
        if round(size, 4)
    ]


def warnings_of(row: Mapping[str, Any]) -> list[str]:
    """What looks wrong in a customer's data: each value is allowed, but not all of them together.

    The answer is given all the same; whoever reads it should look the customer up. What isn't given
    contradicts nothing.
    """
    warnings = []
    tenure, monthly, total = (row.get(k) for k in ("tenure", "monthly_charges", "total_charges"))
    if tenure is not None and monthly is not None and total is not None:
        expected = tenure * monthly
        if total > IMPLAUSIBLE_BILLS * expected + monthly or (
            tenure > 1 and total < expected / IMPLAUSIBLE_BILLS
        ):
            warnings.append(
                f"total_charges {total:.2f} doesn't fit {_words('tenure', tenure)} at "
                f"{monthly:.2f} (about {expected:.2f}): is one of the three wrong?"
            )
    warnings += _contradictions(row, "internet_service", "No", ADD_ONS, "No internet service")
    lines = _contradictions(row, "phone_service", False, ("multiple_lines",), "No phone service")
    return warnings + lines + _history(row)


def _contradictions(
    row: Mapping[str, Any], service: str, none: Any, extras: Sequence[str], silent: str
) -> list[str]:
    """An extra of a service that the customer doesn't have, or the other way round."""
    if row.get(service) is None:
        return []
    without = row[service] == none
    return [
        f"{extra} {row[extra]!r} contradicts {service} {_words(service, row[service])!r}"
        for extra in extras
        if row.get(extra) is not None and (row[extra] == silent) != without
    ]


def _history(row: Mapping[str, Any]) -> list[str]:
    """A contact history that contradicts itself."""
    outcome, earlier = row.get("previous_outcome"), row.get("previous_contacts")
    if outcome in ("success", "failure") and earlier == 0:
        return [f"previous_outcome {outcome!r} contradicts previous_contacts 0"]
    if outcome == "nonexistent" and earlier:
        return [f"previous_outcome 'nonexistent' contradicts previous_contacts {earlier}"]
    return []


def _reason(feature: str, value: Any, contribution: float, wording: Wording) -> dict[str, Any]:
    return {
        "feature": feature,
        "value": value,
        "contribution": contribution,
        "text": wording.text(feature, value, contribution > 0),
    }


@lru_cache(maxsize=4_096, typed=True)  # typed: True, 1 and 1.0 read differently
def _text(feature: str, value: Any, raises: bool) -> str:
    label = LABELS.get(feature, feature.replace("_", " "))
    direction = "raises" if raises else "lowers"
    return f"{label.capitalize()}: {_words(feature, value)}; {direction} the churn risk"


def _words(feature: str, value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if feature == "internet_service" and value == "No":
        return "none"
    if feature == "tenure":
        return "1 month" if value == 1 else f"{value} months"
    if isinstance(value, float):
        return f"{value:.2f}"
    return str(value)
