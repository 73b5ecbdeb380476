"""AUC, calibration error and intervals against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from churn_assets.domain.statistics import interval
from churn_assets.predictors.training.metrics import (
    auc,
    auc_error,
    bootstrap_auc,
    brier,
    ece,
    ece_error,
)

PAIRS = st.lists(st.tuples(st.booleans(), st.integers(0, 8)), min_size=2, max_size=40)


@given(PAIRS)
def test_auc_is_the_share_of_ordered_pairs(rows: list[tuple[bool, int]]) -> None:
    """Ties count half: coarse scores must not look better or worse than they are."""
    labels = np.array([label for label, _ in rows], float)
    scores = np.array([score for _, score in rows], float)
    assume(0 < labels.sum() < len(labels))
    gaps = scores[labels == 1][:, None] - scores[labels == 0][None]
    expected = ((gaps > 0) + 0.5 * (gaps == 0)).mean()
    assert auc(labels, scores) == pytest.approx(expected)


def test_auc_of_one_class_is_an_error() -> None:
    """It is undefined; NaN would pass through a report unseen."""
    with pytest.raises(ValueError, match="both classes"):
        auc(np.ones(3), np.arange(3.0))


def test_ece_has_its_closed_form() -> None:
    """Two bins, off by 0.1 and by 0.3, with weights 3/4 and 1/4."""
    probabilities = np.array([0.1] * 6 + [0.7] * 2)
    labels = np.array([0, 0, 0, 0, 0, 0, 1, 1], float)
    assert ece(labels, probabilities) == pytest.approx(0.75 * 0.1 + 0.25 * 0.3)
    assert ece(np.array([0.0, 1.0]), np.array([0.0, 1.0])) == 0


def test_ece_of_true_probabilities_vanishes_with_rows() -> None:
    """What remains is noise of the order of 1/sqrt(rows per bin)."""
    rng = np.random.default_rng(3)
    p = rng.random(200_000)
    assert ece((rng.random(len(p)) < p).astype(float), p) < 0.005


def test_bootstrap_interval_covers_as_promised() -> None:
    """The gate is on the lower bound, so the bound has to be one."""
    rng = np.random.default_rng(5)
    truth = 0.7602  # P(N(1, 1) > N(0, 1)) = Phi(1 / sqrt 2)
    covered = 0
    for trial in range(100):
        labels = (rng.random(300) < 0.5).astype(float)
        scores = rng.normal(size=300) + labels
        low, high = interval(bootstrap_auc(labels, [scores], 200, seed=trial)[:, 0])
        covered += low <= truth <= high
    assert 88 <= covered <= 100


def test_bootstrap_compares_on_the_same_rows() -> None:
    """The difference to an equal baseline has no spread."""
    rng = np.random.default_rng(1)
    labels, scores = (rng.random(200) < 0.4).astype(float), rng.normal(size=200)
    samples = bootstrap_auc(labels, [scores, 2 * scores], 50, seed=0)
    np.testing.assert_array_equal(samples[:, 0], samples[:, 1])
    assert samples[:, 0].std() > 0


def test_brier_score_is_the_mean_squared_error() -> None:
    """A constant one half scores a quarter on anything."""
    assert brier(np.array([0.0, 1.0, 1.0]), np.full(3, 0.5)) == 0.25


def test_standard_errors_are_what_other_samples_show() -> None:
    """A gate allows for them: too small and it fails by chance, too large and it sees nothing."""
    rng = np.random.default_rng(9)
    figures: dict[str, list[float]] = {"auc": [], "auc_error": [], "ece": [], "ece_error": []}
    for _ in range(400):
        truth = 1 / (1 + np.exp(-rng.normal(-1, 1, 1500)))
        labels = (rng.random(1500) < truth).astype(float)
        told = np.clip(truth + 0.08, 0, 1)  # miscalibrated on purpose: ECE near 0.08
        figures["auc"].append(auc(labels, told))
        figures["auc_error"].append(auc_error(labels, told))
        figures["ece"].append(ece(labels, told))
        figures["ece_error"].append(ece_error(labels, told))
    spread = {name: float(np.std(figures[name])) for name in ("auc", "ece")}
    assert np.mean(figures["auc_error"]) == pytest.approx(spread["auc"], rel=0.15)
    assert np.mean(figures["ece"]) == pytest.approx(0.08, abs=0.01)
    assert np.mean(figures["ece_error"]) == pytest.approx(spread["ece"], rel=0.15)


def test_errors_of_perfect_ranking_and_certainty_are_zero() -> None:
    """Nothing varies where every sample gives the same figure."""
    labels = np.array([0.0, 0.0, 1.0, 1.0])
    assert auc_error(labels, labels) == 0
    assert ece_error(labels, labels) == 0


def test_bootstrap_of_few_rows_is_defined() -> None:
    """Seven acceptances: many resamples would hold none, and their AUC be no number."""
    labels = np.array([1.0, 0.0, 0.0, 0.0])
    values = bootstrap_auc(labels, [np.array([0.9, 0.1, 0.2, 0.3])], 200, seed=1)
    assert (values == 1).all()


def test_bootstrap_draws_somebody_with_all_rows() -> None:
    """Four rows of each customer are no four customers: the interval must not shrink for them."""
    rng = np.random.default_rng(0)
    scores = rng.random(300)
    labels = (rng.random(300) < scores).astype(float)
    once = bootstrap_auc(labels, [scores], 300, seed=1)
    whose = np.tile(np.array([f"C{number:03}" for number in range(300)]), 4)
    four = bootstrap_auc(np.tile(labels, 4), [np.tile(scores, 4)], 300, seed=1, whose=whose)
    np.testing.assert_allclose(four, once)
