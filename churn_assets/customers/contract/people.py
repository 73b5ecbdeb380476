"""The parts of a contract that say how customers are addressed, and who may be contacted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, NamedTuple, Self
from zoneinfo import available_timezones

from pydantic import AfterValidator, Field, model_validator

from churn_assets.customers.contract.tables import Cell, Cells, Part
from churn_assets.customers.languages import TAG
from churn_assets.domain.cells import as_word
from churn_assets.domain.contact_rules import ContactRules, by_channel, can_be_channels


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


class Permission(Part):
    """Who may be contacted: not with `opt_out`, and only with `consent` where it is named.

    A cell that is neither yes nor no is no permission: it counts as opted out, or as no consent.
    """

    opt_out: YesNo | None = None
    consent: YesNo | None = None


class Contact(Permission):
    """Who may be contacted at all, and by which channel.

    Attributes:
        channels: channel (`CHURN_CAMPAIGN__CHANNELS`) -> who may be contacted by it; what is said
            of all channels holds for it, too.
        rules: what else keeps a customer out of a campaign; without it the settings' rules.
    """

    channels: Annotated[dict[str, Permission], AfterValidator(can_be_channels)] = Field(
        default_factory=dict
    )
    rules: ContactRules | None = None

    def flags(self) -> Iterator[Flag]:
        """Every column that says who may be contacted: those of all channels, then each one's."""
        everywhere: dict[str | None, Permission] = {None: self}
        for channel, said in (everywhere | self.channels).items():
            at, by = (f"channels.{channel}.", f" by {channel}") if channel else ("", "")
            for name, use, flag in (
                ("opt_out", "opt-out", said.opt_out),
                ("consent", "consent", said.consent),
            ):
                if flag:
                    yield Flag(f"contact.{at}{name}", by_channel(name, channel), use + by, flag)


class Flag(NamedTuple):
    """One column of who may be contacted.

    Attributes:
        key: where the contract says it.
        name: of its column in the table of people.
        use: what it is for, for reports.
        said: column and cells.
    """

    key: str
    name: str
    use: str
    said: YesNo

    @property
    def forbids(self) -> bool:
        """Whether yes forbids to contact, and so does a cell that nobody understands."""
        return self.use.startswith("opt-out")
