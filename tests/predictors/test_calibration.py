"""Calibrators: recovered from data of a known law, monotone, never certain, storable."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from churn_assets.domain.statistics import sigmoid
from churn_assets.predictors.config import CalibrationKind
from churn_assets.predictors.scoring.calibration import (
    CALIBRATION_KINDS,
    SigmoidCalibrator,
    calibrator_from_json,
)
from churn_assets.predictors.training.boosting import fit_calibrator
from churn_assets.predictors.training.metrics import ece

Floats = NDArray[np.float64]


def draw(slope: float, intercept: float, rows: int = 40_000) -> tuple[Floats, Floats]:
    """Scores and labels with logit P(label) = slope · score + intercept."""
    rng = np.random.default_rng(2)
    scores = rng.normal(scale=1.5, size=rows)
    return scores, (rng.random(rows) < sigmoid(slope * scores + intercept)).astype(np.float64)


def test_sigmoid_finds_the_law_it_assumes() -> None:
    """Overconfident scores by a factor two, and shifted."""
    fitted = fit_calibrator("sigmoid", *draw(0.5, -0.7))
    assert isinstance(fitted, SigmoidCalibrator)
    assert (fitted.slope, fitted.intercept) == pytest.approx((0.5, -0.7), abs=0.03)


@pytest.mark.parametrize("kind", CALIBRATION_KINDS)
def test_calibration_mends_overconfidence(kind: CalibrationKind) -> None:
    """Held-out error falls from a tenth to noise."""
    scores, labels = draw(0.5, -0.7)
    learn, test = slice(0, 20_000), slice(20_000, None)
    fitted = fit_calibrator(kind, scores[learn], labels[learn])
    assert ece(labels[test], sigmoid(scores[test])) > 0.08
    assert ece(labels[test], fitted(scores[test])) < 0.02


@pytest.mark.parametrize("kind", CALIBRATION_KINDS)
@given(st.lists(st.floats(-30, 30), min_size=2, max_size=30))
def test_calibrated_is_monotone_and_never_certain(
    kind: CalibrationKind, margins: list[float]
) -> None:
    """Isotonic plateaus at 0 and 1 would tell the policy that an offer can't fail."""
    fitted = fit_calibrator(kind, *draw(3.0, 0.0, rows=300))
    values = fitted(np.sort(np.array(margins)))
    assert (np.diff(values) >= 0).all()
    assert (values > 0).all()
    assert (values < 1).all()


@pytest.mark.parametrize("kind", CALIBRATION_KINDS)
def test_calibrator_survives_its_file(kind: CalibrationKind) -> None:
    """JSON keeps every bit of a float."""
    scores, labels = draw(1.2, 0.1, rows=500)
    fitted = fit_calibrator(kind, scores, labels)
    again = calibrator_from_json(json.loads(json.dumps(fitted.to_json())))
    np.testing.assert_array_equal(again(scores), fitted(scores))


def test_isotonic_merges_what_is_out_of_order() -> None:
    """Pool-adjacent-violators on six rows, by hand."""
    scores = np.array([0.0, 1.0, 2.0, 3.0, 4.0, 5.0])
    fitted = fit_calibrator("isotonic", scores, np.array([0.0, 1.0, 0.0, 1.0, 1.0, 1.0]))
    certain = 0.5 / 6
    np.testing.assert_allclose(fitted(scores), [certain, 0.5, 0.5, *[1 - certain] * 3])
    assert fitted(np.array([2.5]))[0] == pytest.approx((0.5 + 1 - certain) / 2)


def test_scores_against_the_outcome_are_an_error() -> None:
    """A negative slope would turn the ranking round without a word."""
    scores, labels = draw(1.0, 0.0, rows=1000)
    with pytest.raises(ValueError, match="scores fall as the outcome rises"):
        fit_calibrator("sigmoid", -scores, labels)


def test_unknown_calibrator_is_refused() -> None:
    """A model file from another version must not be guessed at."""
    with pytest.raises(ValueError, match="unknown calibrator kind 'beta'"):
        calibrator_from_json({"kind": "beta"})
