"""The OpenAPI document: who may read it, and how often it is made."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from api.document import DocumentedApp
from api.main import build_app
from churn_assets.domain.offers import Offers
from churn_assets.serving.config import ApiConfig
from churn_assets.settings import Settings
from churn_assets.storage.local import LocalArtifactStore
from tests.api.conftest import publish_small_release
from tests.api.server import HERE
from tests.api.test_security import line
from tests.api.test_unread_people import serving
from tests.processes import wait_until
from tests.release.small_release import publish


def test_it_is_made_once_for_each_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Why: it was made for each request, of which 360 a second kept a server from anything else."""
    makes, made = DocumentedApp.openapi, []

    def counted(self: DocumentedApp) -> dict[str, Any]:
        made.append(self)
        return makes(self)

    monkeypatch.setattr(DocumentedApp, "openapi", counted)
    with serving(tmp_path) as client:

        def offered() -> list[int]:
            answer = client.get("/openapi.json")
            assert answer.headers["content-type"] == "application/json"
            event = answer.json()["components"]["schemas"]["FeedbackEvent"]["properties"]
            found: list[int] = event["offer_percentage"]["anyOf"][0]["enum"]
            return found

        assert [offered() for _ in range(3)] == [[0, 5, 10, 15]] * 3
        assert len(made) == 1
        publish(
            LocalArtifactStore(tmp_path / "store"),
            tmp_path / "earlier",
            "Earlier",
            Offers(percent=(0, 10, 20, 30)),
        )
        publish_small_release(tmp_path, tmp_path / "a")
        wait_until(lambda: offered() == [0, 5, 10, 15, 20, 30])
        known = len(made)
        assert [len(offered()) for _ in range(3)] == [6] * 3
        assert len(made) == known


def test_others_are_answered_while_it_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes as long as many decisions; nobody waits for it who doesn't ask for it."""
    makes, begun, answered = DocumentedApp.openapi, threading.Event(), threading.Event()

    def slow(self: DocumentedApp) -> dict[str, Any]:
        begun.set()
        assert answered.wait(60)
        return makes(self)

    monkeypatch.setattr(DocumentedApp, "openapi", slow)
    with serving(tmp_path) as client, ThreadPoolExecutor(2) as threads:
        asked = [threads.submit(client.get, "/openapi.json") for _ in range(2)]
        assert begun.wait(60)
        assert client.get("/healthz").status_code == 200
        assert not any(each.done() for each in asked)
        answered.set()
        assert [each.result().status_code for each in asked] == [200, 200]


def test_it_counts_for_the_rate_limit(tmp_path: Path) -> None:
    """With a key or, where none is asked for, by address."""
    limited = ApiConfig(requests_per_second=0.001, burst=3)
    keyed = limited.model_copy(update={"key_hashes": (f"{line('shop', 'shop')}:feedback",)})
    for config, headers in ((limited, {}), (keyed, {"x-api-key": "shop"})):
        app = build_app(Settings(home=tmp_path, api=config))
        with TestClient(app, base_url="http://localhost", client=HERE, headers=headers) as client:
            answers: list[httpx.Response] = [client.get("/openapi.json") for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
