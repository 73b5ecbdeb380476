"""Words of table cells, and cells that a spreadsheet would run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

TRUTHS = {
    **dict.fromkeys(("yes", "y", "true", "1", "1.0"), True),
    **dict.fromkeys(("no", "n", "false", "0", "0.0"), False),
}
MISSING = frozenset({"", "na", "n/a", "nan", "null", "none"})
LONGEST = 60  # characters of a cell in a message
SHOWN = 5  # cells of many
DANGEROUS = ("=", "+", "-", "@", "\t", "\r")  # at its beginning a spreadsheet takes a cell for code


def inert(cell: Any) -> Any:
    """The cell of a CSV; a text that a spreadsheet would take for a formula begins with an
    apostrophe."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(DANGEROUS) else cell


def as_word(cell: str) -> str:
    """The cell as words are compared: without blanks around it, in lower case, 3.0 as 3."""
    return re.sub(r"^([+-]?[0-9]+)[.]0+$", r"\1", cell.strip().lower())


def shortened(cell: str) -> str:
    """The cell as a message has it."""
    return cell if len(cell) <= LONGEST else f"{cell[:LONGEST]}…"


def listed_cells(found: Sequence[tuple[str, int]]) -> str:
    """Cells, each with how many rows have it, as a message has them: the first `SHOWN`, and how
    many others there are."""
    first = ", ".join(f"{shortened(cell)!r} ({rows:,})" for cell, rows in found[:SHOWN])
    return first + (f" and {len(found) - SHOWN:,} others" if len(found) > SHOWN else "")


def cell_text(value: Any) -> str | None:
    """A typed value as the cell that a text file would have; 3.0 is 3.

    A time is as its own zone has it, to the microsecond; at midnight it is a date.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, datetime):
        day, time = value.date().isoformat(), value.time().isoformat()  # without the zone
        return day if time == "00:00:00" else f"{day} {time}"
    return value.isoformat() if isinstance(value, date) else str(value)
