"""Trees on top of straight lines: used where they tell better, and never for chance."""

from __future__ import annotations

import numpy as np
import xgboost

from churn_assets.domain.measured import Measured
from churn_assets.domain.statistics import Floats, sigmoid
from churn_assets.outcomes.learning import bends
from churn_assets.outcomes.learning.response import Responses, fitted_response
from churn_assets.predictors.scoring.corrected import Correction


def answers(seed: int, count: int, bend: float) -> tuple[Responses, Floats]:
    """Each customer's answer to an offer, off from the model by offer and risk in a straight line,
    and by `bend` for risky customers with large bills; and the true log-odds."""
    rng = np.random.default_rng(seed)
    level = rng.integers(0, 4, count)
    score = rng.normal(-1, 0.8, count)
    known = rng.normal([-0.5, 4.1], [1.1, 0.4], (count, 2))
    truth = score - 0.4 + 0.3 * level + 0.5 * known[:, 0]
    truth += bend * ((known[:, 0] > 0) & (known[:, 1] > 4.2))
    return Responses(level, score, known, rng.random(count) < sigmoid(truth)), truth


def off(correction: Correction, told: Responses, truth: Floats) -> float:
    """Kullback–Leibler divergence from the truth, in nats an answer."""
    p, q = sigmoid(truth), sigmoid(correction.moved_at(told.level, told.logit, told.known))
    return float((p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))).mean())


def learnt(told: Responses) -> tuple[Correction, Correction | None]:
    """Without trees, and with them where they are shown to tell better."""
    measured = Measured(**fitted_response(told)._asdict())
    straight, steps = (
        Correction.measured(measured),
        bends.shown_steps(told, np.arange(len(told.level))),
    )
    assert straight is not None
    if steps is None:
        return straight, None
    assert steps.gain > bends.SURE * steps.error
    assert steps.answers == len(told.level)
    return straight, Correction.measured(measured.model_copy(update={"steps": steps}))


def test_a_bend_is_learnt() -> None:
    """Of customers that nothing was learnt from, most of the error of straight lines is gone."""
    told, _ = answers(0, 10_000, 1.5)
    straight, stepped = learnt(told)
    assert stepped is not None
    others, truth = answers(1, 10_000, 1.5)
    assert off(stepped, others, truth) < 0.4 * off(straight, others, truth)


def test_where_there_is_none_straight_lines_stay() -> None:
    """Twelve companies, none of which is told of a bend that it doesn't have."""
    assert [learnt(answers(seed, 1_500, 0.0)[0])[1] for seed in range(12)] == [None] * 12


def test_answers_of_one_customer_are_no_more_than_one() -> None:
    """Said four times over, the same answers aren't four times as sure."""
    told, _ = answers(2, 2_000, 0.5)
    people = np.arange(2_000)
    four = Responses(*(np.concatenate([each] * 4) for each in told))
    _, error = bends.gain_out_of_fold(told, people)
    _, again = bends.gain_out_of_fold(four, np.tile(people, 4))
    assert again > 0.8 * error  # a half, were they four customers


def test_the_table_says_what_the_trees_say() -> None:
    """Anywhere, and at the thresholds themselves."""
    told, _ = answers(3, 5_000, 1.5)
    straight, _ = learnt(told)
    booster = bends.trained(told, straight)
    risks, bills, added = bends.table_of(booster)
    assert 1 < len(risks) < 17
    assert 1 < len(bills) < 17
    rng = np.random.default_rng(4)
    known = np.concatenate(
        [
            rng.normal([-0.5, 4.1], [3, 1], (2_000, 2)),
            np.array(np.meshgrid(risks, bills)).reshape(2, -1).T,
        ]
    ).astype(np.float32)
    table = Correction(
        np.zeros(4), np.zeros(3), np.zeros(3), np.ones(3), risks, bills, added
    ).shift(known.astype(np.float64))
    for level in range(4):
        asked = np.column_stack([np.full(len(known), level), known]).astype(np.float32)
        said = booster.predict(xgboost.DMatrix(asked), output_margin=True)
        np.testing.assert_allclose(table[:, level], said, atol=1e-5)


def test_hardly_any_answers_teach_nothing() -> None:
    told, _ = answers(5, 10, 1.5)
    assert bends.shown_steps(told, np.arange(10)) is None
