"""One cell of a file of customers: from text or a Parquet value to what JSON has, and back."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from decimal import Decimal
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from churn_assets.customers.contract.tables import DateOrder, Format
from churn_assets.customers.reading.dates import months_since, why_no_months
from churn_assets.customers.reading.numbers import Marks, doubt_of, marks_by_column, number_in
from churn_assets.customers.schema import TENURE
from churn_assets.domain.cells import cell_text, shortened
from churn_assets.serving.forms import Form

TRUE, FALSE = ("yes", "true", "1"), ("no", "false", "0")


def _types_of(annotation: Any) -> set[Any]:
    """The plain types within an annotation: `{int, NoneType}` for `int | None`."""
    if get_origin(annotation) is Annotated:
        return _types_of(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return set().union(*map(_types_of, get_args(annotation)))
    return {annotation}


def is_numeric(form: Form, name: str) -> bool:
    """Whether the form's field is a number."""
    types = _types_of(form.model.model_fields[name].annotation)
    return bool(types & {int, float}) and bool not in types


def numeric_places(fields: Sequence[str], form: Form, *, dated: bool) -> list[int]:
    """The places of the columns of numbers, by the field of each column (empty: passed over);
    where months as a customer are told by a date (`dated`), they are none."""
    none = {TENURE} if dated else set()
    return [i for i, f in enumerate(fields) if f and f not in none and is_numeric(form, f)]


def marks_of_fields(
    fields: Sequence[str], places: Sequence[int], rows: Iterable[Sequence[Any]], given: Format
) -> dict[str, Marks]:
    """Field -> how its numbers are written, by the text that all rows have in these places."""
    cells = ([(row[i] or "").strip() for i in places] for row in rows)
    written = marks_by_column(cells, len(places), given)
    return dict(zip((fields[i] for i in places), written, strict=True))


def parsed(form: Form, name: str, cell: str, marks: Marks | None) -> Any:
    """A cell as its field's type, a number by its column's marks; a cell that isn't one stays text,
    which the field refuses."""
    if bool in _types_of(form.model.model_fields[name].annotation):
        return cell.lower() in TRUE if cell.lower() in (*TRUE, *FALSE) else cell
    if name == TENURE and marks is None:
        customers = form.customers
        return months_since(cell, written=customers.written.date, zone=customers.default_zone)
    number = None if marks is None else number_in(cell, marks)
    return cell if number is None or math.isinf(number) else _whole(number)  # JSON has none


def in_doubt(column: str, cell: str, marks: Marks | None) -> str:
    """Why a number's cell may be two of them, as `churn customers check` says it of the column;
    empty where it is one or none."""
    why = "" if marks is None else doubt_of(cell, marks)
    return f"{column}: {shortened(cell)!r} {why}" if why else ""


def undated(column: str, cell: Any, months: Any, written: DateOrder | None) -> str:
    """What is wrong with the cell since when somebody is a customer, as the check says it; empty
    where its months are known.

    Args:
        cell: None where it is missing.
        months: what `months_since` made of the cell.
    """
    if cell is None:
        return f"{column}: is blank"
    if months is not cell:
        return ""
    return f"{column}: {shortened(cell_text(cell) or '')!r} {why_no_months(cell, written=written)}"


def _whole(number: float) -> int | float:
    return int(number) if number.is_integer() else number


def plain(value: Any) -> Any:
    """A Parquet value as JSON has it: pandas writes whole numbers with gaps as floats."""
    return _whole(float(value)) if isinstance(value, float | Decimal) else value


def text_cell(value: Any, decimal: str | None) -> Any:
    """A Parquet value as it stands in a text file of the contract's format."""
    if is_missing(value):
        return ""
    return str(value).replace(".", decimal or ".") if isinstance(value, float | Decimal) else value


def is_missing(value: Any) -> bool:
    """Whether a Parquet value is none."""
    return value is None or (isinstance(value, float) and math.isnan(value))
