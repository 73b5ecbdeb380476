"""Something else answers in a bucket's place: 200, and nothing that a bucket says."""

from __future__ import annotations

import hashlib
import io
import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from google.auth.credentials import AnonymousCredentials
from google.auth.transport.requests import AuthorizedSession
from google.cloud import storage
from urllib3 import HTTPResponse

from churn_assets.release.switches import kill_switch
from churn_assets.storage.gcs import CHUNK, GcsArtifactStore
from churn_assets.storage.opening import write_file
from churn_assets.storage.protocol import Artifact, ArtifactError
from tests.storage.emulator import Preconditions

BODIES = [b"", b"{}", b"[]", b"null", b'{"kind": "storage#ob', b"<html>Log in, please</html>"]
DENIED = "robot@p.iam.gserviceaccount.com does not have storage.objects.get access to the object."
NOTHING = Artifact(name="a", sha256="0" * 64)


class Foreign(Preconditions):
    """Answers by itself while `body` is set, and else passes requests on."""

    body: bytes | None = None
    status = 200

    def send(  # type: ignore[override]
        self, request: requests.PreparedRequest, **options: Any
    ) -> requests.Response:
        if self.body is None:
            return super().send(request, **options)
        raw = HTTPResponse(io.BytesIO(self.body), status=self.status, preload_content=False)
        return self.build_response(request, raw)


@pytest.fixture
def foreign() -> Foreign:
    return Foreign()


@pytest.fixture
def client(emulator: str, foreign: Foreign) -> storage.Client:
    session = AuthorizedSession(AnonymousCredentials())
    session.mount("http://", foreign)
    return storage.Client(_http=session)


@pytest.fixture
def bucket(client: storage.Client, tmp_path: Path) -> GcsArtifactStore:
    url = f"gs://churn-artifacts/{uuid.uuid4().hex}"
    return GcsArtifactStore.from_url(url, tmp_path / "cache", client)


CALLS: dict[str, Callable[[GcsArtifactStore, Path], object]] = {
    "read_pointer": lambda bucket, _: bucket.read_pointer("k"),
    "write_pointer": lambda bucket, _: bucket.write_pointer("k", b"new"),
    "swap_pointer": lambda bucket, _: bucket.swap_pointer("k", b"old", b"new"),
    "pointers": lambda bucket, _: bucket.pointers(),
    "put": lambda bucket, folder: bucket.put("a", folder),
    "get": lambda bucket, _: bucket.get(NOTHING),
    "read": lambda bucket, _: bucket.read(NOTHING, "*"),
    "versions": lambda bucket, _: bucket.versions("a"),
    "artifacts": lambda bucket, _: bucket.artifacts(),
    "delete": lambda bucket, _: bucket.delete("a", NOTHING.version),
    "sweep": lambda bucket, _: bucket.sweep(),
    "the switch": lambda bucket, _: kill_switch.set_switch(bucket, on=True),
}


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("call", CALLS)
def test_what_no_bucket_says_is_no_answer(
    call: str, body: bytes, bucket: GcsArtifactStore, foreign: Foreign, tmp_path: Path
) -> None:
    """Why: an empty 200 was an AttributeError of the client library, a list that lacks everything
    or an empty pointer; the next write would have gone over what is there."""
    bucket.write_pointer("k", b"old")
    (tmp_path / "f").write_bytes(b"x")
    foreign.body = body
    with pytest.raises(ArtifactError, match="as no bucket does") as caught:
        CALLS[call](bucket, tmp_path)
    said = str(caught.value)
    assert said.startswith(f"{bucket.url}: http://localhost answered 200 ")
    assert "STORAGE_EMULATOR_HOST" in said
    assert "\n" not in said
    foreign.body = None
    assert bucket.read_pointer("k") == b"old"


@pytest.mark.parametrize("call", ["read_pointer", "write_pointer", "pointers", "put", "get"])
@pytest.mark.parametrize("shape", [json.dumps({"error": {"message": DENIED}}), f"{DENIED}\n"])
def test_a_refusal_is_one_short_line(
    call: str, shape: str, bucket: GcsArtifactStore, foreign: Foreign, tmp_path: Path
) -> None:
    """Why: it was the client's text of 700 characters, with URL, JSON and the sentence twice."""
    (tmp_path / "f").write_bytes(b"x")
    foreign.body, foreign.status = shape.encode(), 403
    with pytest.raises(ArtifactError) as caught:
        CALLS[call](bucket, tmp_path)
    assert str(caught.value) == f"{bucket.url}: 403 Forbidden: {DENIED}"


def test_a_contact_list_that_nobody_took_is_not_handed_over(
    client: storage.Client, foreign: Foreign
) -> None:
    url = f"gs://churn-artifacts/{uuid.uuid4().hex}"
    write_file(url, "list.csv", b"x", client)
    foreign.body = b""
    with pytest.raises(ArtifactError, match=f"^{url}: http://localhost answered 200 and no more"):
        write_file(url, "list.csv", b"y", client)


def test_a_foreign_page_is_no_deletion(bucket: GcsArtifactStore, foreign: Foreign) -> None:
    bucket.write_pointer("k", b"old")
    foreign.body = BODIES[-1]
    with pytest.raises(ArtifactError, match="as no bucket does"):
        bucket.delete_pointer("k")
    foreign.body = None
    bucket.delete_pointer("k")
    assert bucket.read_pointer("k") is None


def test_a_bucket_may_answer_without_content(bucket: GcsArtifactStore, tmp_path: Path) -> None:
    """An empty file, an empty pointer, an empty list; and where a large upload is to go."""
    bucket.write_pointer("empty", b"")
    assert bucket.read_pointer("empty") == b""
    assert bucket.pointers("nothing") == []
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/empty").touch()
    (tmp_path / "tree/large").write_bytes(bytes(CHUNK + 1))
    artifact = bucket.put("a", tmp_path / "tree")
    assert hashlib.sha256((bucket.get(artifact) / "large").read_bytes()).hexdigest() == (
        hashlib.sha256(bytes(CHUNK + 1)).hexdigest()
    )
