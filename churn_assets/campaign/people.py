"""What predictions don't hold of customers: name, zone, language, opt-out, consent, complaint."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from difflib import get_close_matches
from pathlib import Path

import pyarrow.parquet as pq

from churn_assets.campaign.errors import PeopleError
from churn_assets.customers.contract.tables import Format
from churn_assets.customers.people import consents, opts_out
from churn_assets.customers.reading.dialect import Dialect, dialect_of
from churn_assets.customers.reading.lines import records
from churn_assets.customers.reading.rows import BrokenRow, Rows
from churn_assets.datasets.errors import DataError
from churn_assets.datasets.sources.files import content
from churn_assets.domain.cells import MISSING, TRUTHS
from churn_assets.domain.contact_rules import by_channel
from churn_assets.serving.zones import KNOWN

_MARK, _QUOTED = re.compile(r"[,;\t|]"), re.compile(r'"[^"]*"')
_EMPTY = frozenset({""})
FLAGS = ("opt_out", "consent")
COLUMNS = ("first_name", "zone", "language", *FLAGS, "complained_on")


@dataclass(frozen=True)
class Person:
    """One customer; None where nothing is known.

    Attributes:
        by_channel: `opt_out` and `consent` for one channel, where they're known, called as
            `domain.contact_rules.by_channel` does.
    """

    first_name: str | None = None
    zone: str | None = None
    language: str | None = None
    opt_out: bool | None = None
    consent: bool | None = None
    complained_on: date | None = None
    by_channel: Mapping[str, bool] = field(default_factory=dict)

    def opted_out_of(self, channel: str) -> bool:
        """Whether they said no to being contacted by it, or at all."""
        return opts_out(self.opt_out, self.by_channel.get(by_channel("opt_out", channel)))

    def consents_to(self, channel: str) -> bool | None:
        """Whether they said yes to being contacted by it, and at all; None: nobody knows."""
        return consents(self.consent, self.by_channel.get(by_channel("consent", channel)))


def read_people(path: Path, channels: Iterable[str] = ()) -> dict[str, Person]:
    """Customer id -> person, from CSV or Parquet. What is empty is unknown, and nothing else but
    "n/a" and its like for a zone or a language: people are called Na, and ids are, too.

    Args:
        channels: of whose opt-outs and consents the table may have columns, `consent_sms` say.

    Raises:
        PeopleError: no table, no column `customer_id`, a customer twice, or a row or cell that
            can't be read. A doubtful opt-out stops the plan ("n/a" is one): it must not pass for
            "no".
        OSError: the file can't be read.
    """
    people: dict[str, Person] = {}
    flags = [by_channel(flag, channel) for channel in channels for flag in FLAGS]
    try:
        rows = Rows(path, ("customer_id",), ("customer_id", *COLUMNS, *flags), missing=_EMPTY)
        for number, row in enumerate(rows, start=1):
            if isinstance(row, BrokenRow):
                raise PeopleError(f"{path}: row {number} {row.problem}")
            customer = row.get("customer_id")
            if customer is None:
                raise PeopleError(f"{path}: row {number} has no customer_id")
            if customer in people:
                raise PeopleError(
                    f"{path}: row {number} names a customer that an earlier row names"
                )
            try:
                people[customer] = _person(row, flags)
            except ValueError as error:
                raise PeopleError(f"{path}: row {number}: {error}") from None
    except DataError as error:
        raise PeopleError(str(error)) from error
    return people


def known_people(
    own: Path | None, file: Path | None, channels: Iterable[str] = ()
) -> dict[str, Person]:
    """Everybody of whom something is known: by the contract's tables, and by a table of people,
    whose cells go before.

    Args:
        own: of the active customers (`customers.people`). file: of the settings.
        channels: as in `read_people`.

    Raises:
        PeopleError, OSError: as `read_people`.
    """
    channels = tuple(channels)
    if own:
        _hold_to_channels(own, channels)
    people = read_people(own, channels) if own else {}
    for customer, told in (read_people(file, channels) if file else {}).items():
        said = {name: value for name, value in vars(told).items() if value is not None}
        known = people.get(customer, told)
        said["by_channel"] = {**known.by_channel, **told.by_channel}
        people[customer] = replace(known, **said)
    return people


def _hold_to_channels(own: Path, channels: Sequence[str]) -> None:
    """Raise PeopleError where the contract seems to call a channel otherwise than campaigns do:
    what it says would hold for nobody. Of a channel that they don't have it may say what it will
    (`churn customers check` notes it)."""
    said = {
        name.removeprefix(f"{flag}_")
        for name in pq.read_schema(own).names
        for flag in FLAGS
        if name.startswith(f"{flag}_")
    }
    for name in sorted(said.difference(channels)):
        if near := get_close_matches(name.casefold(), [c for c in channels if c not in said], n=1):
            raise PeopleError(
                f"the contract's contact.channels names {name!r}: is it {near[0]!r}? Mend it, or "
                "CHURN_CAMPAIGN__CHANNELS, then `churn materialize --job plan_campaign`"
            )


def read_ids(path: Path, id_column: str | None = None) -> frozenset[str]:
    """The customers of a suppression list: its columns `customer_id` and `id_column`, whatever
    their capitals, or the first cell of each line where no header has either; with commas,
    semicolons or tabs, and in whatever encoding spreadsheets write.

    Where the header says that there is one column, an id with such a mark in it ("A|1") and a note
    behind an id ("A|asked") look alike: the whole line is on the list, too.

    Args:
        id_column: of the company's own tables, where they have one.

    Raises:
        PeopleError: it is no text, or has not even a header, or a line can't be read.
        OSError: it can't be read.
    """
    try:
        encoding = dialect_of(path, Format()).encoding
        text = content(path)
    except DataError as error:
        raise PeopleError(str(error)) from error
    lines = text.decode(encoding).lstrip().splitlines()
    if not lines:  # as an export that was cut off leaves it: nobody would be kept out
        raise PeopleError(
            f"{path} is empty: write it again; a list of nobody has the header customer_id"
        )
    ids: set[str] = set()
    names = [_plainly(name) for name in ("customer_id", id_column) if name]
    if _plainly(lines[0]) in (*names, *(f'"{name}"' for name in names)):
        ids.update(line.strip() for line in lines[1:])
    dialect = Dialect(_separator(lines), encoding)
    columns = {0: ""}  # of ids: where, and what the header calls them
    for number, record in enumerate(records(io.BytesIO(text), dialect), start=1):
        if record.problem:
            raise PeopleError(f"{path}: line {number} {record.problem}")
        cells = [cell.strip() for cell in record.cells]
        if number == 1:
            named = {at: cell for at, cell in enumerate(cells) if _plainly(cell) in names}
            columns = named or columns
        for at, name in columns.items():
            if at and len(cells) <= at:
                raise PeopleError(f"{path}: line {number} has no cell for {name}")
            ids.add(cells[at])
    return frozenset(ids - {"", "customer_id", *columns.values()})


def _plainly(name: str) -> str:
    """A column's name as it is compared: spreadsheets and people change capitals and blanks."""
    return " ".join(name.split()).casefold()


def _separator(lines: Iterable[str]) -> str:
    """What stands behind the first cell, by most lines: not each has a second, and a reason for
    being on the list may have commas."""
    marks = Counter(found[0] for line in lines if (found := _MARK.search(_QUOTED.sub("", line))))
    return marks.most_common(1)[0][0] if marks else ","


def _person(row: Mapping[str, str], flags: Iterable[str]) -> Person:
    zone = _unless_missing(row.get("zone"))
    if zone is not None and zone not in KNOWN:
        raise ValueError("zone is no IANA time zone, as in Europe/Madrid")
    return Person(
        first_name=row.get("first_name"),
        zone=zone,
        language=_unless_missing(row.get("language")),
        opt_out=_flag("opt_out", row),
        consent=_flag("consent", row),
        complained_on=_date(row.get("complained_on")),
        by_channel={name: told for name in flags if (told := _flag(name, row)) is not None},
    )


def _unless_missing(cell: str | None) -> str | None:
    return None if cell is None or cell.lower() in MISSING else cell


def _flag(name: str, row: Mapping[str, str]) -> bool | None:
    if name not in row:
        return None
    try:
        return TRUTHS[row[name].lower()]
    except KeyError:
        raise ValueError(f"{name} is neither yes nor no") from None


def _date(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        raise ValueError("complained_on is no date, as in 2026-01-14") from None
