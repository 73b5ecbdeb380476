"""What customers pay in a month: a value that isn't known, and one of nothing."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb

from churn_assets.customers.contract.expression import columns_of, to_sql
from churn_assets.customers.quality.judging import USED, Judged, with_first_row
from churn_assets.customers.quality.report import QualityReport
from churn_assets.customers.quality.said import Said
from churn_assets.customers.quality.workspace import one
from churn_assets.domain.contracts import MAX_CHARGES

MANY = 0.05
"""Of the rows: from how many on a monthly value of 0 is worth a question."""


def judge_value(
    connection: duckdb.DuckDBPyConnection,
    judged: Judged,
    expression: str,
    report: QualityReport,
) -> None:
    """Into the report: the problem of values that nobody can pay, and the note of many that are
    0."""
    try:
        monthly = to_sql(expression, lambda name: judged.value(name, "value"))
    except KeyError:
        return  # a column is missing: said already
    wrong, nothing = one(
        connection,
        f"""SELECT count(*) FILTER (m IS NULL OR m < 0 OR m > {MAX_CHARGES}),
                   count(*) FILTER (m = 0)
        FROM (SELECT {monthly} AS m FROM {judged.name} WHERE {USED})""",
    )
    if wrong:
        bad = f"coalesce({monthly} < 0 OR {monthly} > {MAX_CHARGES}, true)"
        columns = columns_of(expression)
        first = with_first_row(connection, judged, columns, bad)
        said = (
            f"{judged.name}: the monthly value of {wrong:,} rows is unknown, negative or above "
            f"{MAX_CHARGES:,.2f}"
        )
        report.problems.append(Said(f"{said}; {first}", f"{said} ({', '.join(columns)})"))
    report.notes += _of_nothing(judged, expression, nothing)


def _of_nothing(judged: Judged, expression: str, rows: int) -> Iterator[str]:
    if rows and rows >= MANY * judged.used:
        alone = expression if "[" in expression else f"[{expression}]"
        yield (
            f"{judged.name}: the monthly value of {rows:,} rows ({rows / judged.used:.0%}) is 0: "
            "they count as customers who pay nothing; if they pay by the year or otherwise, add "
            f'it, as in value: {{monthly: "{alone} + [what they pay] / 12"}}'
        )
