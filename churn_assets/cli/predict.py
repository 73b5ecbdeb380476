"""`churn predict` and `churn serve`: decisions from the latest release."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from churn_assets.cli.errors import fail, plain_errors
from churn_assets.cli.releases import open_registry
from churn_assets.release import kill_switch
from churn_assets.settings import PROJECT, load_settings

STARTUP_SECONDS = 30.0
KEY_VARIABLE = "CHURN_API_KEY"


def register(app: typer.Typer) -> None:
    app.command()(predict)
    app.command()(serve)


def predict(
    file: Annotated[
        Path | None, typer.Argument(help="JSON of one customer; `-` reads standard input")
    ] = None,
    sample: Annotated[bool, typer.Option(help="Use the specification's sample customer")] = False,
    over_http: Annotated[
        bool, typer.Option(help="Start the API for it and ask over HTTP, as a client would")
    ] = False,
) -> None:
    """Decide for one customer with the latest release and print the answer as JSON."""
    from pydantic import ValidationError

    from api.engine import RetentionEngine
    from api.schemas import SAMPLE_REQUEST, PredictRequest

    if sample == (file is not None):
        raise typer.BadParameter("give either a file or --sample")
    body = SAMPLE_REQUEST if file is None else read_json(file)
    if over_http:
        typer.echo(json.dumps(ask_over_http(body), indent=2, ensure_ascii=False))
        return
    registry, config = open_registry(), load_settings().api
    try:
        request = PredictRequest.model_validate_json(json.dumps(body))
    except ValidationError as error:
        raise fail(error) from error
    with plain_errors():
        engine = RetentionEngine.load(registry.folder(), config.default_time_zone)
        forced = kill_switch.baseline_forced(registry.store, config.force_baseline)
    answer = engine.predict(request, force_baseline=forced)
    typer.echo(json.dumps(answer, indent=2, ensure_ascii=False))


def read_json(file: Path) -> Any:
    """The JSON document in a file, or on standard input for `-`."""
    text = sys.stdin.read() if str(file) == "-" else file.read_text()
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise typer.BadParameter(f"{file} is not JSON: {error}") from error


def ask_over_http(body: Any) -> Any:
    """The answer of an API process started for this one request on a free loopback port.

    Where the settings ask callers for a key, CHURN_API_KEY holds it.
    """
    key = os.environ.get(KEY_VARIABLE)
    headers = {"x-api-key": key} if key else {}
    with api_process() as url:
        response = httpx.post(f"{url}/predict", json=body, headers=headers, timeout=30)
    if response.is_error:
        raise fail(RuntimeError(f"the API answered {response.status_code}: {response.text}"))
    return response.json()


@contextlib.contextmanager
def api_process() -> Iterator[str]:
    """A real server process, ready to answer; stopped on leaving.

    Raises:
        typer.Exit: the server ended or was not ready in time; its output was shown.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "api", "--port", str(port), "--log-level", "warning"]
    server = subprocess.Popen(command, cwd=PROJECT)
    try:
        deadline = time.monotonic() + STARTUP_SECONDS
        while not is_ready(url):
            if server.poll() is not None or time.monotonic() > deadline:
                raise fail(RuntimeError("the API did not become ready; see its output above"))
            time.sleep(0.1)
        yield url
    finally:
        server.terminate()
        server.wait()


def is_ready(url: str) -> bool:
    """Whether `/readyz` answers 200."""
    try:
        return httpx.get(f"{url}/readyz", timeout=2).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def serve() -> None:
    """Run the API (and its console page) from the latest release until interrupted."""
    settings = load_settings().api
    command = [sys.executable, "-m", "api", "--host", settings.host]
    os.chdir(PROJECT)
    os.execv(sys.executable, [*command, "--port", str(settings.port)])  # noqa: S606 - our own
