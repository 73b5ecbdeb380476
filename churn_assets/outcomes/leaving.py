"""Up to which day leaving has been reported: only outcomes that ended by then are known.

Discounts of treated customers are known at once. Leavers are often reported by the month, and an
outcome that counts before they are looks as if nobody had left, in both groups, beside what was
spent on one: contacting would seem to hurt. Who reports leavers by their days has reported all of
those before the last one, so outcomes are known up to that one's day, whoever it was: which
outcomes these are depends on their ends alone, so it does so in both groups alike. Where nobody was
ever reported, an outcome is known `report_days` after its end: nothing is concluded before many
have left. Where reports have stopped, none that ended after the last leaver is known, or it would
seem that nobody leaves any more, whatever is spent. All who conclude anything go by this.
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
        until: outcomes that ended by then (UTC) are known; never later than `last`.
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
    waited = today - timedelta(days=config.report_days)
    if last is None:
        return Reported(None, waited)
    return Reported(last, last if config.reported_in_order else min(waited, last))


def stopped(last: pd.Timestamp, config: OutcomesConfig, now: datetime) -> bool:
    """Whether reports have stopped that ended so: it is longer ago than `report_days`."""
    return bool(last < pd.Timestamp(now.astimezone(UTC)) - timedelta(days=config.report_days))


def sentence(last: pd.Timestamp | None, config: OutcomesConfig, now: datetime) -> str:
    """For whoever reads the report: up to which day leaving has been reported, and what follows."""
    wait = f"{config.report_days} days after they end (CHURN_OUTCOMES__REPORT_DAYS)"
    if last is None:
        return f"Nobody has been reported as having left yet, so outcomes are known only {wait}."
    day = _moment(last)
    if stopped(last, config, now):
        return (
            f"Nobody is reported as having left after {day}, so outcomes that ended later aren't "
            "known: report who has left since, or contacting would seem to bring nothing."
        )
    if not config.reported_in_order:
        return f"Leaving has been reported up to {day}; outcomes are known {wait}."
    return f"Leaving has been reported up to {day}; outcomes that ended later aren't known yet."


def first_known(
    ends: pd.Timestamp, last: pd.Timestamp | None, config: OutcomesConfig, now: datetime
) -> str:
    """When the first outcome, of a horizon that ends so, will be known; or why it still isn't."""
    day = _moment(ends)
    if last is not None and last < ends and stopped(ends, config, now):
        return (
            f"reports of leavers have stopped. The first outcome was on {day}, and nobody is "
            f"reported as having left after {_moment(last)}. Report who has left since (`churned`, "
            "by churn outcomes import or POST /feedback): outcomes up to the latest one are known."
        )
    told = "once leaving has been reported up to then"
    if not config.reported_in_order:
        told = f"{config.report_days} days later"
    elif last is None:
        told += f", or {config.report_days} days later"
    of = f"{config.horizon_days} days after its decision"
    return f"the first outcome will be on {day}, {of}, and is known {told}."


def _moment(time: pd.Timestamp) -> str:
    """A time as sentences have it. To the minute: a leaver's day alone is the midnight that it
    begins with, in the company's zone, which in UTC is of the day before or within the day."""
    return f"{time:%Y-%m-%d %H:%M} UTC"


def as_json(last: pd.Timestamp | None) -> str | None:
    """The day and time as a report has them."""
    return None if last is None else last.isoformat()


def from_json(told: Any) -> pd.Timestamp | None:
    """What `as_json` wrote; None also where an earlier version didn't."""
    return pd.Timestamp(told) if isinstance(told, str) else None
