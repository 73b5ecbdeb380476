"""How soon outcomes know better than the accept model who accepts: by number of known answers.

Customers as in `simulated_customers`; offers are drawn evenly. The truth is off from the model by
offer, and within an offer by the model's own ranking (of which half is true), by risk and by bill:
in a straight line, or with a bend that no straight line has (`bent`: risky customers with large
bills accept far more often).

A figure is the excess of the log loss over that of the truth, in thousandths of a nat, on 20,000
other customers; the mean of `SEEDS` companies. Methods: the model as it is; an offset an offer;
offsets and slopes; these and trees where they are shown to tell better (what is served, from
`OutcomesConfig.trees_from` answers on); XGBoost on the answers alone, in place of the model, and on
top of the model's log-odds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import xgboost
from numpy.typing import NDArray

from benchmarks.outcomes import simulated_customers
from churn_assets.decision.mdp.observation import ACCEPT, RISK
from churn_assets.domain.measured import Measured
from churn_assets.domain.statistics import Floats, logit, sigmoid
from churn_assets.domain.value import MONTHS_OF_VALUE
from churn_assets.outcomes.learning.bends import shown_steps
from churn_assets.outcomes.learning.response import Responses, fitted_response, posterior
from churn_assets.predictors.scoring.corrected import Correction, about

COUNTS, SEEDS, HELD_OUT = (100, 300, 500, 1_000, 3_000, 10_000, 30_000), 5, 20_000
OFFSETS, SLOPES = np.array([-0.4, -0.9, -1.2, -1.4]), np.array([-0.5, 0.6, -0.4])
CENTRES, SCALES = np.array([-0.4, -1.0, np.log(65)]), np.array([1.0, 1.2, 0.4])
TREES = {"max_depth": 3, "eta": 0.1, "objective": "binary:logistic", "nthread": 1, "verbosity": 0}
ROUNDS = 60


class Answers(NamedTuple):
    """N answers, and the log-odds of each in truth (N,)."""

    told: Responses
    truth: Floats


def learning() -> dict[str, dict[str, dict[str, float]]]:
    """Truth -> number of answers -> method -> excess log loss in thousandths of a nat."""
    return {
        name: {str(count): _compared(count, bent) for count in COUNTS}
        for name, bent in (("straight", False), ("bent", True))
    }


def _compared(count: int, bent: bool) -> dict[str, float]:
    excess: dict[str, list[float]] = {name: [] for name in METHODS}
    for seed in range(SEEDS):
        learnt = answers(np.random.default_rng(seed), count, bent)
        asked = answers(np.random.default_rng(1_000 + seed), HELD_OUT, bent)
        for name, method in METHODS.items():
            excess[name].append(_excess(method(learnt.told, asked.told), asked.truth))
    return {name: round(1e3 * float(np.mean(found)), 2) for name, found in excess.items()}


def answers(rng: np.random.Generator, count: int, bent: bool) -> Answers:
    """The answers of so many customers, each to one offer."""
    customers = simulated_customers.draw_customers(rng, count)
    level = rng.integers(0, 4, count)
    score = logit(customers.states[:, ACCEPT])[np.arange(count), level]
    risk, bills = customers.states[:, RISK], customers.values / MONTHS_OF_VALUE
    known = about(risk, bills)
    terms = (np.column_stack([score, known]) - CENTRES) / SCALES
    truth = score + OFFSETS[level] + terms @ SLOPES
    if bent:
        truth += 1.5 * ((risk > 0.4) & (bills > 70))
    return Answers(Responses(level, score, known, rng.random(count) < sigmoid(truth)), truth)


def _excess(score: Floats, truth: Floats) -> float:
    """Kullback–Leibler divergence from the truth, in nats an answer."""
    p, q = sigmoid(truth), np.clip(sigmoid(score), 1e-6, 1 - 1e-6)
    return float((p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))).mean())


def _as_it_is(learnt: Responses, asked: Responses) -> Floats:
    return asked.logit


def _offsets(learnt: Responses, asked: Responses) -> Floats:
    design = np.hstack([np.eye(4)[learnt.level], np.zeros((len(learnt.level), 3))])
    return asked.logit + posterior(design, learnt.logit, learnt.accepted)[0][asked.level]


def _slopes(learnt: Responses, asked: Responses) -> Floats:
    return _measured(asked, **fitted_response(learnt)._asdict())


def _slopes_and_trees(learnt: Responses, asked: Responses) -> Floats:
    steps = shown_steps(learnt, np.arange(len(learnt.level)))
    return _measured(asked, steps=steps, **fitted_response(learnt)._asdict())


def _measured(asked: Responses, **measured: Any) -> Floats:
    found = Correction.measured(Measured(**measured))
    assert found is not None
    return found.moved_at(asked.level, asked.logit, asked.known)


def _trees(learnt: Responses, asked: Responses) -> Floats:
    return _boosted(learnt, asked, np.zeros_like)


def _trees_on_top(learnt: Responses, asked: Responses) -> Floats:
    return _boosted(learnt, asked, lambda scores: scores)


def _boosted(
    learnt: Responses, asked: Responses, margin: Callable[[Floats], NDArray[np.float64]]
) -> Floats:
    def table(told: Responses) -> xgboost.DMatrix:
        columns = np.column_stack([told.level, told.logit, told.known])
        return xgboost.DMatrix(columns, told.accepted, base_margin=margin(told.logit))

    booster = xgboost.train(TREES, table(learnt), ROUNDS)
    return np.asarray(booster.predict(table(asked), output_margin=True), np.float64)


METHODS = {
    "model": _as_it_is,
    "offsets": _offsets,
    "offsets_and_slopes": _slopes,
    "and_trees_where_shown": _slopes_and_trees,
    "trees_alone": _trees,
    "trees_on_top": _trees_on_top,
}
