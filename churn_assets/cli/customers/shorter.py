"""Tables that have far fewer rows than the store knows of them, for `churn customers check`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from churn_assets.customers.counted import ACTIVE, HISTORY, fallen, most_lately, said_of
from churn_assets.customers.quality.report import QualityReport
from churn_assets.storage.protocol import ArtifactError, ArtifactStore

ASSETS = {"history": HISTORY, "active": ACTIVE}
PATIENCE = 10.0
"""Seconds after which a bucket counts as not to be read."""


def shorter(
    report: QualityReport, opened: Callable[[], ArtifactStore], now: datetime
) -> Iterator[str]:
    """A note for each of a report's tables that had many more rows when it was materialized lately;
    of customers with several rows only what is told by all of their rows. Where the store can't be
    opened or read, that nothing was compared."""
    try:
        store = opened()
        for table in report.tables:
            asset = ASSETS.get(table.name)
            most = most_lately(store, asset, report.contract, now) if asset else None
            fall = fallen(table.used, most) if most else None
            if asset and fall:
                yield f"{said_of(fall, asset)}."
    except ArtifactError as error:
        yield f"tables aren't compared with what they were lately: {error}"
