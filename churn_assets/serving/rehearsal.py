"""The serving engine as a release is tried with, before and while it serves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from churn_assets.release.config import ScoringConfig
from churn_assets.serving import golden
from churn_assets.serving.bulk import scoring
from churn_assets.serving.engine import RetentionEngine, ServedMessages
from churn_assets.serving.forms import BUILT_IN, Form
from churn_assets.stages.spec import Progress

GOLDEN_NAMES = ("Sam", "Zoë", "José María", "O'Brien", "李雷", "Ngọc Anh", "Łukasz", "محمد")
GOLDEN_SEED = 42


@dataclass(frozen=True)
class EngineRehearsal:
    """`release.rehearsal.Rehearsal` with the engine that the API serves.

    Attributes:
        default_time_zone: IANA zone of the stored requests' customers.
    """

    default_time_zone: str

    def write_golden(
        self, bundle: Path, customers: Path, count: int, messages: Mapping[str, Any]
    ) -> None:
        """Store requests of real held-out customers and their answers in the bundle."""
        engine = RetentionEngine(
            bundle,
            release_id="unreleased",
            messages=ServedMessages.model_validate(messages),
            default_time_zone=self.default_time_zone,
        )
        golden.write_golden(engine, draw_requests(customers, count, engine.form), bundle)

    def check_golden(self, release: Path) -> int:
        """Answer the stored requests again; raises ReleaseError where an answer differs."""
        return golden.check_golden(RetentionEngine.load(release, self.default_time_zone), release)

    def score(
        self,
        release: Path,
        customers: Path,
        out: Path,
        config: ScoringConfig,
        progress: Progress,
    ) -> dict[str, Any]:
        """Write `out/predictions.parquet`; returns the campaign's figures."""
        inputs = {"release": release, "active_customers": customers}
        return scoring.run(inputs, out, config, progress)


def draw_requests(customers: Path, count: int, form: Form = BUILT_IN) -> list[dict[str, Any]]:
    """Requests from real held-out customers, with made-up names, two thirds with a contact history,
    some with the kill switch: every code path that an answer can take."""
    table = pq.read_table(customers / "test.parquet")
    rng = np.random.default_rng(GOLDEN_SEED)
    chosen = rng.choice(table.num_rows, size=min(count, table.num_rows), replace=False)
    known = form.model.model_fields.keys()
    requests = []
    for number, row in enumerate(table.take(np.sort(chosen)).to_pylist()):
        request = {key: value for key, value in row.items() if key in known}
        if form.schema is not None:
            request["customer_id"] = f"G{number}"  # a company's own ids stay with it
        request["name"] = GOLDEN_NAMES[number % len(GOLDEN_NAMES)]
        if number % 3:
            request |= {
                "days_since_contact": int(rng.integers(0, 40)),
                "contacts_this_period": int(rng.integers(0, 4)),
                "previous_contacts": int(rng.integers(0, 3)),
                "contact_channel": ("cellular", "telephone")[number % 2],
                "budget_remaining": float(rng.integers(0, 5)) / 4,
            }
        if number % 6 == 0:
            request["force_baseline"] = True
        requests.append(request)
    return requests
