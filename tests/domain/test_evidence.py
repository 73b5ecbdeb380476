"""A miss is shown or it isn't: noise passes at the stated rate, a clear violation never does."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn_assets.domain.evidence import SHOWN, chance_of_a_false_miss, shown_above, shown_below

FIGURES = st.floats(-1e3, 1e3)
ERRORS = st.floats(1e-6, 1e3)


def test_noise_around_the_bound_fails_at_the_stated_rate() -> None:
    """A system exactly on its bound, the worst that is still sound, two million times over."""
    found = 0.98 + 0.003 * np.random.default_rng(1).standard_normal(2_000_000)
    missed = int((found + SHOWN * 0.003 < 0.98).sum())
    expected = 2_000_000 * chance_of_a_false_miss()
    assert expected == pytest.approx(63.3, abs=0.1)
    assert abs(missed - expected) < 4 * math.sqrt(expected)
    assert missed == sum(shown_below(value, 0.98, 0.003) for value in np.sort(found)[:1000])


@given(FIGURES, ERRORS)
def test_a_clear_violation_is_shown(bound: float, error: float) -> None:
    """Ten standard errors beyond are no noise; on the right side is never a miss."""
    assert shown_below(bound - 10 * error, bound, error)
    assert shown_above(bound + 10 * error, bound, error)
    assert not shown_below(bound + error, bound, error)
    assert not shown_above(bound - error, bound, error)


@given(FIGURES, FIGURES)
def test_without_an_error_the_bound_is_exact(value: float, bound: float) -> None:
    """A figure that is known exactly has no excuse."""
    assert shown_below(value, bound, 0.0) == (value < bound)
    assert shown_above(value, bound, 0.0) == (value > bound)


@pytest.mark.parametrize(("value", "error"), [(math.nan, 0.1), (0.5, math.nan)])
def test_what_is_not_a_number_is_a_miss(value: float, error: float) -> None:
    """NaN compares false with everything and must not slip through."""
    assert shown_below(value, 0.5, error)
    assert shown_above(value, 0.5, error)
