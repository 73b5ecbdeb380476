"""A forked process is one of its own, as a test needs it."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from churn_assets.settings import PROJECT
from tests import fork_server
from tests.cli.conftest import clean_environment
from tests.processes import alive, wait_until_gone


@pytest.fixture
def server(tmp_path: Path) -> Iterator[fork_server.Process]:
    """A server in a folder and with a variable of its own, which is killed if it goes on."""
    environment = clean_environment() | {"CHURN_HOME": "mine"}
    with (tmp_path / "log").open("w+b") as log:
        process = fork_server.started("api", ["--port", "0"], tmp_path, environment, (log,) * 3)
        yield process
        process.kill()
        process.wait()


def test_it_has_its_own_folder_and_ends_by_the_signal(
    server: fork_server.Process, tmp_path: Path
) -> None:
    assert isinstance(server, fork_server.ForkedProcess)
    assert server.pid != os.getpid()
    with pytest.raises(subprocess.TimeoutExpired):
        server.wait(timeout=0.1)
    assert server.poll() is None
    assert Path(f"/proc/{server.pid}/cwd").readlink() == tmp_path
    server.kill()
    assert server.wait() == server.poll() == -signal.SIGKILL
    server.terminate()  # of nobody
    wait_until_gone([server.pid])
    assert not alive(server.pid)


def test_exit_code_and_output_are_the_command_s(tmp_path: Path) -> None:
    """As a new interpreter's; and one is started where variables say how it is to start."""
    environment = clean_environment() | {"COLUMNS": "80"}
    server = fork_server.fork_server("churn_assets.cli")
    for variables in ({}, {"PYTHONUTF8": "1"}, {"PYTHONPATH": f"{PROJECT}:{tmp_path}"}):
        assert server.like(environment | variables) is (variables == {})
        done = fork_server.run(
            "churn_assets.cli", ["predict", "--nowhere"], tmp_path, environment | variables
        )
        assert done.returncode == 2
        assert done.stdout == ""
        assert "--nowhere" in done.stderr
