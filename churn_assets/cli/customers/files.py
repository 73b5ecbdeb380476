"""Customers from a file: CSV, JSON Lines, JSON or Parquet, each in the form of `POST /predict`.

What can't be read as a customer stays a row with its problem, so that it can be written to a file
as it was, mended and read again. Rows of CSV, JSON Lines and Parquet are read as they are asked
for, so that memory holds none of them, however long the file; a JSON list is one value, and
standard input can be read only once: these are held.
"""

from __future__ import annotations

import codecs
import difflib
import gzip
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import IO, Any, Literal, cast

from churn_assets.cli.customers.cells import (
    in_doubt,
    is_missing,
    marks_of_fields,
    numeric_places,
    parsed,
    plain,
    text_cell,
    undated,
)
from churn_assets.cli.customers.decoded import lines_of, text_of
from churn_assets.cli.customers.left_out import LeftOut
from churn_assets.cli.customers.permissions import Permissions
from churn_assets.cli.customers.sayable import unsaid
from churn_assets.customers.languages import TAG
from churn_assets.customers.reading.dates import months_since
from churn_assets.customers.reading.dialect import dialect_of
from churn_assets.customers.reading.lines import Record, records
from churn_assets.customers.reading.sources import SUFFIXES as TABLES
from churn_assets.customers.reading.sources import is_table, unchanged
from churn_assets.customers.schema import TENURE
from churn_assets.datasets.errors import CorruptFileError
from churn_assets.domain.cells import as_word, cell_text
from churn_assets.serving.forms import BUILT_IN, Form, missing_words
from churn_assets.storage.scratch import scratch_folder

Kind = Literal["jsonl", "json", "parquet"]
TEXTS = tuple(suffix for suffix in TABLES if suffix != ".parquet")
SUFFIXES: dict[str, Kind] = {
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
}
STDIN = "-"
AT_A_TIME = 1_000  # rows of a Parquet file that are held
NOTES = ("refused_row", "refused_because")  # what we add to a refused row, and leave out on reading


class CustomerFileError(Exception):
    """A file that as a whole can't be read as customers; says why."""


@dataclass(frozen=True)
class Row:
    """One customer of a file.

    Attributes:
        number: counted from 1, without a header.
        raw: the cells of a CSV or Parquet row, else the object or line as it should be written.
        customer: what `POST /predict` would be sent, where the row could be read.
        problem: why it could not be read; empty where it could.
        rule: which of `domain.contact_rules.RULES` forbids to contact them, by the columns of the
            company's own table that say who may be contacted; None: none does.
        left_out: why the contract leaves the row out of the active customers; empty: it doesn't.
    """

    number: int
    raw: list[Any] | dict[str, Any] | str
    customer: Any = None
    problem: str = ""
    rule: str | None = None
    left_out: str = ""


@dataclass(frozen=True)
class Customers:
    """The rows of a file.

    Attributes:
        rows: in the file's order; may be gone through more than once. Whoever does may be told of
            damage that is found on the way: CustomerFileError.
        columns: the header of a CSV or Parquet file; empty for JSON.
        delimiter: what separates the cells of a CSV file.
        encoding: of a file of refused rows, which is read as this one was.
        single: the file is one JSON object, not a list.
        names: field -> the column of a CSV or Parquet file that has it.
        numbered: the rows have no ids: their numbers stand for them.
    """

    rows: Iterable[Row]
    columns: tuple[str, ...] = ()
    delimiter: str = ","
    encoding: str = "utf-8"
    single: bool = False
    names: Mapping[str, str] = field(default_factory=dict)
    numbered: bool = False


@dataclass(frozen=True)
class _Read:
    """Rows that are read anew whenever they are gone through."""

    file: Path
    rows: Callable[[], Iterator[Row]]

    def __iter__(self) -> Iterator[Row]:
        with _plain_errors(self.file), unchanged(self.file):
            yield from self.rows()


@contextmanager
def _plain_errors(file: Path) -> Iterator[None]:
    """What is wrong with a file, as CustomerFileError with its name."""
    try:
        yield
    except CorruptFileError as error:
        raise CustomerFileError(f"{file}: {error.problem}") from error
    except (ValueError, RecursionError) as error:
        raise CustomerFileError(f"{file}: {error}") from error


def read_customers(file: Path, form: Form = BUILT_IN, channels: Sequence[str] = ()) -> Customers:
    """Every row of a file; `-` is standard input, with JSON, JSON Lines or CSV.

    Columns are the fields of the form, or the company's own columns that they are read from; of
    the latter, only those that say who may be contacted are read where they are no field.

    Args:
        channels: by which the company contacts. Who said no to each of them said no.

    Raises:
        CustomerFileError: the file as a whole can't be read as customers.
        OSError: it can't be opened.
    """
    if file.is_dir():
        raise CustomerFileError(f"{file} is a folder: name a file")
    if file.is_file() and not file.stat().st_size:
        raise CustomerFileError(f"{file} is empty")
    with _plain_errors(file):
        if str(file) == STDIN:
            customers = _from_standard_input(form, channels)
        elif is_table(file.name) and file.suffix.lower() != ".parquet":
            customers = _from_csv(file, form, channels)
        elif file.suffix.lower() in SUFFIXES:
            customers = _read(SUFFIXES[file.suffix.lower()], file, form, channels)
        else:
            known = ", ".join(dict.fromkeys((*TEXTS, *SUFFIXES)))
            raise CustomerFileError(f"{file}: can't tell the format by its name; known are {known}")
    if next(iter(customers.rows), None) is None:
        what = "a header and no rows" if customers.columns else "no customers"
        raise CustomerFileError(f"{file} has {what}")
    return customers


def _read(kind: Kind, file: Path, form: Form, channels: Sequence[str]) -> Customers:
    if kind == "parquet":
        return _from_parquet(file, form, channels)
    if kind == "json":
        return _from_json(text_of(file.read_bytes()))
    for _ in lines_of(file):
        pass  # in a foreign encoding it is refused as a whole, before anybody is answered
    return Customers(_Read(file, lambda: _json_lines(lines_of(file))))


def _from_json(text: str) -> Customers:
    """A list of customers, a single one, or one document after the other."""
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":  # one document after the other
            return Customers(list(_json_lines(text.split("\n"))))
        raise ValueError(f"is not JSON: {error}") from error
    many = document if isinstance(document, list) else [document]
    rows = [_from_object(number, value) for number, value in enumerate(many, 1)]
    return Customers(rows, single=not isinstance(document, list))


def _json_lines(lines: Iterable[str]) -> Iterator[Row]:
    for number, line in enumerate((line for line in lines if line.strip()), 1):
        try:
            yield _from_object(number, json.loads(line))
        except json.JSONDecodeError as error:
            yield Row(number, line.rstrip("\r\n"), problem=f"is not JSON: {error}")
        except ValueError:  # JSON has no limit, Python's numbers have
            yield Row(number, line.rstrip("\r\n"), problem="has a number of too many digits")


def _from_object(number: int, value: Any) -> Row:
    if not isinstance(value, dict):
        return Row(number, json.dumps(value), problem="is not a JSON object")
    customer = {name: given for name, given in value.items() if name not in NOTES}
    return Row(number, customer, customer, unsaid(customer))


def _from_standard_input(form: Form, channels: Sequence[str]) -> Customers:
    content = sys.stdin.buffer.read().removeprefix(codecs.BOM_UTF8)
    if content.lstrip()[:1] in (b"{", b"["):
        return _from_json(text_of(content))
    with scratch_folder("predict") as folder:
        (folder / "standard-input.csv").write_bytes(content)
        customers = _from_csv(folder / "standard-input.csv", form, channels)
        return replace(customers, rows=list(customers.rows))


def _from_csv(file: Path, form: Form, channels: Sequence[str]) -> Customers:
    """As `churn customers check` reads it: encoding, delimiter and marks of numbers are the
    contract's, or found."""
    given = form.customers.written
    dialect = dialect_of(file, given)

    def found() -> Iterator[Record]:
        with file.open("rb") as raw:
            packed = file.suffix.lower() == ".gz"
            content = cast("IO[bytes]", gzip.GzipFile(fileobj=raw)) if packed else raw
            yield from records(content, dialect)

    header = next(found(), None)
    if header is None:
        raise ValueError("is empty")
    columns = tuple(name.strip() for name in header.cells)
    fields = _fields_of(columns, form)
    whole = (r.cells for r in islice(found(), 1, None) if len(r.cells) == len(columns))
    numeric = numeric_places(fields, form, dated=_is_dated(columns, form))
    marks = marks_of_fields(fields, numeric, whole, given)
    missing, permissions = _missing(form, columns), Permissions(columns, form.customers, channels)
    left_out = LeftOut(columns, fields, form)
    column_of, order = dict(zip(fields, columns, strict=True)), given.date
    dated = column_of.get(TENURE) if _is_dated(columns, form) else None

    def rows() -> Iterator[Row]:
        for number, record in enumerate(islice(found(), 1, None), 1):
            cells = record.cells
            if record.problem or len(cells) != len(columns):
                problem = f"has {len(cells)} cells where the header has {len(columns)}"
                yield Row(number, cells or [record.line], problem=record.problem or problem)
                continue
            named = {f: cell.strip() for f, cell in zip(fields, cells, strict=True) if f}
            known = {f: cell for f, cell in named.items() if cell and not missing(f, cell)}
            customer = {f: parsed(form, f, cell, marks.get(f)) for f, cell in known.items()}
            doubts = []
            if form.schema is not None:  # a contract can say it; the built-in form has none
                doubts += [in_doubt(column_of[f], cell, marks.get(f)) for f, cell in known.items()]
            if dated is not None:
                doubts.append(undated(dated, known.get(TENURE), customer.get(TENURE), order))
            problem = "; ".join(filter(None, doubts))
            rule, out = permissions.rule(cells), left_out.reason(cells)
            yield Row(number, cells, _named(number, customer, form), problem, rule, out)

    encoding = given.encoding or "utf-8"
    numbered = form.numbered and "customer_id" not in fields
    return Customers(
        _Read(file, rows), columns, dialect.delimiter, encoding, names=column_of, numbered=numbered
    )


def _missing(form: Form, columns: Sequence[str]) -> Callable[[str, str], bool]:
    """Whether a field's cell says that it isn't known, in `missing_words`; so does a language in
    the company's own words, which the table of the active customers has by the contract's."""
    words, own = missing_words(form.customers), _is_own(columns, form)

    def missing(name: str, cell: str) -> bool:
        if own and name == "language" and not re.fullmatch(TAG, cell.strip()):
            return True
        return as_word(cell) in words.get(name, words[""])

    return missing


def _from_parquet(file: Path, form: Form, channels: Sequence[str]) -> Customers:
    # Imported here: half a second that other formats need not take.
    import pyarrow as pa
    import pyarrow.parquet as pq

    from churn_assets.customers.reading.table import is_text

    def values() -> Iterator[dict[str, Any]]:
        try:
            with pq.ParquetFile(file) as table:
                for batch in table.iter_batches(AT_A_TIME):
                    yield from batch.to_pylist()
        except pa.ArrowException as error:
            raise ValueError(f"is no Parquet file: {error}") from error

    try:
        schema = pq.read_schema(file)
    except pa.ArrowException as error:
        raise ValueError(f"is no Parquet file: {error}") from error
    columns, given = tuple(schema.names), form.customers.written
    fields, missing, order = _fields_of(columns, form), _missing(form, columns), given.date
    column_of = dict(zip(fields, columns, strict=True))
    dated = column_of.get(TENURE) if _is_dated(columns, form) else None
    numeric = numeric_places(fields, form, dated=dated is not None)
    texts = [i for i in numeric if is_text(schema.types[i])]
    whole = (list(row.values()) for row in values()) if texts else ()
    written = marks_of_fields(fields, texts, whole, given)  # where nothing tells, with a point
    marks = {field: replace(mark, told=True) for field, mark in written.items()}
    permissions = Permissions(columns, form.customers, channels)
    left_out = LeftOut(columns, fields, form)
    as_read = permissions.columns | {i for i in left_out.columns if not fields[i]}

    def rows() -> Iterator[Row]:
        for number, row in enumerate(values(), 1):
            cells = dict(zip(fields, row.values(), strict=True))
            cells = {
                name: value
                for name, value in cells.items()
                if name and not (is_missing(value) or missing(name, cell_text(value) or ""))
            }
            text = {name: cells[name].strip() for name in marks if name in cells}
            known = {name: plain(value) for name, value in cells.items()}
            known |= {name: parsed(form, name, cell, marks[name]) for name, cell in text.items()}
            doubts = [in_doubt(column_of[name], cell, marks[name]) for name, cell in text.items()]
            why = "; ".join(filter(None, doubts if form.schema else []))  # as in a CSV file
            if dated is not None:
                since = cells.get(TENURE)
                months = months_since(since, written=order, zone=form.customers.default_zone)
                known |= {} if since is None else {TENURE: months}
                why = why or undated(dated, since, months, order)
            given_values = list(row.values())
            raw = [text_cell(value, given.decimal) for value in given_values]
            for i in as_read:  # whatever mark decimals have
                raw[i] = cell_text(given_values[i]) or ""
            rule, out = permissions.rule(given_values), left_out.reason(given_values)
            why = why or unsaid(known, column_of)
            yield Row(number, raw, _named(number, known, form), why, rule, out)

    delimiter, encoding = given.delimiter or ",", given.encoding or "utf-8"
    numbered = form.numbered and "customer_id" not in fields
    return Customers(
        _Read(file, rows), columns, delimiter, encoding, names=column_of, numbered=numbered
    )


def _fields_of(columns: Sequence[str], form: Form) -> list[str]:
    """The field of each column, empty for one that is passed over; raises ValueError for a header
    that can't be one of customers."""
    fields = form.model.model_fields
    theirs = [form.field_of.get(" ".join(name.split()), "") for name in columns]
    if not _is_dated(columns, form):  # the months themselves go before the date
        theirs = ["" if name == TENURE else name for name in theirs]
    found = [c if c in fields else own for c, own in zip(columns, theirs, strict=True)]
    doubled = sorted({name for name in columns if columns.count(name) > 1})
    doubled += sorted({name for name in found if name and found.count(name) > 1})
    read = {*NOTES, *(said.column for said in form.customers.permissions)}
    read |= {" ".join(rule.column.split()) for rule in form.customers.left_out_rows}
    unread = [c for c, name in zip(columns, found, strict=True) if not name]
    unknown = [c for c in unread if " ".join(c.split()) not in read]
    if _is_own(columns, form):
        unknown = []  # it has more than models read
    needed = [name for name, field in fields.items() if field.is_required()]
    missing = [name for name in needed if name not in found and not _is_number_of(name, form)]
    if doubled:
        raise ValueError(f"has the column {doubled[0]} twice")
    if missing:
        own = {name: column for column, name in form.field_of.items()}
        if _is_own(columns, form):
            missing = [own.get(name, name) for name in missing]
        raise ValueError(f"lacks the columns {', '.join(missing)}; it has {', '.join(columns)}")
    if unknown:
        near = difflib.get_close_matches(unknown[0], fields, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"has a column that no customer has: {unknown[0]!r}{hint}")
    return found


def _is_own(columns: Sequence[str], form: Form) -> bool:
    """Whether it is the company's own table: a column of it is a field's by another name."""
    others = (name for name in columns if name not in form.model.model_fields)
    return any(" ".join(name.split()) in form.field_of for name in others)


def _is_dated(columns: Sequence[str], form: Form) -> bool:
    """Whether months are told from the date since when: no column has them themselves."""
    return form.customers.since is not None and TENURE not in columns


def _is_number_of(name: str, form: Form) -> bool:
    """Whether a row's number stands for the field: an id that the company's tables don't have."""
    return form.numbered and name == "customer_id"


def _named(number: int, customer: dict[str, Any], form: Form) -> dict[str, Any]:
    """The customer, with the row's number for an id where the company's tables have none."""
    return {"customer_id": f"R{number}", **customer} if form.numbered else customer
