"""The date in a cell, and how long somebody has been a customer by it."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from churn_assets.customers.contract.tables import DateOrder

DAYS_OF_A_MONTH = 365.25 / 12
"""Of a tenure: 30.44 on average, and what is over is no month. dates.js of the console has the same
number, and a test that holds them together."""
_ISO = re.compile(r"\d{4}-\d\d-\d\d")
_TIME = "([01]?[0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]+)?)?( ?[AaPp][Mm])?"
SLASHED = f"([0-9]{{1,2}})(?:/([0-9]{{1,2}})/|-([0-9]{{1,2}})-)([0-9]{{4}})(?: {_TIME})?"
"""What the whole of a date looks like that begins with its day or its month: 01/09/2025 or
01-09-2025, a time may follow. RE2 and Python read the pattern alike."""
ISO_OF: dict[DateOrder, str] = {"dd/mm/yyyy": r"\4-\2\3-\1", "mm/dd/yyyy": r"\4-\1-\2\3"}
"""What a `SLASHED` cell of this order is replaced by: the date with its year, month and day."""
DOTTED = f"([0-9]{{1,2}}[.][0-9]{{1,2}}[.][0-9]{{4}}),? {_TIME}"
"""What the whole of a German date with its time looks like: 31.01.2025 14:30, the date its first
group. RE2 and Python read the pattern alike."""
DATED = "[0-9]{4}-.*|.*[.][0-9]{4}"
"""What the whole of any other date looks like: its year has four digits, where DuckDB's `%Y` takes
two for a year of the Romans. RE2 and Python read the pattern alike."""
SAY_DATES = f"name format: {' or '.join(f'{{date: {order}}}' for order in ISO_OF)}"
"""What to write in a contract whose tables have such dates."""
NO_DATE, TO_COME = "is no date: write 2026-01-31", "is later than today"
"""What is wrong with a cell, in the words of checks and of files that are predicted."""


def slashed_otherwise(written: DateOrder | None) -> str:
    """What is wrong with a cell that looks like a date which begins with its day or its month, and
    is none as it is `written`."""
    if written:
        return f"is no date as {written}"
    return f"is no date as they are written here: {SAY_DATES}"


def on_clock(value: Any, zone: str | None) -> Any:
    """A moment that says its offset, as clocks of the zone show it: a database gives the midnight
    that it was told there as one of UTC's. Any other value as it is, and all where there is none.
    """
    is_moment = isinstance(value, datetime) and value.tzinfo is not None
    return value.astimezone(ZoneInfo(zone)) if zone is not None and is_moment else value


def months_since(
    cell: Any,
    today: date | None = None,
    *,
    written: DateOrder | None = None,
    zone: str | None = None,
) -> Any:
    """Whole months from a cell's date until `today` (UTC's, if None).

    A cell that is no date, or one that is still to come, is returned as it is: whoever asks for a
    number refuses it.
    """
    since, today = date_in(cell, written, zone), today or datetime.now(UTC).date()
    if since is None or since > today:
        return cell
    return int((today - since).days / DAYS_OF_A_MONTH)


def why_no_months(cell: Any, *, written: DateOrder | None = None) -> str:
    """What is wrong with a cell that isn't missing and has no months (`months_since`)."""
    if date_in(cell, written) is not None:
        return TO_COME
    slashed = isinstance(cell, str) and re.fullmatch(SLASHED, cell)
    return slashed_otherwise(written) if slashed else NO_DATE


def date_in(cell: Any, written: DateOrder | None = None, zone: str | None = None) -> date | None:
    """The date of a cell, as a contract's tables may write it: 2026-03-31 or 31.03.2026 (a time may
    follow), or as `written`; None where it isn't certainly one. Of a moment with its offset the day
    in the `zone`, or without one that which is written."""
    try:
        if isinstance(cell, date):
            return on_clock(cell, zone).date() if isinstance(cell, datetime) else cell
        if _ISO.match(cell):
            return on_clock(datetime.fromisoformat(cell), zone).date()
        if written and (slashed := re.fullmatch(SLASHED, cell)):
            year, month, day = slashed.expand(ISO_OF[written]).split("-")
            return date(int(year), int(month), int(day))
        dotted = re.fullmatch(DOTTED, cell)
        day = dotted[1] if dotted else cell
        return datetime.strptime(day, "%d.%m.%Y").replace(tzinfo=UTC).date()
    except (TypeError, ValueError, OverflowError):
        return None
