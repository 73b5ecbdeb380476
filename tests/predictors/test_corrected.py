"""Measured offsets on top of an accept model."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from churn_assets.domain.measured import Figure, Measured
from churn_assets.domain.statistics import logit
from churn_assets.predictors.scoring.corrected import corrected, take_over
from churn_assets.predictors.scoring.scorers import AcceptScorer
from tests.predictors.conftest import Trained

ROWS: list[dict[str, Any]] = [
    {"partner": True, "monthly_charges": 20.0 + 9 * i, "contacts_this_period": 0} for i in range(12)
]
OFFSETS = (-0.5, -0.4, -0.3, -0.2)


def measured(folder: Path, offsets: tuple[float, ...], responses: str) -> Path:
    figures = (
        Figure(assumed=0.0, used=one, lower=one - 0.1, upper=one + 0.1, share_measured=0.9)
        for one in offsets
    )
    Measured(outcomes=900, responses=responses, offsets=tuple(figures)).save(folder)
    return folder


def test_offsets_move_the_log_odds_and_a_larger_offer_is_never_accepted_less() -> None:
    accept = np.array([[0.1, 0.3, 0.5, 0.6], [0.2, 0.2001, 0.2002, 0.9]])
    moved = corrected(accept, OFFSETS)
    np.testing.assert_allclose(logit(moved) - logit(accept), np.tile(OFFSETS, (2, 1)), atol=1e-12)
    fallen = corrected(accept, (0.0, -3.0, -3.0, -3.0))
    assert (np.diff(fallen, axis=1) > 0).all()
    np.testing.assert_allclose(fallen[:, 0], accept[:, 0])


def test_a_model_takes_over_what_was_measured_against_such_a_model(
    trained_accept: Trained, tmp_path: Path
) -> None:
    """And nothing that was measured against another assumption."""
    responses = trained_accept.report["responses"]
    assert trained_accept.report["offsets"] == []
    plain = AcceptScorer.load(trained_accept.folder).predict(ROWS)
    model = tmp_path / "model"
    shutil.copytree(trained_accept.folder, model)
    assert take_over(model, None, responses) == []
    assert take_over(model, tmp_path, responses) == []  # nothing was measured
    assert take_over(model, measured(tmp_path, OFFSETS, "another"), responses) == []
    np.testing.assert_array_equal(AcceptScorer.load(model).predict(ROWS), plain)
    assert take_over(model, measured(tmp_path, OFFSETS, responses), responses) == list(OFFSETS)
    moved = AcceptScorer.load(model).predict(ROWS)
    assert logit(moved[:, 0]) == pytest.approx(logit(plain[:, 0]) - 0.5)
    assert (np.diff(moved, axis=1) > 0).all()
