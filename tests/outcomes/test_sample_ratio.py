"""The check of the groups' sizes, and of segments, read every day of a year."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import special

from churn_assets.outcomes.sample_ratio import LEVEL, log_evidence, sample_ratio
from churn_assets.outcomes.segments import segments

DAYS, A_DAY = np.arange(1, 366), 20
evidence = np.vectorize(log_evidence, otypes=[float])
ONE_LOOK = special.ndtri(1 - LEVEL / 2)


def counted(rng: np.random.Generator, years: int, share: float) -> NDArray[np.int64]:
    """(years, 365) how many of the first days' customers are left alone."""
    return np.cumsum(rng.binomial(A_DAY, share, (years, len(DAYS))), axis=1)


def z_of(control: NDArray[np.int64], share: float) -> NDArray[np.float64]:
    count = A_DAY * DAYS
    return (control - share * count) / np.sqrt(count * share * (1 - share))


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_sound_experiments_are_called_broken_no_more_often_than_said(share: float) -> None:
    """Of 1,000 that are read daily for a year one at most; at a test of one look some 20 were."""
    control = counted(np.random.default_rng(0), 1_000, share)
    found = evidence(control, A_DAY * DAYS, share) >= -np.log(LEVEL)
    assert found.any(axis=1).sum() <= 1
    assert (abs(z_of(control, share)) > ONE_LOOK).any(axis=1).sum() >= 15


@pytest.mark.parametrize(("true", "before", "now"), [(0.08, 108, 171), (0.05, 18, 26)])
def test_a_broken_log_is_found_later_than_by_one_look(true: float, before: int, now: int) -> None:
    """A tenth should be left alone, and 8 or 5 % are there: in the middle on that day."""
    control = counted(np.random.default_rng(1), 300, true)
    looked = abs(z_of(control, 0.1)) > ONE_LOOK
    found = evidence(control, A_DAY * DAYS, 0.1) >= -np.log(LEVEL)

    def day(each: NDArray[np.bool_]) -> float:
        return float(np.median(np.where(each.any(axis=1), each.argmax(axis=1) + 1, np.inf)))

    assert day(looked) == pytest.approx(before, rel=0.15)
    assert day(found) == pytest.approx(now, rel=0.15)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5])
def test_its_expectation_is_one_where_the_share_is_as_designed(share: float) -> None:
    """What makes it valid at every look: summed over all that may happen."""
    k, n = np.arange(41), 40
    chance = np.exp(
        special.gammaln(n + 1)
        - special.gammaln(k + 1)
        - special.gammaln(n - k + 1)
        + special.xlogy(k, share)
        + special.xlog1py(n - k, -share)
    )
    assert (chance * np.exp(evidence(k, n, share))).sum() == pytest.approx(1.0)


def test_it_is_told_with_what_was_to_be_expected() -> None:
    assert sample_ratio(100, 1_000, 0.1) | {"p": 1.0} == {
        "control_expected": 100.0,
        "z": 0.0,
        "p": 1.0,
        "found": False,
    }
    assert sample_ratio(20, 1_000, 0.1)["found"]
    assert not sample_ratio(0, 1_000, 0.0)["found"]
    assert sample_ratio(0, 10**7, 0.1)["p"] == 0.0


def test_segments_that_are_read_daily_find_nothing_where_nothing_is() -> None:
    """Of 30 companies without effect, each looked at every 200 customers, 19 times."""
    shown = 0
    for seed in range(30):
        rng = np.random.default_rng(seed)
        covariates = np.column_stack([rng.uniform(0, 1, 4_000), rng.uniform(200, 900, 4_000)])
        treated, churned = rng.random(4_000) < 0.5, (rng.random(4_000) < 0.3).astype(float)
        scores = (1 - churned) * covariates[:, 1] * np.where(treated, 2.0, -2.0)
        shown += any(
            row["shown"]
            for n in range(400, 4_001, 200)
            for row in segments(covariates[:n], treated[:n], churned[:n], scores[:n], 4_000)
        )
    assert shown <= 4  # of 1.5; more in 2 % of seeds if all of the level were used
