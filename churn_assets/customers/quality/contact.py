"""Opt-outs and consents that can't be read: whom they keep out of campaigns, and what to write."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb

from churn_assets.customers.contract.people import Contact
from churn_assets.customers.quality.columns import (
    contact_flags,
    listed,
    trimmed,
    unclear_cell,
    word,
)
from churn_assets.customers.quality.judging import USED, Judged
from churn_assets.customers.quality.said import Said, customers_in, levels
from churn_assets.customers.quality.workspace import one
from churn_assets.domain.cells import listed_cells

_COUNTS_AS = {True: "opted out", False: "without consent"}


def unclear_flags(
    connection: duckdb.DuckDBPyConnection, judged: Judged, contact: Contact
) -> Iterator[str]:
    """The problem that cells are neither yes nor no, of each flag that has such cells."""
    for flag, column in contact_flags(contact):
        if column.name not in judged.read.columns:
            continue  # said already
        cell = f"c{judged.read.columns.index(column.name)}"
        said = trimmed(f"coalesce({cell}, '')")
        found = connection.execute(
            f"SELECT {said}, count(*), {customers_in(judged)} FROM {judged.name} "
            f"WHERE {USED} AND {unclear_cell(column, cell)} GROUP BY 1 ORDER BY 2 DESC, 1"
        ).fetchall()
        if not found:
            continue
        where = f"{judged.name}: {flag.said.column}:"
        asked = (
            f"neither yes nor no: {sum(rows for _, rows, _ in found):,} rows count as "
            f"{_COUNTS_AS[flag.forbids]}; write in the contract what they mean: {flag.key}.yes: "
            "[...], no: [...]"
        )
        yield Said(
            f"{where} {listed_cells([each[:2] for each in found])} {asked}",
            f"{where} {levels(connection, found)} {asked}",
        )


def yes_of_nobody(
    connection: duckdb.DuckDBPyConnection, judged: Judged, contact: Contact
) -> Iterator[str]:
    """What is worth knowing: a flag whose yes is in no row, of which nobody may have made use.

    Where no row can be used, something else is wrong.
    """
    if not judged.used:
        return
    for flag, column in contact_flags(contact):
        if column.name not in judged.read.columns:
            continue  # said already
        cell = f"c{judged.read.columns.index(column.name)}"
        yes = f"{word(cell)} IN {listed(column.yes)}"
        query = f"SELECT count(*) FROM {judged.name} WHERE {USED} AND {yes}"
        if not one(connection, query)[0]:
            yield (
                f"{judged.name}: {flag.said.column}: no row says {', '.join(flag.said.yes)}: is "
                f"{flag.key}.yes right?"
            )
