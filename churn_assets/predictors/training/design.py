"""Can the contacts support what is concluded from them?

Four questions, each answered before any figure of the model counts: were offers made without a
look at the customer (*propensity*), does the training find an uplift where there is none
(*placebo*), are there contacts like the customers at every offer (*support*), and do the features
tell the era instead of the customer?

Both tests are by permutation, so that their bounds hold for a log of 400 contacts as for 41,188: a
sound design or training fails each with a probability of at most 1e-4.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata, ttest_1samp

from churn_assets.domain.offers import OFFER_LEVELS
from churn_assets.domain.statistics import sigmoid
from churn_assets.predictors.config import AcceptConfig
from churn_assets.predictors.scoring.features import ACCEPT_FEATURES, Feature
from churn_assets.predictors.training.boosting import Learner, margins, stratified_folds
from churn_assets.predictors.training.metrics import auc
from churn_assets.predictors.training.streams import stream
from churn_assets.predictors.training.support import Support

Floats = NDArray[np.float64]
Matrix = NDArray[np.float32]
Mask = NDArray[np.bool_]

COLUMN = {feature.name: column for column, feature in enumerate(ACCEPT_FEATURES)}
OFFER = -1  # the offer's level is the last column of every contact
OWN_FEATURES = ("partner", "price_pressure")  # the customer's own, not of their contact history
FOLDS = 2
PERMUTATIONS = 40_000  # so that two folds together can still show a p-value below 1e-4
EXCEEDANCES = 20
SHUFFLES = 16
LEAST_ROWS = 20  # of each side, to tell the late contacts from the others


def permutation_p_value(
    observed: float, draw: Callable[[], float], most: int = PERMUTATIONS
) -> float:
    """P(a draw is at least `observed`), by drawing until EXCEEDANCES draws are, or `most` times.

    Sequential Monte Carlo (Besag & Clifford, 1991): where draws are what `observed` is under the
    hypothesis, the chance of a value of at most a is at most a, and a clear case costs few draws.
    """
    exceeded = 0
    for count in range(1, most + 1):
        exceeded += draw() >= observed
        if exceeded == EXCEEDANCES:
            return exceeded / count
    return (exceeded + 1) / (most + 1)


def propensity(
    matrix: Matrix,
    config: AcceptConfig,
    features: Sequence[Feature] = ACCEPT_FEATURES,
    levels: int = OFFER_LEVELS,
) -> dict[str, float]:
    """Can the offer be told from the features? From all contacts (N, F).

    Returns:
        `propensity_auc`: mean one-against-rest AUC over the offers, out of fold; 0.5 where
        offers were made without a look at the features, so that differences between offers are
        effects of offers. `propensity_p_value`: two-sided, by permuting the offers of each fold
        under the scores of boosters that never saw them; the smaller one of the folds, times
        their number (Bonferroni).
    """
    offer = matrix[:, OFFER].astype(np.int64)
    scores, folds = offer_scores(matrix, config, features, levels)
    areas = [auc((offer == k).astype(np.float64), scores[:, k]) for k in range(levels)]
    rng = stream(config.seed, "propensity")
    values = [_permuted(scores[folds == f], offer[folds == f], rng) for f in range(FOLDS)]
    return {
        "propensity_auc": float(np.mean(areas)),
        "propensity_p_value": min(1.0, FOLDS * min(values)),
    }


def offer_scores(
    matrix: Matrix, config: AcceptConfig, features: Sequence[Feature], levels: int
) -> tuple[Floats, NDArray[np.int64]]:
    """Each offer's log-odds (N, L) by boosters that never saw the contact, and the folds (N,)."""
    learner = _small_learner(tuple(features)[:OFFER], config)
    offer = matrix[:, OFFER].astype(np.int64)
    folds = stratified_folds(offer, FOLDS, config.seed)
    scores = [
        learner.cross_fit(matrix[:, :OFFER], (offer == k).astype(np.float64), folds).scores["full"]
        for k in range(levels)
    ]
    return np.column_stack(scores), folds


def _permuted(scores: Floats, offer: NDArray[np.int64], rng: np.random.Generator) -> float:
    """p-value of the mean AUC's distance from 1/2, of scores (N, L) for offers (N,)."""
    levels = scores.shape[1]
    made = np.bincount(offer, minlength=levels)
    pairs = made * (len(offer) - made)
    share = rankdata(scores, axis=0) / pairs  # a row's part of the AUC of the offer it had
    expected = ((made + 1) * made / 2 / pairs).sum() + levels / 2
    rows = np.arange(len(offer))

    def distance(offers: NDArray[np.int64]) -> float:
        return float(abs(share[rows, offers].sum() - expected))

    rounding = 1e-9  # equal assignments must count as equal, in whatever order they are summed
    return permutation_p_value(distance(offer) - rounding, lambda: distance(rng.permutation(offer)))


Scores = Callable[[Matrix], Floats]
Train = Callable[[Matrix, Floats], Scores]
"""Trains on contacts (N, F) and their answers (N,); gives what scores contacts, as log-odds."""


def placebo(learner: Learner, matrix: Matrix, accepted: Floats, test: Matrix) -> dict[str, Any]:
    """`placebo_of` a booster's training."""
    free = Learner(
        learner.features, learner.config.model_copy(update={"masked_copies": 0}), frozenset()
    )
    top, seed = OFFER_LEVELS - 1, learner.config.seed
    return placebo_of(_trained_by(learner), _trained_by(free), matrix, accepted, test, top, seed)


def _trained_by(learner: Learner) -> Train:
    def train(matrix: Matrix, accepted: Floats) -> Scores:
        return partial(margins, learner.train(matrix, accepted))

    return train


def placebo_of(
    published: Train,
    free: Train,
    matrix: Matrix,
    accepted: Floats,
    test: Matrix,
    top: int,
    seed: int,
) -> dict[str, Any]:
    """What uplift of the largest offer is found where offers have nothing to do with responses?

    The offers of the training contacts (N, F) are shuffled, again and again; a training that then
    still finds an uplift in the test contacts makes it up. Not calibrated.

    Args:
        published: the training whose model is used, which may find rising effects only.
        free: the same, free to find a falling effect too.
        matrix, accepted, test: contacts to train on (N, F), their answers (N,), and to look at.
        top: the largest offer's level.
        seed: of the shuffles.

    Returns:
        `placebo_p_value`: Student's t over the shuffles, of the free training: its mean uplift is 0
        unless it makes it up. `placebo_uplifts`: that mean and its interval at the level 1e-4.
        `placebo_uplift`: the published training's, never below 0: what its constraint makes up of
        noise.
    """
    rng = stream(seed, "placebo")

    def uplift(train: Train) -> float:
        return _uplift(train(_shuffled(matrix, rng), accepted), test, top)

    found = [uplift(free) for _ in range(SHUFFLES)]
    p_value, interval = 1.0, [0.0, 0.0]
    if any(found):  # too few contacts for a single split on the offer: nothing was made up
        student = ttest_1samp(found, 0.0)
        p_value = float(student.pvalue)
        interval = [float(bound) for bound in student.confidence_interval(1 - 1e-4)]
    return {
        "placebo_uplift": uplift(published),
        "placebo_uplifts": {"mean": float(np.mean(found)), "interval": interval},
        "placebo_p_value": p_value,
    }


def _shuffled(matrix: Matrix, rng: np.random.Generator) -> Matrix:
    shuffled = matrix.copy()
    shuffled[:, OFFER] = rng.permutation(shuffled[:, OFFER])
    return shuffled


def _uplift(scores: Scores, test: Matrix, top: int) -> float:
    """Mean predicted difference of the largest and no offer over the test contacts."""
    ends = [test.copy(), test.copy()]
    ends[0][:, OFFER], ends[1][:, OFFER] = 0, top
    low, high = (sigmoid(scores(end)) for end in ends)
    return float((high - low).mean())


def support(
    customers: Matrix,
    contacts: Matrix,
    accepted: Floats,
    config: AcceptConfig,
    whose: NDArray[np.int64] | None = None,
) -> dict[str, Any]:
    """Share of customers (M, F) whose like among the contacts (N, F) trained on tell their curve.

    Args:
        whose: whom each contact reached, a number, (N,); None where each reached somebody else.

    Returns:
        `support_by_level`: share of customers with enough contacts like them at each offer, enough
        to know their acceptance to within `config.support_reach`; `support_share` the least of
        them. `support_reach_by_level`: how closely it is known for 99 % of the customers.
        `support_least`: the fewest contacts of any customer at any offer. `thin_support_share`: by
        all offers together. `curve_by_contacts`: the customers' mean curve as contacts like them
        answered, without a model, and its interval.
    """
    alike = Support.of(customers, contacts, accepted, ACCEPT_FEATURES, whose)
    count, reach = alike.contacts(), alike.reach()
    enough = (count >= config.support_rows) & (reach <= config.support_reach)
    curve, bounds = alike.curve()
    return {
        "support_share": float(enough.mean(axis=0).min()),
        "support_by_level": enough.mean(axis=0).tolist(),
        "support_reach_by_level": np.quantile(reach, 0.99, axis=0).tolist(),
        "support_least": int(count.min()),
        "thin_support_share": float((count.sum(axis=1) < config.thin_support_rows).mean()),
        "curve_by_contacts": {
            "mean": _or_none(curve),
            "interval": [_or_none(bound) for bound in bounds],
        },
    }


def _or_none(values: Floats) -> list[float | None]:
    """JSON has no NaN."""
    return [None if np.isnan(value) else float(value) for value in values]


def era_auc(matrix: Matrix, late: Mask, first: Mask, config: AcceptConfig) -> dict[str, Any]:
    """How well do features tell the last tenth of contacts (N, F) from the others? AUC out of fold.

    Args:
        matrix: encoded contacts.
        late: (N,) in the last tenth.
        first: (N,) first contacts, as all customers without a contact history are.

    Returns:
        By the customer's own features; by all of them among first contacts; by all of them, contact
        history included. None where there are too few contacts to tell.
    """
    names = [name for name in COLUMN if name != "offer_level"]
    own = list(OWN_FEATURES)
    return {
        "own_features": _tell(matrix, late, own, config),
        "first_contacts": _tell(matrix[first], late[first], names, config),
        "with_history": _tell(matrix, late, names, config),
    }


def _tell(matrix: Matrix, late: Mask, names: list[str], config: AcceptConfig) -> float | None:
    if min(late.sum(), (~late).sum()) < LEAST_ROWS:
        return None
    learner = _small_learner(tuple(ACCEPT_FEATURES[COLUMN[name]] for name in names), config)
    labels = late.astype(np.float64)
    folds = stratified_folds(labels, FOLDS, config.seed)
    seen = matrix[:, [COLUMN[name] for name in names]]
    return auc(labels, learner.cross_fit(seen, labels, folds).scores["full"])


def _small_learner(features: tuple[Feature, ...], config: AcceptConfig) -> Learner:
    return Learner(features, config.model_copy(update={"trees": 50, "masked_copies": 0}))
