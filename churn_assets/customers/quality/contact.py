"""Opt-outs and consents that can't be read, or that the contract doesn't ask: whom they keep out of
campaigns, and what to write."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import duckdb

from churn_assets.customers.contract.model import Contract
from churn_assets.customers.contract.people import Contact
from churn_assets.customers.headings import may_refuse, says
from churn_assets.customers.quality.columns import (
    contact_flags,
    is_missing,
    listed,
    one_spaced,
    trimmed,
    unclear_cell,
    word,
)
from churn_assets.customers.quality.judging import USED, Judged
from churn_assets.customers.quality.report import QualityReport
from churn_assets.customers.quality.said import Said, customers_in, levels
from churn_assets.customers.quality.workspace import one
from churn_assets.domain.cells import listed_cells

MOST_CELLS = 12  # of a column that may say who may be contacted, though more than two
UNDECIDED = "may say who may be contacted: never learnt from"
"""Why a first contract leaves out a column that nobody has decided about."""

_COUNTS_AS = {True: "opted out", False: "without consent"}
_LEARNT = (
    "{where}: the feature {name} seems to say who may be contacted: that is no reason to leave, "
    "and what customers said of being contacted may not be processed to tell whether they will. "
    "Take it out of features"
)
_UNASKED = "{where}: {name} seems to say who may be contacted, and keeps nobody out"
_WRITE = (
    "write contact: {{opt_out: {{column: {name}, yes: [...], no: [...]}}}}, or consent: in place "
    "of opt_out:, whichever its yes means"
)
_OR_WHY = "; if it says neither, write under left_out what it is, in words of your own"


def judge_flags(
    connection: duckdb.DuckDBPyConnection,
    judged: Judged,
    contract: Contract,
    mentioned: Collection[str],
    report: QualityReport,
) -> None:
    """Add to a report what is to be said of a table's opt-outs and consents.

    Args:
        mentioned: columns that the contract speaks of.
    """
    contact = contract.contact
    report.problems += unclear_flags(connection, judged, contact)
    report.notes += yes_of_nobody(connection, judged, contact)
    asked = {column.name for _, column in contact_flags(contact)}
    features = {column.name for column in judged.columns if "feature" in column.uses}
    left_out = {one_spaced(name): why for name, why in contract.left_out.items()}
    for name in _like_flags(connection, judged, contract):
        said = {"where": judged.name, "name": name}
        unasked, write = _UNASKED.format(**said), _WRITE.format(**said)
        if name in features:
            then = "" if name in asked else f", and {write}: now it keeps nobody out"
            report.notes.append(_LEARNT.format(**said) + then)
        elif name in asked:
            continue
        elif left_out.get(name) == UNDECIDED:
            report.problems.append(f"{unasked}: {write}{_OR_WHY}")
        elif name not in mentioned:
            report.notes.append(f"{unasked}: {write}{_OR_WHY}")


def _like_flags(
    connection: duckdb.DuckDBPyConnection, judged: Judged, contract: Contract
) -> Sequence[str]:
    """The columns whose heading says that somebody may be contacted, or may not, and whose cells
    may be yes and no: a consent's date isn't one."""
    names = [name for name in judged.read.columns if _is_called_so(name)]
    tables = contract.tables
    missing = () if tables is None else (tables.active or tables.history).missing
    found = []
    for name in names:
        cell = f"c{judged.read.columns.index(name)}"
        query = (
            f"SELECT count(DISTINCT {word(cell)}) FROM {judged.name} "
            f"WHERE {USED} AND NOT {is_missing(cell, missing)}"
        )
        if 0 < one(connection, query)[0] <= MOST_CELLS:
            found.append(name)
    return found


def _is_called_so(name: str) -> bool:
    return says(name, "opt_out") or says(name, "consent") or may_refuse(name)


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
