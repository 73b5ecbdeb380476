"""The experiment over HTTP: nobody of the control group is contacted, however the decision is asked
for, and with the others something else is tried now and then."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pyarrow.parquet as pq
import pytest

from churn_assets.domain.experiment import ExperimentConfig, group_of
from churn_assets.release.config import ReleaseConfig, ScoringConfig
from churn_assets.release.registry import ReleaseRegistry
from churn_assets.release.switches import experiment
from churn_assets.serving.bulk.scoring import run
from churn_assets.serving.schemas import SAMPLE_REQUEST
from churn_assets.storage.local import LocalArtifactStore
from tests.api.conftest import publish_small_release
from tests.api.server import Server, running
from tests.release.small_release import write_dataset

HALF = ExperimentConfig(enabled=True, control_share=0.5, exploration=0.2)
CUSTOMERS = [SAMPLE_REQUEST | {"customer_id": f"C{i}"} for i in range(60)]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    publish_small_release(home, tmp_path_factory.mktemp("release"))
    return home


@pytest.fixture(scope="module")
def halved(home: Path) -> Iterator[Server]:
    """A server that leaves half of the customers alone; its release would contact everybody."""
    with running(
        home,
        CHURN_EXPERIMENT__ENABLED="true",
        CHURN_EXPERIMENT__CONTROL_SHARE="0.5",
        CHURN_EXPERIMENT__EXPLORATION="0.2",
    ) as process:
        yield process


def check(answers: list[dict[str, Any]]) -> None:
    """Each answer is that of its customer's group; the release contacts all whom it may, unless it
    tries what leaving them alone brings."""
    now = datetime.now(UTC)
    groups = [group_of(customer["customer_id"], HALF, now) for customer in CUSTOMERS]
    assert set(groups) == {"treated", "control"}
    for group, answer in zip(groups, answers, strict=True):
        assert answer["metadata"]["group"] == group
        probability = answer["metadata"]["action_probability"]
        if group == "treated":
            assert probability == (0.8 if answer["decision"]["contact"] else 0.2)
        else:
            assert probability == 1
            assert not answer["decision"]["contact"]
            assert answer["message"] is None
            assert answer["metadata"]["expected_value"] == 0
            assert answer["decision"]["offer_percentage"] == 0


@pytest.mark.parametrize("baseline", [False, True])
def test_one_by_one_and_in_a_batch(halved: Server, baseline: bool) -> None:
    """The rules leave the control group alone, too."""
    bodies = [customer | {"force_baseline": baseline} for customer in CUSTOMERS]
    with httpx.Client(base_url=halved.url, timeout=120, trust_env=False) as client:
        alone = [] if baseline else [client.post("/predict", json=body).json() for body in bodies]
        batch = client.post("/predict/batch", json={"customers": bodies}).json()
    answers = [row["answer"] for row in batch["results"]]
    contacted = [answer["decision"]["contact"] for answer in answers]
    groups = [answer["metadata"]["group"] for answer in answers]
    assert not any(c for c, group in zip(contacted, groups, strict=True) if group == "control")
    if baseline:
        assert {answer["metadata"]["action_probability"] for answer in answers} == {1.0}
    else:
        check(alone)
        check(answers)


def test_it_starts_and_ends_without_a_restart(home: Path) -> None:
    """`churn experiment on` writes the switch that servers follow; off by default, and no word of
    a group then."""
    store = LocalArtifactStore(home / "store")
    wanted = next(
        c for c in CUSTOMERS if group_of(c["customer_id"], HALF, datetime.now(UTC)) == "control"
    )
    with (
        running(
            home, CHURN_EXPERIMENT__CONTROL_SHARE="0.5", CHURN_API__POLL_SECONDS="0.05"
        ) as server,
        httpx.Client(base_url=server.url, timeout=120, trust_env=False) as client,
    ):
        before = client.post("/predict", json=wanted).json()
        assert "group" not in before["metadata"]
        assert before["decision"]["contact"]
        experiment.switch(store, on=True)
        try:
            deadline = time.monotonic() + 60
            while (
                "group" not in (answer := client.post("/predict", json=wanted).json())["metadata"]
            ):
                assert time.monotonic() < deadline
            assert answer["metadata"]["group"] == "control"
            assert not answer["decision"]["contact"]
        finally:
            experiment.switch(store, on=False)


def test_nightly_predictions_leave_it_alone(home: Path, tmp_path: Path) -> None:
    """The list of the morning and the API must agree."""
    write_dataset(tmp_path / "telco_customers", "telco_customers")
    inputs = {
        "release": ReleaseRegistry(LocalArtifactStore(home / "store")).folder(),
        "active_customers": tmp_path / "telco_customers",
    }
    run(inputs, tmp_path, ScoringConfig.of(ReleaseConfig(), force_baseline=False, experiment=HALF))
    rows = pq.read_table(tmp_path / "predictions.parquet").to_pylist()
    now = datetime.now(UTC)
    left_alone = [row for row in rows if group_of(row["customer_id"], HALF, now) == "control"]
    assert 0 < len(left_alone) < len(rows)
    assert not any(row["contact"] or row["expected_value"] for row in left_alone)
    assert any(row["contact"] for row in rows)
