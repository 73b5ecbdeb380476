"""Who of a table's rows left: by a label of the company's, or by the date of their leaving.

Where customers are in several snapshots, a date says of each snapshot whether they left within the
contract's horizon after it: of a customer who left in June, January's snapshot is of one who
stayed, though a master table writes June into every row.

A date that is still to come, as the end of a contract that was cancelled for next year, or
9999-12-31 for none, is of a customer who is active today.
"""

from __future__ import annotations

from collections.abc import Iterator

import duckdb

from churn_assets.customers.contract.model import Identity
from churn_assets.customers.quality.judging import USED, Judged
from churn_assets.customers.quality.workspace import one
from churn_assets.customers.schema import HORIZON_DAYS_A_MONTH

FEW = 0.1
"""Of those who left: how many may have done so earlier than a horizon ago."""


def has_left(identity: Identity, judged: Judged) -> str:
    """SQL of whether a row's customer left, BOOLEAN.

    Raises:
        KeyError: a column isn't there.
    """
    churned = identity.churned
    if churned.column:
        return judged.value(churned.column, "label")
    end = judged.value(churned.end_date or "", "label")
    if not identity.snapshot:
        return f"coalesce({happened(end)}, false)"
    seen = judged.value(identity.snapshot, "snapshot")
    return f"coalesce({end} <= {horizon_away(identity, seen, 1)}, false)"


def gone_by_now(identity: Identity, judged: Judged) -> str | None:
    """SQL of whether a row's customer had left by the table's last snapshot, whatever its own was,
    and has not come back; None where no date tells.

    Whoever has a later snapshot, of a day after the row's end, with no end or a later one, is back:
    a copy of the old end in a later snapshot, as a master table has it, is none of a return, and
    nor is an earlier snapshot of a day that the end, entered late, is before.

    Raises:
        KeyError: a column isn't there.
    """
    dates = end_and_snapshot(identity, judged)
    if dates is None:
        return None
    end, seen = dates
    name, who = judged.name, judged.value(identity.id or "", "id")
    last = f"(SELECT max({seen}) FROM {name})"
    back = f"""(SELECT max({seen}) FROM {name} AS again WHERE {USED}
        AND again.{who} = {name}.{who} AND again.{seen} > {name}.{seen}
        AND coalesce({end} > {seen}, true))"""
    return f"coalesce({end} <= {last} AND coalesce({back} <= {end}, true), false)"


def still_to_come(identity: Identity, judged: Judged) -> str | None:
    """SQL of whether a row's customer is still to leave, on a day that is known; None where no
    date tells.

    Raises:
        KeyError: a column isn't there.
    """
    if not identity.churned.end_date:
        return None
    return f"coalesce(NOT {happened(judged.value(identity.churned.end_date, 'label'))}, false)"


def happened(end: str) -> str:
    """SQL of whether a leaving is not still to come, null where there is none; `end`: its day."""
    return f"({end} <= current_date)"


def latest_leaving(end: str) -> str:
    """SQL of the table's latest leaving that is not still to come; `end`: SQL of a row's."""
    return f"max({end}) FILTER ({happened(end)}) OVER ()"


def leavings_to_come(
    connection: duckdb.DuckDBPyConnection, judged: Judged, identity: Identity
) -> Iterator[str]:
    """The note of rows whose customers are still to leave: they are active until then."""
    if (to_come := still_to_come(identity, judged)) is None:
        return
    column = identity.churned.end_date or ""
    query = f"""SELECT count(*), CAST(min({judged.value(column, "label")}) AS VARCHAR)
        FROM {judged.name} WHERE {USED} AND {to_come}"""
    count, first = one(connection, query)
    if count:
        yield (
            f"{judged.name}: {column} is still to come in {count:,} rows (the first is {first}): "
            "their customers count as active"
        )


def unlike_leavings(
    connection: duckdb.DuckDBPyConnection, judged: Judged, identity: Identity
) -> Iterator[str]:
    """The problems of dates of leaving that the contract's horizon doesn't go with."""
    yield from _long_gone(connection, judged, identity)
    yield from _long_ago(connection, judged, identity)


def _long_gone(
    connection: duckdb.DuckDBPyConnection, judged: Judged, identity: Identity
) -> Iterator[str]:
    """The problem of rows whose customers had left before their snapshot, by more than a horizon.

    Nearer ones are let be: some companies list who left during a month at its end.
    """
    dates = end_and_snapshot(identity, judged)
    if dates is None:
        return
    end, seen = dates
    query = f"""SELECT count(*) FROM {judged.name}
        WHERE {USED} AND {end} < {horizon_away(identity, seen, -1)}"""
    if gone := int(one(connection, query)[0]):
        yield (
            f"{judged.name}: {gone:,} rows are of customers who had left more than "
            f"{identity.horizon_months:g} months before their snapshot: a table has a customer's "
            "snapshots up to the one after which they left"
        )


def _long_ago(
    connection: duckdb.DuckDBPyConnection, judged: Judged, identity: Identity
) -> Iterator[str]:
    """The problem of a table without snapshots whose customers left in the course of more than a
    horizon: what is learnt would be the risk of ever leaving, told as that of the horizon."""
    if identity.snapshot or not identity.churned.end_date:
        return
    end = judged.value(identity.churned.end_date, "label")
    query = f"""WITH gone AS (
            SELECT {end} AS day, {latest_leaving(end)} AS last
            FROM {judged.name} WHERE {USED} AND {happened(end)})
        SELECT count(*) FILTER (day < {horizon_away(identity, "last", -1)}), count(*), min(day),
            any_value(last), any_value({horizon_away(identity, "last", -1)}) FROM gone"""
    early, left, first, last, since = one(connection, query)
    if early > FEW * left:
        yield (
            f"{judged.name}: {early:,} of the {left:,} who left did so more than "
            f"{identity.horizon_months:g} months before {last:%Y-%m-%d}, the first on "
            f"{first:%Y-%m-%d}: best give each customer a row for each month until they left "
            "(identity.snapshot; docs/own-data.md, One table of today). Or leave those out "
            f"(tables.{judged.name}.leave_out: [{{column: {identity.churned.end_date}, before: "
            f"{since:%Y-%m-%d}, reason: left long ago}}]), where enough are left to learn from; or "
            "set horizon_months to all that time, for the risk of leaving within it"
        )


def end_and_snapshot(identity: Identity, judged: Judged) -> tuple[str, str] | None:
    """SQL of the days of a row's leaving and of its snapshot; None where the contract lacks one.

    Raises:
        KeyError: a column isn't there.
    """
    if not (identity.churned.end_date and identity.snapshot):
        return None
    end = judged.value(identity.churned.end_date, "label")
    return end, judged.value(identity.snapshot, "snapshot")


def horizon_away(identity: Identity, seen: str, sign: int) -> str:
    """SQL of the day that is a horizon after (1) or before (-1) a snapshot. From the last day of a
    month it is the last day of another: contracts end then."""
    months = sign * identity.horizon_months
    if months != int(months):
        return f"({seen} + INTERVAL ({round(HORIZON_DAYS_A_MONTH * months)}) DAY)"
    day = f"({seen} + INTERVAL ({int(months)}) MONTH)"
    return f"(CASE WHEN {seen} = last_day({seen}) THEN last_day({day}) ELSE {day} END)"
