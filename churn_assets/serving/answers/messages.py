"""In which language and by whose clock a message is written, and what an answer says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any, Literal, Self

from churn_assets.customers.languages import Language, served_language
from churn_assets.customers.people import Addressees
from churn_assets.customers.schema import CustomerSchema
from churn_assets.messages.shield.rules import ShieldRules
from churn_assets.messages.writing.writer import Message
from churn_assets.serving.answers.figures import PLACES
from churn_assets.serving.zones import zone_info

QUIET_HOURS = "quiet_hours"

Teller = Literal["request", "customer", "contract", "settings"]
Told = tuple[str | None, str | None]
"""What the request says, and the customers' table; None: nothing."""


@dataclass(frozen=True)
class Defaults:
    """What holds for customers of whom nobody says more.

    Attributes:
        zone: IANA zone, and who names it.
        language: of the contract's messages; None: the product's own.
    """

    zone: str
    zone_from: Teller
    language: str | None

    @classmethod
    def of(cls, schema: CustomerSchema | None, default_zone: str) -> Self:
        """The contract's own where it has them, else the settings'."""
        own = schema.default_zone if schema else None
        language = schema.default_language if schema else None
        return cls(own or default_zone, "contract" if own else "settings", language)


@dataclass(frozen=True)
class Setting:
    """Where and how one customer reads.

    Attributes:
        local_time: now, by their clock.
        zone_from, language_from: who says so.
        language: that is written in.
        missing: the language that they should be written to in, where nothing is reviewed in it.
        day: today in UTC.
    """

    local_time: datetime
    zone: str
    zone_from: Teller
    language: Language
    language_from: Teller
    missing: str | None
    day: date

    @staticmethod
    def of(
        row: Mapping[str, Any], people: Addressees, defaults: Defaults, now: datetime
    ) -> Setting:
        """The request's word goes first, then the customers' table's, then the contract's."""
        customer = row["customer_id"]
        zones = row.get("time_zone"), people.zone_of(customer)
        languages = row.get("language"), people.language_of(customer)
        return _setting(zones, languages, defaults, now)


@lru_cache(maxsize=1_024)  # a batch has one time, and few zones and languages
def _setting(zones: Told, languages: Told, defaults: Defaults, now: datetime) -> Setting:
    zone, zone_from = _first(*zones, defaults.zone)
    asked, language_from = _first(*languages, defaults.language)
    language, is_missing = served_language(asked)
    return Setting(
        local_time=now.astimezone(zone_info(zone or defaults.zone)),
        zone=zone or defaults.zone,
        zone_from=defaults.zone_from if zone_from == "contract" else zone_from,
        language=language,
        language_from=language_from,
        missing=asked if is_missing else None,
        day=now.astimezone(UTC).date(),
    )


def _first(
    request: str | None, customer: str | None, contract: str | None
) -> tuple[str | None, Teller]:
    """The first that is known, and who says it; `settings` where nobody does."""
    if request:
        return request, "request"
    if customer:
        return customer, "customer"
    return (contract, "contract") if contract else (None, "settings")


def message_metadata(
    message: Message, setting: Setting, rules: ShieldRules, not_generated: str | None = None
) -> dict[str, Any]:
    """What `metadata` says of a message; `not_generated`: why the language model, which should have
    written it on the spot, didn't."""
    language: dict[str, str] = {"name": setting.language, "source": setting.language_from}
    if setting.missing is not None:
        language["missing"] = setting.missing
    told: dict[str, Any] = {
        "message_source": message.source,
        "send_not_before": send_not_before(message, setting.local_time, rules),
        "time_zone": {"name": setting.zone, "source": setting.zone_from},
        "language": language,
    }
    if message.probability is not None:
        told["template_probability"] = round(message.probability, PLACES)
    if not_generated is not None:
        told["not_generated"] = not_generated
    if message.name_doubt:
        told |= {"name_used": False, "name_doubt": message.name_doubt}
    return told


def send_not_before(message: Message, local_time: datetime, rules: ShieldRules) -> str | None:
    """When quiet hours end, as local time, if they are what keeps the message back."""
    if QUIET_HOURS not in message.verdict.violations:
        return None
    end = rules.quiet_hours.end
    morning = local_time.replace(hour=end, minute=0, second=0, microsecond=0)
    if morning <= local_time:
        morning += timedelta(days=1)
    return morning.isoformat()
