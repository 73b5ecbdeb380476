"""Intervals that hold as often as they say: simulations with fixed seeds, and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from churn_assets.outcomes import inference
from churn_assets.outcomes.inference import TooFewError

REPETITIONS = 2_000
FOUR_ERRORS = 4 * (0.05 * 0.95 / REPETITIONS) ** 0.5  # 1.9 points around 95 %


def draw(rng: np.random.Generator, customers: int, share: float) -> np.ndarray:
    return rng.random(customers) >= share


def test_shares_are_covered_though_the_control_group_is_small() -> None:
    """Newcombe's interval, where the usual one misses: 60 control customers and 4 % churn."""
    rng, hits, usual = np.random.default_rng(1), 0, 0
    truth = 0.07 - 0.04
    for _ in range(REPETITIONS):
        treated = np.arange(600) >= 60
        outcome = (rng.random(600) < np.where(treated, 0.07, 0.04)).astype(float)
        found = inference.share_difference(outcome, treated)
        hits += found.lower <= truth <= found.upper
        usual += abs(found.value - truth) <= 1.96 * found.error
    assert hits / REPETITIONS >= 0.95 - FOUR_ERRORS
    assert usual < hits


@pytest.mark.parametrize("adjusted", [False, True])
def test_means_are_covered(adjusted: bool) -> None:
    """Skewed values, unequal variances, an effect that differs by customer."""
    rng, hits = np.random.default_rng(2), 0
    for _ in range(REPETITIONS):
        covariate = rng.gamma(2.0, 1.0, 400)
        treated = draw(rng, 400, 0.3)
        outcome = 3 * covariate + treated * (1 + covariate - 2) + rng.normal(0, 1 + treated, 400)
        found = (
            inference.adjusted_difference(outcome, treated, covariate[:, None])
            if adjusted
            else inference.mean_difference(outcome, treated)
        )
        hits += found.lower <= 1 <= found.upper
    assert abs(hits / REPETITIONS - 0.95) <= FOUR_ERRORS


def test_what_is_known_before_makes_the_interval_narrower() -> None:
    """A covariate that explains R² of the outcome leaves 1 − R² of the variance."""
    rng = np.random.default_rng(3)
    covariate, noise = rng.normal(size=(2, 20_000))
    treated = draw(rng, 20_000, 0.1)
    outcome = 2 * covariate + noise + 0.5 * treated
    plain = inference.mean_difference(outcome, treated)
    adjusted = inference.adjusted_difference(outcome, treated, covariate[:, None])
    assert (adjusted.error / plain.error) ** 2 == pytest.approx(1 / 5, rel=0.05)


def test_without_covariates_the_adjusted_is_the_plain_difference() -> None:
    """Closed form: then HC2 is Neyman's variance."""
    rng = np.random.default_rng(4)
    treated, outcome = draw(rng, 300, 0.3), rng.gamma(1.0, 1.0, 300)
    plain = inference.mean_difference(outcome, treated)
    adjusted = inference.adjusted_difference(outcome, treated, np.ones((300, 1)))
    assert adjusted.value == pytest.approx(plain.value)
    assert adjusted.error == pytest.approx(plain.error)
    welch = stats.ttest_ind(outcome[treated], outcome[~treated], equal_var=False)
    interval = welch.confidence_interval(0.95)
    assert (plain.lower, plain.upper) == pytest.approx((interval.low, interval.high))


def test_reading_it_daily_finds_nothing_that_is_not_there() -> None:
    """Without any effect the always-valid interval excludes 0 at *some* look in at most 5 % of the
    repetitions; the usual one, read as often, in many more."""
    rng, repetitions, ever, usual = np.random.default_rng(5), 400, 0, 0
    for _ in range(repetitions):
        risk = rng.random(3_000)
        treated = draw(rng, 3_000, 0.2)
        outcome = (rng.random(3_000) > risk).astype(float)
        scores = inference.doubly_robust_scores(outcome, treated, risk[:, None], 0.8)
        found = inference.confidence_sequence(scores, plan=2_000)
        late = slice(100, None)
        ever += bool(((found.lower > 0) | (found.upper < 0))[late].any())
        count = np.arange(1, 3_001)
        deviation = np.sqrt(np.cumsum(scores**2) / count - found.value**2)
        usual += bool((np.abs(found.value) > 1.96 * deviation / np.sqrt(count))[late].any())
    assert ever / repetitions <= 0.05
    assert usual / repetitions > 0.2


def test_scores_mean_the_average_effect() -> None:
    """Also where the effect depends on the covariate and the model of the outcome is wrong."""
    rng = np.random.default_rng(6)
    x = rng.random(200_000)
    treated = draw(rng, 200_000, 0.1)
    outcome = np.sin(6 * x) + treated * x + rng.normal(size=200_000)
    scores = inference.doubly_robust_scores(outcome, treated, x[:, None], 0.9)
    assert abs(scores.mean() - 0.5) < 4 * scores.std() / np.sqrt(len(scores))


@pytest.mark.parametrize(("rate", "effect", "share"), [(0.2, -0.03, 0.5), (0.05, 0.02, 0.1)])
def test_the_planned_number_has_the_planned_power(rate: float, effect: float, share: float) -> None:
    """80 % of the experiments of that size show the effect."""
    customers = inference.customers_needed(rate, effect, share)
    rng, repetitions = np.random.default_rng(7), 4_000
    control = round(customers * share)
    treated = customers - control
    rates = np.column_stack(
        [
            rng.binomial(treated, rate + effect, repetitions) / treated,
            rng.binomial(control, rate, repetitions) / control,
        ]
    )
    error = np.sqrt((rates * (1 - rates) / [treated, control]).sum(1))
    shown = np.abs(rates[:, 0] - rates[:, 1]) > 1.96 * error
    assert abs(shown.mean() - 0.8) < 0.03


def test_too_few_customers_make_no_interval() -> None:
    """A control group of nine."""
    treated = np.arange(100) >= 9
    with pytest.raises(TooFewError, match="9 control"):
        inference.share_difference(np.zeros(100), treated)


def test_unequal_weights_are_worth_as_many_equal_ones() -> None:
    """Kish's closed form: equal ones count, and one that outweighs all others is alone."""
    assert inference.effective_number(np.full(5, 3.0)) == pytest.approx([1, 2, 3, 4, 5])
    assert inference.effective_number(np.array([0.0, 2.0, 1.0])) == pytest.approx([0, 1, 9 / 5])
    assert inference.effective_number(np.array([1e9, *np.ones(50)]))[-1] == pytest.approx(1.0)


def test_a_comparison_begins_with_twenty_of_either_outcome_in_both_groups() -> None:
    """Of equal bills, and where nobody pays anything, 20 who left and 20 who stayed; of bills that
    differ as many as those are worth."""
    outcome, treated = np.tile([1.0, 1.0, 0.0, 0.0], 40), np.tile([True, False], 80)
    for worth in (np.ones(160), np.zeros(160)):
        enough = inference.enough_of_both(outcome, treated, worth)
        assert np.argmax(enough) + 1 == 80  # 40 of either, half of them in each group
    worth = np.where(np.arange(160) % 8 < 4, 3.0, 1.0)  # 1 and 3 in turn: (1 + 3)² / (1² + 3²) of 2
    assert np.argmax(inference.enough_of_both(outcome, treated, worth)) + 1 == 80 / 0.8
