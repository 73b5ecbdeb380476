"""Customers' opt-outs that can't be read: nobody is decided for until they are."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient

from api import main
from churn_assets.customers.people import ASSET, NOBODY_KNOWN, PEOPLE, read_addressees
from churn_assets.serving.live import hosting
from churn_assets.serving.live.hosting import PEOPLE_UNREAD, EngineHost
from churn_assets.serving.schemas import SAMPLE_REQUEST
from churn_assets.settings import Settings
from churn_assets.storage.current import asset_pointer
from churn_assets.storage.local import LocalArtifactStore
from tests.api.conftest import publish_predictions, publish_small_release
from tests.api.server import HERE
from tests.processes import wait_until

CUSTOMER = SAMPLE_REQUEST["customer_id"]


def publish_people(home: Path, workspace: Path, **said: str) -> Path:
    """Make a table the current customers' one; returns its file in the store."""
    columns = {"customer_id": list(said), "opt_out": list(said.values())}
    (workspace / PEOPLE).parent.mkdir(parents=True)
    pq.write_table(pa.table(columns), workspace / PEOPLE)
    store = LocalArtifactStore(home / "store")
    artifact = store.put(ASSET, workspace)
    store.write_pointer(asset_pointer(ASSET), artifact.model_dump_json().encode())
    return home / "store" / artifact.path / PEOPLE


def damage(file: Path) -> bytes:
    """Flip a bit of a file's first byte; returns what it was."""
    sound = file.read_bytes()
    file.chmod(0o644)
    file.write_bytes(bytes([sound[0] ^ 1]) + sound[1:])
    return sound


@contextmanager
def serving(home: Path) -> Iterator[TestClient]:
    app = main.build_app(Settings(home=home))
    with TestClient(app, base_url="http://localhost", client=HERE) as client:
        yield client


def asked(client: TestClient) -> list[tuple[int, Any]]:
    """What all answer that decide about a customer, or say whether they may be contacted."""
    answers = [
        client.post("/predict", json=SAMPLE_REQUEST),
        client.post("/predict/batch", json={"customers": [SAMPLE_REQUEST]}),
        client.get("/customers?count=1"),
        client.get(f"/customers/{CUSTOMER}/contacts"),
    ]
    return [(answer.status_code, answer.json()) for answer in answers]


@pytest.mark.parametrize("fault", ["damaged", "missing", "pointer"])
def test_nobody_is_decided_for_before_they_are_read(fault: str, tmp_path: Path) -> None:
    """Why: a server that started beside a damaged table wrote to who had opted out, and called
    itself ready."""
    publish_small_release(tmp_path, tmp_path / "a")
    publish_predictions(tmp_path, tmp_path / "predictions")
    file = publish_people(tmp_path, tmp_path / "people", **{CUSTOMER: "yes"})
    if fault == "pointer":
        file = tmp_path / "store/pointers" / asset_pointer(ASSET)
    sound = file.read_bytes()
    if fault == "missing":
        file.unlink()
    else:
        damage(file)
    with serving(tmp_path) as client:
        for status, refused in asked(client):
            [problem] = refused["detail"]
            assert (status, problem["type"]) == (503, "people_unavailable")
            assert problem["msg"] == PEOPLE_UNREAD
        said = client.get("/readyz")
        assert (said.status_code, said.json()["ready"]) == (503, False)
        assert said.json()["release_id"]
        told = said.json()["people_problem"]
        assert told.startswith("the customers' time zones, languages and opt-outs can't be read: ")
        assert " active_customers " in told
        assert "churn materialize --job score_customers" in told
        assert "\n" not in told
        assert str(tmp_path) not in told  # it needs no key
        file.write_bytes(sound)
        wait_until(lambda: client.get("/readyz").json()["ready"])
        statuses, [decided, *_] = zip(*asked(client), strict=True)
        assert statuses == (200, 200, 200, 200)
        assert decided["decision"]["contact"] is False
        assert decided["metadata"]["excluded"]["rule"] == "opt_out"
        assert client.get("/readyz").json()["people_problem"] is None


def test_a_start_that_is_done_before_they_are_read_decides_for_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why: the start waits for the store for a minute; a slow one was served without opt-outs."""
    publish_small_release(tmp_path, tmp_path / "a")
    publish_people(tmp_path, tmp_path / "people", **{CUSTOMER: "yes"})
    asked_for, go_on = threading.Event(), threading.Event()

    def slow(*given: Any) -> Any:
        asked_for.set()
        go_on.wait()
        return read_addressees(*given)

    monkeypatch.setattr(hosting, "read_addressees", slow)
    monkeypatch.setattr(main, "FIRST_LOOK_SECONDS", 0.01)
    try:
        with serving(tmp_path) as client:
            assert asked_for.wait(60)
            assert client.post("/predict", json=SAMPLE_REQUEST).status_code == 503
            assert client.get("/readyz").status_code == 503
            go_on.set()
            wait_until(lambda: client.get("/readyz").json()["ready"])
            decided = client.post("/predict", json=SAMPLE_REQUEST).json()
            assert decided["metadata"]["excluded"]["rule"] == "opt_out"
    finally:
        go_on.set()


def test_a_release_doesnt_answer_before_its_customers_are_read(
    host: EngineHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why: it answered while the predictions were loaded, and then the table was read."""
    publish_small_release(tmp_path, tmp_path / "a")
    publish_people(tmp_path, tmp_path / "people", C1="yes")
    engines: list[object] = []

    def noting(*given: Any) -> Any:
        engines.append(host.engine)
        return read_addressees(*given)

    monkeypatch.setattr(hosting, "read_addressees", noting)
    host.refresh()
    assert engines == [None]
    assert host.engine is not None


def test_what_was_read_stays_while_a_later_table_cant_be(host: EngineHost, tmp_path: Path) -> None:
    """It is said, and the server stays ready."""
    publish_people(tmp_path, tmp_path / "people", C1="yes")
    host.refresh()
    sound = damage(file := publish_people(tmp_path, tmp_path / "later", C1="no", C2="yes"))
    host.refresh()
    assert host.people is not None
    assert host.people.rule_against("C1") == "opt_out"
    assert (host.people_problem or "").endswith("; what was read before is in force")
    file.write_bytes(sound)
    host.refresh()
    assert host.people_problem is None
    assert (host.people.rule_against("C1"), host.people.rule_against("C2")) == (None, "opt_out")


def test_that_there_was_no_table_says_nothing_of_the_first_one(
    host: EngineHost, tmp_path: Path
) -> None:
    """Why: a server that had started with the sample, or before a disk was mounted, took all
    customers of a damaged table for people who had never said no."""
    host.refresh()
    assert host.people is NOBODY_KNOWN  # a fresh installation, where nobody said anything
    assert host.people_problem is None
    sound = damage(file := publish_people(tmp_path, tmp_path / "people", C1="yes"))
    host.refresh()
    assert host.people is None
    file.write_bytes(sound)
    host.refresh()
    assert host.people is not None
    assert host.people.rule_against("C1") == "opt_out"


def publish_silent(host: EngineHost, workspace: Path) -> None:
    """Make a table the current customers' one that says nothing of opt-outs."""
    workspace.mkdir()
    (workspace / "train.parquet").touch()
    artifact = host.store.put(ASSET, workspace)
    host.store.write_pointer(asset_pointer(ASSET), artifact.model_dump_json().encode())


def test_a_table_that_says_nothing_of_opt_outs_stays_in_force_as_any(
    host: EngineHost, tmp_path: Path
) -> None:
    """Why: it passed for none at all, and a single fetch that failed stopped every answer."""
    publish_silent(host, tmp_path / "typed")
    host.refresh()
    silent = host.people
    assert silent is not None
    damage(publish_people(tmp_path, tmp_path / "later", C1="yes"))
    host.refresh()
    assert host.people is silent
    assert (host.people_problem or "").endswith("; what was read before is in force")


@pytest.mark.parametrize("sound", [True, False])
def test_a_table_that_is_named_no_longer_is_not_forgotten(
    sound: bool, host: EngineHost, tmp_path: Path
) -> None:
    """Why: with its pointer every opt-out was gone at once, and nobody was told; one that couldn't
    be read before is as unknown as it was."""
    file = publish_people(tmp_path, tmp_path / "people", C1="yes")
    if not sound:
        damage(file)
    host.refresh()
    before = host.people
    assert (before is not None) is sound
    host.store.delete_pointer(asset_pointer(ASSET))
    for _ in range(2):
        host.refresh()
        assert host.people is before
        assert "active_customers isn't named any more in " in (host.people_problem or "")
    assert before is None or before.rule_against("C1") == "opt_out"


def test_customers_of_whom_no_table_says_anything_are_decided_for(
    host: EngineHost, tmp_path: Path
) -> None:
    """Those of the built-in sample, and of a contract that names no such column."""
    publish_small_release(tmp_path, tmp_path / "a")
    publish_silent(host, tmp_path / "typed")
    with serving(tmp_path) as client:
        assert client.get("/readyz").json()["people_problem"] is None
        assert client.post("/predict", json=SAMPLE_REQUEST).status_code == 200
