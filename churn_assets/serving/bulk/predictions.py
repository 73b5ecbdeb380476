"""The latest materialised predictions, in memory: by customer, by value, and as a campaign."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from churn_assets.serving.answers.figures import CENTS, PLACES

if TYPE_CHECKING:
    import pyarrow as pa

MONEY = ("expected_value", "expected_cost")
FIGURES = (
    "churn_risk",
    *(f"accept_prob_{level}" for level in range(4)),
    *("contact", "offer_level", "offer_percentage", "delay_days", "action_probability"),
    *("expected_value", "expected_cost", "estimated_retention_prob", "release_id"),
)
"""The columns that the release made; all others are the customer's own."""


@dataclass(frozen=True)
class PredictionBook:
    """One materialization of the predictions.

    Attributes:
        table: one row a customer, the most valuable decision first.
        row_of: customer id -> row number.
        campaign: sums over all customers and the Pareto curve.
    """

    table: pa.Table
    row_of: dict[str, int]
    campaign: dict[str, Any]

    @classmethod
    def load(cls, folder: Path) -> PredictionBook:
        """Read the artifact's folder."""
        # Imported here: half a second that importing the API need not take.
        from churn_assets.storage.tables import ordered, read_parquet

        table = read_parquet(folder / "predictions.parquet")
        table = ordered(table, [("expected_value", "descending"), ("customer_id", "ascending")])
        ids = table.column("customer_id").to_pylist()
        campaign = json.loads((folder / "report.json").read_text(encoding="utf-8"))
        campaign = {k: round(v, CENTS) if type(v) is float else v for k, v in campaign.items()}
        return cls(table, {identity: i for i, identity in enumerate(ids)}, campaign)

    def get(self, customer_id: str) -> dict[str, Any] | None:
        """One customer's prediction, or None."""
        row = self.row_of.get(customer_id)
        return None if row is None else self.page(row, 1)[0]

    def in_other_capitals(self, customer_id: str) -> bool:
        """Whether nobody has this id, but somebody has it in capitals throughout or in none, as
        systems write UUIDs."""
        if customer_id in self.row_of:
            return False
        return any(each in self.row_of for each in (customer_id.lower(), customer_id.upper()))

    def page(self, start: int, count: int) -> list[dict[str, Any]]:
        """`count` predictions from the `start`-th most valuable."""
        return _told(self.table.slice(start, count))

    def search(self, part: str, start: int, count: int) -> tuple[int, list[dict[str, Any]]]:
        """How many customers' ids hold `part`, whatever the case, and of their predictions `count`
        from the `start`-th most valuable."""
        import pyarrow.compute as pc

        found = pc.match_substring(self.table["customer_id"], part, ignore_case=True)
        rows = pc.indices_nonzero(found)
        return len(rows), _told(self.table.take(rows.slice(start, count)))


def _told(table: pa.Table) -> list[dict[str, Any]]:
    return [_nested(_rounded(row)) for row in table.to_pylist()]


def _rounded(row: dict[str, Any]) -> dict[str, Any]:
    """Money in cents and probabilities to four places, as in the answer to a single request."""
    return row | {
        name: round(row[name], CENTS if name in MONEY else PLACES)
        for name in row.keys() & set(FIGURES)
        if type(row[name]) is float
    }


def _nested(row: dict[str, Any]) -> dict[str, Any]:
    """The customer's own columns under `features`, the figures beside them."""
    figures = {name: row.pop(name) for name in FIGURES if name in row}
    return {"customer_id": row.pop("customer_id"), "features": row, **figures}
