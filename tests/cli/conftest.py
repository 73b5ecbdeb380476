"""The command line in a process of its own, on a home with small real releases."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import fork_server
from tests.api.conftest import publish_small_release
from tests.api.server import NOTHING_TRIED

PROJECT = Path(__file__).resolve().parents[2]
Churn = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home folder with two releases, the newer one serving."""
    home = tmp_path_factory.mktemp("home")
    for seed in (0, 1):
        publish_small_release(home, tmp_path_factory.mktemp("release"), seed=seed)
    return home


@pytest.fixture(scope="module")
def churn(home: Path) -> Churn:
    """Runs `churn` with the given arguments and variables, from the folder `cwd`."""

    def run(
        *arguments: str, home: Path = home, text: str = "", cwd: Path = PROJECT, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        environment = clean_environment() | {"CHURN_HOME": str(home), "COLUMNS": "200"} | variables
        return fork_server.run("churn_assets.cli", arguments, cwd, environment, text)

    return run


def clean_environment() -> dict[str, str]:
    """This process's environment without our variables, with our packages found from any folder,
    and nothing tried that depends on the day."""
    mine = {k: v for k, v in os.environ.items() if not k.startswith(("CHURN_", "DAGSTER_"))}
    return mine | {"PYTHONPATH": str(PROJECT), NOTHING_TRIED: "0"}
