"""The page's way from today's customers and a list of who left to monthly rows."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs/own-data.md"
CUSTOMERS = """Customer #,Customer Since,State,Plan,Monthly Price,Status
0042,03/15/2025,TX,Monthly,$20.50,Cancelled
0043,10/01/2026,NY,Yearly,$18.00,Active
"""
LEAVINGS = "Customer No,Cancelled On,Reason\n42,06/01/2025,Moved\n"


def test_a_row_for_each_customer_and_month(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the month after they came up to the last one before they left."""
    monkeypatch.chdir(tmp_path)
    Path("customers.csv").write_text(CUSTOMERS)
    Path("cancellations.csv").write_text(LEAVINGS)
    [query] = re.findall(r"```sql\n(COPY.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    with duckdb.connect() as connection:
        connection.execute(query)
        rows = connection.sql(
            """SELECT "Customer #", strftime("As Of"::DATE, '%Y-%m-%d'), "Cancelled On"
            FROM read_csv('history.csv', all_varchar = true) ORDER BY 1, 2"""
        ).fetchall()
    assert rows == [
        *(("0042", day, "06/01/2025") for day in ("2025-04-01", "2025-05-01")),
        *(("0043", day, None) for day in ("2026-10-01", "2026-11-01", "2026-12-01")),
    ]
