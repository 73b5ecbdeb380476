"""The parts of a contract that say where a table is and how it is written."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)


class Part(BaseModel):
    """A part of a contract: a key that it doesn't know is an error, and so is inf or nan."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def _cell(given: Any) -> Any:
    """A cell as text, where a program gives a number."""
    if given is None:
        raise ValueError("is empty: write the cell in quotes")
    return str(given) if isinstance(given, int | float) else given


def _listed(given: Any) -> Any:
    return given if isinstance(given, list | tuple) or given is None else [given]


def _one_character(mark: str) -> str:
    if len(mark) > 1:
        raise ValueError("has to be one character")
    return mark


Cell = Annotated[str, BeforeValidator(_cell)]
Cells = Annotated[tuple[Cell, ...], BeforeValidator(_listed)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_listed)]
Mark = Annotated[str, AfterValidator(_one_character)]
DateOrder = Literal["dd/mm/yyyy", "mm/dd/yyyy"]


class Format(Part):
    """How text is written; what isn't said here is detected, and shown.

    Attributes:
        delimiter: between cells: `,` `;` `|` or a tab (`"\\t"`).
        decimal: before decimals: `.` or `,`.
        thousands: between thousands, as `,` `.` `'` or a blank; empty for none.
        encoding: Python's name, as `utf-8`, `latin-1`, `cp1252`, `utf-16`.
        date: whether 01/09/2025, or 01-09-2025, begins with the day or the month; without it such
            a cell is refused. 2025-09-01 and 01.09.2025 are read whatever is said here.
    """

    delimiter: Mark | None = None
    decimal: Literal[".", ","] | None = None
    thousands: Mark | None = None
    encoding: str | None = None
    # Unsaid it isn't written: a schema is then that of earlier releases, to the byte.
    date: DateOrder | None = Field(default=None, exclude_if=lambda said: said is None)

    @model_validator(mode="after")
    def _two_marks(self) -> Self:
        if self.decimal is not None and self.decimal == self.thousands:
            raise ValueError("decimal and thousands are the same mark")
        return self


class Download(Part):
    """Where a public file comes from when the mirror folder lacks it.

    Attributes:
        url: of the file.
        sha256: of its uncompressed bytes; another file is refused.
    """

    url: str = Field(pattern="^https?://")
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class Query(Part):
    """A table by SQL.

    Attributes:
        url: an SQLAlchemy URL; `${NAME}` is taken from the environment, where passwords belong.
        query: one SELECT.
    """

    url: str = Field(min_length=1)
    query: str = Field(min_length=1)


class LeftOutRows(Part):
    """Rows that are no part of the table, with the reason: they're counted, and not refused.

    Attributes:
        values: cells of the column.
        before: or dates in it that are earlier than this one, as of customers who left long ago.
    """

    column: str
    values: Cells = ()
    before: date | None = None
    reason: str = Field(min_length=3)

    @model_validator(mode="after")
    def _one_rule(self) -> Self:
        if bool(self.values) == (self.before is not None):
            raise ValueError("needs either values or before (a date, as in 2026-01-31)")
        return self


class Table(Part):
    """One table: `path` or `sql`.

    Attributes:
        path: file, folder or glob, or several of them, relative to the contract's folder:
            CSV (also .gz) or Parquet; `gs://bucket/...`; `mirror:...` below the mirror folder
            (CHURN_DATA_MIRROR); `public:ibm_telco`, a source that the product knows.
        download: where a `mirror:` file comes from otherwise.
        sql: a query instead of a path.
        format: how text is written.
        missing: cells that mean "unknown" beside blank, NA, N/A, NaN, null and none.
        leave_out: rows that aren't part of the table.
        most_refused: share of rows that may be refused without this being a problem, 0 to 1.
    """

    path: Texts = ()
    download: Download | None = None
    sql: Query | None = None
    format: Format = Format()
    missing: Cells = ()
    leave_out: tuple[LeftOutRows, ...] = ()
    most_refused: float = Field(default=0.0, ge=0, le=1)

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if bool(self.path) == (self.sql is not None):
            raise ValueError("needs either path or sql")
        return self


class Tables(Part):
    """The customers' tables.

    Attributes:
        history: labelled customers, to learn from.
        active: customers to score; without it, those of the history who haven't left.
    """

    history: Table
    active: Table | None = None
