"""Rows from data frames: the one place where pandas' missing values become None."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from churn_assets.datasets.tables import read_split


def rows_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The frame's rows as mappings, with None for every missing value."""
    names = [str(name) for name in frame]
    known = frame.astype(object).where(frame.notna(), None)
    columns = [known.iloc[:, place].tolist() for place in range(len(names))]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def read_training_and_test(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows to learn from (train, then valid) and the held-out test rows of a data set's folder.

    Nothing here is chosen on the validation split: hyperparameters are fixed and calibration uses
    out-of-fold scores.
    """
    learn = pd.concat([read_split(folder, "train"), read_split(folder, "valid")], ignore_index=True)
    return learn, read_split(folder, "test")


def data_source(folder: Path) -> str:
    """Where a data set's rows come from: "mirror", "download" or "synthetic"."""
    return str(json.loads((folder / "dataset.json").read_text())["source"])
