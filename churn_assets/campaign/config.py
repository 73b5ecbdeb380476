"""Settings of the campaign. Composed into `churn_assets.settings` as `settings.campaign`."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from churn_assets.domain.contact_rules import ContactRules, can_be_channels
from churn_assets.domain.paths import AbsolutePath, folder_or_bucket

Dialect = Literal["liquid", "handlebars", "mailchimp"]
ListFormat = Literal["csv", "parquet", "jsonl"]
MOST_CONTACTS = 100_000_000  # a day
MOST_MONEY = 1e12  # in a plan: sums stay exact to the cent


class Channel(BaseModel):
    """A way to reach customers.

    Attributes:
        contacts_a_day: so many on each day.
        cost: of one contact, in currency; counts as money spent and against its value.
        reach: share of the contacts that get through (a mail that is read, a call that is taken);
            who isn't reached neither accepts nor costs a discount.
        hours: first hour and the one after the last in which it may be used, in the customer's own
            time; the shield's quiet hours hold besides.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    contacts_a_day: int = Field(ge=0, le=MOST_CONTACTS)
    cost: float = Field(0.0, ge=0)
    reach: float = Field(1.0, gt=0, le=1)
    hours: tuple[int, int] = (8, 22)

    @model_validator(mode="after")
    def _a_day(self) -> Self:
        if not 0 <= self.hours[0] < self.hours[1] <= 24:
            raise ValueError("hours: write the first and the one after the last, as in [9, 18]")
        return self


class CampaignConfig(BaseModel):
    """What a campaign may use, and how its list is written.

    Attributes:
        days: how many days a plan covers.
        budget: money for a whole plan, discounts and contacts, and for any window of `days` days:
            what was handed over for the days before is subtracted. Without it, the environment's
            budget share of all customers' value for that time.
        month_budget: money for a calendar month, discounts and contacts, of plans and requests
            together. With it the price of money follows what the ledger says was spent. A plan then
            uses no more than is aimed at for its days, less what was handed over, and no more than
            is left of the month; `budget` limits it further. Without it each release keeps the
            price that it was made with.
        channels: name -> what it can do. List all of them: a channel that isn't named isn't used.
            Each needs `contacts_a_day`; by default it costs 0, reaches everybody (1) and is open
            from 8 to 22.
        rules: who may be contacted, where the customers' contract says nothing of it.
        people: a CSV or Parquet table with `customer_id` and any of `first_name`, `zone`,
            `language`, `opt_out`, `consent` (both of one channel, too: `consent_email`) and
            `complained_on`; predictions hold no such things.
            It takes precedence over the table of the customers' contract.
        dialect: how the receiving system writes merge tags.
        name_tag: the merge field of the first name; empty: the dialect's usual one.
        max_age_hours: a plan older than this isn't handed over.
        deliver_to: a folder or `gs://bucket/prefix` from which the sending system takes lists:
            `churn campaign deliver` and its schedule write the day's list there and hand it over.
            Empty: they fail, and say so.
        deliver_as: the list's format there.
        ledger: SQLAlchemy URL of the contact ledger, as in `postgresql+psycopg2://user@host/db`;
            `${NAME}` is taken from the environment. Empty: an SQLite file in the home folder.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    days: int = Field(7, ge=1, le=31)
    budget: float | None = Field(None, ge=0, le=MOST_MONEY)
    month_budget: float | None = Field(None, gt=0, le=MOST_MONEY)
    channels: dict[str, Channel] = Field(
        default_factory=lambda: {
            "email": Channel(contacts_a_day=500),
            "call": Channel(contacts_a_day=60, cost=3.0, hours=(9, 20)),
        },
        min_length=1,
    )
    rules: ContactRules = ContactRules()
    people: AbsolutePath | None = None
    dialect: Dialect = "liquid"
    name_tag: str = Field("", max_length=64, pattern=r"^[\w.]*$")
    max_age_hours: float = Field(36.0, gt=0)
    deliver_to: str = ""
    deliver_as: ListFormat = "csv"
    ledger: SecretStr = SecretStr("")

    @field_validator("channels")
    @classmethod
    def _own_names(cls, channels: dict[str, Channel]) -> dict[str, Channel]:
        return can_be_channels(channels)

    @field_validator("deliver_to")
    @classmethod
    def _absolute_folder(cls, place: str) -> str:
        return folder_or_bucket(place)
