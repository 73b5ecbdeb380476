"""Reports of what contacting brought, as the graph publishes them, of simulated customers."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from churn_assets.outcomes.config import OutcomesConfig
from churn_assets.outcomes.joining import join, without_ids
from churn_assets.outcomes.lift import Customers, lift_report
from churn_assets.outcomes.watching.report import Serving, watch
from churn_assets.release.bundle import canonical_json
from churn_assets.serving.decision_log import parts
from churn_assets.storage.current import asset_pointer
from churn_assets.storage.local import LocalArtifactStore

BY_CUSTOMER = (
    "Whom to leave alone: choosing by customer isn't shown to help. It brings +0.40 (-3.10 to "
    "+3.90) a customer over doing to everybody what the policy does."
)


def lift_of(moved: float, count: int = 4_000) -> dict[str, Any]:
    """The report on customers of 1,000 each whose churn contacting moves by `moved`."""
    rng = np.random.default_rng(0)
    risk, treated = rng.uniform(0.2, 0.5, count), rng.random(count) < 0.7
    churned = (rng.random(count) < risk + moved * treated).astype(float)
    spend = np.where(treated & (rng.random(count) < 0.3), 50.0, 0.0)
    retained = 1_000 * (1 - churned)
    start = np.datetime64("2026-03-01T04:00:00")
    customers = Customers(
        treated=treated,
        measures={
            "churn": churned,
            "retained_value": retained,
            "spend": spend,
            "net": retained - spend,
        },
        covariates=np.column_stack([risk, np.full(count, 1_000.0)]),
        known_at=start + np.arange(count) * np.timedelta64(1_200, "s"),
        control_share=0.3,
    )
    report = lift_report(customers, OutcomesConfig(plan_customers=count))
    return report | {"by_customer": {"sentence": BY_CUSTOMER}}


def nothing_watched() -> dict[str, Any]:
    """The drift report of a fresh installation, with its sentences."""
    now = datetime(2026, 3, 10, 6, tzinfo=UTC)
    nothing = join(parts.SCHEMA.empty_table().to_pandas(), [], OutcomesConfig(), now)
    none = "No customers are materialized yet, so there are none to compare."
    return watch(without_ids(nothing.table), none, Serving(), None, OutcomesConfig(), now)


def watched(**states: tuple[str, str, dict[str, Any]]) -> dict[str, Any]:
    """The same with other findings: name -> state, sentence, figures."""
    report = nothing_watched()
    for finding in report["findings"]:
        if finding["name"] in states:
            state, sentence, figures = states[finding["name"]]
            finding |= {"state": state, "sentence": sentence, "figures": figures}
    return report


def publish(home: Path, asset: str, report: dict[str, Any]) -> None:
    """Let the asset's pointer name the report."""
    store = LocalArtifactStore(home / "store")
    with TemporaryDirectory() as folder:
        (Path(folder) / "report.json").write_bytes(canonical_json(report))
        artifact = store.put(asset, Path(folder))
    store.write_pointer(asset_pointer(asset), json.dumps(artifact.model_dump()).encode())
