"""Following releases: not ready, ready, swapped, refused, rolled back, switched to the baseline."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from prometheus_client import REGISTRY
from threadpoolctl import threadpool_info, threadpool_limits

from api.main import TURN_SECONDS, build_app
from churn_assets.release.bundle import Manifest
from churn_assets.release.history import Latest
from churn_assets.release.registry import LATEST, ReleaseRegistry
from churn_assets.release.switches import kill_switch
from churn_assets.serving.live.hosting import EngineHost
from churn_assets.serving.schemas import SAMPLE_REQUEST
from churn_assets.settings import Settings
from churn_assets.storage.current import asset_pointer
from churn_assets.storage.local import LocalArtifactStore
from churn_assets.storage.protocol import Artifact
from tests.api.conftest import Unreachable, publish_predictions, publish_small_release
from tests.api.server import HERE, Server, running, wait_for
from tests.processes import wait_until
from tests.release.small_release import reseal


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
    monkeypatch.setattr("churn_assets.serving.live.version_watcher.RETRY_SECONDS", 0.0)
    host.refresh()
    assert host.engine is not None


def metric(server: Server, sample: str) -> float:
    """A sample of /metrics by its name and labels; 0 before it was ever counted."""
    lines = httpx.get(server.url + "/metrics").text.splitlines()
    return sum(
        float(line.rpartition(" ")[2]) for line in lines if line.rpartition(" ")[0] == sample
    )


def readiness(server: Server, until: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """What /readyz says as soon as it says what is waited for."""
    deadline = time.monotonic() + 60
    while not until(said := httpx.get(server.url + "/readyz").json()):
        assert time.monotonic() < deadline, said
        time.sleep(0.05)
    return said


def wrong_answer(bundle: Path) -> Manifest:
    """A release whose golden answers another machine would not compute; every digest is right."""
    golden = json.loads((bundle / "golden.json").read_text())
    golden["cases"][0]["answer"]["metadata"]["churn_risk"] += 0.01
    (bundle / "golden.json").write_text(json.dumps(golden))
    return reseal(bundle)


def without_model(bundle: Path) -> Manifest:
    """A release that can't be loaded; every digest is right."""
    (bundle / "risk/model.json").unlink()
    return reseal(bundle)


def test_refusals_are_seen_and_following_goes_on(tmp_path: Path) -> None:
    """A sound-looking release that answers wrongly, then one that can't be loaded: /readyz, metric
    and log tell of each, and the good one after them is served."""
    home = tmp_path / "home"
    first = publish_small_release(home, tmp_path / "a", seed=0)
    with running(home, CHURN_API__POLL_SECONDS="0.1") as server:
        wrong = publish_small_release(home, tmp_path / "b", seed=1, change=wrong_answer)
        said = readiness(server, lambda r: wrong in (r["problem"] or ""))
        assert "metadata.churn_risk differs" in said["problem"]
        assert (said["ready"], said["release_id"]) == (True, first)
        said_of_wrong = said["problem"]
        unloadable = publish_small_release(home, tmp_path / "c", seed=2, change=without_model)
        said = readiness(server, lambda r: unloadable in (r["problem"] or ""))
        assert metric(server, 'churn_release_loads_total{outcome="refused"}') == 2
        third = publish_small_release(home, tmp_path / "d", seed=3)
        said = readiness(server, lambda r: r["release_id"] == third)
        assert said["problem"] is None
        assert metric(server, 'churn_release_loads_total{outcome="served"}') == 2
        log = server.log.read_text()
    assert not re.search(r"\bG\d", log + said_of_wrong), "a customer's id is no operator's matter"
    lines = [json.loads(line) for line in log.splitlines()]
    errors = [line["message"] for line in lines if line["level"] == "ERROR"]
    for release_id in (wrong, unloadable):
        assert sum(f"release {release_id} is refused" in message for message in errors) == 1


@pytest.mark.parametrize("damage", ["file", "answers", "pointer", "other release"])
def test_a_server_that_starts_serves_the_last_good_release(tmp_path: Path, damage: str) -> None:
    """Two workers start while the latest release can't be used: no request is refused, /readyz says
    what is wrong and what stands in; and once the latest is sound, it is served without a restart.
    """
    home = tmp_path / "home"
    store = LocalArtifactStore(home / "store")
    first = publish_small_release(home, tmp_path / "a", seed=0)
    change = wrong_answer if damage == "answers" else None
    second = publish_small_release(home, tmp_path / "b", seed=1, change=change)
    latest = store.read_pointer(LATEST)
    assert latest is not None
    model = store.root / Latest.model_validate_json(latest).artifact.path / "risk/model.ubj"
    sound = model.read_bytes()
    served, said = first, second
    if damage == "file":
        model.write_bytes(b"")
    elif damage == "pointer":  # the newest release that has served is what it said
        store.write_pointer(LATEST, latest[:30])
        served, said = second, "latest.json is damaged"
    elif damage == "other release":
        store.write_pointer(LATEST, latest.replace(second.encode(), first.encode(), 1))
        served = second
    with running(home, arguments=("--workers", "2"), CHURN_API__POLL_SECONDS="0.1") as server:
        for _ in range(30):
            ready = httpx.get(server.url + "/readyz").json()
            assert (ready["ready"], ready["release_id"]) == (True, served)
            assert said in ready["problem"]
            assert ready["problem"].endswith(f"release {served} stands in")
            answer = httpx.post(server.url + "/predict", json=SAMPLE_REQUEST)
            assert answer.status_code == 200
            assert answer.json()["metadata"]["release_id"] == served
        model.write_bytes(sound)
        third = publish_small_release(home, tmp_path / "c", seed=2)
        for _ in range(6):
            assert readiness(server, lambda r: r["release_id"] == third)["problem"] is None


def test_a_stand_in_gives_way_to_the_mended_release(
    host: EngineHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither is loaded again and again meanwhile; a withdrawn release never stands in."""
    first = publish_small_release(tmp_path, tmp_path / "a", seed=0)
    publish_small_release(tmp_path, tmp_path / "withdrawn", seed=3)
    ReleaseRegistry(host.store).rollback()
    second = publish_small_release(tmp_path, tmp_path / "b", seed=1)
    model = ReleaseRegistry(host.store).folder(second) / "risk/model.ubj"
    sound = model.read_bytes()
    model.write_bytes(b"")
    host.refresh()
    stand_in = host.engine
    assert stand_in is not None
    assert stand_in.release_id == first
    problem = host.problem
    host.refresh()
    assert (host.engine, host.problem) == (stand_in, problem)
    monkeypatch.setattr("churn_assets.serving.live.version_watcher.RETRY_SECONDS", 0.0)
    host.refresh()
    assert (host.engine, host.problem) == (stand_in, problem)
    model.write_bytes(sound)
    host.refresh()
    assert host.engine is not None
    assert (host.engine.release_id, host.problem) == (second, None)


def test_predictions_are_refused_retried_and_leave_releases_alone(
    host: EngineHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken predictions, or a pointer to them that is no JSON, leave the old ones in place, are
    reported, get another chance, and keep neither releases nor the switch from being followed."""
    publish_small_release(tmp_path, tmp_path / "a", seed=0)
    publish_predictions(tmp_path, tmp_path / "one")
    pointer = asset_pointer("predictions")
    sound = host.store.read_pointer(pointer)
    assert sound is not None
    host.refresh()
    book = host.book
    assert book is not None
    assert host.predictions.held.problem is None

    refused = REGISTRY.get_sample_value("churn_prediction_loads_total", {"outcome": "refused"}) or 0
    other = Artifact.model_validate_json(sound).model_copy(update={"sha256": "f" * 64})
    host.store.write_pointer(pointer, other.model_dump_json().encode())
    monkeypatch.setattr("churn_assets.serving.live.version_watcher.RETRY_SECONDS", 0.0)
    for attempt in (1, 2):
        host.refresh()
        counted = REGISTRY.get_sample_value("churn_prediction_loads_total", {"outcome": "refused"})
        assert counted == refused + attempt
    assert "predictions ffff" in (host.predictions.held.problem or "")

    host.store.write_pointer(pointer, b"not JSON")
    kill_switch.set_switch(host.store, on=True)
    second = publish_small_release(tmp_path, tmp_path / "b", seed=1)
    host.refresh()
    assert host.book is book
    assert "predictions.json is damaged" in (host.predictions.held.problem or "")
    assert host.engine is not None
    assert (host.engine.release_id, host.problem) == (second, None)
    assert REGISTRY.get_sample_value("churn_baseline_forced") == 1

    host.store.write_pointer(pointer, sound)
    kill_switch.set_switch(host.store, on=False)
    host.refresh()
    assert host.predictions.held.problem is None
    assert REGISTRY.get_sample_value("churn_baseline_forced") == 0


def test_predictions_of_a_release_that_went_are_said_to_be(
    host: EngineHost, tmp_path: Path
) -> None:
    """After a roll-back, until customers are scored anew; not where the newer release was merely
    refused: what is scored then would be by that one again."""
    first = publish_small_release(tmp_path, tmp_path / "a", seed=0)
    second = publish_small_release(tmp_path, tmp_path / "b", seed=1)
    publish_predictions(tmp_path, tmp_path / "one")
    host.refresh()
    assert host.predictions_problem is None
    ReleaseRegistry(host.store).rollback()
    host.refresh()
    assert host.engine is not None
    assert host.engine.release_id == first
    said = host.predictions_problem or ""
    assert said.startswith(f"predictions and plans are by release {second}, which doesn't serve: ")
    assert "`churn materialize --job score_customers`" in said
    publish_small_release(tmp_path, tmp_path / "c", seed=2, damage=True)
    host.refresh()
    assert (bool(host.problem), host.predictions_problem) == (True, None)


@pytest.mark.parametrize("store", ["unreachable", "hanging"])
def test_starts_without_its_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: str
) -> None:
    """A store that is away, or never answers, must not keep the process from saying so."""
    monkeypatch.setattr("api.main.FIRST_LOOK_SECONDS", 0.1)
    freed = threading.Event()
    app = build_app(Settings(home=tmp_path))
    host: EngineHost = app.state.services.host
    if store == "unreachable":
        host.store = Unreachable()
    else:
        monkeypatch.setattr(host, "look_for_versions", lambda: freed.wait(60))
    with TestClient(app, base_url="http://localhost", client=HERE) as client:
        assert client.get("/healthz").status_code == 200
        assert client.get("/readyz").status_code == 503
        assert client.post("/predict", json=SAMPLE_REQUEST).status_code == 503
        freed.set()


def test_following_survives_what_nobody_foresaw(
    host: EngineHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a look raises, the next one comes."""
    looks: list[int] = []

    def look() -> None:
        looks.append(len(looks))
        raise AttributeError("a defect of ours")

    async def follow() -> None:
        follower = asyncio.create_task(host.follow(0.01))
        async with asyncio.timeout(20):
            await host.looked()
            while len(looks) < 3:
                await asyncio.sleep(0.01)
        assert not follower.done()
        follower.cancel()

    monkeypatch.setattr(host, "look_for_versions", look)
    asyncio.run(follow())


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
        kill_switch.set_switch(LocalArtifactStore(home / "store"), on=True)
        deadline = time.monotonic() + 60
        while not httpx.get(server.url + "/readyz").json()["baseline_forced"]:
            assert time.monotonic() < deadline, "the switch had no effect within seconds"
            time.sleep(0.05)
        answer = httpx.post(server.url + "/predict", json=SAMPLE_REQUEST)
        assert answer.json()["metadata"]["baseline"] is True


def test_server_with_predictions_and_a_log_leaves_alone_what_it_needs_not(tmp_path: Path) -> None:
    """pandas takes half a second of the start, and 75 MB for as long as the process lives; what
    speaks to databases and other people's stores takes 0.1 s and 16 MB."""
    home = tmp_path / "home"
    publish_small_release(home, tmp_path / "a")
    publish_predictions(home, tmp_path / "b")
    with running(home, forked=False) as server:
        wait_for(server.url + "/campaign", server)
        assert httpx.post(server.url + "/predict", json=SAMPLE_REQUEST).status_code == 200
        wait_until(lambda: any((home / "store").rglob("decisions/*/*.parquet")))
        mapped = Path(f"/proc/{server.process.pid}/maps").read_text()
    assert "/pyarrow/" in mapped
    assert [name for name in ("/pandas/", "/sqlalchemy/", "/libarrow_s3") if name in mapped] == []


def test_no_thread_keeps_the_interpreter_for_long(tmp_path: Path) -> None:
    """Why: beside the decision log's writing, or a batch, single requests waited 5 ms after each
    look at the sockets."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(10 * TURN_SECONDS)
    try:
        with TestClient(build_app(Settings(home=tmp_path))):
            assert sys.getswitchinterval() == pytest.approx(TURN_SECONDS)
    finally:
        sys.setswitchinterval(before)


def test_products_of_matrices_have_one_thread(tmp_path: Path) -> None:
    """Why: two threads waiting for each other took twice the processor time of 32 callers'
    requests. The app is started on the main thread, as by uvicorn."""
    app = build_app(Settings(home=tmp_path))

    async def pools_while_it_runs() -> list[dict[str, Any]]:
        async with app.router.lifespan_context(app):
            return threadpool_info()

    with threadpool_limits(2, user_api="blas"):
        pools = asyncio.run(pools_while_it_runs())
    assert {pool["num_threads"] for pool in pools if pool["user_api"] == "blas"} == {1}
