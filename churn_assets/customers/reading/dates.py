"""How long somebody has been a customer, by the date in a cell."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Any

DAYS_OF_A_MONTH = 365.25 / 12
_ISO = re.compile(r"\d{4}-\d\d-\d\d")


def months_since(cell: Any, today: date | None = None) -> Any:
    """Whole months from a cell's date until `today` (UTC's, if None).

    A cell that is no date, or one that is still to come, is returned as it is: whoever asks for a
    number refuses it.
    """
    since, today = date_in(cell), today or datetime.now(UTC).date()
    if since is None or since > today:
        return cell
    return int((today - since).days / DAYS_OF_A_MONTH)


def date_in(cell: Any) -> date | None:
    """The date of a cell, as a contract's tables may write it: 2026-03-31 (a time may follow) or
    31.03.2026; None where it isn't certainly one."""
    if isinstance(cell, date):
        return cell.date() if isinstance(cell, datetime) else cell
    try:
        if _ISO.match(cell):
            return datetime.fromisoformat(cell).date()
        return datetime.strptime(cell, "%d.%m.%Y").replace(tzinfo=UTC).date()
    except (TypeError, ValueError):
        return None
