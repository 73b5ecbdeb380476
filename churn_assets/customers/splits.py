"""How a company's own rows are kept: a Parquet file for each split, and a summary of all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from churn_assets.datasets.errors import DataError
from churn_assets.datasets.sources.files import sha256_of
from churn_assets.datasets.tables import write_parquet
from churn_assets.domain.splits import SPLITS


def write_splits(
    frame: pd.DataFrame, out: Path, about: Mapping[str, str], outcome: str
) -> dict[str, float] | None:
    """Write `train|valid|test.parquet` and `dataset.json` into a folder.

    Args:
        frame: the rows with their `split`; not empty in any.
        about: what else the summary says: the data set's `name`, and whose rows they are.
        outcome: a column of true and false, where the rows have it.

    Returns:
        Each split's share of true outcomes; None without the column.

    Raises:
        DataError: a split has no row.
    """
    sizes, files, rates = dict[str, int](), dict[str, str](), dict[str, float]()
    for part in SPLITS:
        rows = frame[frame["split"] == part].drop(columns=["split"])
        if rows.empty:
            whose = about.get("contract") or about["campaign"]
            raise DataError(f"{whose}: too few rows for three splits")
        path = out / f"{part}.parquet"
        write_parquet(rows, path)
        sizes[part], files[path.name] = len(rows), sha256_of(path)
        if outcome in rows:
            rates[part] = float(rows[outcome].mean())
    digest = hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()
    summary = {
        **about,
        "source": "own",
        "sha256": digest,
        "rows": sum(sizes.values()),
        "splits": sizes,
        "files": files,
    }
    (out / "dataset.json").write_text(
        json.dumps(summary, indent=2, sort_keys=True) + "\n", encoding="utf-8"
    )
    return rates or None
