"""`churn serve`, and the server that `churn predict --over-http` starts for its own questions."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Annotated

import typer

from churn_assets.cli.errors import fail
from churn_assets.environment import absolute_paths
from churn_assets.settings import PROJECT, load_settings

if TYPE_CHECKING:
    import httpx

STARTUP_SECONDS = 300.0  # of a busy machine; a server that ends is noticed at once
SHOWN_LINES = 20  # of a server's output, where it did not start


def register(app: typer.Typer) -> None:
    app.command()(serve)


def serve(
    host: Annotated[
        str | None, typer.Option(help="address to listen on; default: CHURN_API__HOST")
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65_535, help="TCP port; default: CHURN_API__PORT")
    ] = None,
) -> None:
    """Run the API (and its console page) from the latest release until interrupted."""
    settings = load_settings()
    command = api_command(
        settings.api.host if host is None else host, settings.api.port if port is None else port
    )
    os.environ.update(absolute_paths(settings))
    os.chdir(PROJECT)
    os.execv(sys.executable, command)  # noqa: S606 - our own interpreter and arguments


def api_command(host: str, port: int) -> list[str]:
    """The command line of the server; to be run in the project's folder."""
    return [sys.executable, "-m", "api", "--host", host, "--port", str(port)]


def local_client(url: str, timeout: float) -> httpx.Client:
    """A client of our own server on this machine: no proxy of the environment is asked."""
    import httpx  # here: only commands that ask a server wait for it to load

    return httpx.Client(base_url=url, timeout=timeout, trust_env=False)


@contextlib.contextmanager
def api_process() -> Iterator[str]:
    """A real server process on a free loopback port, ready to answer; stopped on leaving.

    Raises:
        typer.Exit: the server ended or was not ready in time; what it said was shown.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [*api_command("127.0.0.1", port), "--log-level", "warning"]
    environment = os.environ | absolute_paths(load_settings())
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
        server = subprocess.Popen(
            command, cwd=PROJECT, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            url = f"http://127.0.0.1:{port}"
            wait_until_ready(url, server, output)
            yield url
        finally:
            server.terminate()
            server.wait()


def wait_until_ready(url: str, server: subprocess.Popen[bytes], output: IO[str]) -> None:
    """Return once `/readyz` answers 200; otherwise say what the server said, and exit."""
    import httpx

    deadline, said = time.monotonic() + STARTUP_SECONDS, "nothing answered"
    with local_client(url, timeout=2) as client:
        while server.poll() is None and time.monotonic() < deadline:
            try:
                answer = client.get("/readyz")
            except httpx.TransportError as error:
                said = f"{type(error).__name__}: {error}"
            else:
                if answer.status_code == httpx.codes.OK:
                    return
                said = f"/readyz answered {answer.status_code}: {answer.text}"
            time.sleep(0.1)
    output.seek(0)
    lines = output.read().splitlines()[-SHOWN_LINES:]
    ended = server.poll()
    why = f"it ended with exit code {ended}" if ended is not None else said
    printed = "\n".join(["it printed:", *lines]) if lines else "it printed nothing"
    raise fail(RuntimeError(f"the API did not become ready: {why}; {printed}"))
