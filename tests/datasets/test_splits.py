"""Splits are 80/10/10, keep what must be kept together, and are the same everywhere."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from churn_assets.datasets.splits import (
    chronological_split,
    grouped_split,
    stratified_split,
    together,
)
from churn_assets.domain.splits import SPLITS


@settings(max_examples=30)
@given(st.integers(120, 2_000), st.floats(0.1, 0.9))
def test_stratified_splits_have_the_sizes_and_keep_the_shares(rows: int, share: float) -> None:
    """Each split's share of the label is that of all rows, up to one row."""
    labels = np.arange(rows) < round(rows * share)
    split = stratified_split(labels)
    for part, fraction in zip(SPLITS, (0.8, 0.1, 0.1), strict=True):
        members = split == part
        assert abs(members.sum() - fraction * rows) <= 1.5
        assert abs(labels[members].sum() - labels.mean() * members.sum()) <= 2


def test_stratified_splits_are_pinned() -> None:
    """Seed 42 must give the same rows on every machine and with every later version."""
    split = stratified_split(np.arange(60) % 4 == 0)
    assert np.flatnonzero(split == "test").tolist() == [10, 19, 27, 32, 51, 59]
    assert (stratified_split(np.arange(60) % 4 == 0, seed=1) != split).any()


@given(st.integers(0, 100_000))
def test_chronological_splits_are_in_order_and_cover_all_rows(rows: int) -> None:
    """Whatever is tested on is later than whatever was trained on."""
    split = chronological_split(rows)
    order = [SPLITS.index(part) for part in split[:: max(1, rows // 50)]]
    assert len(split) == rows
    assert order == sorted(order)


@given(st.lists(st.text(max_size=5), max_size=100), st.text(max_size=5))
def test_a_group_is_on_one_side_and_stays_there_when_data_grow(
    groups: list[str], newcomer: str
) -> None:
    """A test prompt of today must not be a training prompt of next week."""
    before = grouped_split(groups)
    sides = defaultdict(set)
    for group, part in zip(groups, before, strict=True):
        sides[group].add(part)
    assert all(len(parts) == 1 for parts in sides.values())
    assert grouped_split([newcomer, *groups])[1:] == before


def test_grouped_splits_have_about_the_right_sizes() -> None:
    """10,000 groups: within four standard deviations of 80/10/10."""
    counts = Counter(grouped_split([str(number) for number in range(10_000)]))
    for part, fraction in zip(SPLITS, (0.8, 0.1, 0.1), strict=True):
        deviation = (10_000 * fraction * (1 - fraction)) ** 0.5
        assert abs(counts[part] - 10_000 * fraction) < 4 * deviation


def test_rows_that_are_alike_stay_together() -> None:
    """A contact that was trained on must not be tested on again under another row number."""
    rng = np.random.default_rng(3)
    groups = rng.integers(0, 30_000, 40_000)  # a quarter of the rows has a double
    split = stratified_split(rng.random(40_000) < 0.1)
    kept = together(split, groups)
    sides = defaultdict(set)
    for group, side in zip(groups.tolist(), kept.tolist(), strict=True):
        sides[group].add(side)
    assert all(len(found) == 1 for found in sides.values())
    for part, fraction in zip(SPLITS, (0.8, 0.1, 0.1), strict=True):
        assert abs((kept == part).mean() - fraction) < 0.01
    np.testing.assert_array_equal(together(split, np.arange(40_000)), split)
