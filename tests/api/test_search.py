"""A search for customers, and who is answered meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api import batching
from churn_assets.serving.bulk.predictions import PredictionBook
from churn_assets.serving.schemas import SAMPLE_REQUEST
from tests.api.conftest import publish_predictions, publish_small_release
from tests.api.test_unread_people import serving

SEARCH = "/customers?search=T0001"


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    publish_small_release(tmp_path, tmp_path / "a")
    publish_predictions(tmp_path, tmp_path / "predictions")
    with serving(tmp_path) as client:
        yield client


def test_others_are_answered_during_a_search(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why: among two million ids it took 180 ms, in which nobody was answered. What there is no
    place for is to be sent again."""
    entered, go_on, search = threading.Event(), threading.Event(), PredictionBook.search

    def slow(self: PredictionBook, *given: Any) -> Any:
        entered.set()
        assert go_on.wait(60)
        return search(self, *given)

    monkeypatch.setattr(PredictionBook, "search", slow)
    monkeypatch.setattr(batching, "MOST_TASKS", 1)
    with ThreadPoolExecutor(1) as caller:
        searching = caller.submit(client.get, SEARCH)
        assert entered.wait(60)
        assert client.post("/predict", json=SAMPLE_REQUEST).status_code == 200
        assert client.get("/customers").status_code == 200
        refused = client.get(SEARCH)
        [problem] = refused.json()["detail"]
        assert (refused.status_code, problem["type"]) == (503, "busy")
        assert problem["msg"] == "too many searches at once; send it again"
        assert not searching.done()
        go_on.set()
        answer = searching.result()
    assert answer.status_code == 200
    assert client.get(SEARCH).json() == answer.json()
