"""What becomes of an approved plan that nobody plans after."""

from __future__ import annotations

from datetime import datetime, timedelta

import pyarrow.compute as pc

from churn_assets.campaign.planning.plan import Plan


def lapses(plan: Plan, max_age_hours: float) -> str | None:
    """Until when a plan can be sent, and how many contacts of later days it has, in a sentence for
    who approves it; None: it has none.

    Args:
        max_age_hours: a plan that is older isn't sent.
    """
    until = datetime.fromisoformat(plan.report["created"]) + timedelta(hours=max_age_hours)
    later = plan.contacts.filter(pc.greater(plan.contacts["day"], until.date())).num_rows
    if not later:
        return None
    return (
        f"Its lists can be taken until {until:%Y-%m-%d %H:%M}, {max_age_hours:g} hours after it "
        "was made: plan and approve again every day, which keeps what it promises, or its "
        f"{later:,} contacts of later days lapse."
    )
