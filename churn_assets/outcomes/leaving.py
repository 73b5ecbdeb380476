"""Up to which day leaving has been reported: only outcomes that ended by then are known.

Discounts of treated customers are known at once. Leavers are often reported by the month, and an
outcome that counts before they are looks as if nobody had left, in both groups, beside what was
spent on one: contacting would seem to hurt. Who reports leavers by their days has reported all of
those before the last one, so outcomes are known up to that one's day, whoever it was: which
outcomes these are depends on their ends alone, so it does so in both groups alike. Where nobody is
reported any more, an outcome is known `report_days` after its end.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pandas as pd

from churn_assets.outcomes.config import OutcomesConfig


class Reported(NamedTuple):
    """What the log says of who has left.

    Attributes:
        last: the latest time (UTC) at which somebody is reported as having left; None: nobody is.
        until: outcomes that ended by then (UTC) are known.
    """

    last: pd.Timestamp | None
    until: pd.Timestamp


def reported(left_at: pd.Series[pd.Timestamp], config: OutcomesConfig, now: datetime) -> Reported:
    """Up to when leaving has been reported.

    Args:
        left_at: (N,) times of the log's `churned` events, of whatever customers; what lies after
            `now` says nothing of the days before.
    """
    today = pd.Timestamp(now.astimezone(UTC))
    before = left_at[left_at <= today]
    last = None if before.empty else before.max()
    until = today - timedelta(days=config.report_days)
    if last is not None and config.reported_in_order:
        until = max(until, last)
    return Reported(last, until)


def compared(customers: pd.DataFrame, last: pd.Timestamp | None) -> pd.DataFrame:
    """Of customers whose outcome is known those whose outcome ended before the last leaver who was
    reported: where reports have stopped, it would seem that nobody leaves any more, whatever is
    spent. All of them where nobody was ever reported: nothing is concluded before many were.

    Args:
        customers: column `known_at`.
    """
    return customers if last is None else customers[customers["known_at"] <= last]


def sentence(last: pd.Timestamp | None, config: OutcomesConfig, now: datetime) -> str:
    """For whoever reads the report: up to which day leaving has been reported, and what follows."""
    wait = f"{config.report_days} days after they end (CHURN_OUTCOMES__REPORT_DAYS)"
    if last is None:
        return f"Nobody has been reported as having left yet, so outcomes are known only {wait}."
    day = f"{last:%Y-%m-%d}"
    if last < pd.Timestamp(now.astimezone(UTC)) - timedelta(days=config.report_days):
        return (
            f"Nobody is reported as having left after {day}, so outcomes that ended later aren't "
            "compared: report who has left since, or contacting would seem to bring nothing."
        )
    if not config.reported_in_order:
        return f"Leaving has been reported up to {day}; outcomes are known {wait}."
    return f"Leaving has been reported up to {day}; outcomes that ended later aren't known yet."


def as_json(last: pd.Timestamp | None) -> str | None:
    """The day and time as a report has them."""
    return None if last is None else last.isoformat()


def from_json(told: Any) -> pd.Timestamp | None:
    """What `as_json` wrote; None also where an earlier version didn't."""
    return pd.Timestamp(told) if isinstance(told, str) else None
