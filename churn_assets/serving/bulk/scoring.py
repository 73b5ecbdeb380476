"""Score every customer with a release, in streaming batches: Parquet in, Parquet out.

The same `Assessor` answers the API, so a nightly prediction and a live request agree. Memory holds
one batch, whatever the number of customers; each shard of a larger table can run elsewhere.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from churn_assets.customers.built_in import BUILT_IN_SCHEMA
from churn_assets.customers.schema import MONTHLY, TENURE, CustomerSchema, load_schema
from churn_assets.domain.experiment import CONTROL, group_of
from churn_assets.domain.splits import SPLITS
from churn_assets.domain.value import MONTHS_OF_VALUE
from churn_assets.predictors.scoring.held_out import read_out_of_fold
from churn_assets.release.bundle import ReleaseError, verify
from churn_assets.release.config import ScoringConfig
from churn_assets.serving.assessment import Assessments, Assessor, draw_of
from churn_assets.serving.forms import Form, load_form
from churn_assets.stages.spec import Progress, silent

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
KINDS, WORD = {"number": pa.float64(), "flag": pa.bool_()}, pa.string()  # of a contract's fields


def features_of(form: Form) -> pa.Schema:
    """What a prediction was made from: it stays beside it, so that anybody can ask again."""
    unread = form.customers.accepted if form.schema is None else ()  # the public file has them
    fields = (*unread, *form.customers.fields)
    columns = {"customer_id": pa.string()} | {f.name: KINDS.get(f.kind, WORD) for f in fields}
    columns |= {TENURE: pa.int64(), MONTHLY: pa.float64()}
    return pa.schema(list(columns.items()))


PRICES = np.concatenate([[0.0], np.geomspace(0.05, 100.0, 39)])


def run(
    inputs: Mapping[str, Path], out: Path, config: ScoringConfig, progress: Progress = silent
) -> dict[str, Any]:
    """Write `out/predictions.parquet`: one row a customer, columns of `features_of` and `FIGURES`.

    Args:
        inputs: `release` -> a release's folder; `active_customers` -> the customers' folder, or a
            shard of a larger one; `risk_model`, where it is there, -> the folder of the release's
            risk model with the out-of-fold risk of those that it learnt from.

    Returns:
        Counts and sums of the campaign, the Pareto curve, the release's id, whether the rules
        decided.

    Raises:
        ReleaseError: the release's files are not what its manifest says.
    """
    manifest = verify(inputs["release"])
    assessor = Assessor.load(inputs["release"]).priced(config.budget_price)
    form = load_form(inputs["release"])
    _refuse_others(form, inputs["active_customers"])
    known = read_out_of_fold(inputs["risk_model"]) if "risk_model" in inputs else {}
    schema = pa.schema([*features_of(form), *FIGURES])
    files = [pq.ParquetFile(path) for path in customer_tables(inputs["active_customers"])]
    total = sum(file.metadata.num_rows for file in files)
    campaign = Campaign(assessor.params.budget_limit)
    started, done, now = time.perf_counter(), 0, datetime.now(UTC)
    with pq.ParquetWriter(out / "predictions.parquet", schema) as writer:
        for file in files:
            for batch in file.iter_batches(config.batch_rows):
                rows = batch.to_pylist()
                control = [
                    group_of(row["customer_id"], config.experiment, now) == CONTROL for row in rows
                ]
                baseline = [config.force_baseline] * len(rows)
                draw = draw_of(rows, config.experiment, now, manifest.release_id)
                assessed = assessor.assess(
                    rows, baseline, known_risk=known, control=control, draw=draw
                )
                writer.write_batch(
                    _records(rows, assessed, manifest.release_id, schema, assessor.percent)
                )
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


def _refuse_others(form: Form, customers: Path) -> None:
    """Raise ReleaseError where the customers are not of the release's contract."""
    if not (customers / "dataset.json").exists():
        return  # a shard of a table, whose whole was looked at
    theirs = load_schema(customers)
    if _names(form.schema) != _names(theirs):
        raise ReleaseError(
            f"the release is of {form.customers.contract}, the customers of "
            f"{(theirs or BUILT_IN_SCHEMA).contract}: build a release of theirs"
        )


def _names(schema: CustomerSchema | None) -> set[str]:
    return {field.name for field in schema.fields} if schema else set()


def _records(
    rows: list[dict[str, Any]],
    assessed: Assessments,
    release_id: str,
    schema: pa.Schema,
    percent: Sequence[int],
) -> pa.RecordBatch:
    decisions = assessed.decisions
    columns: dict[str, Any] = {name: [row.get(name) for row in rows] for name in schema.names}
    columns["churn_risk"] = assessed.risk
    columns |= {f"accept_prob_{level}": assessed.accept[:, level] for level in range(4)}
    columns |= {
        "contact": decisions.contact,
        "offer_level": decisions.offer,
        "offer_percentage": np.array(percent)[decisions.offer],
        "delay_days": decisions.delay,
        "action_probability": decisions.probability,
        "expected_value": assessed.expected_value,
        "expected_cost": assessed.expected_cost,
        "estimated_retention_prob": assessed.retention,
        "release_id": [release_id] * len(rows),
    }
    return pa.record_batch(
        [pa.array(columns[field.name], field.type) for field in schema], schema=schema
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
