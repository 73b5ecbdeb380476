"""Drift: how far the customers to be scored differ from those that models learn from."""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import duckdb
from scipy import special

NOTABLE = 0.25
"""Population stability index from which a column is another one (below 0.1: no change)."""
CHANCE = 0.001
"""How often the index may exceed `Drift.noise` where nothing has changed."""

_PARTS = 10


@dataclass(frozen=True)
class Drift:
    """One column's drift.

    Attributes:
        column: its name.
        psi: population stability index of its values, missing ones among them.
        missing_before, missing_now: shares.
        unseen: share of the active customers whose word the history doesn't have.
        parts: groups of values that the index compares.
        rows_before, rows_now: how many rows it compares.
    """

    column: str
    psi: float
    missing_before: float
    missing_now: float
    unseen: float
    parts: int
    rows_before: int
    rows_now: int

    def noise(self, looks: int = 1) -> float:
        """What the index exceeds by chance in one of 1,000 comparisons of `looks` columns each.

        Of two samples of one population it is (1 / before + 1 / now) times a chi-square variable
        with parts - 1 degrees of freedom: of few rows it is large where nothing has changed.
        """
        chance = CHANCE / looks
        reach = float(special.chdtri(max(self.parts - 1, 1), chance))
        return (1 / max(self.rows_before, 1) + 1 / max(self.rows_now, 1)) * reach


def drift(
    connection: duckdb.DuckDBPyConnection,
    column: str,
    before: tuple[str, str],
    now: tuple[str, str],
    numeric: bool,
) -> Drift:
    """The drift of a column between two tables, each given as (FROM …, SQL of its value)."""
    groups = "x"
    if numeric:
        steps = ", ".join(str(i / _PARTS) for i in range(1, _PARTS))
        [edges] = connection.execute(
            f"SELECT quantile_disc({before[1]}, [{steps}]) FROM {before[0]}"
        ).fetchone() or [None]
        ordered = sorted(set(edges or []))
        groups = (
            "CASE WHEN x IS NULL THEN -1 ELSE "
            + (" + ".join(f"(x > {edge!r}::DOUBLE)::INT" for edge in ordered) or "0")
            + " END"
        )
    rows = connection.execute(
        f"""SELECT {groups} AS part, bool_and(x IS NULL), count(*) FILTER (old) AS b,
          count(*) FILTER (NOT old) AS a
        FROM (SELECT {before[1]} AS x, true AS old FROM {before[0]}
              UNION ALL SELECT {now[1]} AS x, false AS old FROM {now[0]})
        GROUP BY part ORDER BY part"""
    ).fetchall()
    total_before, total_now = (sum(row[i] for row in rows) or 1 for i in (2, 3))
    psi = 0.0
    for _, _, b, a in rows:
        p, q = max(b, 0.5) / total_before, max(a, 0.5) / total_now
        psi += (q - p) * log(q / p)
    blank = [row for row in rows if row[1]]
    return Drift(
        column,
        psi,
        sum(row[2] for row in blank) / total_before,
        sum(row[3] for row in blank) / total_now,
        0.0 if numeric else sum(r[3] for r in rows if not r[2] and not r[1]) / total_now,
        len(rows),
        total_before,
        total_now,
    )
