"""Measures against closed forms and extremes."""

from __future__ import annotations

import numpy as np
import pytest

from churn_assets.messages.evaluation import (
    bootstrap_mean,
    distinct_n,
    self_bleu,
    share,
    text_quality,
    top_ngram_share,
)


def test_wilson_interval_of_known_cases() -> None:
    """Why: the gates read these bounds. 10 of 10 has the lower bound n / (n + z^2)."""
    ten = share(10, 10)
    assert ten.lower == pytest.approx(10 / (10 + 1.959964**2))
    assert ten.upper == pytest.approx(1.0)
    half = share(50, 100)
    assert half.lower == pytest.approx(1 - half.upper)
    with pytest.raises(ValueError, match="no trials"):
        share(0, 0)


def test_bootstrap_covers_the_normal_interval() -> None:
    """Why: the percentile bootstrap of a mean must agree with mean +- 1.96 standard errors."""
    values = np.random.default_rng(1).normal(0.3, 1, 400)
    found = bootstrap_mean(values)
    error = values.std() / 20
    assert found.value == pytest.approx(values.mean())
    assert found.lower == pytest.approx(values.mean() - 1.96 * error, abs=0.02)
    assert found.upper == pytest.approx(values.mean() + 1.96 * error, abs=0.02)


def test_variety_of_extremes() -> None:
    """Why: a collapsed policy must show in every one of these."""
    same, different = ["a b c d e"] * 8, [f"a{i} b{i} c{i} d{i} e{i}" for i in range(8)]
    assert distinct_n(same, 2) == pytest.approx(1 / 8)
    assert distinct_n(different, 2) == 1.0
    assert top_ngram_share(same) == 1.0
    assert top_ngram_share(different) == pytest.approx(1 / 8)
    assert self_bleu(same) == pytest.approx(1.0)
    assert self_bleu(different) < 0.5
    assert text_quality(same)["unique_share"] == pytest.approx(1 / 8)
    assert distinct_n([""], 2) == 0.0
