"""Tables of customers against XGBoost alone, and one decision against scikit-learn's classes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.bench.measuring import Row, compared, in_turn, peak_memory
from benchmarks.bench.world import World
from churn_assets.domain.offers import OFFER_LEVELS
from churn_assets.release.config import ScoringConfig
from churn_assets.serving.assessment import Assessor
from churn_assets.serving.bulk import scoring
from churn_assets.serving.bulk.columns import inputs_of

ROUNDS = 7
IN_MEMORY = 100_000
NOBODY = np.zeros(0, np.bool_)


def five_scores(assessor: Assessor, batches: list[pa.RecordBatch]) -> Callable[[], None]:
    """XGBoost alone on matrices that are there already: the risk, and four offers' acceptance."""
    read = [inputs_of(batch, assessor) for batch in batches]
    risk = np.concatenate([some.risk for some in read])
    contacts = np.repeat(np.concatenate([some.contacts for some in read]), OFFER_LEVELS, axis=0)
    contacts[:, -1] = np.arange(len(contacts)) % OFFER_LEVELS
    models: list[Any] = [assessor.risk.model.forest, assessor.accept.model.forest]
    boosters = [model.booster for model in models]

    def call() -> None:
        for booster, matrix in zip(boosters, (risk, contacts), strict=True):
            booster.inplace_predict(matrix, predict_type="margin")

    return call


def in_memory(world: World) -> Iterator[Row]:
    """From Arrow columns to decisions and what they are expected to bring, one thread."""
    assessor = Assessor.load(world.release, tables=True)
    path = world.table(IN_MEMORY) / "customers.parquet"
    batches = list(pq.ParquetFile(path).iter_batches(ScoringConfig().batch_rows))

    def ours() -> None:
        for batch in batches:
            assessor.assess_inputs(inputs_of(batch, assessor), NOBODY, control=NOBODY)

    seconds = in_turn(ours, five_scores(assessor, batches), ROUNDS)
    name = f"risk + 4 acceptances + policy, {IN_MEMORY:,} customers in memory"
    yield compared(name, seconds, 1.5, "XGBoost alone for the five scores", unit="CPU s")


def parquet(count: int, rounds: int) -> Callable[[World], Iterator[Row]]:
    """From a Parquet file to one of predictions, each round in a process of its own."""

    def line(world: World) -> Iterator[Row]:
        table = world.table(count)
        command = [sys.executable, "-m", "benchmarks.bench.scoring", str(world.release), str(table)]
        found = []
        for _ in range(rounds):
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            found.append(json.loads(done.stdout.splitlines()[-1]))
        ours, cpu, peer = (
            np.array([run[key] for run in found]) / count * 1e6 for key in ("wall", "cpu", "peer")
        )
        peak = max(run["peak_mb"] for run in found)
        wall = float(np.median(ours))
        yield Row(
            f"Parquet to Parquet, {count:,} customers, {os.cpu_count()} cores",
            wall,
            float(np.median(peer)),
            wall / float(np.median(peer)),
            "≤ 4 µs a customer, ≤ 500 MB",
            wall <= 4 and peak <= 500,
            unit="µs a customer",
            peer_is="XGBoost alone for the five scores, as many threads",
            spread=(float(ours.min()), float(ours.max())),
            note=f"{np.median(cpu):.1f} µs of processor time a customer, {peak:.0f} MB at most",
        )

    return line


def one_run(release: Path, table: Path) -> dict[str, float]:
    """Of one process: seconds of our run and of XGBoost alone, and the largest memory of ours."""
    out = table / "predictions"
    out.mkdir(exist_ok=True)
    wall, cpu = time.perf_counter(), time.process_time()
    scoring.run({"release": release, "active_customers": table}, out, ScoringConfig())
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = peak_memory()
    assessor = Assessor.load(release, tables=True)
    batches = list(pq.ParquetFile(table / "customers.parquet").iter_batches(IN_MEMORY))[:10]
    for model in (assessor.risk.model, assessor.accept.model):
        model.forest.booster.set_param({"nthread": os.cpu_count()})  # type: ignore[union-attr]
    alone = five_scores(assessor, batches)
    alone()
    started = time.perf_counter()
    alone()
    scored = sum(len(batch) for batch in batches)
    total = sum(file.metadata.num_rows for file in map(pq.ParquetFile, table.glob("*.parquet")))
    peer = (time.perf_counter() - started) * total / scored
    return {"wall": wall, "cpu": cpu, "peer": peer, "peak_mb": peak}


def one_decision(world: World) -> Iterator[Row]:
    """A decision with reasons and alternatives, against five scores by scikit-learn's classes."""
    import pandas as pd
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    from churn_assets.serving.engine import RetentionEngine

    engine = RetentionEngine.load(world.release)
    customer = engine.form.model.model_validate(world.requests(1)[0])
    frame = pd.read_parquet(world.folder("customer_history") / "train.parquet")
    labels = frame.pop("churn").astype(int)
    frame = frame.drop(columns=["customer_id"])
    words = frame.select_dtypes(exclude="number").columns.tolist()
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    columns = make_column_transformer((encoder, words), remainder="passthrough")
    trees = HistGradientBoostingClassifier(max_iter=100, max_depth=3)
    pipeline = make_pipeline(columns, CalibratedClassifierCV(trees, cv=3)).fit(frame, labels)
    row, calls = frame.head(1), 100

    def ours() -> None:
        for _ in range(calls):
            engine.predict(customer, with_message=False)

    def theirs() -> None:
        for _ in range(5):  # five scores, once
            pipeline.predict_proba(row)

    seconds = in_turn(ours, theirs, ROUNDS) * [1e3 / calls, 1e3]
    goal = 1 / 50
    peer = "scikit-learn Pipeline + CalibratedClassifierCV on a frame, the five scores alone"
    yield compared("one decision in process", seconds, goal, peer, unit="CPU ms")


if __name__ == "__main__":
    print(json.dumps(one_run(Path(sys.argv[1]), Path(sys.argv[2]))))
