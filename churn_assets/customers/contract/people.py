"""The parts of a contract that say how customers are addressed, and who may be contacted."""

from __future__ import annotations

import re
from typing import Annotated, Self
from zoneinfo import available_timezones

from pydantic import AfterValidator, Field, model_validator

from churn_assets.customers.contract.tables import Cell, Cells, Part
from churn_assets.customers.languages import TAG
from churn_assets.domain.cells import as_word
from churn_assets.domain.contact_rules import ContactRules


def _known_zone(zone: str) -> str:
    if zone not in available_timezones():
        raise ValueError(f"{zone!r} is no time zone; write one as in Europe/Madrid")
    return zone


def _tag(language: str) -> str:
    if not re.fullmatch(TAG, language):
        raise ValueError(f"{language!r} is no tag of a language; write one as in es or pt-BR")
    return language


Zone = Annotated[str, AfterValidator(_known_zone)]
Tag = Annotated[str, AfterValidator(_tag)]


class YesNo(Part):
    """A column of two meanings.

    Attributes:
        column: its name in the table.
        yes: cells that mean yes.
        no: cells that mean no; without them, every other one, or of a contact's flag (see
            `Contact`) the plain words for it.
    """

    column: str
    yes: Cells = Field(min_length=1)
    no: Cells = ()

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if both := sorted({*map(as_word, self.yes)} & {*map(as_word, self.no)}):
            raise ValueError(f"{both[0]!r} is both yes and no")
        return self


class People(Part):
    """What is needed to address somebody; never stored in predictions.

    Attributes:
        first_name, language, zone: columns; `zone` has time zones, or regions of the company's.
        languages: language, as a cell has it -> its tag; tags and common names need none.
        zones: region, as a cell has it -> its time zone.
        default_zone: where the zone of somebody is unknown.
        default_language: to write in where nobody says somebody's language, as in es; without it,
            English.
    """

    first_name: str | None = None
    language: str | None = None
    languages: dict[Cell, Tag] = Field(default_factory=dict)
    zone: str | None = None
    zones: dict[str, Zone] = Field(default_factory=dict)
    default_zone: Zone = "UTC"
    default_language: str | None = None


class Contact(Part):
    """Who may be contacted: not with `opt_out`, and only with `consent` where it is named.

    A cell that is neither yes nor no is no permission: it counts as opted out, or as no consent.

    Attributes:
        rules: what else keeps a customer out of a campaign; without it the settings' rules.
    """

    opt_out: YesNo | None = None
    consent: YesNo | None = None
    rules: ContactRules | None = None
