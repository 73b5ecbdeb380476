"""A decision log for tests."""

from __future__ import annotations

from typing import Any

from churn_assets.serving.decision_log.records import COLUMNS, Record, Served, records_of


class Kept:
    """A sink that keeps its records in memory."""

    source = "api"

    def __init__(self) -> None:
        self.records: list[Record] = []

    def add(self, served: Served) -> None:
        self.records.extend(records_of([served], self.source))

    def rows(self) -> list[dict[str, Any]]:
        """The records by column."""
        return [dict(zip(COLUMNS, record, strict=True)) for record in self.records]
