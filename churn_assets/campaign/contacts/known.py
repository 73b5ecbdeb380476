"""What `POST /predict` isn't told, but the ledger knows: contacts and answers of the customer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter, ValidationError

from churn_assets.campaign.contacts.history import History
from churn_assets.decision.config import EnvironmentParams
from churn_assets.predictors.scoring.features import EARLIER
from churn_assets.serving.schemas import CustomerId

_ID = TypeAdapter[str](CustomerId)

COUNTS = (
    "contacts_this_period",
    "acceptances_this_period",
    "refusals_this_period",
    "acceptances_in_cooldown",
    "acceptances_without_discount",
)
TOGETHER = (COUNTS, EARLIER, ("days_since_contact",), ("contact_channel",), ("budget_remaining",))
"""Fields that belong together: a caller who gives one of them has counted, and counts alone."""


def excluded_by(histories: Mapping[str, History]) -> dict[str, str]:
    """The customers whom the ledger forbids to contact at all, each with the first of
    `domain.contact_rules.RULES` by which it does. What counts contacts or days is the policy's."""
    found = {}
    for customer, history in histories.items():
        if history.churned is not None:
            found[customer] = "churned"
        elif history.opted_out:
            found[customer] = "opt_out"
    return found


def complete(
    given: Mapping[str, Any],
    history: History,
    now: datetime,
    params: EnvironmentParams,
    months: int,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The fields that the ledger adds to a request, and what the answer's metadata says of them.

    Args:
        given: the request's fields; None or absent: not given. What is given wins.
        params: the world of the release that decides.
        months: that its offers last.
    """
    known = history.fields(now, params.cooldown_days)
    known["budget_remaining"] = history.budget_remaining(now, params.budget_allowance, months)
    told = {name for names in TOGETHER for name in names if given.get(name) is not None}
    missing = [name for names in TOGETHER if told.isdisjoint(names) for name in names]
    added = {name: known[name] for name in missing if known[name] is not None}
    return added, {
        "from_ledger": sorted(added),
        "from_caller": sorted(told),
        "opted_out": history.opted_out,
        "churned": history.churned is not None,
    }


def with_history(answer: Mapping[str, Any], told: Mapping[str, Any]) -> dict[str, Any]:
    """An answer whose metadata says what the ledger knew of the customer. A copy: the answer's own
    is the decision log's.

    Args:
        told: as `complete` returns it.
    """
    return {**answer, "metadata": answer["metadata"] | {"contact_history": dict(told)}}


def complete_all(
    customers: Sequence[Any],
    histories_of: Callable[[list[str]], Mapping[str, History]],
    params: EnvironmentParams,
    months: int,
) -> tuple[list[Any], dict[int, dict[str, Any]], dict[str, str]]:
    """Customers as callers gave them, good or bad, with what the ledger knows of them now; by
    index what the answers' metadata says of that; and by which rule it forbids to contact whom.

    Args:
        histories_of: customer ids -> the histories of those who have one.
        params, months: as in `complete`.
    """
    named = _ids_of(customers)
    histories = histories_of(list(named.values()))
    whole, told, now = list(customers), {}, datetime.now(UTC)
    for i, customer_id in named.items():
        if customer_id in histories:
            added, told[i] = complete(customers[i], histories[customer_id], now, params, months)
            whole[i] = customers[i] | added
    return whole, told, excluded_by(histories)


def ids_among(customers: Sequence[Any]) -> list[str]:
    """The ids of customers as callers gave them, of those that have a good one."""
    return list(_ids_of(customers).values())


def _ids_of(customers: Sequence[Any]) -> dict[int, str]:
    """Index -> the customer's id, where it is a good one."""
    return {
        i: customer["customer_id"]
        for i, customer in enumerate(customers)
        if type(customer) is dict and _is_id(customer.get("customer_id"))
    }


def _is_id(given: Any) -> bool:
    """Whether the ledger can be asked about it: a database refuses all of them for a NUL in one."""
    try:
        _ID.validate_python(given, strict=True)
    except ValidationError:
        return False
    return True
