"""The risk of customers by models that never saw them, beside a risk model: `out_of_fold.json`.

A model knows the rows that it learnt from too well: whoever of them is scored again is scored with
this figure. It names customers, so no release holds it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FILE = "out_of_fold.json"


def write_out_of_fold(
    folder: Path, customer_ids: Iterable[str], risks: NDArray[np.float64]
) -> None:
    """Write each customer's risk (N,); of several rows the last one's."""
    told = {str(i): float(p) for i, p in zip(customer_ids, risks, strict=True)}
    (folder / FILE).write_text(json.dumps(told) + "\n", encoding="utf-8")


def read_out_of_fold(folder: Path) -> dict[str, float]:
    """Customer id -> risk; empty beside a model that keeps none."""
    path = folder / FILE
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


def out_of_fold_first(
    customer_ids: Iterable[Any], risk: NDArray[np.float64], known: Mapping[str, float]
) -> NDArray[np.float64]:
    """`risk` (N,) of the customers, with what is `known` of one in its place."""
    if not known:
        return risk
    told = np.array([known.get(customer, np.nan) for customer in customer_ids], dtype=np.float64)
    return np.where(np.isnan(told), risk, told)
