"""How the events that another system wrote down are to be read: `churn outcomes import`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from churn_assets.customers.contract.tables import Cell, Part
from churn_assets.domain.events import EVENT_KINDS, ReportedKind, as_reported

EventField = Literal[
    "event_id",
    "customer_id",
    "kind",
    "occurred_at",
    "offer_percentage",
    "channel",
    "release_id",
    "decision_id",
]
"""The fields of `POST /feedback`."""


class Events(Part):
    """What a file of events calls the fields of `POST /feedback` and what happened.

    Attributes:
        columns: field -> the file's name of it, where it has another.
        kinds: cell of its `kind` -> what it means; capitals don't matter. Cells that aren't named
            stand for themselves.
    """

    columns: dict[EventField, str] = Field(default_factory=dict)
    kinds: dict[Cell, ReportedKind] = Field(default_factory=dict)

    @property
    def words(self) -> str:
        """What may stand in a column of kinds: the company's own words, then the product's."""
        own = ", ".join(map(repr, self.kinds))
        meant = ", ".join(EVENT_KINDS)
        return f"{own} (events.kinds of the contract), or {meant}" if own else meant

    def kind_of(self, cell: str) -> str:
        """What a cell of `kind` means."""
        own = (kind for said, kind in self.kinds.items() if said.lower() == cell.lower())
        meant: str = as_reported(next(own, cell))
        return meant
