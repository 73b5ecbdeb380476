"""Hindsight: what was filled in once customers had left, and joined onto all of their snapshots.

A reason for leaving that stands beside the customer, not beside the day, is in rows of months
before: among the rows of those who "stayed" then, so that no sign by a row's own outcome sees it.
Customers' first snapshots do, of those who didn't leave within the horizon after it: a column
knows too much if it is given there (or missing, or has one certain value)

- for a tenth of those who left later, at least;
- hardly for anybody else: for a twentieth, at most, of how many it would be if those who have it
  left as often as all whose first snapshot is of the same month, which chance would do less than
  once in 10,000 times (Poisson: an upper bound for independent customers; times the values tried);
  and
- from the first: of those who left later and have it in any snapshot, nine in ten have it in theirs
  already. A notice, or a renewal that is switched off, is so from some snapshot on.

What helps to foresee, as complaints do, is had by some who stay. By the months of first snapshots,
since of those who were there first the most have left: an old tariff or a column that ended is
theirs.

The other way round, what was given to all who were still there, as a rise of prices, and joined
onto their months before, is had by survivors: nobody who has it left until then, and afterwards
they do (`had_by_survivors`).
"""

from __future__ import annotations

import duckdb
from scipy.special import pdtr

CHANCE = 1e-4
OF_LEAVERS = 0.1
OF_EXPECTED = 0.05
FROM_THE_FIRST = 0.9
OF_ROWS = 0.1
AS_THE_OTHERS = 0.5
"""Of the rate of all: at least so often those leave afterwards who were survivors before. Whom
something protects, such as a minimum term without end, leave more seldom than that."""
YEARS = 10
"""An end that is further away is none: 9999-12-31."""


def first_rows(who: str, seen: str, left: str, end: str | None = None) -> tuple[str, str]:
    """SQL of two columns: `later`, whether a row's customer left later than within the horizon
    after it, null in any row but their first, and where they left within it; and the row's `month`.

    Args:
        who: SQL of what names a row's customer.
        seen: of the row's snapshot, DATE.
        left: of whether the customer left within the horizon after it, BOOLEAN.
        end: of the day on which they leave, DATE; without it any of a customer's rows that has
            `left` tells.
    """
    gone = f"coalesce({end} <= current_date + INTERVAL {YEARS} YEAR, false)" if end else left
    first = f"row_number() OVER (PARTITION BY {who} ORDER BY {seen}) = 1"
    ever = f"bool_or({gone}) OVER (PARTITION BY {who})"
    later = f"CASE WHEN {first} AND NOT ({left}) THEN {ever} END AS later"
    return later, f"date_trunc('month', {seen}) AS month"


def known_too_early(connection: duckdb.DuckDBPyConnection, source: str, value: str) -> str:
    """Why a column seems to have been filled in afterwards, with the figures; empty where it
    doesn't.

    Args:
        connection: of the workspace.
        source: a table that has the columns of `first_rows`, and `row`, whose row it is.
        value: SQL of the column's values there.
    """
    found = connection.execute(
        f"""WITH first AS (
              SELECT {value} AS v, later,
                     avg(CAST(NOT later AS INT)) OVER (PARTITION BY month) AS staying
              FROM {source} WHERE later IS NOT NULL),
            counted AS (
              SELECT v, count(*) AS n, count(*) FILTER (later) AS k, sum(staying) AS s,
                     sum(count(*) FILTER (later)) OVER () AS leavers
              FROM first GROUP BY v)
        SELECT CASE WHEN v IS NULL THEN 'is missing' ELSE 'is given' END AS how,
               sum(n), sum(k), sum(s), 1, any_value(leavers), NULL FROM counted GROUP BY how
        UNION ALL
        SELECT 'has one value', n, k, s, count(*) OVER (), leavers, v FROM counted
        WHERE v IS NOT NULL QUALIFY k > 0 AND k >= {OF_LEAVERS} * leavers
        ORDER BY how DESC, 2 DESC"""
    ).fetchall()
    for how, rows, later, staying, tried, leavers, which in found:
        stayed = rows - later
        if not later or later < OF_LEAVERS * leavers or stayed > OF_EXPECTED * staying:
            continue
        if tried * pdtr(stayed, staying) >= CHANCE:
            continue
        has = {"is missing": f"{value} IS NULL", "is given": f"{value} IS NOT NULL"}.get(how)
        told = [] if has else [which]
        has = has or f"coalesce({value} = ?, false)"
        if _is_from_the_first(connection, source, has, told, "bool_or(later)"):
            return (
                f"in first snapshots, longer than the horizon before a leaving, it {how} for "
                f"{rows:,} customers, of whom {later:,} left later; of as many of the same months "
                f"{rows - staying:,.0f} did"
            )
    return ""


def had_by_survivors(connection: duckdb.DuckDBPyConnection, source: str, value: str) -> str:
    """Why a column seems to have been given to those who were still there, and written onto their
    earlier months; empty where it doesn't.

    One of its values is had in a tenth of the rows before some month, at least; of those rows a
    twentieth, at most, of how many would be if they were as the others of their months are followed
    by a leaving, which chance would do less than once in 10,000 times (as `known_too_early`); from
    that month on at least half as many as would be; and nine in ten of who ever have it do in their
    first snapshot. It is a suspicion: whom a contract of a year bound who all joined at once look
    the same. What fewer rows have than a tenth of the first month's is passed over before all that:
    amounts have about as many values as rows.

    Args:
        connection: of the workspace.
        source: a table that has the columns of `first_rows`, `row`, and whether it is followed by a
            leaving within the horizon, `outcome`.
        value: SQL of the column's values there.
    """
    found = connection.execute(
        f"""WITH months AS (
              SELECT month, count(*) AS rows, avg(CAST(outcome AS INT)) AS rate,
                     sum(count(*)) OVER (ORDER BY month) AS of_all FROM {source}
              WHERE outcome IS NOT NULL GROUP BY month),
            frequent AS (
              SELECT {value} AS v FROM {source} WHERE outcome IS NOT NULL AND {value} IS NOT NULL
              GROUP BY v HAVING count(*) >= {OF_ROWS} * (SELECT min(of_all) FROM months)),
            had AS (
              SELECT {value} AS v, month, count(*) AS n, count(*) FILTER (outcome) AS k
              FROM {source} WHERE outcome IS NOT NULL AND {value} IN (FROM frequent)
              GROUP BY v, month),
            run AS (
              SELECT v, month, of_all, sum(n) OVER before AS n, sum(k) OVER before AS k,
                     sum(n * rate) OVER before AS e, sum(k) OVER every AS all_k,
                     sum(n * rate) OVER every AS all_e, count(*) OVER () AS tried
              FROM had JOIN months USING (month)
              WINDOW before AS (PARTITION BY v ORDER BY month), every AS (PARTITION BY v))
        SELECT v, month, k, e, all_k - k, tried FROM run WHERE k <= {OF_EXPECTED} * e
        QUALIFY month = max(month) OVER (PARTITION BY v)
          AND n >= {OF_ROWS} * of_all AND all_k > k
          AND all_k - k >= {AS_THE_OTHERS} * (all_e - e)"""
    ).fetchall()
    for which, until, left, expected, since, tried in found:
        if tried * pdtr(left, expected) >= CHANCE:
            continue
        has = f"coalesce({value} = ?, false)"
        if _is_from_the_first(connection, source, has, [which], "true"):
            return (
                f"of who has one value of it {left:,} left after snapshots up to {until:%Y-%m}, of "
                f"as many others of the same months {expected:,.0f}, and {since:,} left since: it "
                "may have been written down then, and joined onto the months before"
            )
    return ""


def _is_from_the_first(
    connection: duckdb.DuckDBPyConnection, source: str, has: str, told: list[object], of: str
) -> bool:
    """Whether customers have something from their first snapshot on, or came to it.

    Args:
        has: SQL of whether a row has it, BOOLEAN.
        told: its parameters.
        of: SQL of which customers, an aggregate of their rows.
    """
    [(first, ever)] = connection.execute(
        f"""SELECT count(*) FILTER (first), count(*) FROM
              (SELECT bool_or(has AND later IS NOT NULL) AS first FROM
                 (SELECT row, later, {has} AS has FROM {source})
               GROUP BY row HAVING {of} AND bool_or(has))""",
        told,
    ).fetchall()
    return bool(first >= FROM_THE_FIRST * ever)
