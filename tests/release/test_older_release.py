"""A store written by earlier code: its release loads, serves, and is rolled back to.

`fixtures/store` was made at commit 170bf35, before the packages were moved: `build_release` of
`small_release.py` with an untrained network as the policy, published and promoted.
"""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from churn_assets.cli import app
from churn_assets.decision.learning.network_numpy import NetworkPolicy
from churn_assets.release.bundle import GOLDEN, ReleaseError, read_manifest, write_manifest
from churn_assets.release.registry import ReleaseRegistry
from churn_assets.serving.engine import RetentionEngine
from churn_assets.serving.golden import check_golden
from churn_assets.settings import load_settings
from churn_assets.storage.local import LocalArtifactStore
from tests.api.server import START_SECONDS, Server, running
from tests.release.small_release import build_release

STORE = Path(__file__).parent / "fixtures/store"
OLD = "20261126-3994b4304937"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with a copy of the old store."""
    shutil.copytree(STORE, tmp_path / "home/store")
    return tmp_path / "home"


@pytest.fixture
def registry(home: Path) -> ReleaseRegistry:
    return ReleaseRegistry(LocalArtifactStore(home / "store"))


def test_it_loads_and_answers_as_it_did(registry: ReleaseRegistry) -> None:
    """Network, boosters, bank, rules and environment of then mean the same now; a golden set that
    nothing answers would prove nothing."""
    folder = registry.folder()
    engine = RetentionEngine.load(folder)
    assert engine.release_id == OLD
    assert isinstance(engine.assessor.policy, NetworkPolicy)
    assert check_golden(engine, folder) == 6
    answers = [case["answer"] for case in golden(folder)]
    assert {answer["decision"]["contact"] for answer in answers} == {True, False}


def test_it_serves_is_replaced_and_is_rolled_back_to(
    home: Path, registry: ReleaseRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an operator does it after an update of the code: the server goes on, a release of today
    replaces the old one, is found wanting, and one command brings the old one back."""
    monkeypatch.setenv("CHURN_HOME", str(home))
    load_settings.cache_clear()
    [contacted] = [c for c in golden(registry.folder()) if c["answer"]["decision"]["contact"]]
    with running(home) as server:
        before = ask(server, contacted["request"])
        assert before["metadata"]["release_id"] == OLD
        assert before["decision"]["contact"] is True
        assert before["metadata"]["message_source"] == "template"  # today's reviewed words
        today = build_release(tmp_path / "today", seed=1)
        registry.publish(tmp_path / "today/bundle")
        registry.promote(today.release_id, "test")
        wait_until_serving(server, today.release_id)
        said = CliRunner().invoke(app, ["rollback"])
        assert said.exit_code == 0, said.output
        assert said.stdout.startswith(f"{OLD} serves")
        wait_until_serving(server, OLD)
        assert ask(server, contacted["request"]) == before
    load_settings.cache_clear()


def of_a_later_version(bundle: Path, file: str) -> None:
    """Give a file of the bundle a key that nobody knows yet, and seal it again."""
    manifest = read_manifest(bundle)
    content = json.loads((bundle / file).read_bytes()) if (bundle / file).exists() else {}
    (bundle / file).write_text(json.dumps({**content, "of_tomorrow": 1}))
    facts = manifest.model_dump(exclude={"release_id", "created", "content", "files"})
    write_manifest(bundle, **facts)


@pytest.mark.parametrize("file", ["messages/rules.json", "customers.json"])
def test_a_release_of_a_later_version_is_told_in_a_line(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    """The program was rolled back and the store wasn't: that was a traceback of 154 lines."""
    monkeypatch.setenv("CHURN_HOME", str(home))
    load_settings.cache_clear()
    build_release(tmp_path / "tomorrow")
    of_a_later_version(tmp_path / "tomorrow/bundle", file)
    registry = ReleaseRegistry(LocalArtifactStore(home / "store"))
    release = registry.publish(tmp_path / "tomorrow/bundle")
    registry.promote(release.release_id, "test")
    said = CliRunner().invoke(app, ["predict", "--sample"])
    load_settings.cache_clear()
    assert said.exit_code == 1
    assert isinstance(said.exception, SystemExit)
    assert len(said.stderr.strip().splitlines()) == 1
    assert Path(file).name in said.stderr
    with pytest.raises(ReleaseError) as told:
        RetentionEngine.load(registry.folder())
    assert "was made by another version of this program" in str(told.value)
    assert str(home) not in str(told.value)  # /readyz is public


def golden(folder: Path) -> list[dict[str, Any]]:
    cases: list[dict[str, Any]] = json.loads((folder / GOLDEN).read_bytes())["cases"]
    return cases


def ask(server: Server, request: dict[str, Any]) -> dict[str, Any]:
    response = httpx.post(f"{server.url}/predict", json=request, trust_env=False)
    answer: dict[str, Any] = response.raise_for_status().json()
    # Quiet hours depend on when the test runs; every decision has an id of its own.
    metadata = answer["metadata"]
    del answer["safety"], metadata["send_not_before"], metadata["decision_id"]
    return answer


def wait_until_serving(server: Server, release_id: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while (said := httpx.get(f"{server.url}/readyz", trust_env=False).json())[
        "release_id"
    ] != release_id:
        assert time.monotonic() < deadline, said
        time.sleep(0.1)
