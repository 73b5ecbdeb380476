"""A company's logged campaign as typed Parquet, after the check: what the accept model learns from.

`write_contacts` makes the folder of the asset `campaign_contacts`: `train|valid|test.parquet`, the
schema (`campaign.json`), where they are from (`dataset.json`) and what the check said
(`report.json`). The table that is written is held to its schema once more, by pandera.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pandera.pandas as pa

from churn_assets.customers.campaign_schema import (
    ACCEPTED,
    CONTACTED,
    LEVEL,
    PROPENSITY,
    CampaignSchema,
)
from churn_assets.customers.check import CAMPAIGN, Told, check, quiet
from churn_assets.customers.contract.model import Campaign, Contract, ContractError
from churn_assets.customers.fields import customer_field
from churn_assets.customers.quality.columns import as_level
from churn_assets.customers.quality.judging import USED, Judged
from churn_assets.customers.quality.offers import chances_of, level_of
from churn_assets.customers.quality.report import QualityReport
from churn_assets.customers.quality.said import recorded_line
from churn_assets.customers.reading.sources import Places
from churn_assets.customers.schema import CustomerField
from churn_assets.customers.splits import write_splits
from churn_assets.datasets.errors import DataError
from churn_assets.datasets.schemas import validate
from churn_assets.datasets.splits import stratified_split, together
from churn_assets.domain.statistics import Z95

NAME = "campaign_contacts"
_TAKEN = (LEVEL, ACCEPTED, PROPENSITY, CONTACTED, "split")
LEAST_AT_A_LEVEL = 100
"""Contacts with each offer: fewer leave more than 0.10 of its response open."""
LEAST_OF_AN_ANSWER = 30
"""Acceptances, and refusals, without which some split or fold has none."""


def campaign_schema_of(contract: Contract) -> CampaignSchema:
    """The schema of a contract's campaign part.

    Raises:
        ContractError: it has none, or two of its columns would have one name.
    """
    campaign = _campaign(contract)
    fields = tuple(customer_field(column, said) for column, said in campaign.features.items())
    names = [field.name for field in fields]
    for field in fields:
        if names.count(field.name) > 1 or field.name in _TAKEN:
            problem = f"campaign: {field.column!r} would be {field.name!r}, which is taken"
            raise ContractError([f"{contract.name}: {problem}: give it a field"])
    return CampaignSchema(
        contract=contract.name,
        fields=fields,
        gives=campaign.offer.gives,
        unit=campaign.offer.unit,
        chances=chances_of(campaign),
        logged_chances=isinstance(campaign.propensity, str),
        repeated=campaign.customer is not None,
    )


def _campaign(contract: Contract) -> Campaign:
    if contract.campaign is None:
        raise ContractError([f"{contract.name}: has no campaign"])
    return contract.campaign


def write_contacts(
    contract: Contract, places: Places, refused: Path, out: Path, told: Told = quiet
) -> QualityReport:
    """Check the contract's log and write its contacts into the empty folder `out`.

    Returns:
        What the check found. The log is written all the same: whoever goes on with it has to look
        at `problems`.

    Raises:
        ContractError: as `campaign_schema_of`.
        DataError: the log can't be read, lacks a column, or has too few contacts to learn from.
        SchemaViolationError: the typed table breaks its own schema.
    """
    schema, frames = campaign_schema_of(contract), list[pd.DataFrame]()

    def take(connection: duckdb.DuckDBPyConnection, judged: Judged) -> None:
        try:
            columns = dict(_columns(contract, schema, judged))
        except KeyError:
            return  # a column is missing, which the report says
        listed = ", ".join(f'{sql} AS "{name}"' for name, sql in columns.items())
        query = f"SELECT {listed} FROM {judged.name} WHERE {USED} ORDER BY file, row"
        frame = connection.execute(query).df()
        if schema.repeated:  # a number for each customer, in order of their first contact
            frame[CONTACTED] = pd.factorize(frame[CONTACTED])[0]
        frames.append(frame)

    report = check(contract, places, refused, told, take, CAMPAIGN)
    if not frames or frames[0].empty:
        unsaid = "the log has no rows that can be used"
        said = recorded_line(report.problems) if report.problems else unsaid
        raise DataError(f"{contract.name}: {said}")
    _refuse_too_few(frames[0], schema)
    contacts = contacts_schema(schema)
    validate(frames[0], contacts, f"{contract.name}'s campaign", show_values=False)
    frame = contacts.validate(frames[0])
    split = stratified_split(frame[LEVEL].to_numpy() * 2 + frame[ACCEPTED].to_numpy())
    if schema.repeated:
        split = together(split, frame[CONTACTED].to_numpy(np.int64))
    schema.save(out)
    about = {"name": NAME, "campaign": schema.contract}
    rates = write_splits(frame.assign(split=split), out, about, ACCEPTED)
    facts = report.stored(rates)
    (out / "report.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    return report


def _columns(
    contract: Contract, schema: CampaignSchema, judged: Judged
) -> Iterator[tuple[str, str]]:
    """Name -> SQL of every column of the typed log; raises KeyError for one that isn't there."""
    campaign = _campaign(contract)
    for field in schema.fields:
        value = judged.value(field.column, "feature")
        yield field.name, as_level(value, field.levels) if field.levels else value
    yield LEVEL, level_of(campaign, judged)
    yield ACCEPTED, f"coalesce({judged.value(campaign.outcome.column, 'label')}, false)"
    if isinstance(campaign.propensity, str):
        yield PROPENSITY, judged.value(campaign.propensity, "propensity")
    if campaign.customer:
        yield CONTACTED, judged.value(campaign.customer, "id")


def _refuse_too_few(frame: pd.DataFrame, schema: CampaignSchema) -> None:
    """Raise DataError, with what is needed and what it buys, unless a model can be learnt."""
    made = np.bincount(frame[LEVEL], minlength=len(schema.gives))
    for give, contacts in zip(schema.gives, made, strict=True):
        if contacts < LEAST_AT_A_LEVEL:
            bought = ", ".join(
                f"{n:,} tell its response to ±{Z95 * 0.5 / np.sqrt(n):.2f}"
                for n in (LEAST_AT_A_LEVEL, 4 * LEAST_AT_A_LEVEL)
            )
            raise DataError(
                f"{schema.contract}: {contacts:,} contacts were offered {give:g} {schema.unit}, "
                f"{LEAST_AT_A_LEVEL} are needed ({bought}, at worst)"
            )
    accepted = int(frame[ACCEPTED].sum())
    if min(accepted, len(frame) - accepted) < LEAST_OF_AN_ANSWER:
        raise DataError(
            f"{schema.contract}: {accepted:,} of {len(frame):,} contacts accepted; at least "
            f"{LEAST_OF_AN_ANSWER} have to have accepted and as many to have refused, or some part "
            "to learn from or to test on has none"
        )


def contacts_schema(schema: CampaignSchema) -> pa.DataFrameSchema:
    """The typed log as pandera holds it, without a split."""
    columns = {field.name: _column(field) for field in schema.fields}
    columns[LEVEL] = pa.Column("int64", pa.Check.isin(range(len(schema.gives))))
    columns[ACCEPTED] = pa.Column("bool", coerce=True)
    if schema.logged_chances:
        above = pa.Check(lambda chances: chances > 0, name="above_0")
        columns[PROPENSITY] = pa.Column("float64", [above, pa.Check.le(1)])
    if schema.repeated:
        columns[CONTACTED] = pa.Column("int64")
    every = pa.Check(
        lambda frame: (
            np.bincount(frame[LEVEL], minlength=len(schema.gives)).min() >= LEAST_AT_A_LEVEL
        ),
        name=f"{LEAST_AT_A_LEVEL}_contacts_at_every_offer_level",
    )
    return pa.DataFrameSchema(columns, checks=every, strict=True)


def _column(field: CustomerField) -> pa.Column:
    nullable = not field.required
    if field.kind == "number":
        bounds = ((pa.Check.ge, field.low), (pa.Check.le, field.high))
        checks = [bound(limit) for bound, limit in bounds if limit is not None]
        return pa.Column("float64", checks, nullable=nullable, coerce=True)
    if field.kind == "flag":
        return pa.Column("boolean", nullable=nullable, coerce=True)
    known = pa.Check.isin(field.levels) if field.levels else None
    return pa.Column("object", known, nullable=nullable, coerce=True)
