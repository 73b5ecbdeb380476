"""Customers whom the history says to have left, and a table lists as active."""

from __future__ import annotations

import json
from collections.abc import Sequence

import duckdb

from churn_assets.customers.quality.judging import USED, Judged
from churn_assets.customers.quality.said import Said

MOST_IDS = 20
"""Ids in a rule that is told to be copied; where there are more, the JSON report has them."""
FEW = 3


def still_listed(
    connection: duckdb.DuckDBPyConnection,
    history: Judged,
    active: Judged,
    name: str,
    gone: str,
) -> tuple[list[str], list[str]]:
    """The problem of active customers who have left, if there are any, and the ids of all of them.

    Args:
        name: of the column of the ids.
        gone: SQL of whether the customer of the history's row has left.
    """
    found = connection.execute(
        f"""SELECT CAST({active.value(name, "id")} AS VARCHAR) AS who, count(*) FROM active
        WHERE {USED} AND {active.value(name, "id")} IN
            (SELECT {history.value(name, "id")} FROM history WHERE {USED} AND {gone})
        GROUP BY who ORDER BY who"""
    ).fetchall()
    if not found:
        return [], []
    said = (
        f"active: {sum(rows for _, rows in found):,} of the customers have left, says the history"
    )
    ids = [who for who, _ in found]
    return [Said(f"{said}{_whose(ids, name)}", said)], ids


def _whose(who: Sequence[str], column: str) -> str:
    """The first of them, and what can be done."""
    first = ", ".join(map(repr, who[:FEW]))
    named = who if len(who) <= MOST_IDS else who[:FEW]
    # In quotes, or 00044 were a number; JSON's are YAML's.
    listed = ", ".join(json.dumps(each, ensure_ascii=False) for each in named)
    all_named = len(named) == len(who)
    more = "" if all_named else ", …"
    where = "" if all_named else "; `churn customers check --json` has all of them: still_listed"
    return (
        f" ({'as ' if len(who) > FEW else ''}{first}): leave those who did out of the active "
        "table; of those who came back leave the history's rows out (tables.history.leave_out: "
        f"[{{column: {column}, values: [{listed}{more}], reason: came back}}]{where})"
    )
