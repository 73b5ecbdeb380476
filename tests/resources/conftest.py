"""The two compute backends under test."""

from __future__ import annotations

from pathlib import Path

import pytest

from churn_assets.resources import child_process
from tests.resources.graph import FixedSettings

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture(params=["local"])
def backend(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> FixedSettings:
    """Settings for a run of the toy stage on the backend `request.param`."""
    monkeypatch.setattr(child_process, "STAGE_PACKAGE", "tests.modal_jobs.toy_stages")
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    return FixedSettings(
        home=str(tmp_path / "home"),
        store=str(tmp_path / "store"),
        compute={"backend": "local", "local": {"grace_seconds": 0.5}},
    )
