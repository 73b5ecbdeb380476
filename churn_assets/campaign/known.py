"""What `POST /predict` isn't told, but the ledger knows: contacts and answers of the customer."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from churn_assets.campaign.history import History

COUNTS = (
    "contacts_this_period",
    "acceptances_this_period",
    "refusals_this_period",
    "acceptances_in_cooldown",
)
"""Fields that belong together: a caller who gives one of them has counted, and counts alone."""
ALONE = ("days_since_contact", "previous_contacts", "previous_outcome", "contact_channel")


def complete(
    given: Mapping[str, Any], history: History, now: datetime, cooldown_days: float
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The fields that the ledger adds to a request, and what the answer's metadata says of them.

    Args:
        given: the request's fields; None or absent: not given. What is given wins.
    """
    known = history.fields(now, cooldown_days)
    counted = [name for name in COUNTS if given.get(name) is not None]
    added = {} if counted else {name: known[name] for name in COUNTS}
    told = [name for name in ALONE if given.get(name) is not None]
    added |= {n: known[n] for n in ALONE if n not in told and known[n] is not None}
    return added, {
        "from_ledger": sorted(added),
        "from_caller": sorted([*counted, *told]),
        "opted_out": history.opted_out,
    }
