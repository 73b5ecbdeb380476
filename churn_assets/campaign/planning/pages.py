"""Pages of a plan: its contacts, and whom it leaves out; searched, filtered and sorted as tables.

A page holds a dozen rows of what may be hundreds of thousands: only its own become Python's.
"""

from __future__ import annotations

from datetime import date
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc


class Page(NamedTuple):
    """Rows of a table, how many match in all, and the sums of all that match."""

    rows: list[dict[str, Any]]
    total: int
    expected_value: float = 0.0
    expected_cost: float = 0.0


def contacts_page(
    contacts: pa.Table,
    start: int,
    count: int,
    *,
    search: str = "",
    channel: str = "",
    day: date | None = None,
    sort: str = "day",
    descending: bool = False,
) -> Page:
    """`count` of a plan's contacts from the `start`-th on, of those that match.

    Args:
        contacts: columns as in `promises.CONTACTS`.
        search: a part of the customer's id, whatever the case.
        sort: the column to sort by; what is equal in it stays in the plan's order.
    """
    found = _matching(contacts, search, channel=channel or None, day=day)
    order = "descending" if descending else "ascending"
    rows = pc.sort_indices(found, sort_keys=[(sort, order)])  # a stable sort
    return Page(
        found.take(rows.slice(start, count)).to_pylist(),
        len(found),
        _sum(found["expected_value"]),
        _sum(found["expected_cost"]),
    )


def excluded_page(
    excluded: pa.Table, start: int, count: int, *, search: str = "", rule: str = ""
) -> Page:
    """`count` of those whom a plan leaves out from the `start`-th on, of those that match."""
    found = _matching(excluded, search, rule=rule or None)
    return Page(found.slice(start, count).to_pylist(), len(found))


def _matching(table: pa.Table, search: str, **wanted: Any) -> pa.Table:
    """The rows whose customer's id holds `search` and whose columns are as wanted (None: any)."""
    for name, value in wanted.items():
        if value is not None:
            table = table.filter(pc.equal(table[name], value))
    if search:
        table = table.filter(pc.match_substring(table["customer_id"], search, ignore_case=True))
    return table


def _sum(column: pa.ChunkedArray) -> float:
    return float(pc.sum(column, min_count=0).as_py())
