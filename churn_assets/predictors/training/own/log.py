"""A company's logged campaign as matrices: what the log and the customers both know.

A model of the log may only use what is known of a customer when they are asked about. Where the
contract has customers too, that is every feature of the log that a customer has under the same name
and of the same kind, and the history of contacts that every request may give. What the log alone
knows is left out, and the report says what that costs. A contract without customers uses all of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from churn_assets.customers.campaign_schema import (
    ACCEPTED,
    CONTACTED,
    LEVEL,
    PROPENSITY,
    CampaignSchema,
    load_campaign,
)
from churn_assets.customers.schema import MONTHLY, TENURE, CustomerField, CustomerSchema
from churn_assets.predictors.scoring.features import ACCEPT_FEATURES, Feature, encode
from churn_assets.predictors.training.frames import read_training_and_test, rows_of
from churn_assets.predictors.training.own.features import OwnFeatures, features_of

Floats = NDArray[np.float64]
Matrix = NDArray[np.float32]

HISTORY = {
    f.name: f.kind
    for f in ACCEPT_FEATURES
    if f.name not in ("partner", "price_pressure", "offer_level")
}
"""What a request may say of earlier contacts, whatever the contract."""


@dataclass(frozen=True)
class Log:
    """N contacts of a campaign of L levels.

    Attributes:
        schema: what the contract says of it.
        own: the F features, the offer's level last; acceptance never falls in it.
        matrix: (N, F).
        accepted: 0 or 1, (N,).
        chance: with which each contact's offer was chosen, (N,).
        test: held out, (N,).
        customer: whom each contact reached, a number, (N,); None where each reached another one.
        everything: all that the log knows, (N, G), the offer last, and its features; None where
            that is `matrix`.
        unshared: what the log knows and customers don't -> why.
    """

    schema: CampaignSchema
    own: OwnFeatures
    matrix: Matrix
    accepted: Floats
    chance: Floats
    test: NDArray[np.bool_]
    customer: NDArray[np.int64] | None
    everything: tuple[Matrix, tuple[Feature, ...]] | None
    unshared: dict[str, str]

    @property
    def levels(self) -> int:
        """L."""
        return len(self.schema.gives)

    @property
    def offer(self) -> NDArray[np.int64]:
        """The level that each contact was offered, (N,)."""
        return self.matrix[:, -1].astype(np.int64)

    @property
    def learning_customer(self) -> NDArray[np.int64] | None:
        """Whom each contact to learn from reached."""
        return None if self.customer is None else self.customer[~self.test]

    def first_contacts(self) -> Log:
        """Each customer's first contact alone; the log itself where each reached another one.

        For tests that take contacts for independent.
        """
        if self.customer is None:
            return self
        rows = np.sort(np.unique(self.customer, return_index=True)[1])
        whole = self.everything
        return replace(
            self,
            matrix=self.matrix[rows],
            accepted=self.accepted[rows],
            chance=self.chance[rows],
            test=self.test[rows],
            customer=None,
            everything=None if whole is None else (whole[0][rows], whole[1]),
        )

    def people(self, rows: NDArray[np.bool_]) -> int:
        """How many customers the contacts of these rows (N,) reached."""
        return int(rows.sum()) if self.customer is None else len(np.unique(self.customer[rows]))

    @classmethod
    def load(cls, folder: Path, customers: CustomerSchema | None) -> Log:
        """From a folder of `campaign_contacts`; `customers` as the model will be asked about."""
        schema = load_campaign(folder)
        learn, test = read_training_and_test(folder)
        frame = pd.concat([learn, test], ignore_index=True)
        unshared = _unshared(schema, customers)
        whole = _with_offer(features_of(schema, frame), schema)
        kept = [f for f in whole.features if f.name not in unshared]
        if customers is not None:
            kept = [_as_asked(feature, customers) for feature in kept]
        own = replace(whole, features=tuple(kept))
        rows = rows_of(frame)
        offer = frame[LEVEL].to_numpy(np.int64)
        made = np.bincount(offer, minlength=len(schema.gives)) / len(frame)
        chances = np.array(schema.chances or made)
        return cls(
            schema=schema,
            own=own,
            matrix=encode(rows, own.features),
            accepted=frame[ACCEPTED].to_numpy(np.float64),
            chance=frame[PROPENSITY].to_numpy(np.float64)
            if schema.logged_chances
            else chances[offer],
            test=np.arange(len(frame)) >= len(learn),
            customer=frame[CONTACTED].to_numpy(np.int64) if schema.repeated else None,
            everything=(encode(rows, whole.features), whole.features) if unshared else None,
            unshared=unshared,
        )


def _with_offer(own: OwnFeatures, schema: CampaignSchema) -> OwnFeatures:
    offer = Feature(LEVEL, "number", required=True, high=float(len(schema.gives) - 1))
    return OwnFeatures((*own.features, offer), own.rising | {LEVEL}, own.falling)


def _unshared(schema: CampaignSchema, customers: CustomerSchema | None) -> dict[str, str]:
    """The log's features that customers don't have, or have otherwise, and why."""
    if customers is None:
        return {}
    known = {field.name: field for field in customers.features}
    found = {}
    for field in schema.fields:
        if field.name in (TENURE, MONTHLY) or field.name in HISTORY:
            kind = HISTORY.get(field.name, "number")
            if field.kind != kind:
                found[field.name] = f"is a {field.kind} in the log; of customers it is a {kind}"
        elif field.name not in known:
            found[field.name] = "isn't known of customers"
        elif why := _differs(field, known[field.name]):
            found[field.name] = why
    return found


def _differs(logged: CustomerField, asked: CustomerField) -> str:
    if logged.kind != asked.kind:
        return f"is a {logged.kind} in the log; of customers it is a {asked.kind}"
    if logged.kind == "ordered" and logged.levels != asked.levels:
        return "has other levels in the log than of customers"
    return ""


def _as_asked(feature: Feature, customers: CustomerSchema) -> Feature:
    """The feature as it takes whatever a customer may have: their own contract says what that is.

    A word that the log doesn't know is "other"; what a customer may lack may be missing.
    """
    if feature.name == LEVEL:
        return feature
    needed = {field.name for field in customers.features if field.required} | {TENURE, MONTHLY}
    required = feature.required and feature.name in needed
    if feature.kind == "number":
        return replace(feature, required=required, low=None, high=None)
    other = feature.kind == "category"
    return replace(feature, required=required, other=other)
