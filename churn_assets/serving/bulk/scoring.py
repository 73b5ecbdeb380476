"""Score every customer with a release, in streaming batches: Parquet in, Parquet out.

The same `Assessor` answers the API, so a nightly prediction and a live request agree. Memory holds
one batch, whatever the number of customers; each shard of a larger table can run elsewhere.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from churn_assets.domain.offers import OFFER_PERCENTAGES
from churn_assets.domain.splits import SPLITS
from churn_assets.domain.value import MONTHS_OF_VALUE
from churn_assets.release.bundle import verify
from churn_assets.release.config import ReleaseConfig
from churn_assets.serving.assessment import Assessments, Assessor
from churn_assets.stages.spec import Progress, silent

FEATURES = pa.schema(
    [
        ("customer_id", pa.string()),
        ("gender", pa.string()),
        ("senior_citizen", pa.bool_()),
        ("partner", pa.bool_()),
        ("dependents", pa.bool_()),
        ("tenure", pa.int64()),
        ("phone_service", pa.bool_()),
        ("multiple_lines", pa.string()),
        ("internet_service", pa.string()),
        ("online_security", pa.string()),
        ("online_backup", pa.string()),
        ("device_protection", pa.string()),
        ("tech_support", pa.string()),
        ("streaming_tv", pa.string()),
        ("streaming_movies", pa.string()),
        ("contract", pa.string()),
        ("paperless_billing", pa.bool_()),
        ("payment_method", pa.string()),
        ("monthly_charges", pa.float64()),
        ("total_charges", pa.float64()),
    ]
)
FIGURES = pa.schema(
    [
        ("churn_risk", pa.float64()),
        *[(f"accept_prob_{level}", pa.float64()) for level in range(4)],
        ("contact", pa.bool_()),
        ("offer_level", pa.int8()),
        ("offer_percentage", pa.int8()),
        ("delay_days", pa.int8()),
        ("action_probability", pa.float64()),
        ("expected_value", pa.float64()),
        ("expected_cost", pa.float64()),
        ("estimated_retention_prob", pa.float64()),
        ("release_id", pa.string()),
    ]
)
# What a prediction was made from stays beside it, so that anybody can ask for it again.
SCHEMA = pa.schema([*FEATURES, *FIGURES])
PRICES = np.concatenate([[0.0], np.geomspace(0.05, 100.0, 39)])


def run(
    inputs: Mapping[str, Path], out: Path, config: ReleaseConfig, progress: Progress = silent
) -> dict[str, Any]:
    """Write `out/predictions.parquet`: one row a customer, columns as in `SCHEMA`.

    Args:
        inputs: `release` -> a release's folder; `telco_customers` -> the data set's folder, or a
            shard of a larger one.

    Returns:
        Counts and sums of the campaign, the Pareto curve, the release's id, whether the rules
        decided.

    Raises:
        ReleaseError: the release's files are not what its manifest says.
    """
    manifest = verify(inputs["release"])
    assessor = Assessor.load(inputs["release"])
    files = [pq.ParquetFile(path) for path in customer_tables(inputs["telco_customers"])]
    total = sum(file.metadata.num_rows for file in files)
    campaign = Campaign(assessor.params.budget_limit)
    started, done = time.perf_counter(), 0
    with pq.ParquetWriter(out / "predictions.parquet", SCHEMA) as writer:
        for file in files:
            for batch in file.iter_batches(config.batch_rows):
                rows = batch.to_pylist()
                assessed = assessor.assess(rows, [config.force_baseline] * len(rows))
                writer.write_batch(_records(rows, assessed, manifest.release_id))
                campaign.add(batch.column("monthly_charges").to_numpy(), assessed)
                done += len(rows)
                progress(done, total, rows_per_second=done / (time.perf_counter() - started))
    return {
        "release_id": manifest.release_id,
        "baseline": config.force_baseline,
        **campaign.report(),
    }


def customer_tables(folder: Path) -> list[Path]:
    """The Parquet files of a folder, the splits of a data set in their order."""
    order: dict[str, int] = {split: position for position, split in enumerate(SPLITS)}
    return sorted(folder.glob("*.parquet"), key=lambda path: (order.get(path.stem, 0), path.stem))


def _records(rows: list[dict[str, Any]], assessed: Assessments, release_id: str) -> pa.RecordBatch:
    decisions = assessed.decisions
    columns: dict[str, Any] = {name: [row.get(name) for row in rows] for name in FEATURES.names}
    columns["churn_risk"] = assessed.risk
    columns |= {f"accept_prob_{level}": assessed.accept[:, level] for level in range(4)}
    columns |= {
        "contact": decisions.contact,
        "offer_level": decisions.offer,
        "offer_percentage": np.array(OFFER_PERCENTAGES)[decisions.offer],
        "delay_days": decisions.delay,
        "action_probability": decisions.probability,
        "expected_value": assessed.expected_value,
        "expected_cost": assessed.expected_cost,
        "estimated_retention_prob": assessed.retention,
        "release_id": [release_id] * len(rows),
    }
    return pa.record_batch(
        [pa.array(columns[field.name], field.type) for field in SCHEMA], schema=SCHEMA
    )


class Campaign:
    """Sums over all customers, one batch at a time: what today's decisions bring and cost.

    The Pareto curve is what the same customers could be made to bring at each level of spend: at a
    price p of a currency unit of discount, every customer gets the option with the largest retained
    value - (1 + p) x cost. Sweeping p traces the frontier of all allocations of one contact a
    customer (Everett 1963, generalised Lagrange multipliers).
    """

    def __init__(self, budget_share: float) -> None:
        self.budget_share = budget_share
        self.sums = dict.fromkeys(
            ("customers", "contacts", "value", "spend", "retained", "expected_value"), 0.0
        )
        self.frontier_spend = np.zeros(len(PRICES))
        self.frontier_retained = np.zeros(len(PRICES))

    def add(self, monthly_charges: NDArray[np.float64], assessed: Assessments) -> None:
        """Count another batch of customers (N,)."""
        values = MONTHS_OF_VALUE * monthly_charges
        retention, cost = assessed.outcomes.retention, assessed.outcomes.expected_cost
        retained = (retention - retention[:, :1]) * values[:, None]
        every = np.arange(len(values))
        self.sums["customers"] += len(values)
        self.sums["contacts"] += float(assessed.decisions.contact.sum())
        self.sums["value"] += float(values.sum())
        self.sums["spend"] += float(assessed.expected_cost.sum())
        self.sums["retained"] += float(retained[every, assessed.option].sum())
        self.sums["expected_value"] += float(assessed.expected_value.sum())
        for i, price in enumerate(PRICES):
            best = (assessed.outcomes.expected_value - price * cost).argmax(axis=1)
            self.frontier_spend[i] += cost[every, best].sum()
            self.frontier_retained[i] += retained[every, best].sum()

    def report(self) -> dict[str, Any]:
        """The sums in currency, and the Pareto curve from no spend upwards."""
        curve = sorted(
            {
                (round(spend, 2), round(retained, 2))
                for spend, retained in zip(
                    self.frontier_spend.tolist(), self.frontier_retained.tolist(), strict=True
                )
            }
        )
        return {
            "customers": int(self.sums["customers"]),
            "contacts": int(self.sums["contacts"]),
            "customer_value": self.sums["value"],
            "expected_spend": self.sums["spend"],
            "budget": self.budget_share * self.sums["value"],
            "expected_retained_revenue": self.sums["retained"],
            "expected_value": self.sums["expected_value"],
            "pareto": [{"spend": spend, "retained": retained} for spend, retained in curve],
        }
