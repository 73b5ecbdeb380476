"""The stage `accept_model` on a company's own logged campaign: every response is observed.

Nothing here knows the rate or the size of the log beforehand. Three methods are compared out of
fold, the simplest first: each offer's rate for everybody, a logistic regression, trees whose
settings the data choose; the one with the least log-loss is the model. Held-out contacts, on which
nothing was chosen, then say whether it is worse than the two baselines; the curve is held to the
interval of the observed one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from churn_assets.customers.schema import load_schema
from churn_assets.domain.statistics import interval, sigmoid, wilson_interval
from churn_assets.predictors.config import AcceptConfig
from churn_assets.predictors.scoring.calibration import Calibrator, SigmoidCalibrator
from churn_assets.predictors.scoring.scorers import AcceptScorer
from churn_assets.predictors.training.accept_evaluation import customer_curves
from churn_assets.predictors.training.baselines import logistic_regression
from churn_assets.predictors.training.boosting import OutOfFold
from churn_assets.predictors.training.design import Scores, Train, placebo_of
from churn_assets.predictors.training.frames import read_training_and_test, rows_of
from churn_assets.predictors.training.metrics import auc, bootstrap_auc, error_of_sum, summary
from churn_assets.predictors.training.own import log_design
from churn_assets.predictors.training.own.calibration import calibration_by_mass
from churn_assets.predictors.training.own.log import Log
from churn_assets.predictors.training.own.methods import (
    Method,
    cross_fit,
    folds_of,
    save_fitted,
)
from churn_assets.predictors.training.own.offers import LOGISTIC, OFFER_ALONE, free, methods
from churn_assets.predictors.training.plots import (
    plot_calibration,
    plot_importance,
    plot_offer_curves,
)
from churn_assets.stages.spec import Progress

Floats = NDArray[np.float64]
Matrix = NDArray[np.float32]
STEPS = 5
NAME = "campaign"


@dataclass(frozen=True)
class Tried:
    """A method out of fold over the contacts to learn from.

    Attributes:
        method: fits it anew, with every choice.
        out_of_fold: log-odds.
        probabilities: calibrated on the other folds, (N,).
        calibrator: of the log-odds of all folds.
    """

    method: Method
    out_of_fold: OutOfFold
    probabilities: Floats
    calibrator: Calibrator


def run(
    inputs: Mapping[str, Path], out: Path, config: AcceptConfig, progress: Progress
) -> dict[str, Any]:
    """Train, evaluate and write the accept model of a contract's campaign.

    Args:
        inputs: `campaign_contacts`; `customer_history` where the contract has customers.
        out: receives `model.json`, `model.ubj` where trees are the model, and `plots/`.

    Returns:
        {"accept": metrics}, `method`, `response_by_level` and `unshared` among them.
    """
    history = inputs.get("customer_history")
    log = Log.load(inputs["campaign_contacts"], load_schema(history) if history else None)
    learn, accepted = log.matrix[~log.test], log.accepted[~log.test]
    tried, failed = _try_all(log, config)
    progress(1, STEPS)
    losses = {
        name: float(log_loss(accepted, one.probabilities).mean()) for name, one in tried.items()
    }
    name = min(losses, key=lambda method: losses[method])  # of equal ones the simplest
    model = tried[name].method.fit(learn, accepted, log.learning_customer)
    base_rate = float(accepted.mean())
    save_fitted(out, "accept", model, tried[name].calibrator, log.own.features, base_rate)
    progress(2, STEPS)
    scorer = AcceptScorer.load(out)
    customers = _customers(history, scorer)
    asked = log.matrix[log.test] if customers is None else customers
    curves = curves_of(scorer, asked, log.levels)
    figures = _held_out(scorer, log, config)
    metrics = {
        **_told_of(log),
        "method": name,
        "methods": {
            method: {"log_loss": losses[method], **summary(accepted, one.probabilities)}
            for method, one in tried.items()
        },
        "methods_failed": failed,
        "chosen": model.settings,
        **figures,
        "oof": _out_of_fold(log, tried[name].probabilities, config),
        "presets": {
            NAME: {"customer_curve": curves.mean(axis=0).tolist()}
            | {key: figures[key] for key in ("auc", "ece", "brier", "offer_curve")}
        },
    }
    progress(3, STEPS, auc=metrics["auc"], ece=metrics["ece"])
    metrics |= customer_curves(curves)
    metrics |= log_design.offers_as_logged(log, config)
    metrics |= log_design.reach(log, customers, config)
    metrics |= _placebo(log, tried[name].method.as_in(model), config)
    progress(4, STEPS)
    _plot(out / "plots", scorer, log, curves, metrics)
    progress(5, STEPS)
    return {"accept": metrics}


def log_loss(accepted: Floats, probabilities: Floats) -> Floats:
    """-log of the probability that was given to what happened, (N,)."""
    return -np.log(np.where(accepted == 1, probabilities, 1 - probabilities))


def _try_all(log: Log, config: AcceptConfig) -> tuple[dict[str, Tried], dict[str, str]]:
    """Every method out of fold, and why one can't be used: its scores tell nothing of the answer.

    What each offer brings on average needs no calibration, and can always be used.
    """
    learn, accepted = log.matrix[~log.test], log.accepted[~log.test]
    people = log.learning_customer
    folds = folds_of(accepted, config.calibration_folds, config.seed, people)
    tried, failed = dict[str, Tried](), dict[str, str]()
    for name, method in methods(log.own, log.levels, config, len(learn)).items():
        scores, _ = cross_fit(method, log.own.features, learn, accepted, folds, people)
        if name == OFFER_ALONE:
            as_it_is = SigmoidCalibrator(1.0, 0.0)
            tried[name] = Tried(method, scores, sigmoid(scores.scores["full"]), as_it_is)
            continue
        try:
            tried[name] = Tried(
                method,
                scores,
                scores.probabilities(config.calibration),
                scores.calibrator(config.calibration),
            )
        except ValueError as error:  # raised by the calibration alone: the scores are of no use
            failed[name] = str(error)
    return tried, failed


def _customers(history: Path | None, scorer: AcceptScorer) -> Matrix | None:
    """The contract's customers as they would be contacted, (M, F); None without any."""
    if history is None:
        return None
    return scorer.contact_matrix(rows_of(pd.concat(read_training_and_test(history))))


def curves_of(scorer: AcceptScorer, people: Matrix, levels: int) -> Floats:
    """P(accept) of each of M people (M, F) at each offer, (M, L)."""
    curves = []
    for level in range(levels):
        offered = people.copy()
        offered[:, -1] = level
        curves.append(scorer.model.probabilities(offered))
    return np.column_stack(curves)


def response_by_level(log: Log) -> list[dict[str, Any]]:
    """What was answered to each offer: contacts, acceptances, rate with its 95 % interval, and the
    difference to the least offer with its own and its p-value (two proportions, unpooled). All
    contacts of a customer at an offer tell as much as one: intervals count people."""
    found: list[dict[str, Any]] = []
    for level, gives in enumerate(log.schema.gives):
        answers = log.accepted[log.offer == level]
        rate, count = float(answers.mean()), log.people(log.offer == level)
        below, above = wilson_interval(rate, count)
        row: dict[str, Any] = {
            "gives": gives,
            "contacts": len(answers),
            "people": count,
            "accepted": int(answers.sum()),
            "rate": rate,
            "interval": [float(below), float(above)],
        }
        if found:
            least = found[0]
            gain = rate - least["rate"]
            # Newcombe (1998): from each rate's own interval.
            low = gain - np.hypot(rate - below, least["interval"][1] - least["rate"])
            high = gain + np.hypot(above - rate, least["rate"] - least["interval"][0])
            error = np.sqrt(
                rate * (1 - rate) / count + least["rate"] * (1 - least["rate"]) / least["people"]
            )
            p_value = float(log_design.two_sided(gain / error)) if error else 1.0
            row |= {"gain": gain, "gain_interval": [float(low), float(high)], "p_value": p_value}
        found.append(row)
    return found


def _told_of(log: Log) -> dict[str, Any]:
    """What the metrics say of the log itself, whichever model is learnt from it."""
    return {
        "headline": {"what": "real responses only, of your own log"},
        "response_by_level": response_by_level(log),
        "source": "own",
        "campaign": log.schema.contract,
        "responses": "observed, from the contract's campaign",
        "features": [feature.name for feature in log.own.features],
        "unshared": _unshared(log),
        "gives": list(log.schema.gives),
        "unit": log.schema.unit,
    }


def _unshared(log: Log) -> dict[str, Any]:
    """What the log knows and customers don't, and what doing without it costs: AUC of a logistic
    regression on held-out contacts."""
    if log.everything is None:
        return {}
    whole, features = log.everything
    accepted, test = log.accepted, log.test

    def measured(matrix: Matrix, of: Any) -> float:
        scores = logistic_regression(matrix[~test], accepted[~test], matrix[test], of)
        return auc(accepted[test], scores)

    return {
        "why": log.unshared,
        "auc_with": measured(whole, features),
        "auc_without": measured(log.matrix, log.own.features),
    }


def _held_out(scorer: AcceptScorer, log: Log, config: AcceptConfig) -> dict[str, Any]:
    """The published model on held-out contacts, beside both baselines.

    `gain_over`: by how much each baseline's mean log-loss is larger, with its standard error.
    """
    matrix, accepted = log.matrix[log.test], log.accepted[log.test]
    people = None if log.customer is None else log.customer[log.test]
    probabilities = scorer.model.probabilities(matrix)
    loss = log_loss(accepted, probabilities)
    baselines, gains = {}, {}
    for name in (OFFER_ALONE, LOGISTIC):
        method = methods(log.own, log.levels, config, 0)[name]
        fitted = method.fit(log.matrix[~log.test], log.accepted[~log.test], log.learning_customer)
        theirs = sigmoid(fitted.margins(matrix))
        gain = log_loss(accepted, theirs) - loss
        baselines[name] = summary(accepted, theirs)
        error = error_of_sum(gain - gain.mean(), people) / len(gain)
        gains[name] = {"value": float(gain.mean()), "error": error}
    return {
        **summary(accepted, probabilities),
        "auc_interval": interval(
            bootstrap_auc(accepted, [probabilities], config.bootstrap, config.seed, people)[:, 0]
        ),
        "rows": len(accepted),
        "offer_curve": offer_curve(log, log.test, probabilities),
        "baselines": baselines,
        "gain_over": gains,
    }


def _out_of_fold(log: Log, probabilities: Floats, config: AcceptConfig) -> dict[str, Any]:
    """The same out of fold over the contacts learnt from: nine times the rows.

    `curve_p_value`: that of the offer whose predicted and observed mean lie furthest apart, times
    the number of offers.
    """
    accepted, offer = log.accepted[~log.test], log.offer[~log.test]
    people = log.learning_customer
    apart = []
    for level in range(log.levels):
        rows = offer == level
        predicted = probabilities[rows]
        off = accepted[rows] - predicted
        error = float(np.sqrt((predicted * (1 - predicted)).sum()))
        if people is not None:  # a customer's answers may vary together
            error = max(error, error_of_sum(off, people[rows]))
        apart.append(float(off.sum() / error))
    return {
        **summary(accepted, probabilities),
        "rows": len(accepted),
        "calibration_by_mass": calibration_by_mass(accepted, probabilities, config.seed, people),
        "offer_curve": offer_curve(log, ~log.test, probabilities),
        "curve_p_value": min(1.0, log.levels * float(log_design.two_sided(apart).min())),
    }


def offer_curve(log: Log, rows: NDArray[np.bool_], probabilities: Floats) -> dict[str, Any]:
    """Predicted against observed rate at each offer, with 95 % intervals that count people.

    Args:
        rows: which of the log's contacts, (N,).
        probabilities: theirs, (rows.sum(),).
    """
    offer, levels = log.offer[rows], log.levels
    count = np.bincount(offer, minlength=levels).astype(np.float64)
    people = [log.people(rows & (log.offer == level)) for level in range(levels)]
    observed = np.bincount(offer, log.accepted[rows], minlength=levels) / count
    return {
        "predicted": (np.bincount(offer, probabilities, minlength=levels) / count).tolist(),
        "observed": observed.tolist(),
        "observed_interval": np.column_stack(wilson_interval(observed, people)).tolist(),
    }


def _placebo(log: Log, method: Method, config: AcceptConfig) -> dict[str, Any]:
    """`design.placebo_of` the chosen method, with its chosen settings."""

    def trained_by(one: Method) -> Train:
        def train(matrix: Matrix, accepted: Floats) -> Scores:
            return one.fit(matrix, accepted, None).margins

        return train

    learn, accepted, test = log.matrix[~log.test], log.accepted[~log.test], log.matrix[log.test]
    published, unbound = trained_by(method), trained_by(free(method))
    top, seed = log.levels - 1, config.seed
    return placebo_of(published, unbound, learn, accepted, test, top, seed)


def _plot(
    folder: Path, scorer: AcceptScorer, log: Log, curves: Floats, metrics: Mapping[str, Any]
) -> None:
    matrix, accepted = log.matrix[log.test], log.accepted[log.test]
    held_out = {"all offers": (accepted, scorer.model.probabilities(matrix))}
    plot_calibration(folder, f"P(accept | offer), {len(accepted):,} held-out contacts", held_out)
    names = [feature.name for feature in log.own.features]
    plot_importance(folder, names, scorer.model.forest.explain(matrix)[1].astype(np.float64))
    gives, unit = log.schema.gives, log.schema.unit
    plot_offer_curves(folder, curves, metrics["presets"], gives, unit, top=None)
