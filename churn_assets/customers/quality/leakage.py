"""Leakage: columns that know who left because they were written down afterwards.

Eight signs, each by measurement or by name:
- a column alone ranks the outcome above AUC 0.95 (words by their rates in the other half of rows);
- it is missing for one of the two outcomes only, and chance doesn't do that (below 1 in 10,000);
- it is given for those who left only, by the same measure, or for those who stayed only, and for
  half of them: few whom somebody looks after, and of whom nobody left, are no leak;
- one of its words is only had by those who left, by the same measure, and by a tenth of them;
- it is given, or missing, or has a value for hardly anybody but customers who left later, in rows
  of months before, or nobody who has a value left before some month (`hindsight`); the latter is
  a suspicion;
- its name says that it comes afterwards, as "Churn Reason" or "Customer Status";
- its values are means of the outcome in groups, of all rows or of those where another column says
  yes or no, far closer than chance (a twentieth of the means' standard errors); or the difference
  of two such columns.

Where customers have several rows chance is by customers: what is had by one is in all their rows.
In a campaign's log, where in time nearly every customer accepts once, it is within customers, too:
by how many of their own contacts were accepted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from math import exp
from typing import Literal

import duckdb

from churn_assets.customers.headings import says
from churn_assets.customers.quality.columns import text
from churn_assets.customers.quality.hindsight import had_by_survivors, known_too_early
from churn_assets.customers.quality.workspace import one

Sign = Literal["auc", "missing", "given", "word", "hindsight", "survivors", "name", "group_mean"]
Role = Literal["feature", "left_out", "unused"]

WORDS = {
    "leaves": ("customers", "who left", "who stayed"),
    "accepts": ("contacts", "that were accepted", "that weren't"),
}
"""What the true outcome means -> whose rows these are, and how both outcomes are called."""
MOST_AUC = 0.95
CHANCE = 1e-4
OF_ALL = 0.1
"""Of those who left: how many have a word that leaks. A plan of a few whom all left is none."""
OF_STAYERS = 0.5
"""Of those who stayed: how many have what leaks by its being given. A good customer's is none."""
_FEWEST = 10  # rows of either outcome, below which an AUC is chance
_OF_AN_ERROR = 0.05  # of a mean's standard error: as close as only the mean itself is
_MOST_ROWS = 0.9
_FEWEST_GROUPS = 5
_BINS = 50


@dataclass(frozen=True)
class Candidate:
    """A column that may leak.

    Attributes:
        name: in the table.
        value: its SQL name: numbers, or words.
        numeric: which of the two.
        role: what the contract makes of it: a feature, left out with a reason, or nothing.
    """

    name: str
    value: str
    numeric: bool
    role: Role


@dataclass(frozen=True)
class Leak:
    """A sign that a column leaks.

    Attributes:
        column: its name.
        role: of the column in the contract; only a feature's leak does harm.
        sign: which of the signs.
        why: in words, with the figure.
    """

    column: str
    role: str
    sign: Sign
    why: str

    @property
    def certain(self) -> bool:
        """Whether a contract has to leave it out, or a person is asked to look."""
        return self.sign != "survivors"


@dataclass(frozen=True)
class Rows:
    """The rows that have an outcome.

    Attributes:
        source: a table or view with the values and a `row`.
        outcome: SQL of a boolean.
        several: whether `row` names a customer, who may have several rows.
        who: what those do of whom the outcome is true: a key of `WORDS`.
    """

    source: str
    outcome: str
    several: bool = False
    who: str = "leaves"

    @property
    def repeated(self) -> bool:
        """Whether one customer may have either outcome, time and again, as one who accepts; nobody
        leaves before their last rows, so that in a history the outcome tells the time."""
        return self.several and self.who == "accepts"

    @property
    def count(self) -> str:
        """SQL of how many customers there are; each row is one where they have one only."""
        return "count(DISTINCT row)" if self.several else "count(*)"

    def __call__(self, *values: str) -> str:
        """SQL of `row`, the values and the outcome, `y`: of a wide table `*` takes each query as
        long as the table is wide."""
        named = ", ".join(dict.fromkeys(("row", *values)))
        where = f"WHERE {self.outcome} IS NOT NULL"
        return f"(SELECT {named}, {self.outcome} AS y FROM {self.source} {where})"


def find_leaks(
    connection: duckdb.DuckDBPyConnection,
    source: str,
    outcome: str,
    candidates: Sequence[Candidate],
    binary: Mapping[str, str] | None = None,
    who: str = "leaves",
    several: bool = False,
    snapshots: bool = False,
) -> Iterator[Leak]:
    """The signs of each candidate.

    Args:
        connection: of the workspace.
        source: a table or view with the values and a `row`.
        outcome: SQL of a boolean; rows without it don't count.
        candidates: columns to look at.
        binary: name -> SQL of booleans; means may be of the rows with, or without, one.
        who: what those do of whom the outcome is true: a key of `WORDS`.
        several: whether `row` names a customer, who may have several rows.
        snapshots: whether the source has the columns of `hindsight.first_rows`.
    """
    rows = Rows(source, outcome, several, who)
    yes, no = one(connection, f"SELECT count(*) FILTER (y), count(*) FILTER (NOT y) FROM {rows()}")
    for column in candidates:
        if comes_afterwards(column.name):
            yield Leak(column.name, column.role, "name", "its name says that it comes afterwards")
    if not yes or not no:
        return
    means: list[Candidate] = []
    both = _counted(connection, rows)
    for column in candidates:
        auc = auc_alone(connection, rows, column) if min(yes, no) >= _FEWEST else None
        if auc is not None and auc > MOST_AUC:
            why = f"alone it ranks who {who} with AUC {auc:.3f}"
            yield Leak(column.name, column.role, "auc", why)
        if one_only := _for_one_only(connection, rows, column, both):
            yield Leak(column.name, column.role, *one_only)
        if snapshots and (why := known_too_early(connection, source, column.value)):
            yield Leak(column.name, column.role, "hindsight", why)
        elif snapshots and (why := had_by_survivors(connection, source, column.value)):
            yield Leak(column.name, column.role, "survivors", why)
        if column.numeric and (why := _group_mean(connection, rows, column, binary or {})):
            means.append(column)
            yield Leak(column.name, column.role, "group_mean", why)
    for column in candidates:
        alone = column.numeric and column not in means
        if alone and (why := _difference(connection, rows, column, means)):
            yield Leak(column.name, column.role, "group_mean", why)


def comes_afterwards(name: str) -> bool:
    """Whether a column's name says that it is known only once the customer has left."""
    return says(name, "afterwards")


def auc_alone(connection: duckdb.DuckDBPyConnection, rows: Rows, column: Candidate) -> float | None:
    """The AUC with which a column alone ranks `y`, whichever way; None without both outcomes.

    Numbers by their rank, and like words: by the rate of their group (words, or one of 50 equal
    parts) in the other half of the rows, so that a group of one row says nothing of itself.
    """
    found, source = [], rows(column.value)
    if column.numeric:
        group = f"ntile({_BINS}) OVER (ORDER BY {column.value})"
        group = f"CASE WHEN {column.value} IS NOT NULL THEN {group} END"
        ranks = f"""SELECT {column.value} AS score, 0 AS half, count(*) FILTER (y) AS p,
            count(*) FILTER (NOT y) AS n FROM {source}
            WHERE {column.value} IS NOT NULL GROUP BY 1"""
        found.append(_auc(connection, ranks))
    else:
        group = column.value
    grouped = f"""SELECT x, half, count(*) FILTER (y) AS p, count(*) FILTER (NOT y) AS n
        FROM (SELECT {group} AS x, hash(row) % 2 AS half, y FROM {source}) GROUP BY x, half"""
    rates = f"""WITH g AS ({grouped}), prior AS (SELECT sum(p) / sum(p + n) AS rate FROM g)
        SELECT score, half, sum(p) AS p, sum(n) AS n FROM
          (SELECT a.half, a.p, a.n,
                  (coalesce(b.p, 0) + rate) / (coalesce(b.p + b.n, 0) + 1) AS score
           FROM prior, g AS a LEFT JOIN g AS b
             ON a.x IS NOT DISTINCT FROM b.x AND a.half <> b.half)
        GROUP BY score, half"""
    found.append(_auc(connection, rates))
    return max((max(auc, 1 - auc) for auc in found if auc is not None), default=None)


def _auc(connection: duckdb.DuckDBPyConnection, counts: str) -> float | None:
    """Of counts p and n by score within each half: P(score of a yes > of a no), ties count half."""
    (auc,) = one(
        connection,
        f"""SELECT sum(auc * pairs) / nullif(sum(pairs), 0) FROM (
          SELECT half, sum(p) * sum(n) AS pairs,
            sum(p * (below + n / 2.0)) / nullif(sum(p) * sum(n), 0) AS auc
          FROM (SELECT *, sum(n) OVER (PARTITION BY half ORDER BY score) - n AS below
                FROM ({counts}))
          GROUP BY half) WHERE pairs > 0""",
    )
    return None if auc is None else float(auc)


@dataclass(frozen=True)
class _Both:
    """Of either outcome, yes first: how many customers have a row of it, and how likely a customer
    is of it alone. The latter is the larger of the shares of the rows and of the customers: what
    stays with a customer is in all their rows, what comes and goes is in any."""

    customers: tuple[int, int]
    likely: tuple[float, float]


def _counted(connection: duckdb.DuckDBPyConnection, rows: Rows) -> _Both:
    of_yes, of_no, everybody, share = one(
        connection,
        f"""SELECT {rows.count} FILTER (y), {rows.count} FILTER (NOT y), {rows.count},
        avg(y::INT) FROM {rows()}""",
    )
    ever = of_yes / everybody
    return _Both((of_yes, of_no), (max(share, ever), 1 - min(share, ever)))


def _for_one_only(
    connection: duckdb.DuckDBPyConnection, rows: Rows, column: Candidate, both: _Both
) -> tuple[Sign, str] | None:
    """The sign, and why, of cells that are missing, or given, for one outcome only; or else of a
    word that only those have who left."""
    missing = f"{column.value} IS NULL"
    counts = one(
        connection,
        f"""SELECT {rows.count} FILTER ({missing} AND y), {rows.count} FILTER ({missing} AND NOT y),
        {rows.count} FILTER (NOT {missing} AND y), {rows.count} FILTER (NOT {missing} AND NOT y)
        FROM {rows(column.value)}""",
    )
    whom, *outcomes = WORDS[rows.who]
    if rows.repeated:
        whom = "customers' contacts"
    found: tuple[tuple[Sign, tuple[int, int]], ...] = (
        ("missing", counts[:2]),
        ("given", counts[2:]),
    )
    for sign, of in found:
        if bool(of[0]) == bool(of[1]):
            continue
        only = 0 if of[0] else 1
        if sign == "given" and only == 1 and of[1] < OF_STAYERS * both.customers[1]:
            continue
        has = missing if sign == "missing" else f"NOT {missing}"
        by_chance = both.likely[only] ** of[only]
        if min(by_chance, _within(connection, rows, column, has, only)) < CHANCE:
            return sign, f"it is {sign} for {of[only]:,} {whom}, all of them such {outcomes[only]}"
    if not column.numeric and (had := _word_of_one(connection, rows, column, both)):
        return "word", f"a word of it is had by {had:,} {whom}, all of them such {outcomes[0]}"
    return None


def _within(
    connection: duckdb.DuckDBPyConnection, rows: Rows, column: Candidate, has: str, only: int
) -> float:
    """At most how likely it is by chance that each customer `has` something in rows of one outcome
    alone: yes (`only` 0) or no (1); 1 where a customer's rows don't tell.

    Of n rows of a customer m are of that outcome, and any one of them is by m / n if it's had at
    random. However much the others that have it depend on that one, all are by m / n at most: the
    product over the customers who have it. One whose rows are all of one outcome tells nothing.
    """
    if not rows.repeated:
        return 1.0
    of = "NOT y" if only else "y"
    (evidence,) = one(
        connection,
        f"""SELECT coalesce(sum(ln(m / n)), 0)
        FROM (SELECT count(*) AS n, count(*) FILTER ({of}) AS m, bool_or({has}) AS had
              FROM {rows(column.value)} GROUP BY row) WHERE had""",
    )
    return exp(evidence)


def _word_of_one(
    connection: duckdb.DuckDBPyConnection, rows: Rows, column: Candidate, both: _Both
) -> int:
    """Of how many customers the most frequent word is that only those have who left; 0 where there
    is none, or where some word of so many would be so by chance."""
    value = column.value
    had, which, words = one(
        connection,
        f"""SELECT coalesce(max(n) FILTER (NOT stayed), 0),
            arg_max(word, (n, word)) FILTER (NOT stayed), count(*) FROM
              (SELECT {value} AS word, {rows.count} AS n, bool_or(NOT y) AS stayed
               FROM {rows(value)} WHERE {value} IS NOT NULL GROUP BY word)""",
    )
    if had < OF_ALL * both.customers[0]:
        return 0
    has = f"{value} IS NOT DISTINCT FROM {text(str(which))}"
    likely = min(both.likely[0] ** had, _within(connection, rows, column, has, 0))
    return int(had) if words * likely < CHANCE else 0


def _group_mean(
    connection: duckdb.DuckDBPyConnection, rows: Rows, column: Candidate, binary: Mapping[str, str]
) -> str:
    groups, low, high, count = one(
        connection,
        f"""SELECT count(DISTINCT {column.value}), min({column.value}), max({column.value}),
        count({column.value}) FROM {rows(column.value)}""",
    )
    if groups < _FEWEST_GROUPS or groups > count / 20 or low < 0 or high > 100:
        return ""
    scale = 1 if high <= 1 else 100
    source = rows(column.value, *binary.values())
    subsets = [("all rows", "true")]
    subsets += [(f"rows with {name}", flag) for name, flag in binary.items()]
    subsets += [(f"rows without {name}", f"NOT {flag}") for name, flag in binary.items()]
    for words, where in subsets:
        close, known, informative, furthest = one(
            connection,
            f"""SELECT coalesce(sum(n) FILTER (off < {_OF_AN_ERROR} * sqrt(m * (1 - m) / n)), 0),
              coalesce(sum(n), 0), count(*), max(off)
            FROM (SELECT count(*) AS n, avg(y::INT) AS m,
                         abs(avg(y::INT) - {column.value} / {scale}) AS off
                  FROM {source} WHERE {column.value} IS NOT NULL AND {where}
                  GROUP BY {column.value})
            WHERE m > 0 AND m < 1 AND n > 1""",
        )
        if informative >= _FEWEST_GROUPS and close >= _MOST_ROWS * known:
            return (
                f"its {groups} values are the outcome's means in groups of {words} "
                f"(no further off than {furthest:.0e})"
            )
    return ""


def _difference(
    connection: duckdb.DuckDBPyConnection,
    rows: Rows,
    column: Candidate,
    means: Sequence[Candidate],
) -> str:
    for a, b in permutations(means, 2):
        close, known, spread = one(
            connection,
            f"""SELECT count(*) FILTER (abs({column.value} - ({a.value} - {b.value})) < 1e-6),
              count(*), stddev({column.value})
            FROM {rows(column.value, a.value, b.value)}
            WHERE {column.value} IS NOT NULL AND {a.value} IS NOT NULL AND {b.value} IS NOT NULL""",
        )
        if known > 1 and spread > 0 and close >= 0.99 * known:
            return f"it is {a.name} - {b.name}, which are means of the outcome"
    return ""
