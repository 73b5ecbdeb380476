"""The public host, quick time-outs, and the real data where a mirror of them is set."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from churn_assets.datasets.config import DatasetsConfig, DownloadConfig
from tests.datasets.host import Host, running_host


@pytest.fixture(autouse=True)
def direct_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """The host is on this machine: no proxy or account of the environment may come between."""
    monkeypatch.delenv("KAGGLE_USERNAME", raising=False)
    monkeypatch.delenv("KAGGLE_KEY", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")


@pytest.fixture
def host() -> Iterator[Host]:
    with running_host() as running:
        yield running


@pytest.fixture
def quick() -> DownloadConfig:
    """Retries without waiting."""
    return DownloadConfig(
        connect_timeout=2, read_timeout=5, attempts=3, backoff_initial=0, backoff_max=0
    )


@pytest.fixture
def closed_url() -> str:
    """An address of this machine where nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return f"http://127.0.0.1:{port}"


@pytest.fixture(scope="session")
def mirror() -> Path:
    """The mirror of the real files; tests of the real numbers need one."""
    folder = os.environ.get("CHURN_DATA_MIRROR")
    if not folder:
        pytest.skip("CHURN_DATA_MIRROR is not set: no real data here")
    return Path(folder)


@pytest.fixture(scope="session")
def synthetic() -> DatasetsConfig:
    """Small generated data sets; of the tables so much that a row more or less in a split moves its
    share of the label by less than `BALANCE_TOLERANCE`."""
    return DatasetsConfig.model_validate(
        {
            "source": "synthetic",
            "telco": {"synthetic_rows": 2_400},
            "bank": {"synthetic_rows": 2_400},
            "oasst1": {"synthetic_rows": 200},
            "preferences": {"synthetic_rows": 200},
        }
    )
