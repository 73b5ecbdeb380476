"""Whose outcome is known: the rows of a table that models learn from and are tried on.

Whether somebody leaves within the horizon after a snapshot is known when that horizon is over. In
an export of two weeks after its newest snapshot most who will leave have no date yet: as stayers
they would teach a rate that is far too low. So all rows of such a snapshot are left out, those of
who has left already as well: these alone would make the rate too high. They go on telling who is
active.

| outcome told by | rows whose outcome is known |
|---|---|
| a column of yes and no | all |
| a date of leaving, without snapshots | all |
| a date of leaving, with snapshots | of snapshots whose horizon is over by the table's last day |

The table's last day is the latest of its newest snapshot, of the leavings within a horizon that are
not still to come, and of the day up to which the contract says that it tells of all (`until`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import duckdb
import numpy as np

from churn_assets.customers.contract.model import Identity
from churn_assets.customers.quality.judging import USED, Judged
from churn_assets.customers.quality.leaving import (
    end_and_snapshot,
    happened,
    has_left,
    horizon_away,
)
from churn_assets.customers.quality.workspace import one
from churn_assets.customers.splits import periods

GRACE_DAYS = 3
"""Days at the end of each month of a horizon that the table need not tell of, a tenth: there are
days on which nobody leaves, and months end on weekends. Snapshots of the last working days of
January and February are 28 days apart, with a horizon of a month."""
MOST = 0.5
"""The share of a table's rows beyond which leaving them out is to be mended."""


@dataclass(frozen=True)
class Outcome:
    """What is known of who left.

    Attributes:
        left: SQL of whether a row's customer left (or accepted, in a campaign), BOOLEAN.
        rows: SQL of the rows whose outcome is known.
        end: SQL of the day of a row's leaving; None where no date tells.
        left_out: reason -> other rows that could be used; empty where there are none.
        notes: why, in a sentence; or none.
        problems: the same with what to do, where too little is left; or none.
    """

    left: str
    rows: str = USED
    end: str | None = None
    left_out: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def outcome_known(identity: Identity, judged: Judged) -> str:
    """SQL of the rows of a table whose outcome is known, of those that can be used.

    Raises:
        KeyError: a column isn't there.
    """
    dates = end_and_snapshot(identity, judged)
    if dates is None:
        return USED
    grace = int(GRACE_DAYS * identity.horizon_months)
    until = horizon_away(identity, dates[1], 1)
    return f"{USED} AND {until} <= {_last_day(identity, judged, dates)} + INTERVAL ({grace}) DAY"


def outcome_of(
    connection: duckdb.DuckDBPyConnection, judged: Judged, identity: Identity
) -> Outcome:
    """Who of a history left, and of which rows that is known.

    Raises:
        KeyError: a column isn't there.
    """
    left, rows = has_left(identity, judged), outcome_known(identity, judged)
    dates = end_and_snapshot(identity, judged)
    if dates is None:
        return Outcome(left)
    end, seen = dates
    known, over = f"({rows})", horizon_away(identity, seen, 1)
    query = f"""SELECT count(*) FILTER (NOT {known}), count(*), min({seen}) FILTER (NOT {known}),
            max({over}), any_value({_last_day(identity, judged, dates)}), {happened(f"max({over})")}
        FROM {judged.name} WHERE {USED}"""
    unknown, of, first, until, day, past = one(connection, query)
    if not unknown:
        return Outcome(left, end=end)
    months = f"horizon of {identity.horizon_months:g} months"
    said = (
        f"{judged.name}: {unknown:,} of {of:,} rows, those of snapshots from {first:%Y-%m-%d} on, "
        f"are neither learnt from nor tried on: their {months} isn't over by {day:%Y-%m-%d}, the "
        "last day that the table tells of"
    )
    left_out = {f"{months} not over by {day:%Y-%m-%d}": unknown}
    if lacking := _lacking(connection, judged, identity, rows, unknown / of):
        to_say = (
            f"say until: {until:%Y-%m-%d} beside end_date in the contract if the table tells of "
            "all leavings up to then; or else "
        )
        mend = (
            "add earlier snapshots, set horizon_months to less, or take a table that tells of all "
            f"leavings up to {until:%Y-%m-%d}"
        )
        problem = f"{said}; {lacking}: {to_say if past else ''}{mend}"
        return Outcome(left, rows, end, left_out, problems=(problem,))
    return Outcome(
        left, rows, end, left_out, notes=(f"{said}; who is active doesn't change by that",)
    )


def _lacking(
    connection: duckdb.DuckDBPyConnection,
    judged: Judged,
    identity: Identity,
    rows: str,
    share: float,
) -> str:
    """What there is too little of without a `share` of the rows, in words; empty where enough is
    left."""
    who = judged.value(identity.id or "", "id")
    seen = judged.value(identity.snapshot or "", "snapshot")
    query = (
        f"SELECT {who} AS ids, {seen} AS days, ({rows}) AS known FROM {judged.name} WHERE {USED}"
    )
    found = connection.execute(query).df()
    known = found["known"].to_numpy(bool)
    months = periods(found["ids"].to_numpy(), found["days"].to_numpy())
    if not known.any():
        return "nothing is left"
    if len(np.unique(months)) > 1 == len(np.unique(months[known])):
        return "one snapshot is left, and none to try the model on later"
    return "less than half is left" if share > MOST else ""


def _last_day(identity: Identity, judged: Judged, dates: tuple[str, str]) -> str:
    """SQL of the last day that a table with `dates` of leaving and snapshots tells of.

    A leaving beyond its own row's horizon doesn't count: in a table that isn't new it may be one
    that had been announced. Nor does a day of the contract's count before it is there.
    """
    end, seen = dates
    until = identity.churned.until
    told = f", least(DATE '{until}', current_date)" if until else ""
    within = f"{end} <= {horizon_away(identity, seen, 1)} AND {happened(end)}"
    return (
        f"(SELECT greatest(max({seen}), max({end}) FILTER ({within}){told}) "
        f"FROM {judged.name} WHERE {USED})"
    )
