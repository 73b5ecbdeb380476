"""Who may be contacted, when and how often: rules that a company states, as data."""

from __future__ import annotations

import re
from datetime import date
from typing import Any, TypeVar
from zoneinfo import available_timezones

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from churn_assets.domain.paths import AbsolutePath

RULES = {
    "churned": "has left, as was reported",
    "opt_out": "doesn't want to be contacted",
    "consent": "has not consented",
    "suppression_list": "is on the suppression list",
    "erased": "was erased lately: nobody knows how often they were contacted",
    "control_group": "is in the control group, which nobody contacts",
    "complaint": "complained lately",
    "minimum_tenure": "has been a customer for too short a time",
    "minimum_value": "pays less than the value floor",
    "blackout_dates": "every day of the plan is a blackout date",
    "cooldown": "was contacted too short a time ago",
    "caps": "was contacted as often as the caps allow",
    "quiet_hours": "no hour is left that is allowed in the customer's zone",
    "other_spelling": "nobody has this id, but one in other capitals: opt-out and control group go "
    "by that one, so ask by it",
}
"""Rule -> what it says of whom it leaves out, in the order in which rules are tried; the last one
is of requests alone, whose ids others write."""
OTHER_SPELLING = "other_spelling"


_CHANNEL = re.compile(r"[^\W_][\w .-]{0,63}")  # as long as the ledger keeps it
_OTHER_LIMITS = {"day", "money"}  # what stands beside channels in a plan
Said = TypeVar("Said")


def can_be_channels(channels: dict[str, Said]) -> dict[str, Said]:
    """The same; raises ValueError for a name that no channel can have."""
    for name in channels:
        if name in _OTHER_LIMITS or not _CHANNEL.fullmatch(name):
            raise ValueError(f"no channel can be called {name[:64]!r}")
    return channels


def by_channel(flag: str, channel: str | None) -> str:
    """How a table of people calls a permission (`opt_out`, `consent`) for a channel; for all of
    them with None."""
    return f"{flag}_{channel}" if channel else flag


class Cap(BaseModel):
    """The most contacts of one customer.

    Attributes:
        contacts: so many at most.
        days: within so many days.
        channel: by this channel; by all of them together where none is named.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    contacts: int = Field(ge=0)
    days: int = Field(ge=1, le=3_650)
    channel: str | None = None


class ContactRules(BaseModel):
    """What keeps a customer out of a campaign, beside an opt-out, a lacking consent and the control
    group. The contacts of the past are those of the product's own ledger.

    Attributes:
        suppression_list: a text file or CSV whose column `customer_id`, or the one that the
            contract's tables have ids in, or else its first, holds ids; relative to the contract,
            where that names it.
        complaint_days: nobody who complained in so many days.
        minimum_tenure: months with the company.
        minimum_monthly_value: currency a month.
        blackout_dates: days without any contact, as 2026-12-25.
        cooldown_days: days without another contact after one.
        caps: the most contacts of a customer, by channel and period.
        zones: the time zones that customers live in. A customer without a zone is contacted only at
            hours that are allowed in all of them; empty: the service's default zone.
        consent_needed: only who is known to have consented.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    suppression_list: AbsolutePath | None = None
    complaint_days: int = Field(90, ge=0, le=3_650)
    minimum_tenure: int = Field(0, ge=0)
    minimum_monthly_value: float = Field(0.0, ge=0)
    blackout_dates: tuple[date, ...] = ()
    cooldown_days: int = Field(7, ge=0, le=365)
    caps: tuple[Cap, ...] = (Cap(contacts=3, days=30),)
    zones: tuple[str, ...] = ()
    consent_needed: bool = False

    @field_validator("suppression_list", mode="before")
    @classmethod
    def _beside_the_contract(cls, file: Any, info: ValidationInfo) -> Any:
        folder = (info.context or {}).get("folder")
        home = str(file).startswith("~")
        return folder / file if folder and isinstance(file, str) and not home else file

    @field_validator("zones")
    @classmethod
    def _known(cls, zones: tuple[str, ...]) -> tuple[str, ...]:
        if strangers := [zone for zone in zones if zone not in available_timezones()]:
            raise ValueError(f"{strangers[0]!r} is no time zone; write one as in Europe/Madrid")
        return zones
