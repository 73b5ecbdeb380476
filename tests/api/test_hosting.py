"""Following releases: not ready, ready, swapped, refused, rolled back, switched to the baseline."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import httpx
import pytest

from api.hosting import EngineHost
from api.schemas import SAMPLE_REQUEST
from churn_assets.release import kill_switch
from churn_assets.release.registry import ReleaseRegistry
from churn_assets.resources.artifact_store import LocalArtifactStore
from tests.api.conftest import publish_small_release
from tests.api.server import running, wait_for


@pytest.fixture
def host(tmp_path: Path) -> EngineHost:
    return EngineHost(LocalArtifactStore(tmp_path / "store"), "UTC")


def test_serves_the_latest_and_follows_it(host: EngineHost, tmp_path: Path) -> None:
    """A new release is swapped in, a rollback too, and the old engine keeps working meanwhile."""
    host.refresh()
    assert host.engine is None
    assert "no release yet" in (host.problem or "")
    first = publish_small_release(tmp_path, tmp_path / "a", seed=0)
    host.refresh()
    old = host.engine
    assert old is not None
    assert (old.release_id, host.problem) == (first, None)
    second = publish_small_release(tmp_path, tmp_path / "b", seed=1)
    host.refresh()
    assert host.engine is not None
    assert host.engine.release_id == second
    assert old.release_id == first
    ReleaseRegistry(host.store).rollback()
    host.refresh()
    assert host.engine.release_id == first


@pytest.mark.parametrize("damage", ["corrupt", "missing", "golden", "manifest"])
def test_broken_release_is_refused_and_the_old_one_serves(
    host: EngineHost, tmp_path: Path, damage: str
) -> None:
    """Whatever way a release is broken, customers don't notice, and operators do."""
    first = publish_small_release(tmp_path, tmp_path / "a", seed=0)
    host.refresh()
    second = publish_small_release(tmp_path, tmp_path / "b", seed=1)
    folder = ReleaseRegistry(host.store).folder()
    broken = {"corrupt": "risk/model.ubj", "golden": "golden.json", "manifest": "manifest.json"}
    if damage == "missing":
        shutil.rmtree(folder)
    else:
        (folder / broken[damage]).write_bytes(b'{"cases": []}')
    host.refresh()
    assert host.engine is not None
    assert host.engine.release_id == first
    assert second in (host.problem or "")
    third = publish_small_release(tmp_path, tmp_path / "c", seed=2)
    host.refresh()
    assert (host.engine.release_id, host.problem) == (third, None)


def test_refused_release_is_not_loaded_again_at_once(
    host: EngineHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broken release must not cost a load every second; later it gets another chance."""
    publish_small_release(tmp_path, tmp_path / "a", seed=0)
    folder = ReleaseRegistry(host.store).folder()
    sound = (folder / "risk/model.json").read_bytes()
    (folder / "risk/model.json").write_bytes(b"{}")
    host.refresh()
    (folder / "risk/model.json").write_bytes(sound)
    host.refresh()
    assert host.engine is None
    monkeypatch.setattr("api.following.RETRY_SECONDS", 0.0)
    host.refresh()
    assert host.engine is not None


@pytest.mark.parametrize(
    ("content", "on"), [(b"on", True), (b"incident 42", True), (b"off\n", False), (b"", False)]
)
def test_kill_switch_in_the_store(host: EngineHost, content: bytes, on: bool) -> None:
    """Anything but an explicit "off" switches to the baseline: who is in a hurry can't get it
    wrong."""
    host.store.write_pointer(kill_switch.POINTER, content)
    host.refresh()
    assert host.switched_off is on


def test_server_without_a_release_says_not_ready_then_serves(tmp_path: Path) -> None:
    """503 until a release is there, then 200 without a restart; the switch works within seconds."""
    home = tmp_path / "home"
    with running(home, ready="/readyz", status=503, CHURN_API__POLL_SECONDS="0.1") as server:
        answer = httpx.post(server.url + "/predict", json=SAMPLE_REQUEST)
        assert answer.status_code == 503
        assert answer.json()["detail"][0]["type"] == "not_ready"
        assert answer.headers["retry-after"]
        assert httpx.get(server.url + "/healthz").status_code == 200
        release_id = publish_small_release(home, tmp_path / "a")
        wait_for(server.url + "/readyz", server)
        answer = httpx.post(server.url + "/predict", json=SAMPLE_REQUEST)
        assert answer.json()["metadata"]["release_id"] == release_id
        kill_switch.throw(LocalArtifactStore(home / "store"), on=True)
        deadline = time.monotonic() + 10
        while not httpx.get(server.url + "/readyz").json()["baseline_forced"]:
            assert time.monotonic() < deadline, "the switch had no effect within seconds"
            time.sleep(0.05)
        answer = httpx.post(server.url + "/predict", json=SAMPLE_REQUEST)
        assert answer.json()["metadata"]["baseline"] is True


@pytest.mark.parametrize(
    "variables", [{"FORCE_BASELINE": "1"}, {"CHURN_API__FORCE_BASELINE": "true"}]
)
def test_force_baseline_by_environment(tmp_path: Path, variables: dict[str, str]) -> None:
    """The specification's variable, verbatim, and the setting."""
    publish_small_release(tmp_path / "home", tmp_path / "a")
    with running(tmp_path / "home", **variables) as server:
        metadata = httpx.post(server.url + "/predict", json=SAMPLE_REQUEST).json()["metadata"]
    assert metadata["baseline"] is True
    assert metadata["policy"] == "priced_greedy"
