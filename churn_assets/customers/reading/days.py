"""Days in a file of events: as the tables of the contract write dates, where no hour is known."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, tzinfo

from churn_assets.customers.contract.model import Contract
from churn_assets.customers.contract.tables import DateOrder
from churn_assets.customers.reading.dates import SLASHED, date_in, slashed_otherwise

_NO_HOUR = re.compile(r"(\d{4}-\d\d-\d\d|\d\d?[./-]\d\d?[./-]\d{4})( 0?0:00(:00)?)?", re.ASCII)


@dataclass(frozen=True)
class Days:
    """How days are written, and by whose clock they begin.

    Attributes:
        written: the order of 01/02/2026; None: nobody said so.
        zone: in which a day begins at midnight.
    """

    written: DateOrder | None = None
    zone: tzinfo = UTC

    def begin(self, cell: str) -> str:
        """The midnight of a cell that is a day alone, in ISO 8601; any other cell as it is.

        Raises:
            ValueError: it begins with a day or a month, and is no date as these are `written`.
        """
        cell = cell.strip()
        alone = _NO_HOUR.fullmatch(cell)
        day = date_in(alone[1], self.written) if alone else None
        if day is not None:
            return datetime.combine(day, time(), self.zone).isoformat()
        if re.fullmatch(SLASHED, cell):
            raise ValueError(_otherwise(self.written, hour=alone is None))
        return cell


def _otherwise(written: DateOrder | None, *, hour: bool) -> str:
    if hour:
        return "write a day alone, or date, time and zone as in 2026-01-14T12:00:00+01:00"
    return slashed_otherwise(written)


def date_order_of(contract: Contract) -> DateOrder | None:
    """The order of days and months that all of a contract's tables share that name one."""
    tables = [contract.tables.history, contract.tables.active] if contract.tables else []
    tables += [contract.campaign.table] if contract.campaign else []
    orders = {table.format.date for table in tables if table and table.format.date}
    return orders.pop() if len(orders) == 1 else None
