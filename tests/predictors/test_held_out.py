"""Risks out of fold: kept beside the model, and told in place of the model's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from churn_assets.predictors.scoring.held_out import (
    out_of_fold_first,
    read_out_of_fold,
    write_out_of_fold,
)


def test_what_is_kept_is_read_back(tmp_path: Path) -> None:
    """Of a customer with several rows the last one's; none beside a model that keeps none."""
    assert read_out_of_fold(tmp_path) == {}
    write_out_of_fold(tmp_path, ["A", "B", "A"], np.array([0.1, 0.2, 0.3]))
    assert read_out_of_fold(tmp_path) == {"A": 0.3, "B": 0.2}


def test_known_customers_are_told_their_own() -> None:
    """A customer whom the model learnt from must not be scored by what it remembers."""
    customers = ["A", "C", None]
    risk = np.array([0.5, 0.6, 0.7])
    np.testing.assert_array_equal(out_of_fold_first(customers, risk, {"A": 0.1}), [0.1, 0.6, 0.7])
    assert out_of_fold_first(customers, risk, {}) is risk
