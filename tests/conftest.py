"""What tests of several areas share."""

from __future__ import annotations

import functools
import gc
import inspect
import os

# Before what reads it is imported. Each worker of the tests has a core, and so have the stages and
# servers that it starts: a second thread would only wait, spinning, for the first.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from hypothesis import HealthCheck, settings

from tests import scheduling

# Fixtures import what they need themselves: each process of the tests would wait for all of it.
if TYPE_CHECKING:
    from churn_assets.serving.engine import RetentionEngine

# Every server of the tests is on this machine; a proxy of the environment knows nothing of it.
for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
    del os.environ[name]

# httpx reads all of a machine's certificates for every call, 25 ms, also in a loop that waits for a
# server without any; read once, they serve all calls of this process.
ssl.create_default_context = functools.cache(ssl.create_default_context)

# No test is about how soon a server answers: what it does is limited by itself, and where something
# is late on purpose the test says so. httpx's own five seconds would judge the machine.
patience = inspect.signature(httpx.get).parameters["timeout"].default
patience.connect = patience.read = patience.write = patience.pool = 300.0

# Property tests take the same examples every time, however slow the machine is.
settings.register_profile(
    "steady", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("steady")


# What collecting makes stays for as long as the process lives: hundreds of thousands of objects,
# which the collector of garbage needs to look at once, not again and again.
gc.disable()


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> scheduling.Scheduling:
    config.option.loadscopereorder = False
    return scheduling.Scheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first."""
    items.sort(key=lambda item: scheduling.rank(item.nodeid))


@pytest.fixture(scope="session", autouse=True)
def fork_servers() -> Iterator[None]:
    """Those of `tests.fork_server` end with the tests."""
    yield
    from tests.fork_server import end_fork_servers

    end_fork_servers()


@pytest.fixture
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty home, which this process's settings name for as long as a test takes."""
    from churn_assets.settings import load_settings

    monkeypatch.setenv("CHURN_HOME", str(tmp_path))
    load_settings.cache_clear()
    yield tmp_path
    load_settings.cache_clear()


@pytest.fixture(scope="module")
def emulator() -> Iterator[str]:
    """URL of a storage emulator that every client of this process talks to."""
    from tests.storage.emulator import running_emulator

    with running_emulator() as url:
        yield url


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sealed release's folder."""
    from tests.release.small_release import build_release

    root = tmp_path_factory.mktemp("bundle")
    build_release(root)
    return root / "bundle"


@pytest.fixture(scope="session")
def engine(bundle: Path) -> RetentionEngine:
    from churn_assets.serving.engine import RetentionEngine

    return RetentionEngine.load(bundle)
