"""How long a table's customers have been customers, by the contract's column, sum or date."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb

from churn_assets.customers.contract.expression import columns_of, to_sql
from churn_assets.customers.contract.model import CustomerPart
from churn_assets.customers.quality.judging import USED, Judged, with_first_row
from churn_assets.customers.quality.leaving import happened, has_left, latest_leaving
from churn_assets.customers.quality.said import Said
from churn_assets.customers.quality.workspace import one
from churn_assets.customers.reading.dates import DAYS_OF_A_MONTH
from churn_assets.domain.contracts import MAX_TENURE

NOT_LEARNT = (
    "history: how long somebody has been a customer isn't learnt from: without snapshots it can't "
    "be told as of one day for those who left and those who stayed; a feature with the months on "
    "the table's day would be"
)
"""The note of a contract with a date since when and no snapshots: months up to the leaving of some
and to today of the others tell the two apart by the day on which they are counted, as where nobody
came lately but those who left again."""


def months_of(part: CustomerPart, judged: Judged) -> str:
    """SQL of the months, DOUBLE; null where they can't be told.

    From a date since when they're up to the row's snapshot, and to today in a table of the active
    that has none. Without snapshots they're up to the day
    that the customer left, where a column has it, and for all others up to the latest day that the
    table tells of: a date since when, or of a leaving that isn't still to come.

    Raises:
        KeyError: a column isn't there.
    """
    tenure, snapshot = part.tenure, part.identity.snapshot
    if tenure.months:
        return to_sql(tenure.months, lambda name: judged.value(name, "tenure"))
    since = judged.value(tenure.since or "", "tenure")
    churned = part.identity.churned
    if snapshot and not judged.lacks(snapshot):
        seen = judged.value(snapshot, "snapshot")
    elif churned.end_date and judged.name == "history":
        end = judged.value(churned.end_date, "label")
        gone = f"CASE WHEN {happened(end)} THEN {end} END"
        seen = f"coalesce({gone}, greatest(max({since}) OVER (), {latest_leaving(end)}))"
    elif snapshot:  # the table of who is active now, of the day on which it is read
        seen = "current_date"
    else:
        seen = f"max({since}) OVER ()"
    return f"greatest(date_diff('day', {since}, {seen}) / {DAYS_OF_A_MONTH}, 0)"


NEW = 0.1
"""Of those who stayed: how many may have been customers for less than the horizon."""


def not_long_enough(
    connection: duckdb.DuckDBPyConnection, judged: Judged, part: CustomerPart
) -> Iterator[str]:
    """The note of a table without snapshots many of whose customers came within the horizon: they
    count as ones who stayed through it, and the risk of the new comes out too low."""
    identity = part.identity
    if identity.snapshot or judged.name != "history":
        return
    try:
        months, left = months_of(part, judged), has_left(identity, judged)
    except KeyError:
        return  # a column is missing: said already
    new, stayed = one(
        connection,
        f"""SELECT count(*) FILTER (months < {identity.horizon_months}), count(*)
        FROM (SELECT {months} AS months, {left} AS gone FROM {judged.name} WHERE {USED})
        WHERE NOT gone""",
    )
    if new > NEW * stayed:
        yield (
            f"{judged.name}: {new:,} of the {stayed:,} who stayed have been customers for less "
            f"than the {identity.horizon_months:g} months of the horizon, and count as having "
            "stayed through it: the risk comes out too low, of the new most. A shorter horizon "
            "or a row for each month (identity.snapshot) has it right"
        )


MOST_MOVED = 0.1
"""Of the steps from one of a customer's snapshots to the next: in how many a date since when they
are one may become another. Some leave and come back; a last visit moves in most of the steps."""


def moved(who: str, seen: str, since: str, source: str) -> str:
    """SQL of how many steps there are from one of a customer's rows to the next, in how many their
    date is another one, and of how many customers.

    Args:
        who: SQL of what names a row's customer.
        seen: of the row's snapshot.
        since: of the date that may be since when they're a customer.
        source: what follows FROM, with its WHERE.
    """
    before = f"lag({since}) OVER (PARTITION BY {who} ORDER BY {seen})"
    rows = f"(SELECT {who} AS who, {since} AS day, {before} AS before FROM {source})"
    other = "FILTER (day <> before)"
    return f"""SELECT count(day) FILTER (before IS NOT NULL), count(*) {other},
        count(DISTINCT who) {other} FROM {rows}"""


def moving_starts(
    connection: duckdb.DuckDBPyConnection, judged: Judged, part: CustomerPart
) -> tuple[str, bool] | None:
    """What is said of a date since when they're customers that becomes another one from one of a
    customer's snapshots to the next, and whether it is to be mended; None where it doesn't."""
    since, identity = part.tenure.since, part.identity
    if not (since and identity.snapshot and identity.id) or judged.lacks(identity.snapshot):
        return None
    try:
        who, day = judged.value(identity.id, "id"), judged.value(since, "tenure")
        seen = judged.value(identity.snapshot, "snapshot")
    except KeyError:
        return None  # a column is missing: said already
    query = moved(who, seen, day, f"{judged.name} WHERE {USED}")
    steps, others, customers = one(connection, query)
    if not others:
        return None
    said = (
        f"{judged.name}: {since} is another day than in the snapshot before in {others:,} of "
        f"{steps:,} rows, of {customers:,} customers"
    )
    if others > MOST_MOVED * steps:
        return f"{said}: tenure.since is the day on which they became customers", True
    return f"{said}: each row's tenure is since its own", False


def no_tenures(
    connection: duckdb.DuckDBPyConnection, judged: Judged, part: CustomerPart
) -> Iterator[str]:
    """The problem of rows whose months are none that somebody may have been a customer, with the
    first row's cells."""
    try:
        months = months_of(part, judged)
    except KeyError:
        return  # a column is missing: said already
    rows = f"(SELECT file, row, {months} AS m FROM {judged.name} WHERE {USED})"
    none = f"SELECT (file, row) FROM {rows} WHERE m IS NULL OR m < 0 OR floor(m) > {MAX_TENURE}"
    (wrong,) = one(connection, f"SELECT count(*) FROM ({none})")
    if wrong:
        tenure = part.tenure
        columns = columns_of(tenure.months) if tenure.months else [tenure.since or ""]
        first = with_first_row(connection, judged, columns, f"(file, row) IN ({none})")
        said = (
            f"{judged.name}: the tenure of {wrong:,} rows is unknown, negative or above "
            f"{MAX_TENURE:,} months"
        )
        yield Said(f"{said}; {first}", f"{said} ({', '.join(columns)})")
