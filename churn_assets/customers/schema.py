"""What a customer of a contract looks like to everything after the check: `customers.json`.

The contract says where tables lie; the schema is what is left of it once they are read: the fields
of a customer, which of them models may use, how monthly value and tenure follow from them, and how
a file of customers is written, as `churn predict` reads it. It lies beside the typed tables and in
every release made from them, so that training, requests, OpenAPI and reasons speak of the same
fields. A folder without it holds customers of the built-in contract.

A row has the schema's fields and two of the product's own, computed from them: `tenure` (whole
months) and `monthly_charges` (what they pay in a month, in the contract's currency).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from churn_assets.customers.contract.expression import evaluate
from churn_assets.customers.contract.features import NO, YES, Kind
from churn_assets.customers.contract.tables import Format, LeftOutRows
from churn_assets.datasets.errors import DataError
from churn_assets.domain.cells import as_word
from churn_assets.domain.contracts import SERVICES, Contract, Service
from churn_assets.domain.offers import Offers

FILE = "customers.json"
HORIZON_DAYS_A_MONTH = 30  # as the decision environment's periods have them; tenures have 30.44
TENURE, MONTHLY = "tenure", "monthly_charges"


class SchemaError(DataError):
    """A `customers.json` that is none of this version."""


class Repeated(BaseModel):
    """The field that another one says again something of.

    Attributes:
        field: its name.
        when: its value at which the other one only repeats it; None: always.
        says: the other one's value then, and at no other time.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    field: str
    when: bool | str | None = None
    says: bool | str | None = None


class CustomerField(BaseModel):
    """One thing that is known of a customer.

    Attributes:
        name: in requests and typed tables.
        column: in the company's tables.
        kind: as the contract says.
        label, unit: for people.
        low, high: of a number; None for no limit.
        levels: the allowed words, in order; empty where they are learnt.
        codes: the levels in the order of the model's codes, where that is another one.
        aliases: what a request may write instead of a level: word -> level.
        yes, no: of a flag, words in lower case; every other one is no where `no` is empty.
        required: whether a request has to give it.
        direction: -1 or 1 where churn may only fall or rise with it.
        feature: whether models use it; others only tell value and tenure.
        shown: level -> how reasons call it.
        repeats: the field that it says again something of.
        billed: whether it is what was billed so far.
        about: what documents say of it.
        example: a usual value: the contract's, else the median, or the most frequent word.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    column: str
    kind: Kind
    label: str = ""
    unit: str = ""
    low: float | None = None
    high: float | None = None
    levels: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    aliases: dict[str, str] = Field(default_factory=dict)
    yes: tuple[str, ...] = ()
    no: tuple[str, ...] = ()
    required: bool = True
    direction: int = 0
    feature: bool = True
    shown: dict[str, str] = Field(default_factory=dict)
    repeats: Repeated | None = None
    billed: bool = False
    about: str = ""
    example: float | int | bool | str | None = None

    @property
    def words(self) -> str:
        """What people call it."""
        return self.label or self.column


class PermissionColumn(BaseModel):
    """A column of the company's tables that says who may be contacted.

    Attributes:
        name: of what it says, as the table of people has it (`domain.contact_rules.by_channel`).
        column: in the company's tables.
        yes, no: cells, as `as_word` has them.
        blank: "" where an empty cell says nothing. Releases of before have words here as well,
            which are no permission any more.
        unclear: what every other cell counts as, which forbids: true of an opt-out, false of a
            consent.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    column: str
    yes: tuple[str, ...]
    no: tuple[str, ...] = ()
    blank: tuple[str, ...] = ()
    unclear: bool

    def says(self, cell: str | None) -> bool | None:
        """Yes or no; None where the cell says nothing."""
        word = as_word(cell or "")
        if not word and word in self.blank:
            return None
        return True if word in self.yes else (False if word in self.no else self.unclear)


class Spoken(NamedTuple):
    """What a message may speak of.

    contract: its kind; None where it is of no known kind.
    services: a missing column counts as not subscribed.
    subject: the phrase for what the customer has, of the first column that has one for them.
    """

    contract: Contract | None
    services: tuple[Service, ...]
    subject: str | None


class FieldWords(BaseModel):
    """What a message may say of a field.

    Attributes:
        field: its name.
        say, say_in, contract, service, cells: as the contract has them
            (`contract.features.Words`).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    field: str
    say: dict[str, str] = Field(default_factory=dict)
    say_in: dict[str, dict[str, str]] = Field(default_factory=dict)
    contract: dict[str, Contract] = Field(default_factory=dict)
    service: Service | None = None
    cells: tuple[str, ...] = ()

    def phrase(self, cell: str | None, language: str) -> str | None:
        """What a message in a language calls a value; None: nothing."""
        phrases = self.say if language == "en" else self.say_in.get(language, {})
        return phrases.get(cell or "")

    @staticmethod
    def cell(value: Any) -> str | None:
        """A customer's value as the contract writes it; None: missing."""
        if isinstance(value, bool):
            return YES if value else NO
        return None if value is None else str(value)


class CustomerSchema(BaseModel):
    """A contract's customers.

    Attributes:
        contract: the contract's name.
        fields: what a request may give, in the contract's order.
        monthly: monthly value, as a column or a sum of `[columns]`.
        tenure: months, likewise; None where the contract has the date since when: a request then
            gives `tenure` itself.
        since: the column with that date, from which files of customers are told their months.
        currency: of the monthly value.
        format: 1 took the horizon for a period of the decision environment, however long.
        horizon_months: within which time they leave.
        default_zone: where a customer's time zone is unknown; None: the server's.
        default_language: to write in where a customer's language is unknown; None: English.
        id_column, name_column: of the company's tables; None where they have none.
        accepted: what a request may give besides, though nothing reads it.
        messages: what messages may say of the customers.
        offers: the discounts that can be offered; None: the built-in ones.
        bands: months from which a customer is settled, and long with the company; None: the
            built-in ones.
        written: how the text of the customers' table is, that of active ones where there is one;
            what isn't said is detected.
        missing: cells of it that mean "unknown" beside those that always do.
        permissions: its columns that say who may be contacted; no model and no request has them.
        left_out_rows: which rows of it are no active customers.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1, 2] = 2
    contract: str
    fields: tuple[CustomerField, ...]
    monthly: str
    tenure: str | None
    since: str | None = None
    currency: str = ""
    horizon_months: float
    default_zone: str | None = None
    default_language: str | None = None
    id_column: str | None = None
    name_column: str | None = None
    accepted: tuple[CustomerField, ...] = ()
    messages: tuple[FieldWords, ...] = ()
    offers: Offers | None = None
    bands: tuple[int, int] | None = None
    written: Format = Format()
    missing: tuple[str, ...] = ()
    permissions: tuple[PermissionColumn, ...] = ()
    left_out_rows: tuple[LeftOutRows, ...] = ()

    @property
    def horizon_days(self) -> float | None:
        """Days in which leaving counts in the risk; None: it is taken for that of a period."""
        return None if self.format == 1 else HORIZON_DAYS_A_MONTH * self.horizon_months

    @property
    def billed_in(self) -> str | None:
        """The currency of the bill that a message may name; None where the contract has none, or
        computes the monthly value: nobody was billed that."""
        is_column = any(field.column == self.monthly for field in self.fields)
        return self.currency or None if is_column else None

    @property
    def features(self) -> tuple[CustomerField, ...]:
        """The fields that models use."""
        return tuple(field for field in self.fields if field.feature)

    def complete(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The row (field -> value) with `tenure` and `monthly_charges`.

        Raises:
            ValueError: one of them can't be told or is negative; in words for whoever gave the row.
        """
        numbers = {field.column: row.get(field.name) for field in self.fields}
        told = {MONTHLY: evaluate(self.monthly, numbers.__getitem__)}
        if self.tenure is not None:
            told[TENURE] = evaluate(self.tenure, numbers.__getitem__)
        for name, value in told.items():
            if value is None or not 0 <= value < float("inf"):
                raise ValueError(f"{self.told_by(name)} is unknown or negative")
        if TENURE in told:
            told[TENURE] = int(told[TENURE] or 0)
        return {**row, **told}

    def told_by(self, name: str) -> str:
        """`tenure` or `monthly_charges` for people: with the columns that tell it."""
        how = self.monthly if name == MONTHLY else (self.tenure or self.since)
        return name.replace("_", " ") + (f" ({how})" if how else "")

    @property
    def knows_contracts(self) -> bool:
        """Whether customers have a kind of contract that the language model writes by."""
        return any(words.contract for words in self.messages)

    def spoken_of(self, row: Mapping[str, Any], language: str = "en") -> Spoken:
        """What a message in a language may speak of to the customer of a row."""
        return self._spoken(language, *map(row.get, self._telling))

    @cached_property
    def _telling(self) -> tuple[str, ...]:
        """The fields of which a message may speak."""
        return tuple(words.field for words in self.messages)

    @cached_property
    def _spoken(self) -> Callable[..., Spoken]:
        """`spoken_of` a language and those fields' values; many customers have the same."""
        return lru_cache(maxsize=4_096, typed=True)(self._speak_of)  # True and 1 read apart

    def _speak_of(self, language: str, *values: Any) -> Spoken:
        cells = [
            (words, words.cell(value)) for words, value in zip(self.messages, values, strict=True)
        ]
        has = {words.service for words, cell in cells if words.service and cell in words.cells}
        contracts = (words.contract.get(cell or "") for words, cell in cells)
        phrases = (words.phrase(cell, language) for words, cell in cells)
        return Spoken(
            contract=next(filter(None, contracts), None),
            services=tuple(service for service in SERVICES if service in has),
            subject=next(filter(None, phrases), None),
        )

    def save(self, folder: Path) -> None:
        """Write `customers.json`."""
        # Earlier versions refuse a key that they don't know: only who needs it has it.
        needed_by_few = ("permissions", "left_out_rows")
        without = {name for name in needed_by_few if not getattr(self, name)}
        written = self.model_dump_json(indent=1, exclude=without)
        (folder / FILE).write_text(written + "\n", encoding="utf-8")


def load_schema(folder: Path) -> CustomerSchema | None:
    """The schema in a folder of customers or a release; None: they are the built-in contract's.

    Raises:
        SchemaError: `customers.json` is none; names the file.
    """
    path = folder / FILE
    if not path.exists():
        return None
    try:
        return CustomerSchema.model_validate_json(path.read_bytes())
    except ValidationError as error:
        said = error.errors()[0]
        where = ".".join(map(str, said["loc"]))
        raise SchemaError(f"{path}: {where}: {said['msg']}; build the release anew") from error
