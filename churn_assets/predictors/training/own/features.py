"""A contract's fields as the model's features: `scoring.features` of a company's own customers.

Flags and numbers are what they are. An `ordered` field is its level's position. A category with
levels has a code for each; one without has a code for each word that is frequent among the
customers, the most frequent first, and one for all others, whether rare or never seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from churn_assets.customers.campaign_schema import CampaignSchema
from churn_assets.customers.schema import CustomerField, CustomerSchema
from churn_assets.predictors.scoring.features import Feature

LEAST_ROWS = 20  # of a word with a code of its own; rarer ones are "other"
MOST_WORDS = 30


@dataclass(frozen=True)
class OwnFeatures:
    """The F features, and in which of them P(churn) may only rise or fall."""

    features: tuple[Feature, ...]
    rising: frozenset[str]
    falling: frozenset[str]


def features_of(schema: CustomerSchema | CampaignSchema, customers: pd.DataFrame) -> OwnFeatures:
    """The features of a contract; categories' words are learnt from the customers (no labels)."""
    fields = schema.features
    return OwnFeatures(
        tuple(_feature(field, customers) for field in fields),
        frozenset(field.name for field in fields if field.direction > 0),
        frozenset(field.name for field in fields if field.direction < 0),
    )


def _feature(field: CustomerField, customers: pd.DataFrame) -> Feature:
    if field.kind == "number":
        return Feature(
            field.name, "number", required=field.required, low=field.low, high=field.high
        )
    if field.kind == "flag":
        return Feature(field.name, "flag", required=field.required)
    if field.levels:
        return Feature(field.name, "category", field.required, field.codes or field.levels)
    counts = customers[field.name].dropna().astype(str).value_counts()
    frequent = [(-int(rows), str(word)) for word, rows in counts.items() if rows >= LEAST_ROWS]
    words = tuple(word for _, word in sorted(frequent)[:MOST_WORDS])
    return Feature(field.name, "category", field.required, words, other=True)
