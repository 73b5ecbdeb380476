"""Which columns of a judged table leak: features, and those from which nothing is learnt."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import duckdb

from churn_assets.customers.quality.columns import is_missing, number, text, trimmed, word
from churn_assets.customers.quality.hindsight import first_rows
from churn_assets.customers.quality.judging import USED, Judged
from churn_assets.customers.quality.leakage import Candidate, Leak, Role, find_leaks
from churn_assets.customers.quality.profile import profile
from churn_assets.customers.quality.workspace import one


@dataclass(frozen=True)
class Sought:
    """Of what a table's columns may know too much.

    Attributes:
        left: SQL of a row's outcome, BOOLEAN.
        rows: SQL of the rows whose outcome is known.
        who: SQL of what names a row's customer, or `row`.
        seen: SQL of the day of a row's snapshot; None where there are none.
        end: SQL of the day of a row's leaving; None where no date tells.
    """

    left: str
    rows: str
    who: str
    seen: str | None
    end: str | None


def leaks_of(
    connection: duckdb.DuckDBPyConnection,
    judged: Judged,
    missing: Collection[str],
    sought: Sought,
    left_out: Collection[str],
    mentioned: Collection[str],
) -> Iterator[Leak]:
    """The signs of a judged table's columns.

    Args:
        connection: of the workspace.
        judged: the table.
        missing: its cells that mean "unknown" beside the usual ones.
        sought: what they may know.
        left_out: columns that the contract leaves out.
        mentioned: all columns that the contract speaks of.
    """
    values = [f"{sought.who} AS row", f"{sought.left} AS outcome"]
    several = sought.who != "row"
    snapshots = several and sought.seen is not None
    if several and sought.seen is not None:
        values += first_rows(sought.who, sought.seen, sought.left, sought.end)
    candidates = []
    for i, column in enumerate(judged.columns):
        if "feature" in column.uses:
            numeric = column.reads == "number"
            candidates.append(Candidate(column.name, f"v{i}", numeric, "feature"))
            values.append(f"v{i}")
    source, marks = f"{judged.name} WHERE {USED}", judged.marks[0]
    for i, name in enumerate(judged.read.columns):
        out = name in left_out and not any(c.name == name for c in judged.columns)
        if out or name not in mentioned:
            found = profile(connection, source, name, f"c{i}", marks, missing)
            numeric = found.guess == "number"
            typed = number(f"c{i}", marks.of(name)) if numeric else trimmed(f"nullif(c{i}, '')")
            values.append(f"CASE WHEN NOT {is_missing(f'c{i}', missing)} THEN {typed} END AS u{i}")
            role: Role = "left_out" if out else "unused"
            candidates.append(Candidate(name, f"u{i}", numeric, role))
    binary = {}
    for i, first in _two_words(connection, judged):
        name = judged.read.columns[i]
        if not _is_label(judged, name):
            binary[name] = f"b{i}"
            values.append(f"{word(f'c{i}')} <> {text(first)} AS b{i}")
    made = f"{judged.name}_leaks"
    rows = f"(SELECT {', '.join(values)} FROM {judged.name} WHERE {sought.rows})"
    connection.execute(f"CREATE TABLE {made} AS {rows}")
    who = "accepts" if judged.name == "campaign" else "leaves"
    yield from find_leaks(
        connection, made, "outcome", candidates, binary, who, several, snapshots=snapshots
    )


def _two_words(connection: duckdb.DuckDBPyConnection, judged: Judged) -> Iterator[tuple[int, str]]:
    """The columns with two different words, and one of them."""
    words = [word(f"c{i}") for i in range(len(judged.read.columns))]
    sought = ", ".join(f"approx_count_distinct({w}), min({w})" for w in words)
    found = one(connection, f"SELECT {sought} FROM {judged.name} WHERE {USED}")
    for i, (count, first) in enumerate(zip(found[::2], found[1::2], strict=True)):
        if count == 2:
            yield i, first


def _is_label(judged: Judged, name: str) -> bool:
    return any(column.name == name and "label" in column.uses for column in judged.columns)
