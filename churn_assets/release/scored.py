"""What predictions must be: asked of them before anything names them, and by their checks.

Servers and plans read whatever the store names. A check that came after would stop what lies below
in the same run, and no server.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from churn_assets.domain.splits import SPLITS
from churn_assets.storage.tables import read_parquet

PROBABILITIES = ("churn_risk", "estimated_retention_prob", "action_probability")
ACCEPTANCES = tuple(f"accept_prob_{level}" for level in range(4))
FILE = "predictions.parquet"


class UnsoundPredictionsError(ValueError):
    """Predictions that nobody may act on."""


@dataclass(frozen=True)
class Judged:
    """Whether a fact holds of predictions, with its counts by their names."""

    passed: bool
    figures: dict[str, int]


def scored_once(predictions: Path, customers: Path) -> Judged:
    """Whether there are as many predictions as customers, each customer once.

    Args:
        predictions: the folder with `predictions.parquet`.
        customers: the folder of `active_customers`.
    """
    scored = read_parquet(predictions / FILE, columns=["customer_id"])["customer_id"]
    splits = [
        read_parquet(customers / f"{split}.parquet", columns=["customer_id"]) for split in SPLITS
    ]
    expected = pc.unique(pa.concat_tables(splits)["customer_id"].cast(scored.type))
    different = len(pc.unique(scored))
    known = pc.all(pc.is_in(scored, value_set=expected), min_count=0).as_py()
    return Judged(
        passed=len(scored) == different == len(expected) and known,
        figures={"scored": len(scored), "customers": len(expected)},
    )


def figures_in_range(predictions: Path) -> Judged:
    """Whether probabilities are within [0, 1] (of acceptance: strictly), values finite, and
    acceptance never falls with the offer; `predictions` as for `scored_once`."""
    columns = [*PROBABILITIES, *ACCEPTANCES, "expected_value"]
    table = read_parquet(predictions / FILE, columns=columns)
    accept = np.stack([table[name].to_numpy() for name in ACCEPTANCES], axis=1)
    shares = np.stack([table[name].to_numpy() for name in PROBABILITIES], axis=1)
    outside = int((~((shares >= 0) & (shares <= 1))).sum() + (~((accept > 0) & (accept < 1))).sum())
    falling = int((np.diff(accept, axis=1) < 0).any(axis=1).sum())
    infinite = int((~np.isfinite(table["expected_value"].to_numpy())).sum())
    return Judged(
        passed=outside == falling == infinite == 0,
        figures={
            "outside_0_1": outside,
            "customers_with_falling_acceptance": falling,
            "infinite_values": infinite,
            "rows": table.num_rows,
        },
    )


def require_sound(predictions: Path, customers: Path) -> None:
    """Raise where one of the blocking checks would fail; arguments as for `scored_once`.

    Raises:
        UnsoundPredictionsError: names the check and its figures.
    """
    judged = {
        "every_customer_is_scored_once": scored_once(predictions, customers),
        "figures_are_finite_and_in_range": figures_in_range(predictions),
    }
    for check, found in judged.items():
        if not found.passed:
            figures = ", ".join(f"{name}={count:,}" for name, count in found.figures.items())
            raise UnsoundPredictionsError(
                f"{check} failed ({figures}): the predictions before stay in use"
            )
