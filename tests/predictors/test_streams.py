"""One seed, many uses: no two of them share their numbers."""

from __future__ import annotations

import itertools

import numpy as np

from churn_assets.predictors.training.streams import USES, stream


def test_streams_of_one_seed_are_unrelated() -> None:
    """A discount that follows the price pressure's draw would be no randomised discount."""
    draws = {use: stream(42, use).random(5_000) for use in USES}
    for one, other in itertools.combinations(USES, 2):
        assert abs(np.corrcoef(draws[one], draws[other])[0, 1]) < 0.06  # 4 standard errors


def test_streams_repeat_and_follow_the_seed() -> None:
    """The same seed gives the same model; another seed gives other draws in every use."""
    for use in USES:
        np.testing.assert_array_equal(stream(1, use).random(3), stream(1, use).random(3))
        assert (stream(1, use).random(3) != stream(2, use).random(3)).all()
