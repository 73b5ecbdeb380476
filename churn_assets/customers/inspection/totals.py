"""Lines that add a table up, at the end of what a spreadsheet exported: they are nobody's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from churn_assets.customers.headings import folded, plain
from churn_assets.customers.quality.columns import trimmed

_LAST = 3  # lines of a file that are looked at
_BLANK = 0.5  # of a line's cells, at least
_WORDS = frozenset({
    "total", "totals", "grand total", "sum", "summe", "gesamt", "gesamtsumme", "insgesamt",
    "total general", "somme", "suma", "totaal", "totale", "totale generale", "soma", "totalt",
    "summa", "i alt",
})  # fmt: skip


@dataclass(frozen=True)
class Totals:
    """The lines that add a table up: those whose cell of a column is one of some words."""

    column: str
    words: tuple[str, ...]

    @property
    def question(self) -> str:
        """What a person must decide."""
        return f"is {', '.join(self.words)} in {self.column} the line of the total?"


def take_out_totals(connection: duckdb.DuckDBPyConnection, columns: Sequence[str]) -> Totals | None:
    """Take the lines that add up out of the table `cells`, whose column i is `c{i}`.

    They are among the last of a file, and mostly blank, and their first cell says it, as no other
    line's of that column does.
    """
    cells = [trimmed(f"coalesce(c{i}, '')") for i in range(len(columns))]
    ends = connection.execute(
        f"""SELECT {", ".join(cells)} FROM cells JOIN
              (SELECT file, max(row) AS last FROM cells GROUP BY file) USING (file)
            WHERE row > last - {_LAST}"""
    ).fetchall()
    found: dict[int, set[str]] = {}
    for line in ends:
        first = next((i for i, cell in enumerate(line) if cell), None)
        if first is None or sum(not cell for cell in line) < _BLANK * len(line):
            continue
        if folded(plain(line[first])) in _WORDS:
            found.setdefault(first, set()).add(line[first])
    if len(found) != 1:
        return None
    [(place, words)] = found.items()
    where = f"list_contains(?, {cells[place]})"
    told = [sorted(words)]
    [(had,)] = connection.execute(f"SELECT count(*) FROM cells WHERE {where}", told).fetchall()
    if had > sum(line[place] in words for line in ends):
        return None
    connection.execute(f"DELETE FROM cells WHERE {where}", told)
    return Totals(columns[place], tuple(sorted(words)))
