"""The price of a currency unit of discount that is in force, where a company has a budget a month.

Whoever plans works it out (`campaign.spending`) and writes the pointer `budget/price` of the
artifact store; the API, `churn predict` and the nightly predictions read it. It belongs to a
release: another release's policy spends something else at the same price.
"""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, ValidationError

from churn_assets.storage.protocol import ArtifactError, ArtifactStore

POINTER = "budget/price"


class BudgetPrice(BaseModel):
    """A price, and what it follows from.

    Attributes:
        price: of a currency unit of discount, above the unit itself; >= 0.
        aim: share of the month's budget that the policy is priced to spend.
        month: the running one, as 2026-11.
        budget, spent: in currency; the latter in this month so far, as far as the ledger knows,
            with what contacts that plans handed over and nobody has answered are expected to cost.
        comes_true: share of the money that plans expect which is spent in the end, by contacts
            whose outcome is known; 1 where an earlier version wrote it, which didn't say.
        release_id, predictions: whose policy, and on which customers (the artifact's version).
        prices, spends: what the policy is expected to spend in a month at each price, in currency.
        treated: share of the customers whom `spends` has contacted at all, those outside the
            experiment's control group; None: written by an earlier version, which didn't say.
        at: when it was worked out.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    price: float
    aim: float
    month: str
    budget: float
    spent: float
    comes_true: float = 1.0
    release_id: str
    predictions: str
    prices: tuple[float, ...]
    spends: tuple[float, ...]
    treated: float | None = None
    at: datetime

    @property
    def overspent(self) -> float:
        """By how much more than is aimed at the policy is expected to spend in a month even at the
        highest price, in currency; 0 where the aim can be kept."""
        return max(0.0, min(self.spends) - self.aim * self.budget)


def read(store: ArtifactStore) -> BudgetPrice | None:
    """What was written last; None where there is none.

    Raises:
        ArtifactError: the store can't be read, or the pointer holds no price.
    """
    content = store.read_pointer(POINTER)
    if content is None:
        return None
    try:
        return BudgetPrice.model_validate_json(content)
    except ValidationError:
        raise ArtifactError(
            f"{store.url}: the pointer {POINTER} holds no price: run `churn campaign plan`"
        ) from None


def write(store: ArtifactStore, price: BudgetPrice | None) -> None:
    """Put a price in force; None takes back the one that is."""
    if price is not None:
        store.write_pointer(POINTER, price.model_dump_json().encode())
    elif store.read_pointer(POINTER) is not None:
        store.delete_pointer(POINTER)


def in_force(store: ArtifactStore, release_id: str) -> float | None:
    """The price for a release's policy; None: its own. Raises what `read` raises."""
    found = read(store)
    return None if found is None or found.release_id != release_id else found.price
