"""`churn predict` says when its decisions count, and decides nothing where it only looks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from churn_assets.cli.asking import RECORDED
from churn_assets.serving.decision_log import parts
from churn_assets.serving.schemas import SAMPLE_REQUEST
from churn_assets.storage.local import LocalArtifactStore
from tests.cli.conftest import Churn

RUNNING = {"CHURN_EXPERIMENT__ENABLED": "true"}


@pytest.mark.parametrize("more", [[], ["--over-http"]])
@pytest.mark.parametrize("customers", [1, 2])
def test_a_look_is_not_recorded(
    churn: Churn, home: Path, tmp_path: Path, customers: int, more: list[str]
) -> None:
    """Why: one look used up every customer's only horizon."""
    file = tmp_path / "today.json"
    asked = [SAMPLE_REQUEST | {"customer_id": f"LOOK-{i}"} for i in range(customers)]
    file.write_text(json.dumps(asked if customers > 1 else asked[0]))
    store, ids = LocalArtifactStore(home / "store"), {row["customer_id"] for row in asked}

    def recorded() -> int:
        return sum(each in ids for each in parts.read(store)["customer_id"].to_pylist())

    before = recorded()
    done = churn("predict", str(file), "--no-record", "--format", "csv", *more, **RUNNING)
    assert done.returncode == 0, done.stderr
    assert "LOOK-0" in done.stdout
    assert recorded() == before
    assert RECORDED not in done.stderr
    done = churn("predict", str(file), "--format", "csv", *more, **RUNNING)
    assert recorded() == before + customers
    assert done.stderr.count(RECORDED) == 1


def test_without_an_experiment_nothing_is_said_of_it(churn: Churn) -> None:
    assert RECORDED not in churn("predict", "--sample").stderr
