"""Sentences that show cells or ids, and the same without those that may be personal.

`churn customers check` shows all of a sentence to whoever asks, and it is gone with the terminal.
Dagster's records keep what they are given, and no erasure reaches them: they get the other one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

import duckdb

from churn_assets.customers.quality.judging import Judged
from churn_assets.customers.quality.personal import is_sign
from churn_assets.domain.cells import listed_cells

WITHOUT_CELLS = "problems_without_cells"
"""The problems in a stored report as Dagster's records may keep them; absent where there are
none."""
SEE = "`churn customers check` shows which"


class Said(str):
    """A sentence with cells or ids in it; `recorded` is the same as Dagster's records may keep
    it."""

    recorded: str

    def __new__(cls, shown: str, recorded: str) -> Self:
        said = super().__new__(cls, shown)
        said.recorded = recorded
        return said


class Kept(str):
    """A sentence as Dagster's records may keep it, of which the command shows more."""


def recorded(sentences: Iterable[str]) -> list[str]:
    """The sentences as Dagster's records may keep them."""
    return [said.recorded if isinstance(said, Said) else said for said in sentences]


def recorded_line(sentences: Sequence[str]) -> str:
    """All of them in a line, with how to see more where there is more; `none` of none."""
    hidden = any(
        isinstance(said, Kept) or (isinstance(said, Said) and said != said.recorded)
        for said in sentences
    )
    return ("; ".join(recorded(sentences)) or "none") + (f" ({SEE})" if hidden else "")


def recorded_problems(stored: Mapping[str, Any]) -> list[str]:
    """The problems of a stored report; of one that an earlier version stored, how many there
    are."""
    shown = stored["problems"]
    if WITHOUT_CELLS not in stored:
        return [Kept(f"{len(shown):,} to mend")] if shown else []
    pairs = zip(shown, stored[WITHOUT_CELLS], strict=True)
    return [said if said == problem else Kept(said) for problem, said in pairs]


def customers_in(judged: Judged) -> str:
    """SQL: of how many customers a group of a table's rows is. Each has several in a history with
    snapshots; where no column names them, a row is one."""
    ids = [f"v{i}" for i, column in enumerate(judged.columns) if "id" in column.uses]
    return f"count(DISTINCT {ids[0]})" if ids else "count(*)"


def levels(connection: duckdb.DuckDBPyConnection, found: Sequence[tuple[str, int, int]]) -> str:
    """Cells, each with how many rows have it, as `listed_cells`: without those that may be about
    single people (`is_sign`), of which it says how many there are.

    Args:
        found: cell, its rows, and of how many customers (`customers_in`) they are.
    """
    cells, people = [cell for cell, *_ in found], [customers for *_, customers in found]
    pairs = "SELECT trim(unnest(?)) AS t, unnest(?) AS n, unnest(?) AS cell"
    query = f"SELECT cell FROM ({pairs}) WHERE {is_sign()}"
    signs = {cell for (cell,) in connection.execute(query, [cells, people, cells]).fetchall()}
    shown = [(cell, rows) for cell, rows, _ in found if cell in signs]
    others = len(found) - len(shown)
    hidden = [f"{others:,} different cells" if others > 1 else "a cell"] if others else []
    return " and ".join([*([listed_cells(shown)] if shown else []), *hidden])
