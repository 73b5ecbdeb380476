"""A bucket that does what it is asked and can't say so: the answer is lost on the way."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest
import requests
from google.auth.credentials import AnonymousCredentials
from google.auth.transport.requests import AuthorizedSession
from google.cloud import storage

from churn_assets.storage.gcs import GcsArtifactStore
from churn_assets.storage.protocol import PointerMovedError
from tests.storage.emulator import Preconditions, strict_client


class LosesAnswers(Preconditions):
    """Writes that come through, of which the first ones' answers don't."""

    lost = 0

    def send(  # type: ignore[override]
        self, request: requests.PreparedRequest, **options: Any
    ) -> requests.Response:
        answer = super().send(request, **options)
        if "/upload/" in str(request.url) and self.lost and answer.ok:
            self.lost -= 1
            answer.status_code = 503
        return answer


@pytest.fixture
def url(emulator: str) -> str:
    return f"gs://churn-artifacts/{uuid.uuid4().hex}"


def test_a_write_whose_answer_was_lost_is_no_lost_write(url: str, tmp_path: Path) -> None:
    """The client asks again, and its own first write refuses the second: `latest` had moved, and a
    roll-back that is told otherwise is made once more."""
    session = AuthorizedSession(AnonymousCredentials())  # type: ignore[no-untyped-call]
    losing = LosesAnswers()
    session.mount("http://", losing)
    store = GcsArtifactStore.from_url(url, tmp_path, storage.Client(_http=session))
    other = GcsArtifactStore.from_url(url, tmp_path, strict_client())
    for before, content in ((None, b"one"), (b"one", b"two"), (b"two", b"one")):
        losing.lost = 1
        store.swap_pointer("releases/latest.json", before, content)
        assert losing.lost == 0
        assert other.read_pointer("releases/latest.json") == content
    losing.lost = 1
    store.write_pointer("releases/latest.json", b"three")
    assert other.read_pointer("releases/latest.json") == b"three"


def test_somebody_elses_write_of_the_same_is_somebody_elses(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two that count one further from the same number have not both counted."""
    mine, theirs = (GcsArtifactStore.from_url(url, tmp_path, strict_client()) for _ in range(2))
    theirs.write_pointer("count", b"1")
    read = mine._read_generation("count")
    theirs.swap_pointer("count", b"1", b"2")
    monkeypatch.setattr(mine, "_read_generation", lambda key: read)
    with pytest.raises(PointerMovedError, match="was moved meanwhile"):
        mine.swap_pointer("count", b"1", b"2")
