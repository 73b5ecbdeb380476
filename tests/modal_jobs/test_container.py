"""What happens inside a container."""

from __future__ import annotations

import base64
import json
import os
import threading
import time
from pathlib import Path

import modal.experimental
import pytest
from fastapi.testclient import TestClient
from google.auth import load_credentials_from_file
from google.auth.identity_pool import Credentials

from churn_assets.stages.child_process import StageError
from modal_jobs import app, serving
from modal_jobs.container import (
    google_identity,
    remove_stale_checkpoints,
    replace_before_expiry,
)
from tests.api.server import HERE


@pytest.fixture
def google_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the Modal secret tells a container."""
    monkeypatch.delenv("MODAL_IDENTITY_TOKEN_FILE", raising=False)
    monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT", "churn@project.iam.gserviceaccount.com")
    monkeypatch.setenv(
        "GOOGLE_IDENTITY_PROVIDER",
        "projects/1/locations/global/workloadIdentityPools/modal/providers/modal",
    )


def test_the_identity_is_one_that_google_clients_understand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, google_secret: None
) -> None:
    """Google's own loader accepts the file, and no key is in it."""
    monkeypatch.setenv("MODAL_IDENTITY_TOKEN", "header.claims.signature")
    path = google_identity(tmp_path)["GOOGLE_APPLICATION_CREDENTIALS"]
    credentials, _ = load_credentials_from_file(path)  # type: ignore[no-untyped-call]
    assert isinstance(credentials, Credentials)
    assert credentials.service_account_email == "churn@project.iam.gserviceaccount.com"
    assert credentials.retrieve_subject_token(None) == "header.claims.signature"
    assert "private_key" not in json.loads(Path(path).read_text())


def web_token(expires: float) -> str:
    """A token as Modal signs it, as far as it is read here."""
    claims = base64.urlsafe_b64encode(json.dumps({"exp": expires}).encode()).rstrip(b"=")
    return f"e30.{claims.decode()}.signature"


def test_a_token_that_modal_renews_is_read_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, google_secret: None
) -> None:
    """Google's client exchanges it every hour, for as long as the container lives."""
    renewed = tmp_path / "renewed-by-modal"
    renewed.write_text("first")
    monkeypatch.setenv("MODAL_IDENTITY_TOKEN", "first")
    monkeypatch.setenv("MODAL_IDENTITY_TOKEN_FILE", str(renewed))
    path = google_identity(tmp_path / "identity")["GOOGLE_APPLICATION_CREDENTIALS"]
    credentials, _ = load_credentials_from_file(path)  # type: ignore[no-untyped-call]
    assert credentials.retrieve_subject_token(None) == "first"
    renewed.write_text("second")
    assert credentials.retrieve_subject_token(None) == "second"


def test_a_token_that_nobody_renews_says_until_when_it_holds(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    google_secret: None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A training that outlives it can't publish: its log says why."""
    monkeypatch.setenv("MODAL_IDENTITY_TOKEN", web_token(1_800_000_000))
    with caplog.at_level("INFO"):
        google_identity(tmp_path)
    assert "expires at 2027-01-15T08:00:00+00:00" in caplog.text
    assert "signature" not in caplog.text


@pytest.mark.parametrize(
    ("variables", "replaced"),
    [
        ({"MODAL_IDENTITY_TOKEN": web_token(1_000)}, True),
        ({"MODAL_IDENTITY_TOKEN": web_token(9_000)}, False),
        ({"MODAL_IDENTITY_TOKEN": "no token"}, False),
        ({"MODAL_IDENTITY_TOKEN": web_token(1_000), "MODAL_IDENTITY_TOKEN_FILE": "/t"}, False),
        ({}, False),
    ],
    ids=["expires", "holds", "unreadable", "renewed", "none"],
)
def test_a_container_that_serves_makes_room_before_its_token_expires(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], replaced: bool
) -> None:
    """The next container gets a new token; this one answers what it was asked and ends."""
    asked = threading.Event()
    monkeypatch.setattr(modal.experimental, "stop_fetching_inputs", asked.set)
    for name in ("MODAL_IDENTITY_TOKEN", "MODAL_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    timer = replace_before_expiry(clock=lambda: 500.0)
    assert asked.wait(10 if replaced else 0.1) is replaced
    if timer is not None:
        timer.cancel()


def test_a_stages_error_is_one_that_the_caller_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    """A TimeoutError means to the caller's client that the call still runs."""

    def late(*arguments: object) -> None:
        raise TimeoutError("the volume did not answer")

    monkeypatch.setattr(app, "run_program", late)
    with pytest.raises(StageError, match="TimeoutError in its container: the volume did not"):
        app.risk_model.local({})


def test_without_a_token_the_default_credentials_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Outside Modal nothing is written and nothing is overridden."""
    monkeypatch.delenv("MODAL_IDENTITY_TOKEN", raising=False)
    assert google_identity(tmp_path / "identity") == {}
    assert not (tmp_path / "identity").exists()


def test_a_secret_without_its_fields_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrongly made secret fails at once and says which variable it lacks."""
    monkeypatch.setenv("MODAL_IDENTITY_TOKEN", "token")
    monkeypatch.delenv("GOOGLE_SERVICE_ACCOUNT", raising=False)
    with pytest.raises(KeyError, match="GOOGLE_SERVICE_ACCOUNT"):
        google_identity(tmp_path)


def test_only_stale_checkpoints_are_removed(tmp_path: Path) -> None:
    """A run that writes checkpoints is never disturbed, however old its folder."""
    day = 86_400
    for name, age in {"sft_model/old": 20, "sft_model/new": 1, "reward_model/busy": 20}.items():
        folder = tmp_path / name
        folder.mkdir(parents=True)
        (folder / "state").write_text(name)
        for path in (folder / "state", folder):
            os.utime(path, (time.time() - age * day,) * 2)
    (tmp_path / "reward_model" / "busy" / "step-9").write_text("just written")
    assert remove_stale_checkpoints(tmp_path, days=14) == ["sft_model/old"]
    assert sorted(p.name for p in tmp_path.glob("*/*")) == ["busy", "new"]


def test_housekeeping_runs_on_an_empty_volume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first night after a deployment there is nothing to remove."""
    monkeypatch.setattr(app, "CHECKPOINTS", str(tmp_path))
    assert app.remove_checkpoints.local() == []


def test_a_function_without_a_session_refuses_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Started by hand, a stage has nobody to report to: it says how to start it."""
    with pytest.raises(StageError, match="run `churn materialize`"):
        app.risk_model.local({})


def test_the_api_answers_inside_its_container(tmp_path: Path) -> None:
    """The ASGI app that Modal would serve starts and answers."""
    with TestClient(serving.api.local(), base_url="http://localhost", client=HERE) as client:
        assert client.get("/healthz").status_code == 200
        refused = client.post("/predict", json={"customer_id": 1})  # there is no release
        assert (refused.status_code, refused.json()["detail"][0]["type"]) == (503, "not_ready")
