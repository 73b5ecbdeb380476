"""A real server process on a free loopback port, for tests and benchmarks."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx

from churn_assets.settings import PROJECT
from tests import fork_server

START_SECONDS = 300.0
NOTHING_TRIED = "CHURN_EXPERIMENT__EXPLORATION"
"""Set to 0, as else one decision in twenty is another one, of other customers each day."""
HERE = ("127.0.0.1", 50_000)
"""Whom a `TestClient` says it is: somebody on this machine."""


@dataclass
class Server:
    """A running server: its address, its process, and where its log lines go."""

    url: str
    process: fork_server.Process
    log: Path

    def kill(self) -> None:
        """`kill -9`: no clean-up, no last words."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(timeout=120)


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far (proc(5), fields 14 and 15 of `stat`)."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")


def zone_where_it_is_noon() -> str:
    """No quiet hours are near there, so that nothing depends on when the test runs."""
    return f"Etc/GMT{datetime.now(UTC).hour - 12:+d}"  # its signs are reversed: GMT+5 is UTC-5


def free_port() -> int:
    """A loopback port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(url: str, server: Server, status: int = 200) -> None:
    """Poll `url` until it answers with `status`; fails with the server's log otherwise."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if server.process.poll() is not None:
            break
        try:
            if httpx.get(url, timeout=5, trust_env=False).status_code == status:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise AssertionError(f"{url} never answered {status}:\n{server.log.read_text()[-4000:]}")


@contextmanager
def running(
    home: Path,
    app: str | None = None,
    ready: str = "/readyz",
    status: int = 200,
    arguments: tuple[str, ...] = (),
    forked: bool = True,
    **environment: str,
) -> Iterator[Server]:
    """Run the service until the block ends.

    Args:
        home: CHURN_HOME of the server; its artifact store is `home/store`.
        app: another ASGI app than the service, served by plain uvicorn.
        forked: from a process that has loaded the service; False where its start or its memory is
            measured.
        ready: the path that must answer with `status` before the block begins.
        environment: further environment variables.
    """
    port = free_port()
    log = home / f"server-{port}.log"
    home.mkdir(parents=True, exist_ok=True)
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("CHURN_", "FORCE_"))}
    own = {"CHURN_HOME": str(home), "OMP_NUM_THREADS": "1", NOTHING_TRIED: "0"}
    environment = {**clean, **own, **environment}
    address = ("--host", "127.0.0.1", "--port", str(port))
    with log.open("wb") as output, Path(os.devnull).open("rb") as nothing:
        files = (nothing, output, output)
        if app is None and forked:
            given = (*address, *arguments)
            process = fork_server.started("api", given, PROJECT, environment, files)
        else:
            program = ["api"] if app is None else ["uvicorn", app]
            process = subprocess.Popen(
                [sys.executable, "-m", *program, *address, *arguments],
                env=environment,
                stdin=nothing,
                stdout=output,
                stderr=output,
                cwd=PROJECT,
            )
    server = Server(f"http://127.0.0.1:{port}", process, log)
    try:
        wait_for(server.url + ready, server, status)
        yield server
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(timeout=120)
