"""Latency of scoring: this project's numpy forest against XGBoost and ONNX Runtime.

    python -m benchmarks.scoring [RISK_FOLDER ACCEPT_FOLDER]

Folders of trained models (`.churn/store/objects/risk_model/...`). Every contender scores the same
encoded rows, a third of whose optional values are missing. ONNX Runtime takes part where
`onnxmltools` and `onnxruntime` are installed (they are no dependency of the project).
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"  # one thread for all, as in an API worker

import numpy as np
import xgboost as xgb
from rich.console import Console
from rich.table import Table

from benchmarks.artifacts import current_folder
from churn_assets.predictors.scoring.features import RISK_FEATURES, encode
from churn_assets.predictors.scoring.scorers import AcceptScorer, RiskScorer

Score = Callable[[Any], Any]
REQUIRED = tuple(feature.name for feature in RISK_FEATURES if feature.required)


def draw_rows(count: int) -> list[dict[str, Any]]:
    """Customers with random values; each optional one is missing with probability 1/3."""
    rng = np.random.default_rng(0)
    rows = []
    for _ in range(count):
        row: dict[str, Any] = {}
        for feature in RISK_FEATURES:
            if not feature.required and rng.random() < 1 / 3:
                continue
            if feature.kind == "category":
                row[feature.name] = str(rng.choice(feature.categories))
            else:
                row[feature.name] = (
                    bool(rng.random() < 0.5)
                    if feature.kind == "flag"
                    else float(rng.uniform(1, 100))
                )
        rows.append(row)
    return rows


def time_of(score: Score, argument: Any, seconds: float = 1.0) -> tuple[float, float]:
    """p50 and p99 in microseconds of repeated calls, after a warm-up."""
    for _ in range(5):
        score(argument)
    samples: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        score(argument)
        samples.append(time.perf_counter() - start)
    p50, p99 = np.quantile(samples, [0.5, 0.99]) * 1e6
    return float(p50), float(p99)


def onnx_session(model: Path, features: int) -> Score | None:
    """ONNX Runtime on the converted booster, or None where it isn't installed."""
    if any(importlib.util.find_spec(name) is None for name in ("onnxmltools", "onnxruntime")):
        return None
    import onnxruntime
    from onnxmltools.convert import convert_xgboost
    from onnxmltools.convert.common.data_types import FloatTensorType

    booster = xgb.Booster(model_file=model)
    booster.feature_names = None
    converted = convert_xgboost(booster, initial_types=[("x", FloatTensorType([None, features]))])
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        converted.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return lambda matrix: session.run(None, {"x": matrix})[1]


def contenders(scorer: RiskScorer, model: Path) -> dict[str, Score]:
    """Name -> function of an encoded matrix."""
    booster = xgb.Booster(model_file=model, params={"nthread": 1})
    forest = scorer.model.forest
    found: dict[str, Score | None] = {
        "numpy forest": forest.margins,
        "XGBoost inplace_predict": lambda x: booster.inplace_predict(x, predict_type="margin"),
        "XGBoost predict(DMatrix)": lambda x: booster.predict(
            xgb.DMatrix(x, nthread=1), output_margin=True
        ),
        "ONNX Runtime": onnx_session(model, forest.features),
        "numpy forest with contributions": forest.explain,
        "XGBoost pred_contribs": lambda x: booster.predict(
            xgb.DMatrix(x, nthread=1), pred_contribs=True
        ),
    }
    return {name: score for name, score in found.items() if score is not None}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("risk", type=Path, nargs="?", help="default: the newest risk model")
    parser.add_argument("accept", type=Path, nargs="?", help="default: the newest accept model")
    arguments = parser.parse_args()
    risk_folder = arguments.risk or current_folder("risk_model")
    risk = RiskScorer.load(risk_folder)
    accept = AcceptScorer.load(arguments.accept or current_folder("accept_model"))
    rows = draw_rows(1000)
    matrix = encode(rows, risk.model.features)
    table = Table("what", "1 row p50 µs", "p99 µs", "1,000 rows p50 µs", "p99 µs")
    for name, score in contenders(risk, risk_folder / "model.ubj").items():
        table.add_row(name, *_cells(score, matrix[:1], matrix))
    whole: dict[str, Score] = {
        "encode": lambda batch: encode(batch, risk.model.features),
        "RiskScorer.predict": risk.predict,
        "RiskScorer.explain": risk.explain,
        "AcceptScorer.predict (4 offers)": accept.predict,
    }
    for name, score in whole.items():
        table.add_row(name, *_cells(score, rows[:1], rows))
    Console(width=100).print(table)


def _cells(score: Score, one: Any, many: Any) -> list[str]:
    return [f"{value:,.0f}" for batch in (one, many) for value in time_of(score, batch)]


if __name__ == "__main__":
    main()
