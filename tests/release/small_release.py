"""A complete release in a second: real model files, trained on a few hundred made-up customers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import xgboost

from churn_assets.customers.schema import FILE, CustomerSchema
from churn_assets.decision.policy import save_rule
from churn_assets.decision.rules.families import PricedGreedy, RiskThreshold, Rule
from churn_assets.domain.offers import Offers
from churn_assets.messages.config import MessagesConfig
from churn_assets.messages.shield.rules import RULES_PATH
from churn_assets.messages.writing.bank import Cell, MessageBank, ScoredTemplate, all_cells
from churn_assets.predictors.scoring.features import ACCEPT_FEATURES, RISK_FEATURES, encode
from churn_assets.release.bundle import (
    Comparison,
    Manifest,
    collect,
    read_manifest,
    write_manifest,
)
from churn_assets.release.registry import ReleaseRegistry
from churn_assets.serving.engine import RetentionEngine, ServedMessages
from churn_assets.serving.golden import write_golden
from churn_assets.serving.schemas import SAMPLE_REQUEST
from churn_assets.storage.protocol import ArtifactStore

DATA = {"telco_customers": {"source": "mirror", "rows": 300, "sha256": "0" * 64}}
BANK_TEMPLATE = (
    "Hi {name}, thank you for {tenure} with us. Enjoy {offer} off for {months}, from us."
)
SETTINGS = {"messages": MessagesConfig().model_dump(mode="json")}


def made_up_rows(count: int, seed: int) -> list[dict[str, Any]]:
    """Customers with the telco columns that matter and a churn that depends on them."""
    rng = np.random.default_rng(seed)
    contracts = ["Month-to-month", "One year", "Two year"]
    methods = ["Electronic check", "Mailed check", "Credit card (automatic)"]
    return [
        {
            "customer_id": f"T{i:05d}",
            "tenure": int(rng.integers(1, 72)),
            "monthly_charges": round(float(rng.uniform(20, 120)), 2),
            "contract": contracts[rng.integers(3)],
            "payment_method": methods[rng.integers(3)],
            "internet_service": ["DSL", "Fiber optic", "No"][rng.integers(3)],
            "senior_citizen": bool(rng.integers(2)),
            "partner": bool(rng.integers(2)),
        }
        for i in range(count)
    ]


def write_dataset(folder: Path, name: str) -> None:
    """A data set's folder as the dataset assets leave it; customers only for `telco_customers`."""
    folder.mkdir()
    facts = {"source": "mirror", "rows": 90, "sha256": "a" * 64}
    (folder / "dataset.json").write_text(json.dumps(facts))
    if name == "telco_customers":
        rows = made_up_rows(90, seed=7)
        for start, split in zip((0, 30, 60), ("train", "valid", "test"), strict=True):
            pq.write_table(
                pa.Table.from_pylist(rows[start : start + 30]), folder / f"{split}.parquet"
            )


def train(folder: Path, kind: str, seed: int) -> None:
    """A small booster in the predictors' file format, on labels drawn from a known rule."""
    rng = np.random.default_rng(seed)
    features = RISK_FEATURES if kind == "risk" else ACCEPT_FEATURES
    rows = made_up_rows(300, seed)
    for row in rows:
        row |= {"price_pressure": row["monthly_charges"] / 120, "offer_level": int(rng.integers(4))}
    if kind == "risk":
        logits = [(r["contract"] == "Month-to-month") * 3 - r["tenure"] / 24 for r in rows]
    else:
        logits = [1.2 * r["offer_level"] - 2.0 for r in rows]
    labels = rng.random(len(rows)) < 1 / (1 + np.exp(-np.array(logits)))
    monotone = tuple(int(f.name == "offer_level") for f in features)
    booster = xgboost.train(
        {
            "objective": "binary:logistic",
            "max_depth": 3,
            "eta": 0.1,
            "seed": seed,
            "nthread": 1,
            "monotone_constraints": monotone,
        },
        xgboost.DMatrix(encode(rows, features), label=labels),
        num_boost_round=40,
    )
    folder.mkdir(parents=True)
    booster.save_model(folder / "model.ubj")
    model = {
        "kind": kind,
        "format": 1,
        "features": [f.to_json() for f in features],
        "calibrator": {"kind": "sigmoid", "slope": 1.0, "intercept": 0.0},
        "price_pressure": {"knots": [20.0, 60.0, 90.0, 120.0]},
    }
    (folder / "model.json").write_text(json.dumps(model))


def write_messages(folder: Path) -> None:
    """The shield's own rules and a bank with one template for every cell with an offer."""
    folder.mkdir(parents=True)
    shutil.copyfile(RULES_PATH, folder / "rules.json")
    cells: dict[Cell, list[ScoredTemplate]] = {
        cell: [ScoredTemplate(BANK_TEMPLATE, 1.0)] for cell in all_cells() if cell.offer
    }
    MessageBank(cells).save(folder / "bank.json")


def write_parts(
    root: Path, *, seed: int = 0, policy: Rule | Path | None = None, live: Path | None = None
) -> dict[str, Path]:
    """The five components' folders as the stages would leave them; `live` holds a language model,
    `policy` is a rule or the folder of a network."""
    parts = {part: root / part for part in ("risk", "accept", "policy", "baseline", "messages")}
    train(parts["risk"], "risk", seed)
    train(parts["accept"], "accept", seed)
    if isinstance(policy, Path):
        shutil.copytree(policy, parts["policy"])
    else:
        save_rule(policy or RiskThreshold(threshold=0.0, offer=2), parts["policy"])
    save_rule(PricedGreedy(), parts["baseline"])
    write_messages(parts["messages"])
    if live is not None:
        shutil.copytree(live, parts["messages"] / "live")
    for name, folder in parts.items():
        (folder / "report.json").write_text(json.dumps({"auc_oof": 0.8, "component": name}))
    return parts


def build_release(
    root: Path, *, seed: int = 0, policy: Rule | Path | None = None, live: Path | None = None
) -> Manifest:
    """A sealed release in `root/bundle`; with `live`, it generates its messages on the spot."""
    parts = write_parts(root / "parts", seed=seed, policy=policy, live=live)
    messages = {
        **SETTINGS["messages"],
        "live_generation": live is not None,
        "live_candidates": 2,
        "live_seconds": 600.0,  # on however slow a machine
    }
    bundle = root / "bundle"
    bundle.mkdir()
    collect(parts, {"risk_model": parts["risk"]}, bundle)
    engine = RetentionEngine(
        bundle,
        release_id="unreleased",
        messages=ServedMessages.model_validate(messages),
        default_time_zone="America/New_York",
    )
    customers = [{**SAMPLE_REQUEST, "customer_id": f"G{i}", "tenure": 6 * i} for i in range(6)]
    write_golden(engine, customers, bundle)
    return write_manifest(
        bundle,
        models={"risk_model": "1" * 64},
        data=DATA,
        report={"risk": {"auc_oof": 0.8}, "checks": {"passed": 1, "failed": 0, "warned": 0}},
        settings={"messages": messages},
        code_version={"package": "0.1.0", "sources": "2" * 64},
        comparison=Comparison(champion=None, promoted=True, reason="the first release"),
    )


def publish(
    store: ArtifactStore, root: Path, contract: str = "", offers: Offers | None = None
) -> None:
    """Serve a release of this contract's customers; of the built-in one where it is empty. With
    offers of its own it has a contract's file, too, by which no engine can answer."""
    root.mkdir()
    build_release(root, seed=len(contract))
    if offers is not None:
        said: dict[str, Any] = {
            "monthly": "Fee",
            "tenure": "Months",
            "horizon_months": 1,
            "offers": offers,
        }
        customers = CustomerSchema(contract=contract, fields=(), **said)
        (root / "bundle" / FILE).write_text(customers.model_dump_json())
    facts = read_manifest(root / "bundle").model_dump(
        include={"models", "data", "report", "settings", "code_version", "comparison"}
    )
    del facts["report"]["release_id"]
    if contract:
        facts["data"] = {name: {**of, "contract": contract} for name, of in facts["data"].items()}
    write_manifest(root / "bundle", **facts)
    registry = ReleaseRegistry(store)
    registry.promote(registry.publish(root / "bundle").release_id, "by a test")


def reseal(bundle: Path, *, live: bool = False, **messages: Any) -> Manifest:
    """Write the manifest anew after a change, so that every digest is right again.

    `live` says that the release generates its messages, whether or not it brings a model along;
    `messages` are further settings of them.
    """
    facts = read_manifest(bundle).model_dump(
        include={"models", "data", "report", "settings", "code_version", "comparison"}
    )
    del facts["report"]["release_id"]
    facts["settings"]["messages"] |= {"live_generation": live, **messages}
    return write_manifest(bundle, **facts)
