"""Do the contacts that a model learned from resemble the customers it is asked about?

At each offer by itself: a customer whose like were contacted often, but hardly ever with 15 %, has
no support for a prediction at 15 %. How many contacts are enough follows from what they leave open:
the 95 % interval of their acceptance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from churn_assets.domain.offers import OFFER_LEVELS
from churn_assets.domain.statistics import Z95, wilson_interval
from churn_assets.predictors.scoring.features import Feature
from churn_assets.predictors.training.metrics import error_of_sum

Matrix = NDArray[np.float32]
Floats = NDArray[np.float64]

CELL_FEATURES = (
    "partner",
    "contact_channel",
    "contacts_this_period",
    "previous_outcome",
    "price_pressure",
)
PRESSURE_BINS = 5
MOST_CONTACTS = 3  # contacts in the period from here on are one kind


@dataclass(frozen=True)
class Support:
    """M customers' like among N contacts, at each offer.

    Like means: equal in every discrete feature that the customer has, contacts this period capped
    at 3, and in the same fifth of price pressure. What a customer lacks is not compared.
    Contacts that are equal in all of this are a cell, of which there are some hundreds however many
    contacts there are: kinds of customers are compared with cells.

    Attributes:
        members: (K, C) whether the contacts of a cell are like each of K kinds of customers.
        kind: (M,) each customer's kind.
        cell: (N,) each contact's cell.
        offer: (N,) 0..3.
        accepted: (N,) 0 or 1.
        whose: (N,) whom each contact reached, a number; None where each reached somebody else.
    """

    members: NDArray[np.bool_]
    kind: NDArray[np.intp]
    cell: NDArray[np.intp]
    offer: NDArray[np.int64]
    accepted: Floats
    whose: NDArray[np.int64] | None = None

    @classmethod
    def of(
        cls,
        customers: Matrix,
        contacts: Matrix,
        accepted: Floats,
        features: Sequence[Feature],
        whose: NDArray[np.int64] | None = None,
    ) -> Support:
        """From encoded customers (M, F) and contacts (N, F), and the contacts' answers (N,)."""
        kinds, which = np.unique(_cells(customers, features), axis=0, return_inverse=True)
        cells, cell = np.unique(_cells(contacts, features), axis=0, return_inverse=True)
        members = np.array([((cells == kind) | (kind < 0)).all(axis=1) for kind in kinds])
        offer = contacts[:, [feature.name for feature in features].index("offer_level")]
        return cls(members, which.ravel(), cell.ravel(), offer.astype(np.int64), accepted, whose)

    def contacts(self) -> NDArray[np.int64]:
        """How many contacts are like each customer, at each offer, (M, 4); several of one person
        count once."""
        return self._people_by_kind()[self.kind]

    def reach(self) -> Floats:
        """Half of the 95 % interval of P(accept) that a customer's like leave, (M, 4).

        1 where there is no contact to tell it from.
        """
        count = self._people_by_kind()
        at = np.maximum(count, 1)
        below, above = wilson_interval(self._rate_by_kind(), at.astype(np.float64))
        return np.where(count == 0, 1.0, (above - below) / 2)[self.kind]

    def curve(self) -> tuple[Floats, Floats]:
        """The customers' mean P(accept) at each offer as their like answered, without any model.

        Customers without a contact like them at an offer are left out of its mean.

        Returns:
            The curve (4,), NaN where nobody has such contacts, and its 95 % bounds (4, 2), by the
            contacts' influences, so that a contact which several kinds share counts once, as do all
            contacts of a person.
        """
        count, rate = self._count_by_kind(), self._rate_by_kind()
        customers = np.bincount(self.kind, minlength=len(count)).astype(np.float64)
        curve, bounds = np.full(OFFER_LEVELS, np.nan), np.full((OFFER_LEVELS, 2), np.nan)
        for level in range(OFFER_LEVELS):
            told = count[:, level] > 0
            if not told.any():
                continue
            share = customers[told] / customers[told].sum()
            weight = share / count[told, level]
            like = self.members[told]
            counts, expected = weight @ like, (weight * rate[told, level]) @ like  # of a cell's
            influence = counts[self.cell] * self.accepted - expected[self.cell]
            influence[self.offer != level] = 0
            curve[level] = share @ rate[told, level]
            reach = Z95 * error_of_sum(influence, self.whose)
            bounds[level] = curve[level] - reach, curve[level] + reach
        return curve, np.clip(bounds, 0, 1)

    def _count_by_kind(self) -> NDArray[np.int64]:
        return self._sum_by_kind(np.ones(len(self.offer))).astype(np.int64)

    def _people_by_kind(self) -> NDArray[np.int64]:
        if self.whose is None:
            return self._count_by_kind()
        levels = [self.offer == level for level in range(OFFER_LEVELS)]
        each = [
            [len(np.unique(self.whose[like[self.cell] & at])) for at in levels]
            for like in self.members
        ]
        return np.array(each, np.int64)

    def _rate_by_kind(self) -> Floats:
        """Acceptance of each kind's like, (K, 4); 0 where there are none."""
        return self._sum_by_kind(self.accepted) / np.maximum(self._count_by_kind(), 1)

    def _sum_by_kind(self, values: Floats) -> Floats:
        """(N,) values summed over each kind's like at each offer, (K, 4)."""
        cells = self.members.shape[1]
        sums = np.bincount(self.cell * OFFER_LEVELS + self.offer, values, cells * OFFER_LEVELS)
        return self.members.astype(np.float64) @ sums.reshape(cells, OFFER_LEVELS)


def _cells(matrix: Matrix, features: Sequence[Feature]) -> NDArray[np.int64]:
    """Discrete codes (N, len(CELL_FEATURES)), -1 for missing."""
    column = {feature.name: matrix[:, i] for i, feature in enumerate(features)}
    pressure = np.minimum(column["price_pressure"] * PRESSURE_BINS, PRESSURE_BINS - 1)
    contacts = np.minimum(column["contacts_this_period"], MOST_CONTACTS)
    column |= {"price_pressure": np.floor(pressure), "contacts_this_period": contacts}
    codes = np.column_stack([column[name] for name in CELL_FEATURES])
    return np.where(np.isnan(codes), -1, codes).astype(np.int64)
