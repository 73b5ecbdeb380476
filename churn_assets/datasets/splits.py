"""Train, valid and test splits: 80/10/10, the same on every machine."""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from churn_assets.domain.splits import SPLIT_SEED, SPLITS, TEST_FRACTION, VALID_FRACTION


def stratified_split(labels: ArrayLike, seed: int = SPLIT_SEED) -> NDArray[np.str_]:
    """Split name of each row (N,), with the classes' shares kept in every split."""
    # Imported here: data sets that are there already are split no more, and it is slow to load.
    from sklearn.model_selection import train_test_split

    labels = np.asarray(labels)
    rows = np.arange(len(labels))
    held_out = VALID_FRACTION + TEST_FRACTION
    train, rest = train_test_split(rows, test_size=held_out, stratify=labels, random_state=seed)
    valid, test = train_test_split(
        rest, test_size=TEST_FRACTION / held_out, stratify=labels[rest], random_state=seed
    )
    split = np.empty(len(labels), dtype="<U5")
    for name, members in zip(SPLITS, (train, valid, test), strict=True):
        split[members] = name
    return split


def together(split: NDArray[np.str_], groups: NDArray[np.int64]) -> NDArray[np.str_]:
    """`split` (N,), with every row in the split of the first row of its group (N,).

    Which split that is, is as random as before; so the splits' sizes and shares change by little.
    """
    _, first, which = np.unique(groups, return_index=True, return_inverse=True)
    return np.asarray(split[first][which])


def chronological_split(rows: int) -> NDArray[np.str_]:
    """Split name of each of `rows` rows in order of time: train first, test last."""
    first_valid = round(rows * (1 - VALID_FRACTION - TEST_FRACTION))
    first_test = round(rows * (1 - TEST_FRACTION))
    sizes = (first_valid, first_test - first_valid, rows - first_test)
    return np.repeat(np.array(SPLITS), sizes)


def grouped_split(groups: Sequence[str], seed: int = SPLIT_SEED) -> list[str]:
    """Split name of each row, equal within a group.

    A group's split depends on nothing but its own name and the seed, so it stays where it is
    when the data grow.
    """
    return [_group_split(group, seed) for group in groups]


def _group_split(group: str, seed: int) -> str:
    digest = hashlib.sha256(f"{seed}:{group}".encode()).digest()
    position = int.from_bytes(digest[:8], "big") / 2**64
    if position < TEST_FRACTION:
        return "test"
    if position < TEST_FRACTION + VALID_FRACTION:
        return "valid"
    return "train"
