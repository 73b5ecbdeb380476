"""Sentences that show cells or ids, and the same without those that may be personal.

`churn customers check` shows all of a sentence to whoever asks, and it is gone with the terminal.
Dagster's records keep what they are given, and no erasure reaches them: they get the other one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

import duckdb

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


def recorded(sentences: Iterable[str]) -> list[str]:
    """The sentences as Dagster's records may keep them."""
    return [said.recorded if isinstance(said, Said) else said for said in sentences]


def recorded_line(sentences: Sequence[str]) -> str:
    """All of them in a line, with how to see more; `none` of none."""
    return f"{'; '.join(recorded(sentences))} ({SEE})" if sentences else "none"


def recorded_problems(stored: Mapping[str, Any]) -> list[str]:
    """The problems of a stored report; of one that an earlier version stored, how many there
    are."""
    count = len(stored["problems"])
    unsaid = [f"{count:,} to mend"] if count else []
    return list(stored.get(WITHOUT_CELLS, unsaid))


def levels(connection: duckdb.DuckDBPyConnection, found: Sequence[tuple[str, int]]) -> str:
    """Cells, each with how many rows have it, as `listed_cells`: without those that may be about
    single people (`is_sign`), of which it says how many there are."""
    cells, rows = [cell for cell, _ in found], [count for _, count in found]
    pairs = "SELECT trim(unnest(?)) AS t, unnest(?) AS n, unnest(?) AS cell"
    query = f"SELECT cell FROM ({pairs}) WHERE {is_sign()}"
    signs = {cell for (cell,) in connection.execute(query, [cells, rows, cells]).fetchall()}
    shown = [(cell, count) for cell, count in found if cell in signs]
    others = len(found) - len(shown)
    hidden = [f"{others:,} different cells" if others > 1 else "a cell"] if others else []
    return " and ".join([*([listed_cells(shown)] if shown else []), *hidden])
