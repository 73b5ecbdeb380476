"""The risk never rebounds along tenure: who stays longer isn't called riskier on noise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from churn_assets.predictors.scoring.scorers import RiskScorer
from churn_assets.predictors.training.frames import read_training_and_test, rows_of
from tests.predictors.conftest import Trained

MONTHS = range(73)


def billed(row: dict[str, Any], months: int, way: str) -> dict[str, Any]:
    """The customer after `months`, with the bills of that time in the way a caller gives them."""
    total = {
        "as they were": row["total_charges"],
        "adding up": months * row["monthly_charges"],
        "not given": None,
    }
    return {**row, "tenure": months, "total_charges": total[way]}


@pytest.mark.parametrize("way", ["as they were", "adding up", "not given"])
def test_risk_never_rises_along_tenure(
    way: str, inputs: dict[str, Path], trained_risk: Trained
) -> None:
    """Also where the bills add up beside tenure: held to tenure alone, the rebound moves there."""
    scorer = RiskScorer.load(trained_risk.folder)
    customers = rows_of(read_training_and_test(inputs["customer_history"])[1])[:60]
    risk = np.array([scorer.predict([billed(row, m, way) for m in MONTHS]) for row in customers])
    assert (np.diff(risk, axis=1) <= 0).all()
    assert (risk[:, 0] - risk[:, -1]).mean() > 0.05  # falling, not flat
