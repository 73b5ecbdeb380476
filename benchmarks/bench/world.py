"""What the lines are measured on: a home with a release, and tables of customers like its own."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from churn_assets.release.registry import ReleaseRegistry
from churn_assets.storage.current import current_artifact
from churn_assets.storage.local import LocalArtifactStore

AT_A_TIME = 100_000


@dataclass(frozen=True)
class World:
    """A home in which the graph has run, and a folder for what the benchmark makes."""

    home: Path
    work: Path

    @cached_property
    def store(self) -> LocalArtifactStore:
        return LocalArtifactStore(self.home / "store")

    @cached_property
    def release(self) -> Path:
        """The newest release's folder; SystemExit where there is none."""
        if ReleaseRegistry(self.store).latest() is None:
            raise SystemExit(
                f"{self.home} has no release: run `make bench` from its first line (`first_run`), "
                "or name a home in which the graph has run: python -m benchmarks.bench --home …"
            )
        return ReleaseRegistry(self.store).folder()

    def folder(self, asset: str) -> Path:
        """An asset's newest materialization."""
        return self.store.get(current_artifact(self.store, asset))

    def table(self, count: int) -> Path:
        """A folder with one Parquet file of `count` customers: the graph's, drawn with repetition,
        each with an id and a bill of its own."""
        folder = self.work / f"customers-{count}"
        if folder.exists():
            return folder
        part = folder.with_suffix(".part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        known, rng = pq.read_table(self.folder("active_customers") / "train.parquet"), _rng()
        with pq.ParquetWriter(part / "customers.parquet", known.schema) as writer:
            for start in range(0, count, AT_A_TIME):
                some = min(AT_A_TIME, count - start)
                writer.write_table(_drawn(known, rng, start, some))
        part.rename(folder)
        return folder

    def requests(self, count: int) -> list[dict[str, Any]]:
        """Customers in the form of `POST /predict`, each with another name, tenure and bill: half
        are addressed by one first name, half by two."""
        from churn_assets.messages.shield.rules import default_rules
        from churn_assets.serving.schemas import SAMPLE_REQUEST

        rng, first_names = _rng(), default_rules().first_names
        return [
            {
                **SAMPLE_REQUEST,
                "customer_id": f"C{i}",
                "name": " ".join(rng.choice(first_names, size=1 + i % 2)),
                "tenure": int(rng.integers(0, 72)),
                "monthly_charges": float(rng.uniform(20, 120)),
            }
            for i in range(count)
        ]


def _rng() -> np.random.Generator:
    return np.random.default_rng(0)


def _drawn(known: pa.Table, rng: np.random.Generator, start: int, count: int) -> pa.Table:
    table = known.take(rng.integers(0, known.num_rows, count))
    bills = table["monthly_charges"].to_numpy() * rng.uniform(0.8, 1.2, count)
    own = {
        "monthly_charges": pa.array(np.round(bills, 2)),
        "customer_id": pa.array([f"B{start + i:09d}" for i in range(count)]),
    }
    for name, column in own.items():
        table = table.set_column(table.schema.get_field_index(name), name, column)
    return table
