"""What tests of several areas share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from churn_assets.serving.engine import RetentionEngine
from tests.release.small_release import build_release
from tests.storage.emulator import running_emulator

# Every server of the tests is on this machine; a proxy of the environment knows nothing of it.
for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
    del os.environ[name]

# Property tests take the same examples every time, however slow the machine is.
settings.register_profile(
    "steady", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("steady")


@pytest.fixture(scope="module")
def emulator() -> Iterator[str]:
    """URL of a storage emulator that every client of this process talks to."""
    with running_emulator() as url:
        yield url


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sealed release's folder."""
    root = tmp_path_factory.mktemp("bundle")
    build_release(root)
    return root / "bundle"


@pytest.fixture(scope="session")
def engine(bundle: Path) -> RetentionEngine:
    return RetentionEngine.load(bundle)
