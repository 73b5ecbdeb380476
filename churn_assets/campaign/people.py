"""What predictions don't hold of customers: name, zone, language, opt-out, consent, complaint."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

from churn_assets.campaign.errors import PeopleError
from churn_assets.serving.zones import KNOWN

MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8-sig"}
NO_TEXT = (b"PK\x03\x04", b"PAR1", b"\x1f\x8b")  # a workbook, Parquet, gzip
SEPARATORS = (",", ";", "\t", "|")
YES = frozenset({"yes", "y", "true", "1"})
NO = frozenset({"no", "n", "false", "0"})
COLUMNS = ("first_name", "zone", "language", "opt_out", "consent", "complained_on")


@dataclass(frozen=True)
class Person:
    """One customer; None where nothing is known."""

    first_name: str | None = None
    zone: str | None = None
    language: str | None = None
    opt_out: bool | None = None
    consent: bool | None = None
    complained_on: date | None = None


def read_people(path: Path) -> dict[str, Person]:
    """Customer id -> person.

    Raises:
        PeopleError: no column `customer_id`, a customer twice, or a cell that can't be read. A
            doubtful opt-out stops the plan: it must not pass for "no".
        OSError: the file can't be read.
    """
    people: dict[str, Person] = {}
    for number, row in enumerate(_rows(path), start=1):
        customer = str(row.get("customer_id") or "").strip()
        if not customer:
            raise PeopleError(f"{path}: row {number} has no customer_id")
        if customer in people:
            raise PeopleError(f"{path}: row {number} names a customer that an earlier row names")
        try:
            people[customer] = _person(row)
        except ValueError as error:
            raise PeopleError(f"{path}: row {number}: {error}") from None
    return people


def known_people(own: Path | None, file: Path | None) -> dict[str, Person]:
    """Everybody of whom something is known: by the contract's tables, and by a table of people,
    whose cells go before.

    Args:
        own: of the active customers (`customers.people`). file: of the settings.

    Raises:
        PeopleError, OSError: as `read_people`.
    """
    people = read_people(own) if own else {}
    for customer, told in (read_people(file) if file else {}).items():
        said = {name: value for name, value in vars(told).items() if value is not None}
        people[customer] = replace(people.get(customer, told), **said)
    return people


def read_ids(path: Path) -> frozenset[str]:
    """The customers of a suppression list: the first cell of each line, without a header; with
    commas, semicolons or tabs, and in whatever encoding spreadsheets write.

    Raises:
        PeopleError: it is no text. OSError: it can't be read.
    """
    cells = (row[0].strip() for row in _cells(path) if row)
    return frozenset(cell for cell in cells if cell not in ("", "customer_id"))


def _cells(path: Path) -> Iterator[list[str]]:
    """The rows of a text table in the dialect that it is written in."""
    content = path.read_bytes()
    encoding = next((name for mark, name in MARKS.items() if content.startswith(mark)), "utf-8")
    if content.startswith(NO_TEXT) or (encoding != "utf-16" and b"\0" in content):
        raise PeopleError(f"{path}: it is no text: export it as CSV")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        text = content.decode("latin-1")  # ids are the same in it as in Windows' own
    header = text.partition("\n")[0]
    try:
        yield from csv.reader(
            io.StringIO(text, newline=""), delimiter=max(SEPARATORS, key=header.count)
        )
    except csv.Error as error:
        raise PeopleError(f"{path}: {error}") from error


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        from churn_assets.storage.tables import read_parquet

        names = pq.read_schema(path).names
        wanted = [name for name in ("customer_id", *COLUMNS) if name in names]
        if "customer_id" not in wanted:
            raise PeopleError(f"{path}: there is no column customer_id")
        yield from read_parquet(path, wanted).to_pylist()
        return
    rows = _cells(path)
    header = [name.strip() for name in next(rows, [])]
    if "customer_id" not in header:
        raise PeopleError(f"{path}: there is no column customer_id")
    for row in filter(None, rows):
        yield dict(zip(header, row, strict=False))


def _person(row: dict[str, Any]) -> Person:
    zone = _text(row.get("zone"))
    if zone is not None and zone not in KNOWN:
        raise ValueError("zone is no IANA time zone, as in Europe/Madrid")
    return Person(
        first_name=_text(row.get("first_name")),
        zone=zone,
        language=_text(row.get("language")),
        opt_out=_flag("opt_out", row.get("opt_out")),
        consent=_flag("consent", row.get("consent")),
        complained_on=_date(row.get("complained_on")),
    )


def _text(cell: Any) -> str | None:
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):  # an empty column of pandas
        return None
    return str(cell).strip() or None


def _flag(name: str, cell: Any) -> bool | None:
    if cell is None or isinstance(cell, bool):
        return cell
    word = str(cell).strip().lower()
    if word in YES or word in NO:
        return word in YES
    if not word:
        return None
    raise ValueError(f"{name} is neither yes nor no")


def _date(cell: Any) -> date | None:
    if isinstance(cell, datetime):
        return cell.date()
    if cell is None or isinstance(cell, date):
        return cell
    text = str(cell).strip()
    if not text:
        return None
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        raise ValueError("complained_on is no date, as in 2026-01-14") from None
