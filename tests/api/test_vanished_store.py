"""The store of a running server goes away, and comes back."""

from __future__ import annotations

from pathlib import Path

import httpx

from churn_assets.release.switches import kill_switch
from churn_assets.serving.decision_log import parts
from churn_assets.serving.schemas import SAMPLE_REQUEST
from churn_assets.storage.local import LocalArtifactStore
from tests.api.conftest import publish_small_release
from tests.api.server import running
from tests.processes import wait_until


def test_the_kill_switch_stays_on_while_the_store_is_away(tmp_path: Path) -> None:
    """Why: a disk that was unmounted in an incident switched the learned policy on again, and what
    was decided meanwhile was logged at the empty place, where the mount hid it."""
    home = tmp_path / "home"
    publish_small_release(home, tmp_path / "a")
    root, away = home / "store", tmp_path / "away"
    kill_switch.set_switch(LocalArtifactStore(root), on=True)
    with running(home, CHURN_API__POLL_SECONDS="0.1") as server:

        def ready() -> dict[str, object]:
            said: dict[str, object] = httpx.get(server.url + "/readyz").json()
            return said

        def decided() -> str:
            metadata = httpx.post(server.url + "/predict", json=SAMPLE_REQUEST).json()["metadata"]
            assert (metadata["baseline"], metadata["policy"]) == (True, "priced_greedy")
            return str(metadata["decision_id"])

        decided()
        root.rename(away)
        wait_until(lambda: ready()["switch_problem"] is not None)
        assert ready()["baseline_forced"] is True
        assert str(home) not in str(ready())  # it needs no key
        waiting = decided()
        wait_until(lambda: ready()["decisions_problem"] is not None)
        assert not root.exists()
        away.rename(root)
        wait_until(lambda: ready()["decisions_problem"] is None)
        wait_until(lambda: ready()["switch_problem"] is None)
        assert ready()["baseline_forced"] is True
        decided()
        log = LocalArtifactStore(root)
        wait_until(lambda: waiting in parts.read(log)["decision_id"].to_pylist())
