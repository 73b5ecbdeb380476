"""The form of a customer that a release knows: what a request may hold, and what follows from it.

A request model is made from the fields of the contract whose release serves; a release without
`customers.json` has the built-in contract's, `PredictRequest`. What every contract's requests have
in common (id, name, contact history, time zone, tone) is the same in all of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    create_model,
    model_validator,
)
from pydantic_core import PydanticCustomError

from churn_assets.customers.built_in import BUILT_IN_SCHEMA
from churn_assets.customers.schema import (
    MONTHLY,
    TENURE,
    CustomerField,
    CustomerSchema,
    load_schema,
)
from churn_assets.domain.cells import MISSING, as_word
from churn_assets.messages.shield.brief import MAX_CHARGES, MAX_TENURE
from churn_assets.messages.writing.renderer import sign_of
from churn_assets.predictors.scoring.features import LARGEST
from churn_assets.serving.explain import BUILT_IN_WORDS, Wording
from churn_assets.serving.requests.shared import WHOLE, CustomerRequest, Flag, Name, SharedFields

SHARED_FIRST = ("customer_id", "name")
_NAME = (
    "how to address the customer; absent: the message names nobody. A doubtful name is left out, "
    "which `metadata.name_used` then says"
)
SHARED_LAST = (
    *("days_since_contact", "contacts_this_period", "acceptances_this_period"),
    *("refusals_this_period", "acceptances_in_cooldown", "acceptances_without_discount"),
    "previous_contacts",
    *("previous_outcome", "contact_channel", "budget_remaining", "time_zone"),
    *("language", "tone"),
    "force_baseline",
)
LONGEST_WORD = 200  # characters of a category without levels


@dataclass(frozen=True)
class Form:
    """What a release's customers look like.

    Attributes:
        model: of a request's body.
        sample: an example of it.
        wording: how reasons and warnings speak of the customers.
        schema: the contract's; None for the built-in one.
    """

    model: type[CustomerRequest]
    sample: dict[str, Any] = field(compare=False)
    wording: Wording = field(compare=False)
    schema: CustomerSchema | None = None

    def row(self, request: CustomerRequest) -> Mapping[str, Any]:
        """The customer as models see them, with `tenure` and `monthly_charges`."""
        row = vars(request)
        return row if self.schema is None else self.schema.complete(row)

    @property
    def customers(self) -> CustomerSchema:
        """What is known of the customers."""
        return self.schema or BUILT_IN_SCHEMA

    @property
    def offer_months(self) -> int | None:
        """For how long the contract's own offers last; None where it names none."""
        offers = self.schema.offers if self.schema else None
        return offers.months if offers else None

    def currency_sign(self, built_in: str) -> str | None:
        """What stands before a bill in a message: `built_in` for customers of the built-in
        contract, for others their contract's currency; None where no message may name a bill."""
        if self.schema is None:
            return built_in
        return sign_of(self.schema.billed_in or "")

    @property
    def field_of(self) -> dict[str, str]:
        """How a table may call the fields: the company's column -> field; its date since when is
        that of the tenure."""
        if self.schema is None:
            return {}
        since = {} if self.schema.since is None else {self.schema.since: TENURE}
        return since | _field_of(self.schema)

    @property
    def numbered(self) -> bool:
        """Whether the company's tables have no ids: a row's number then names a customer."""
        return self.schema is not None and self.schema.id_column is None


def load_form(folder: Path) -> Form:
    """The form of the release in a folder; raises SchemaError where `customers.json` is none."""
    schema = load_schema(folder)
    return BUILT_IN if schema is None else form_of(schema)


def form_of(schema: CustomerSchema) -> Form:
    """The form of a contract's customers; one for all releases with the same schema."""
    return _form_of(schema.model_dump_json())


def missing_words(schema: CustomerSchema) -> dict[str, frozenset[str]]:
    """Field of the contract -> words of a table's cells that say it isn't known: those that always
    do, or the contract's own; what a field's levels are never does. Under "": what says so of every
    other field, the contract's own alone."""
    said = frozenset(map(as_word, schema.missing))
    return {"": said} | {
        field.name: (MISSING | said) - set(map(as_word, (*field.levels, *field.yes, *field.no)))
        for field in schema.fields
    }


def _table_words(schema: CustomerSchema) -> dict[str, JsonValue]:
    """What whoever reads a table of the customers, or shows their money, has to know of the
    contract: how numbers are written, what means "unknown", in which currency amounts are."""
    missing = {name: sorted(words) for name, words in missing_words(schema).items()}
    told = {
        "x-format": schema.written.model_dump(exclude_none=True),
        "x-missing": missing,
        "x-currency": sign_of(schema.currency),
    }
    return cast("dict[str, JsonValue]", told)


def _field_of(schema: CustomerSchema) -> dict[str, str]:
    known = {f.column: f.name for f in schema.fields}
    people = {schema.id_column: "customer_id", schema.name_column: "name"}
    return {column: name for column, name in people.items() if column} | known


@cache
def _form_of(stored: str) -> Form:
    schema = CustomerSchema.model_validate_json(stored)
    sample = _sample(schema)

    class Base(CustomerRequest):
        # Whoever reads a table of customers, the console for one, has to know the company's words.
        model_config = ConfigDict(
            json_schema_extra={
                "examples": [sample],
                "x-columns": cast("dict[str, JsonValue]", _field_of(schema)),
                "x-numbered": schema.id_column is None,
                "x-since": schema.since,  # a column with a date, from which `tenure` is counted
                **_table_words(schema),
            }
        )

        @model_validator(mode="after")
        def _value_and_tenure(self) -> Base:
            try:
                told = schema.complete(vars(self))
            except ValueError as error:
                raise PydanticCustomError("value", "{problem}", {"problem": str(error)}) from None
            for name, most in ((MONTHLY, MAX_CHARGES), (TENURE, MAX_TENURE)):
                if told[name] > most:
                    told_by = {"name": schema.told_by(name), "most": most}
                    raise PydanticCustomError("value", "{name} is above {most}", told_by)
            return self

    fields: dict[str, Any] = {"customer_id": _shared("customer_id")}
    if schema.tenure is None:
        fields[TENURE] = _shared(TENURE)
    fields |= {k: said for k, said in _by_need(schema, _own).items() if k not in fields}
    fields["name"] = (Name | None, Field(None, description=_NAME, examples=["Sam"]))
    about = f"One customer of {schema.contract}."
    return Form(_model(Base, about, fields), sample, Wording(schema), schema)


def _built_in() -> Form:
    """The specification's request: a name is required, and numbers stay as they are given."""
    sample = _sample(BUILT_IN_SCHEMA)

    class Base(CustomerRequest):
        model_config = ConfigDict(
            json_schema_extra={"examples": [sample], **_table_words(BUILT_IN_SCHEMA)}
        )

    fields = {name: _shared(name) for name in SHARED_FIRST} | _by_need(BUILT_IN_SCHEMA, _specified)
    about = "One customer. The six fields of the sample are required, all others optional."
    return Form(_model(Base, about, fields), sample, BUILT_IN_WORDS)


def _sample(schema: CustomerSchema) -> dict[str, Any]:
    sample: dict[str, Any] = {"customer_id": "C12345", "name": "Sam"}
    if schema.tenure is None:
        sample[TENURE] = 12
    given = {f.name: f.example for f in schema.fields if f.required and f.example is not None}
    return sample | given


def _model(
    base: type[CustomerRequest], about: str, fields: Mapping[str, Any]
) -> type[CustomerRequest]:
    # A release made before a shared field was known may have a column of that name.
    last = {name: _shared(name) for name in SHARED_LAST if name not in fields}
    made: Any = {**fields, **last}
    return create_model("PredictRequest", __base__=base, __doc__=about, __module__=__name__, **made)


def _by_need(
    schema: CustomerSchema, typed: Callable[[CustomerField], tuple[Any, Any]]
) -> dict[str, tuple[Any, Any]]:
    """The contract's fields: those that are required, those that are only accepted, the others."""
    required = [said for said in schema.fields if said.required]
    others = [said for said in schema.fields if not said.required]
    return {said.name: typed(said) for said in (*required, *schema.accepted, *others)}


def _shared(name: str) -> tuple[Any, Any]:
    known = SharedFields.model_fields[name]
    return known.annotation, known


def _specified(said: CustomerField) -> tuple[Any, Any]:
    """A field of the built-in contract: its type, and what documents say of it."""
    limits: dict[str, Any] = {}
    match said.kind:
        case "number" if said.name == TENURE:
            kind: Any = Annotated[int, Field(ge=0, le=int(said.high or MAX_TENURE)), WHOLE]
        case "number":
            kind, limits = float, {"ge": said.low or 0, "le": said.high}
        case "flag":
            kind = Flag
        case _:
            kind = Literal[(*said.levels, *said.aliases)]
            if said.aliases:
                kind = Annotated[kind, AfterValidator(lambda word: said.aliases.get(word, word))]
    if said.about:
        limits["description"] = said.about
    default = ... if said.required else None
    return kind if said.required else kind | None, Field(default, examples=[said.example], **limits)


def _own(said: CustomerField) -> tuple[Any, Any]:
    """A field of another contract: its type, and what documents say of it."""
    match said.kind:
        case "number":
            limits = Field(ge=said.low, le=said.high)
            kind: Any = Annotated[float, limits, AfterValidator(_number)]
        case "flag":
            kind = Annotated[bool, BeforeValidator(_truth(said))]
        case _ if said.levels:
            kind = Annotated[Literal[said.levels], BeforeValidator(_level(said))]
        case _:
            kind = Annotated[str, Field(max_length=LONGEST_WORD), BeforeValidator(_word)]
    unit = f", in {said.unit}" if said.unit else ""
    words = {"x-label": said.words} | ({"x-shown": said.shown} if said.shown else {})
    about = Field(
        ... if said.required else None,
        description=said.about or f"{said.words}{unit}",
        examples=[] if said.example is None else [said.example],
        json_schema_extra=cast("dict[str, JsonValue]", words),
    )
    return (kind if said.required else kind | None), about


def _number(value: float) -> float | int:
    """A whole number as such: 38, not 38.0."""
    if not abs(value) <= LARGEST:
        raise PydanticCustomError("too_large", "is too large a number")
    return int(value) if value.is_integer() and math.fabs(value) < 2**53 else value


def _word(value: Any) -> Any:
    """A code that a program wrote as a number is the word that the table has: 1 and 1.0 are "1"."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value.strip() if isinstance(value, str) else value
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _level(said: CustomerField) -> Callable[[Any], Any]:
    spelled = {level.strip().lower(): level for level in said.levels}
    spelled |= {word.strip().lower(): level for word, level in said.aliases.items()}

    def level(value: Any) -> Any:
        word = _word(value)
        return spelled.get(word.lower(), word) if isinstance(word, str) else word

    return level


def _truth(said: CustomerField) -> Callable[[Any], Any]:
    def truth(value: Any) -> Any:
        if isinstance(value, bool):
            return value
        word = _word(value)
        if isinstance(word, str) and word.lower() in said.yes:
            return True
        if isinstance(word, str) and (word.lower() in said.no or not said.no):
            return False
        words = f"{said.yes[0]} or {said.no[0] if said.no else 'else'}"
        usual = "true or false"
        expected = f"write {usual}" + (f", {words}" if words != usual else "")
        raise PydanticCustomError("flag", "{expected}", {"expected": expected})

    return truth


BUILT_IN = _built_in()
SAMPLE_REQUEST = BUILT_IN.sample
if TYPE_CHECKING:
    PredictRequest = SharedFields
else:
    PredictRequest = BUILT_IN.model
"""One customer of the built-in contract: the specification's request."""
