"""The ids of a table, and whether the active customers' are written as the history's: or no
customer is known again."""

from __future__ import annotations

import duckdb

from churn_assets.customers.contract.model import Identity
from churn_assets.customers.quality.columns import one_spaced, text
from churn_assets.customers.quality.judging import DIFFER, SPLIT, USED, Judged
from churn_assets.customers.quality.said import Said
from churn_assets.customers.quality.workspace import one

FEW = 0.5
"""Of the active customers: how many no snapshot may have had, and how many ids may not reach that
differ by zeros: those of single customers may, where a company has both."""


def named_by(judged: Judged, column: str | None) -> str:
    """SQL of what names a row's customer: the `column` of ids where they may have several rows;
    else (None), and where the table lacks the column, `row`, the row itself."""
    if column is None or one_spaced(column) not in judged.read.columns:
        return "row"
    return judged.value(column, "id")


def every_id(
    connection: duckdb.DuckDBPyConnection, judged: Judged, value: str, column: str | None
) -> list[str]:
    """The ids of a table's rows, each once and in order: also of those that are left out, doubled
    or refused, unless it's for their id.

    Args:
        value: SQL of the id, as text.
        column: that it is read from; None where rows have none.
    """
    said = f"starts_with(p, {text(one_spaced(column or '') + SPLIT)})"
    wrong = f"len(list_filter(problems, lambda p: {said} AND NOT ends_with(p, {text(DIFFER)}))) > 0"
    rows = " UNION ".join(
        f"SELECT {value} AS id FROM {table} WHERE NOT coalesce({wrong}, false)"
        for table in (judged.name, f"{judged.name}_left_out")
    )
    found = connection.execute(f"SELECT id FROM ({rows}) WHERE id IS NOT NULL ORDER BY id")
    return [customer for (customer,) in found.fetchall()]


def other_ids(
    connection: duckdb.DuckDBPyConnection, history: Judged, active: Judged, identity: Identity
) -> tuple[list[str], list[str]]:
    """The problem, or of few the note, of ids that differ from the history's by leading zeros
    alone; or else the note, of a history of snapshots, that few of the active customers were ever
    in it; with an example of each side. Problems and notes."""
    name = one_spaced(identity.id or "")
    if name not in history.read.columns or name not in active.read.columns:
        return [], []  # there are no ids, or that is said already

    def ids(judged: Judged) -> str:
        value = f"CAST({judged.value(name, 'id')} AS VARCHAR)"
        rows = f"SELECT DISTINCT {value} AS id FROM {judged.name} WHERE {USED}"
        return f"SELECT id, ltrim(id, '0') AS bare FROM ({rows}) WHERE id IS NOT NULL"

    query = f"""WITH before AS ({ids(history)}), now AS ({ids(active)}),
        others AS (SELECT * FROM now WHERE id NOT IN (SELECT id FROM before)),
        alike AS (SELECT others.id AS id, min(before.id) AS as_before
            FROM others JOIN before USING (bare) GROUP BY 1)
        SELECT (SELECT count(*) FROM now), (SELECT count(*) FROM others), (SELECT min(id) FROM
            others), (SELECT min(id) FROM before), (SELECT count(*) FROM alike),
            (SELECT min((id, as_before)) FROM alike)"""
    known, others, first, before, alike, pair = one(connection, query)
    if alike:
        which = (
            f"active: {alike:,} of {known:,} ids differ from the history's by leading zeros alone"
        )
        asked = (
            "are they the same customers? Write both alike, or nothing that is known of one holds "
            "for the other"
        )
        said = Said(f"{which}, as {pair[0]!r} and {pair[1]!r}: {asked}", f"{which}: {asked}")
        return ([said], []) if alike >= FEW * known else ([], [said])
    if identity.snapshot and others > FEW * known:
        asked = (
            f"active: {known - others:,} of {known:,} customers were ever in the history's "
            "snapshots: are the ids written alike?"
        )
        said = Said(f"{asked} Here they are as {first!r}, there as {before!r}", asked)
        return [], [said]
    return [], []
