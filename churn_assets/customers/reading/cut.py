"""A file of events that was cut off inside its last cell: what is left there looks whole."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from churn_assets.customers.reading.rows import BrokenRow, Row, Rows
from churn_assets.domain.events import is_decisions

LINE_ENDS = (b"\n", b"\r", b"\n\0", b"\r\0")
"""In encodings of one byte a letter and of two; the other order of two has the first."""
CUT = (
    "the file ends here without a line end, and its decision_id is no decision's: is it cut off? "
    "(If it is whole, end its last line)"
)


def without_a_cut_end(rows: Rows) -> Iterator[Row]:
    """The rows; the last one is broken where its line has no end and it names a decision that can't
    be one. Recorded, it would take its event's id from the whole one. Where earlier rows name
    decisions of somebody else's form, as "call-16", its own may be one of those, and whole."""
    last: Row | None = None
    anothers = False
    for row in rows:
        if last is not None:
            anothers = anothers or _is_anothers(last)
            yield last
        last = row
    if last is not None and _is_anothers(last) and not anothers and _has_no_end(rows.file):
        last = BrokenRow(CUT)
    if last is not None:
        yield last


def _is_anothers(row: Row) -> bool:
    """Whether a row names a decision that can't be one of the product's, by its form."""
    decision = row.get("decision_id") if isinstance(row, dict) else None
    return decision is not None and not is_decisions(decision)


def _has_no_end(file: Path) -> bool:
    """Whether the last line of a plain text isn't ended; what is packed is never cut unnoticed."""
    if file.suffix.lower() != ".csv":
        return False
    with file.open("rb") as content:
        content.seek(max(0, file.stat().st_size - 2))
        return not content.read().endswith(LINE_ENDS)
