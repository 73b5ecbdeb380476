"""From a contract to the schema of its customers: the names and kinds of their fields."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from pydantic import BaseModel

from churn_assets.customers.contract.expression import columns_of
from churn_assets.customers.contract.model import Contract, ContractError, Feature
from churn_assets.customers.quality.columns import contact_flags, silent_words
from churn_assets.customers.schema import (
    MONTHLY,
    TENURE,
    CustomerField,
    CustomerSchema,
    FieldWords,
    PermissionColumn,
    Repeated,
)
from churn_assets.domain.cells import TRUTHS

SHARED = "partner"
"""A flag that the accept model knows of bank contacts too; missing where a contract lacks it."""
OTHER = frozenset(
    {
        *("customer_id", "name", "churn", "snapshot", "opt_out", "consent"),
        *("days_since_contact", "contacts_this_period", "acceptances_this_period"),
        *("refusals_this_period", "acceptances_in_cooldown", "previous_contacts"),
        "acceptances_without_discount",
        *("previous_outcome", "contact_channel", "budget_remaining", "time_zone"),
        *("language", "tone"),
        *("force_baseline", "churn_risk", "contact", "price_pressure", "release_id"),
        *("offer_level", "offer_percentage", "delay_days", "action_probability"),
        *("expected_value", "expected_cost", "estimated_retention_prob"),
    }
)
"""What the product itself calls something else by."""
TENURE_SINCE = CustomerField(
    name=TENURE, column=TENURE, kind="number", label="time as a customer", unit="months", low=0
)
"""The months since a contract's date: no column has them, but models use them as any."""
_ATTRIBUTES = frozenset(name for name in dir(BaseModel) if not name.startswith("_"))


def field_name(column: str) -> str:
    """A column's name in requests: `Seconds of Use` is seconds_of_use, `MonthlyFee` monthly_fee."""
    apart = re.sub(r"([a-z0-9])([A-Z])|([A-Z])([A-Z][a-z])", r"\1\3_\2\4", column)
    plain = re.sub(r"\W+", "_", apart).strip("_").lower()
    return f"column_{plain}" if not plain or plain[0].isdigit() else plain


def schema_of(contract: Contract) -> CustomerSchema:
    """The schema of a contract's customer part.

    Raises:
        ContractError: it has none, or two of its fields would have one name.
    """
    if contract.customers is None:
        raise ContractError([f"{contract.name}: has no customers, only a campaign"])
    tables, identity, value, tenure = contract.customers
    people, table = contract.people, tables.active or tables.history
    sums = [value.monthly, *([tenure.months] if tenure.months else [])]
    needed = list(dict.fromkeys(column for text in sums for column in columns_of(text)))
    features = contract.features
    fields = [
        customer_field(column, said, column in needed, features)
        for column, said in features.items()
    ]
    fields += [
        CustomerField(name=field_name(column), column=column, kind="number", feature=False)
        for column in needed
        if column not in features
    ]
    unread = {"required": False, "feature": False}
    accepted = [
        customer_field(column, said).model_copy(update=unread)
        for column, said in contract.accepted.items()
    ]
    _refuse_taken(contract, [*fields, *accepted])
    # Without snapshots who left is seen on another day than who stayed (`quality/tenure.py`).
    if tenure.since and identity.snapshot:
        fields.append(TENURE_SINCE)
    name_of = {field.column: field.name for field in fields}
    return CustomerSchema(
        contract=contract.name,
        fields=tuple(fields),
        monthly=value.monthly,
        tenure=tenure.months,
        since=None if tenure.since is None else " ".join(tenure.since.split()),
        currency=value.currency,
        horizon_months=identity.horizon_months,
        id_column=identity.id,
        name_column=people.first_name,
        default_zone=contract.own_zone,
        default_language=people.default_language,
        accepted=tuple(accepted),
        messages=tuple(
            FieldWords(field=name_of[column], **words.model_dump())
            for column, words in contract.messages.items()
        ),
        offers=contract.offers,
        bands=tenure.bands,
        written=table.format,
        missing=table.missing,
        permissions=tuple(_permissions(contract)),
        left_out_rows=table.leave_out,
    )


def _permissions(contract: Contract) -> Iterator[PermissionColumn]:
    """The columns of who may be contacted, read as the check reads them."""
    for flag, column in contact_flags(contract.contact):
        yield PermissionColumn(
            name=flag.name,
            column=column.name,
            yes=column.yes,
            no=column.no,
            blank=tuple(silent_words(column)),
            unclear=flag.forbids,
        )


def customer_field(
    column: str,
    said: Feature,
    needed: bool = False,
    features: Mapping[str, Feature] | None = None,
) -> CustomerField:
    """The field that a feature of a contract is; `needed`: also where it may be left out."""
    low, high = said.range or (None, None)
    yes, no = said.yes, said.no
    if said.kind == "flag" and not yes:
        yes = tuple(word for word, truth in TRUTHS.items() if truth)
        no = tuple(word for word, truth in TRUTHS.items() if not truth)
    return CustomerField(
        name=said.field or field_name(column),
        column=column,
        kind=said.kind,
        label=said.label,
        unit=said.unit,
        low=low,
        high=high,
        levels=said.levels,
        codes=said.codes,
        aliases=said.aliases,
        yes=_lower(yes),
        no=_lower(no),
        required=said.required or needed,
        direction=said.direction,
        shown=said.shown,
        repeats=_repeated(said, features or {}),
        billed=said.billed,
        about=said.about,
        example=None if said.example is None else said.typed(said.example),
    )


def _repeated(said: Feature, features: Mapping[str, Feature]) -> Repeated | None:
    if said.repeats is None:
        return None
    column, when, says = said.repeats.column, said.repeats.when, said.repeats.says
    other = features[column]
    return Repeated(
        field=other.field or field_name(column),
        when=None if when is None else other.typed(when),
        says=None if says is None else said.typed(says),
    )


def _lower(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(word.strip().lower() for word in words)


def _refuse_taken(contract: Contract, fields: Iterable[CustomerField]) -> None:
    """Raise ContractError for a field whose name means something else."""
    problems, seen = [], dict[str, str]()
    _, _, value, tenure = contract.customers or (None, None, None, None)
    own = {
        TENURE: tenure.months if tenure else None,
        MONTHLY: value.monthly if value else None,
    }
    for field in fields:
        advice = "give it another name: features, its column, field"
        where = f"{contract.name}: {field.column!r} would be the field {field.name!r},"
        if field.name in OTHER | _ATTRIBUTES or field.name.startswith("model_"):
            problems.append(f"{where} which means something else; {advice}")
        elif field.name in own and own[field.name] != field.column:
            problems.append(f"{where} which is the customer's {field.name}; {advice}")
        elif field.name == SHARED and field.kind != "flag":
            problems.append(f"{where} which is a flag; {advice}")
        elif field.name in seen:
            problems.append(f"{where} which {seen[field.name]!r} is too; {advice}")
        seen[field.name] = field.column
    if problems:
        raise ContractError(problems)
