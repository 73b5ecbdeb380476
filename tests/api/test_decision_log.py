"""The decision log of a real server: every answer's decision is in the store one interval later."""

from __future__ import annotations

import time
from pathlib import Path

import httpx

from churn_assets.serving.decision_log import parts
from churn_assets.serving.schemas import SAMPLE_REQUEST
from churn_assets.storage.local import LocalArtifactStore
from tests.api.conftest import publish_small_release
from tests.api.server import running


def logged(store: LocalArtifactStore) -> list[str]:
    identities: list[str] = parts.read(store)["decision_id"].to_pylist()
    return identities


def test_nothing_written_is_lost_or_doubled_by_a_kill(tmp_path: Path) -> None:
    """kill -9 after the flush interval, an orderly end, and a second life: each decision once."""
    home = tmp_path / "home"
    publish_small_release(home, tmp_path / "release")
    store = LocalArtifactStore(home / "store")
    answered: list[str] = []

    def ask(client: httpx.Client, times: int) -> None:
        for _ in range(times):
            answer = client.post("/predict", json=SAMPLE_REQUEST).json()
            answered.append(answer["metadata"]["decision_id"])
        batch = {"customers": [SAMPLE_REQUEST] * 3}
        rows = client.post("/predict/batch", json=batch).json()["results"]
        answered.extend(row["answer"]["metadata"]["decision_id"] for row in rows)
        [what_if] = client.post(
            "/predict/batch", json={"customers": [SAMPLE_REQUEST], "record": False}
        ).json()["results"]
        assert "decision_id" not in what_if["answer"]["metadata"]  # and nothing more in the log

    with running(home, CHURN_API__DECISION_LOG_SECONDS="0.1") as server:
        with httpx.Client(base_url=server.url, timeout=120, trust_env=False) as client:
            ask(client, 5)
        deadline = time.monotonic() + 60
        while len(logged(store)) < len(answered):  # not a time that the machine must keep
            assert time.monotonic() < deadline
        server.kill()
    assert sorted(logged(store)) == sorted(answered)
    # An orderly end writes what waits, however long the interval is.
    with (
        running(home, CHURN_API__DECISION_LOG_SECONDS="3600") as server,
        httpx.Client(base_url=server.url, timeout=120, trust_env=False) as client,
    ):
        ask(client, 5)
    assert sorted(logged(store)) == sorted(answered)


def test_it_can_be_switched_off(tmp_path: Path) -> None:
    """Somebody who keeps decisions elsewhere."""
    publish_small_release(tmp_path, tmp_path / "release")
    with running(tmp_path, CHURN_API__DECISION_LOG="false") as server:
        answer = httpx.post(f"{server.url}/predict", json=SAMPLE_REQUEST, trust_env=False).json()
    assert "decision_id" not in answer["metadata"]
    assert logged(LocalArtifactStore(tmp_path / "store")) == []
