"""Why the risk is what it is, in words that a retention agent understands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from churn_assets.customers.built_in import BUILT_IN_SCHEMA
from churn_assets.customers.contract.expression import columns_of
from churn_assets.customers.schema import MONTHLY, TENURE, CustomerSchema

VERSION = 4
"""To be raised when reasons or warnings come out otherwise for the same customer: a release keeps
answers with the explanations of the code that built it (`golden.py`), and must outlive that code.
"""
EXPLANATIONS = ("reasons", "warnings")  # fields of an answer's `metadata`
TOP_REASONS = 5

HISTORY = {
    "acceptances_this_period": "offers accepted in this period",
    "refusals_this_period": "contacts refused in this period",
    "acceptances_in_cooldown": "accepted, but contacted too soon again",
    "acceptances_without_discount": "accepted without a discount",
}
"""How reasons call what isn't the contract's."""
IMPLAUSIBLE_BILLS = 3.0  # times too much or too little; all of IBM's are within 0.69 and 1.57


@dataclass(frozen=True)
class Fact:
    """Columns that say one thing about a customer, and are one reason together. Apart they would
    pull the score in opposite directions for no reason that a person could name.

    Attributes:
        name: the first column, which gives the reason its name and value.
        others: columns that repeat it.
        when: the first column's value at which they do; None: always.
        says: the value that the others have then, and at no other time.
    """

    name: str
    others: tuple[str, ...]
    when: bool | str | None = None
    says: bool | str | None = None

    def columns(self, row: Mapping[str, Any]) -> list[str]:
        """Which columns are this fact of the customer; none where the first has no value."""
        if row.get(self.name) is None:
            return []
        repeating = [
            other
            for other in self.others
            if row.get(other) is not None and self.says in (None, row[other])
        ]
        return [self.name, *repeating]

    def contradicted_by(self, row: Mapping[str, Any]) -> list[str]:
        """Which of the others say that the first column is something else than it is."""
        if self.when is None or row.get(self.name) is None:
            return []
        repeated = row[self.name] == self.when
        return [
            other
            for other in self.others
            if row.get(other) is not None and (row[other] == self.says) != repeated
        ]


class Wording:
    """How a contract's customers are spoken of."""

    def __init__(self, schema: CustomerSchema) -> None:
        self.fields = {said.name: said for said in schema.fields}
        money = columns_of(schema.monthly)
        self._money = {f.name for f in schema.fields if f.billed or f.column in money}
        self.facts = tuple(_facts(schema))
        self._billed = tuple(said.name for said in schema.fields if said.billed)
        self._contradictable = tuple(fact for fact in self.facts if fact.when is not None)
        self.text = lru_cache(maxsize=4_096, typed=True)(self._text)  # True, 1 and 1.0 read apart

    def _text(self, feature: str, value: Any, raises: bool) -> str:
        """A reason in words."""
        label = self._label(feature)
        direction = "raises" if raises else "lowers"
        said = self._said(feature, value)
        return f"{label[:1].upper()}{label[1:]}: {said}; {direction} the churn risk"

    def _label(self, feature: str) -> str:
        if feature in self.fields:
            return self.fields[feature].words
        return HISTORY.get(feature) or feature.replace("_", " ")

    def _said(self, feature: str, value: Any) -> str:
        field = self.fields.get(feature)
        if isinstance(value, bool):
            return "yes" if value else "no"
        if not isinstance(value, int | float):
            return (field.shown if field else {}).get(value, str(value))
        # As JSON, a form and a table of predictions have it: 52 and 52.0 are one number.
        cents = feature in self._money or not float(value).is_integer()
        number = f"{value:,.2f}" if cents else f"{int(value):,}"
        unit = field.unit if field else ""
        one = value == 1 and len(unit) > 2 and unit.endswith("s")  # "1 month", but "1 s"
        return f"{number} {unit[:-1] if one else unit}".rstrip()

    def warnings_of(self, row: Mapping[str, Any]) -> list[str]:
        """What looks wrong in a customer's data: each value is allowed, but not all of them
        together.

        The answer is given all the same; whoever reads it should look the customer up. What isn't
        given contradicts nothing.
        """
        bills = [self._implausible(name, row) for name in self._billed]
        others = [
            f"{other} {row[other]!r} contradicts {fact.name} "
            f"{self._said(fact.name, row[fact.name])!r}"
            for fact in self._contradictable
            for other in fact.contradicted_by(row)
        ]
        return [*filter(None, bills), *others, *_history(row)]

    def _implausible(self, name: str, row: Mapping[str, Any]) -> str | None:
        """Why what was billed so far can't be; None where it can, or isn't known."""
        tenure, monthly, total = row.get(TENURE), row.get(MONTHLY), row.get(name)
        if tenure is None or monthly is None or total is None:
            return None
        expected = tenure * monthly
        if total <= IMPLAUSIBLE_BILLS * expected + monthly and (
            tenure <= 1 or total >= expected / IMPLAUSIBLE_BILLS
        ):
            return None
        months = "1 month" if tenure == 1 else f"{tenure} months"
        return (
            f"{name} {total:.2f} doesn't fit {months} at {monthly:.2f} (about {expected:.2f}): "
            "is one of the three wrong?"
        )


def _facts(schema: CustomerSchema) -> Iterator[Fact]:
    """What several fields say together, in the contract's order."""
    alike: dict[tuple[Any, ...], list[str]] = {}
    for said in schema.fields:
        if said.repeats is not None:
            key = (said.repeats.field, said.repeats.when, said.repeats.says)
            alike.setdefault(key, []).append(said.name)
    for (name, when, says), others in alike.items():
        yield Fact(name, tuple(others), when, says)


BUILT_IN_WORDS = Wording(BUILT_IN_SCHEMA)


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
        if size_of.keys().isdisjoint(fact.others):  # as of most customers
            continue
        together = [name for name in fact.columns(row) if name in size_of]
        if len(together) > 1:
            size_of[fact.name] = sum(size_of.pop(name) for name in together)
    largest = sorted(size_of.items(), key=lambda item: -abs(item[1]))[:count]
    return [
        {
            "feature": name,
            "value": row[name],
            "contribution": size,
            "text": wording.text(name, row[name], size > 0),
        }
        for name, exact in largest
        if (size := round(exact, 4))
    ]


def _history(row: Mapping[str, Any]) -> list[str]:
    """A contact history that contradicts itself."""
    outcome, earlier = row.get("previous_outcome"), row.get("previous_contacts")
    if outcome in ("success", "failure") and earlier == 0:
        return [f"previous_outcome {outcome!r} contradicts previous_contacts 0"]
    if outcome == "nonexistent" and earlier:
        return [f"previous_outcome 'nonexistent' contradicts previous_contacts {earlier}"]
    return []
