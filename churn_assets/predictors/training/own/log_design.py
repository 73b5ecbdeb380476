"""Can a company's own log support what is concluded from it? `design`'s questions, of any log.

*Offers as logged*: they were made without a look at the customer, in the shares that the contract
says; or, where each row has its own chance, those chances are right. *Reach*: how closely the log
tells the customers' response at each offer, without any model. Customers who differ from the
contacts lean on the few contacts that are like them: the fewer, the wider.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfc
from scipy.stats import chisquare

from churn_assets.domain.statistics import sigmoid, wilson_interval
from churn_assets.predictors.config import AcceptConfig
from churn_assets.predictors.training import design
from churn_assets.predictors.training.boosting import Learner, stratified_folds
from churn_assets.predictors.training.metrics import auc, numbered
from churn_assets.predictors.training.own.log import Log

Floats = NDArray[np.float64]
Matrix = NDArray[np.float32]


def two_sided(distance: Any) -> Any:
    """P(a standard normal number lies further from 0)."""
    return erfc(np.abs(distance) / np.sqrt(2))


def offers_as_logged(log: Log, config: AcceptConfig) -> dict[str, Any]:
    """Were the offers made as the contract says?

    Of customers with several contacts the first one tells: a later one may be more of the same.

    Returns:
        `propensity_p_value`: the smallest of the tests', times their number. Offers of fixed
        chances: that they can't be told from the features (`design.propensity`), and, where the
        contract has the chances, that the shares are those (chi squared). Chances by row: that each
        offer's contacts, weighted by 1 / chance, are as many as all contacts, and like them.
        `propensity_auc`: of telling the offer from the features; `tests`: each one's p-value;
        `share_by_level`: of the contacts.
    """
    log = log.first_contacts()
    made = np.bincount(log.offer, minlength=log.levels)
    shares = {"share_by_level": (made / made.sum()).tolist()}
    if log.schema.logged_chances:
        return shares | _chances_by_row(log, config)
    found = design.propensity(log.matrix, config, log.own.features, log.levels)
    tests = {"told_from_features": found["propensity_p_value"]}
    if log.schema.chances:
        expected = np.array(log.schema.chances) * made.sum() / sum(log.schema.chances)
        tests["shares_as_said"] = float(chisquare(made, expected).pvalue)
    return {
        **shares,
        "propensity_auc": found["propensity_auc"],
        "propensity_p_value": min(1.0, len(tests) * min(tests.values())),
        "tests": tests,
    }


def _chances_by_row(log: Log, config: AcceptConfig) -> dict[str, Any]:
    offer = log.offer
    scores, _ = design.offer_scores(log.matrix, config, log.own.features, log.levels)
    tests = {}
    for k in range(log.levels):
        weight = (offer == k) / log.chance
        for name, of in (("count", np.ones(len(offer))), ("kind", sigmoid(scores[:, k]))):
            off = weight * of - of
            error = off.std() / np.sqrt(len(off))
            tests[f"{name}_{k}"] = float(two_sided(off.mean() / error)) if error else 1.0
    areas = [auc((offer == k).astype(np.float64), scores[:, k]) for k in range(log.levels)]
    return {
        "propensity_auc": float(np.mean(areas)),
        "propensity_p_value": min(1.0, len(tests) * min(tests.values())),
        "tests": tests,
    }


def reach(log: Log, customers: Matrix | None, config: AcceptConfig) -> dict[str, Any]:
    """How closely does the log tell the response of customers (M, F) at each offer?

    A contact counts by how much more frequent its like are among the customers than in the log
    (1 where the log's own people are asked about), and by 1 / chance where chances differ by row.
    The interval is Wilson's of the effective number of contacts, (sum w)^2 / sum w^2 (Kish, 1965);
    all contacts of a customer at an offer are one.

    Returns:
        `curve_by_contacts`: the weighted mean and its 95 % interval; `effective_contacts_by_level`;
        `reach_by_level`: half of each interval; `curve_reach`: the largest. `customers_auc`: of
        telling customers from contacts by the features, 0.5 where they are alike; None without
        customers.
    """
    weight, alike = np.ones(len(log.accepted)), None
    if customers is not None and log.matrix.shape[1] > 1:
        weight, alike = _like_customers(log, customers, config)
    if log.schema.logged_chances:
        weight = weight / log.chance
    mean, count = np.empty(log.levels), np.empty(log.levels)
    for k in range(log.levels):
        of = weight[log.offer == k]
        mean[k] = np.average(log.accepted[log.offer == k], weights=of)
        by_person = of
        if log.customer is not None:
            by_person = np.bincount(numbered(log.customer[log.offer == k]), of)
        count[k] = of.sum() ** 2 / (by_person**2).sum()
    below, above = wilson_interval(mean, count)
    return {
        "curve_by_contacts": {
            "mean": mean.tolist(),
            "interval": np.column_stack([below, above]).tolist(),
        },
        "effective_contacts_by_level": count.tolist(),
        "reach_by_level": ((above - below) / 2).tolist(),
        "curve_reach": float(((above - below) / 2).max()),
        "customers_auc": alike,
    }


def _like_customers(log: Log, customers: Matrix, config: AcceptConfig) -> tuple[Floats, float]:
    """Of each contact (N,), how much more frequent its like are among the customers, by boosters
    that never saw it; and how well they tell the two apart (AUC)."""
    seen = np.concatenate([log.matrix[:, :-1], customers[:, :-1]])
    theirs = (np.arange(len(seen)) >= len(log.matrix)).astype(np.float64)
    small = config.model_copy(update={"trees": 50, "masked_copies": 0})
    learner = Learner(log.own.features[:-1], small)
    folds = stratified_folds(theirs, design.FOLDS, config.seed)
    scores = learner.cross_fit(seen, theirs, folds).scores["full"]
    return np.exp(scores[: len(log.matrix)]), auc(theirs, scores)
