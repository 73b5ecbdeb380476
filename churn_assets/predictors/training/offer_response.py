"""Contacts with an offer and its response: simulated on the bank's contacts, or your own log.

The public data has no discounts, so the response to one is *semi-synthetic*. Features and the
response without a discount are real. Each contact is given an offer level k uniformly at random,
and one uniform draw u decides its response to every level:

    Y(k) = 1{u < p_k},   logit p_k = logit p_0 + b · s(z) · k^g,   s(z) = 1/2 + z,

k the size of the offer in units of 5 % off a year (0 to 3 of the built-in ones), p_0 the
out-of-fold P(accept) without an offer, z the price pressure (uniform, so s has mean 1).
u is drawn given the observed response (below p_0 if it was a yes, above if not), hence Y(0) is the
observed response and Y(k) never falls in k. The offer, u and z are drawn from independent streams.

How strong a discount works (b, g) is an assumption with two presets. A model of one preset passes
every check there is, whichever is true, so everything learned is shown under both.

A campaign log replaces all this (`campaign_log`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pandera.pandas as pa
from numpy.typing import NDArray

from churn_assets.datasets.schemas import validate
from churn_assets.datasets.tables import read_split
from churn_assets.domain.offers import OFFER_LEVELS, Offers
from churn_assets.domain.splits import SPLITS
from churn_assets.domain.statistics import logit, sigmoid
from churn_assets.predictors.config import OFFER_EFFECTS, AcceptConfig, OfferEffect
from churn_assets.predictors.scoring.features import ACCEPT_FEATURES, encode
from churn_assets.predictors.training.boosting import Learner, stratified_folds
from churn_assets.predictors.training.frames import rows_of
from churn_assets.predictors.training.streams import stream

Floats = NDArray[np.float64]

LOW_INCOME_JOBS = ("blue-collar", "housemaid", "retired", "services", "student", "unemployed")
P0_FOLDS = 5
ROWS_PER_OFFER = 100
ANSWERS = [f"response_{level}" for level in range(OFFER_LEVELS)]


def _flag() -> pa.Column:
    return pa.Column("boolean", nullable=True, coerce=True)


def _count(nullable: bool = False) -> pa.Column:
    return pa.Column("Float64", pa.Check.ge(0), nullable=nullable, coerce=True)


def _every_level_occurs(frame: pd.DataFrame) -> bool:
    counts = frame["offer_level"].value_counts()
    return all(counts.get(level, 0) >= ROWS_PER_OFFER for level in range(OFFER_LEVELS))


CONTACTS = pa.DataFrameSchema(
    {
        "partner": _flag(),
        "contact_channel": pa.Column(str, pa.Check.isin(["telephone", "cellular"]), nullable=True),
        "contacts_this_period": _count(),
        "days_since_contact": _count(nullable=True),
        "previous_contacts": _count(),
        "previous_outcome": pa.Column(str, pa.Check.isin(["failure", "nonexistent", "success"])),
        "price_pressure": pa.Column(float, pa.Check.in_range(0, 1)),
        "offer_level": pa.Column("int64", pa.Check.isin(range(OFFER_LEVELS))),
        "accepted": pa.Column(bool),
    },
    checks=pa.Check(_every_level_occurs, name=f"{ROWS_PER_OFFER}_rows_at_every_offer_level"),
)


@dataclass(frozen=True)
class Contacts:
    """Contacts as the model sees them.

    Attributes:
        matrix: encoded features, (N, 8).
        accepted: 0 or 1, (N,).
        potential: the response to each offer, (N, 4), column 0 the real one; None where only
            `accepted` is known, and real.
        test: held out, (N,).
        chronological: "train", "valid" or "test" by time, (N,).
        customer: whom each contact reached, a number, (N,); None where nobody says it.
    """

    matrix: NDArray[np.float32]
    accepted: NDArray[np.float64]
    potential: NDArray[np.float64] | None
    test: NDArray[np.bool_]
    chronological: NDArray[np.str_]
    customer: NDArray[np.int64] | None = None

    @classmethod
    def of(cls, frame: pd.DataFrame) -> Contacts:
        """From a frame of `offer_response`."""
        return cls(
            matrix=encode(rows_of(frame), ACCEPT_FEATURES),
            accepted=frame["accepted"].to_numpy(np.float64),
            potential=frame[ANSWERS].to_numpy(np.float64) if ANSWERS[0] in frame else None,
            test=(frame["split"] == "test").to_numpy(),
            chronological=frame["chronological_split"].to_numpy(),
            customer=frame["customer"].to_numpy(np.int64) if "customer" in frame else None,
        )

    @property
    def firsts(self) -> NDArray[np.int64]:
        """Rows of each customer's first contact; all rows where nobody says whose they are."""
        if self.customer is None:
            return np.arange(len(self.accepted))
        return np.sort(np.unique(self.customer, return_index=True)[1])

    def as_observed(self) -> Contacts:
        """The same contacts with nothing simulated: no discount, and the real response."""
        if self.potential is None:
            return self
        matrix = self.matrix.copy()
        matrix[:, -1] = 0
        return replace(self, matrix=matrix, accepted=self.potential[:, 0])

    @property
    def learning_customer(self) -> NDArray[np.int64] | None:
        """Whom each contact to learn from reached."""
        return None if self.customer is None else self.customer[~self.test]

    @property
    def held_out_customer(self) -> NDArray[np.int64] | None:
        """Whom each row of `held_out` is of; where nobody says it, which contact."""
        if self.customer is not None:
            return self.customer[self.test]
        return None if self.potential is None else np.tile(np.arange(self.test.sum()), OFFER_LEVELS)

    def held_out(self) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Held-out contacts and their responses: to the offer made, or to each where all are known.

        Four times the rows where responses are simulated: figures then depend less on which offer
        was drawn, and those without a discount are of every held-out contact's real response.
        """
        matrix = self.matrix[self.test]
        if self.potential is None:
            return matrix, self.accepted[self.test]
        offered = np.tile(matrix, (OFFER_LEVELS, 1))
        offered[:, -1] = np.repeat(np.arange(OFFER_LEVELS), len(matrix))
        return offered, self.potential[self.test].T.ravel()


@dataclass(frozen=True)
class Response:
    """A simulated response of N contacts.

    Attributes:
        offer_level: 0..3, (N,).
        probability: p_k, (N, 4).
        potential: Y(k), (N, 4); column 0 is the observed response.
    """

    offer_level: NDArray[np.int64]
    probability: Floats
    potential: NDArray[np.bool_]

    @property
    def accepted(self) -> NDArray[np.bool_]:
        """The response to the offer that was made, (N,)."""
        return self.potential[np.arange(len(self.offer_level)), self.offer_level]


def simulate(
    accepted: NDArray[np.bool_],
    p0: Floats,
    pressure: Floats,
    effect: OfferEffect,
    seed: int,
    offers: Offers | None = None,
) -> Response:
    """Offers and responses of N contacts (module docstring has the formula).

    Args:
        accepted: observed response without an offer, (N,).
        p0: its probability, strictly within (0, 1), (N,).
        pressure: price pressure in [0, 1], (N,).
        effect: strength b and exponent g.
        seed: of the offers and of u.
        offers: a contract's own; None: the built-in ones.
    """
    offer_level = stream(seed, "offers").integers(0, OFFER_LEVELS, len(accepted))
    v = stream(seed, "responses").random(len(accepted))
    u = np.where(accepted, v * p0, p0 + v * (1 - p0))
    built_in, own = Offers().shares, (offers or Offers()).shares
    size = np.array(own) / built_in[1]
    gain = effect.strength * np.round(size, 9) ** effect.exponent
    probability = sigmoid(logit(p0)[:, None] + (0.5 + pressure)[:, None] * gain)
    potential = u[:, None] < probability
    potential[:, 0] = accepted  # exact, where rounding of p_0 could have moved it
    return Response(offer_level, probability, potential)


def bank_pressure(frame: pd.DataFrame, seed: int) -> Floats:
    """Price pressure (N,) of bank contacts: the quantile of their debt burden, uniform in [0, 1].

    The burden counts a housing loan, a personal loan, a credit default that is not ruled out, and
    a job of low or no income. It has few levels; a contact is placed at random (seeded) within its
    level's share of the contacts, which makes the quantile exactly uniform (the distributional
    transform; Rüschendorf, 2009).
    """
    burden = (
        (frame["housing"] == "yes").astype(int)
        + (frame["loan"] == "yes")
        + (frame["default"] != "no")
        + frame["job"].isin(LOW_INCOME_JOBS)
    ).to_numpy()
    share = np.bincount(burden) / len(burden)
    below = np.cumsum(share) - share
    within = stream(seed, "price_pressure").random(len(burden))
    return below[burden] + within * share[burden]


def bank_contacts(
    folder: Path, config: AcceptConfig, offers: Offers | None = None
) -> dict[str, pd.DataFrame]:
    """Bank contacts with simulated offers under each preset of `OFFER_EFFECTS`.

    The presets differ in the responses alone: features, offers and draws are the same.

    Returns:
        Preset -> contacts in order of time: CONTACTS' columns, two splits, and `response_0` to
        `response_3`, the response to each offer; `response_0` is the real one.
    """
    parts = [read_split(folder, name).assign(split=name) for name in SPLITS]
    bank = pd.concat(parts).sort_values("contact_id", ignore_index=True)
    contacts = bank_features(bank, config.seed)
    observed = bank["accepted"].to_numpy(bool)
    p0 = _probability_without_offer(contacts, observed.astype(np.float64), config)
    pressure = contacts["price_pressure"].to_numpy()
    simulated = {}
    for preset, effect in OFFER_EFFECTS.items():
        response = simulate(observed, p0, pressure, effect, config.seed, offers)
        answers = {f"response_{k}": response.potential[:, k] for k in range(OFFER_LEVELS)}
        simulated[preset] = checked(
            contacts.assign(
                offer_level=response.offer_level, accepted=response.accepted, **answers
            ),
            f"simulated contacts ({preset})",
        )
    return simulated


def bank_features(bank: pd.DataFrame, seed: int) -> pd.DataFrame:
    """What bank contacts share with customers, and both splits: (N, 9) without an offer."""
    contacts = pd.DataFrame(
        {
            "partner": (bank["marital"] == "married").astype("boolean"),
            "contact_channel": bank["contact"],
            "contacts_this_period": bank["campaign"] - 1,
            "days_since_contact": bank["pdays"],
            "previous_contacts": bank["previous"],
            "previous_outcome": bank["poutcome"],
            "price_pressure": bank_pressure(bank, seed),
            "split": bank["split"],
            "chronological_split": bank["chronological_split"],
        }
    )
    contacts.loc[bank["marital"] == "unknown", "partner"] = pd.NA
    return contacts


def _probability_without_offer(
    contacts: pd.DataFrame, accepted: Floats, config: AcceptConfig
) -> Floats:
    """p_0 (N,): out-of-fold and calibrated, from the shared features."""
    features = tuple(feature for feature in ACCEPT_FEATURES if feature.name != "offer_level")
    learner = Learner(features, config.model_copy(update={"masked_copies": 0}))
    folds = stratified_folds(accepted, P0_FOLDS, config.seed)
    fitted = learner.cross_fit(encode(rows_of(contacts), features), accepted, folds)
    return fitted.probabilities("sigmoid")


def checked(contacts: pd.DataFrame, what: str) -> pd.DataFrame:
    """The contacts with CONTACTS' types; raises SchemaViolationError listing what it refuses."""
    validate(contacts, CONTACTS, what)
    validated: pd.DataFrame = CONTACTS.validate(contacts)
    return validated
