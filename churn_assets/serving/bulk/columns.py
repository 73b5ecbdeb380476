"""A table's customers, as columns from Parquet to decision and back: no customer is ever a row."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from churn_assets.decision.mdp.observation import ANSWER_FIELDS, Answers
from churn_assets.predictors.scoring.columns import encode_columns, encode_contacts, numbers
from churn_assets.predictors.scoring.scorers import MONTHLY_CHARGES
from churn_assets.serving.assessment import IF_MISSING, Assessments, Assessor, Inputs


def inputs_of(batch: pa.RecordBatch, assessor: Assessor) -> Inputs:
    """What `assessor` reads of the batch's customers; raises FeatureError as it does of rows."""
    columns = {name: numbers(batch, name, if_missing=value) for name, value in IF_MISSING.items()}
    accept, charges = assessor.accept, None
    if accept.price_pressure is not None:
        charges = encode_columns(batch, [MONTHLY_CHARGES])[:, 0]
    told = encode_contacts(batch, accept.told, earlier=not accept.of_others)
    return Inputs(
        ids=batch.column("customer_id").to_pylist(),
        risk=encode_columns(batch, assessor.risk.model.features),
        contacts=accept.computed(told, charges),
        bills=columns.pop("monthly_charges"),
        answers=_answers(batch),
        **columns,
    )


def _answers(batch: pa.RecordBatch) -> Answers | None:
    """The answers of the running period; None where no customer has any."""
    counts = [numbers(batch, name, if_missing=0.0) for name in ANSWER_FIELDS.values()]
    return Answers(*counts) if any(count.any() for count in counts) else None


def predictions(
    batch: pa.RecordBatch,
    assessed: Assessments,
    release_id: str,
    schema: pa.Schema,
    percent: Sequence[int],
) -> pa.RecordBatch:
    """The batch's own columns, null where it lacks one of the schema's, and the figures beside."""
    decisions = assessed.decisions
    figures = {f"accept_prob_{level}": assessed.accept[:, level] for level in range(4)} | {
        "churn_risk": assessed.risk,
        "contact": decisions.contact,
        "offer_level": decisions.offer,
        "offer_percentage": np.array(percent)[decisions.offer],
        "delay_days": decisions.delay,
        "action_probability": decisions.probability,
        "expected_value": assessed.expected_value,
        "expected_cost": assessed.expected_cost,
        "estimated_retention_prob": assessed.retention,
        "release_id": pa.repeat(release_id, batch.num_rows),
    }
    columns = [
        pa.array(figures[field.name], field.type) if field.name in figures else _own(batch, field)
        for field in schema
    ]
    return pa.record_batch(columns, schema=schema)


def _own(batch: pa.RecordBatch, field: pa.Field) -> pa.Array:
    """A column of the table in the type that predictions have; one of another kind goes value by
    value, and what doesn't fit is an error."""
    if field.name not in batch.schema.names:
        return pa.nulls(batch.num_rows, field.type)
    column = batch.column(field.name)
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if column.type == field.type:
        return column
    return pa.array(column.to_pylist(), field.type)
