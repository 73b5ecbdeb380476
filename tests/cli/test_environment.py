"""Commands in the environments that people really have: proxies, relative paths, typing errors."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from churn_assets.serving.schemas import SAMPLE_REQUEST
from tests.api.server import Server, free_port, wait_for
from tests.cli.conftest import PROJECT, Churn, clean_environment

DEAD = f"http://127.0.0.1:{free_port()}"
SECRET = "hunter2-is-no-hash"
PROXIES = {
    "dead": {"HTTP_PROXY": DEAD, "http_proxy": DEAD, "HTTPS_PROXY": DEAD},
    "socks": {"ALL_PROXY": "socks5://127.0.0.1:9"},
    "nonsense": {"ALL_PROXY": "carrier-pigeon://coop"},
}


@pytest.mark.parametrize("proxy", PROXIES)
def test_a_proxy_is_not_asked_for_our_own_server(churn: Churn, proxy: str) -> None:
    """The last step of `make demo` on a machine behind a proxy."""
    done = churn("predict", "--sample", "--over-http", **PROXIES[proxy])
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout)) == {"decision", "message", "safety", "metadata"}


def test_a_server_that_does_not_start_says_why(churn: Churn, tmp_path: Path) -> None:
    """What the server itself printed is shown, not promised."""
    key_file = tmp_path / "keys"
    done = churn("predict", "--sample", "--over-http", CHURN_API__KEY_FILE=str(key_file))
    assert done.returncode == 1
    assert "ended with exit code 1" in done.stderr
    assert f"CHURN_API__KEY_FILE: {key_file}: No such file or directory" in done.stderr
    assert "Traceback" not in done.stderr


def test_relative_and_home_paths_name_the_same_folder(churn: Churn, home: Path) -> None:
    """From the folder that the command is started in, for Dagster as for everything else."""
    absolute = churn("baseline").stdout
    assert churn("baseline", cwd=home.parent, CHURN_HOME=home.name).stdout == absolute
    assert churn("baseline", CHURN_HOME=f"~/{home.name}", HOME=str(home.parent)).stdout == absolute
    nobody = churn("baseline", CHURN_HOME="~nobody-of-that-name/x")
    assert nobody.returncode == 1
    assert nobody.stderr.startswith("CHURN_HOME: ")


def test_serve_looks_where_predict_looks(churn: Churn, home: Path, tmp_path: Path) -> None:
    """A relative CHURN_HOME, a chosen port, and the same release as `churn predict`."""
    port, log = free_port(), tmp_path / "log"
    command = [sys.executable, "-c", "from churn_assets.cli import app; app()", "serve"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port)],
            cwd=home.parent,
            env=clean_environment() | {"CHURN_HOME": home.name},
            stdout=output,
            stderr=output,
        )
    server = Server(f"http://127.0.0.1:{port}", process, log)
    try:
        wait_for(server.url + "/readyz", server)
        answer = httpx.post(server.url + "/predict", json=SAMPLE_REQUEST, trust_env=False).json()
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=120)
    own = json.loads(churn("predict", "--sample").stdout)
    assert answer["metadata"]["release_id"] == own["metadata"]["release_id"]


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"CHURN_FORCE_BASELINE": "1"}, "did you mean CHURN_API__FORCE_BASELINE?"),
        ({"CHURN_API__PORT": "eighty"}, "CHURN_API__PORT: Input should be a valid integer"),
        ({"CHURN_STORE": "s3://bucket"}, "CHURN_STORE: use a folder or gs://bucket/prefix"),
        ({"CHURN_STORE": "gs:///prefix"}, "CHURN_STORE: use a folder or gs://bucket/prefix"),
        ({"CHURN_STORE": "gs:/bucket/prefix"}, "CHURN_STORE: use a folder or gs://bucket/prefix"),
        (
            {"CHURN_OUTCOMES__KEEP_DAYS": "10"},
            "keep_days (10) is less than horizon_days (30) and two",
        ),
        ({"CHURN_API__KEY_HASHES": SECRET}, "CHURN_API__KEY_HASHES"),
        ({"CHURN_API": f'{{"key_hashes": ["{SECRET}"]}}'}, "key"),
        ({"CHURN_API": f'{{"key_hashes": {SECRET}}}'}, "CHURN_API is not valid JSON"),
    ],
)
def test_a_wrong_setting_is_one_line_without_its_value(
    churn: Churn, variables: dict[str, str], said: str
) -> None:
    """Forty lines of traceback hide the name; and what was given may be a secret."""
    done = churn("report", **variables)
    assert done.returncode == 1
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert SECRET not in done.stdout + done.stderr


def test_other_months_than_are_paid_are_refused_before_the_graph_runs(churn: Churn) -> None:
    """The built-in customers have no contract that could say it."""
    done = churn("materialize", CHURN_MESSAGES__OFFER_MONTHS="6")
    assert done.returncode == 1
    assert done.stderr.startswith("CHURN_MESSAGES__OFFER_MONTHS is 6, but a discount is counted")
    assert "write offers: {percent: [0, 5, 10, 15], months: 6}" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("command", ["serve", "dev", "materialize", "releases", "data pull"])
def test_every_command_says_it_in_one_line(churn: Churn, command: str) -> None:
    """Also those that only start another program, which would bury it."""
    done = churn(*command.split(), CHURN_FORCE_BASELINE="1")
    assert done.returncode == 1
    assert done.stderr == (
        "CHURN_FORCE_BASELINE is no setting; did you mean CHURN_API__FORCE_BASELINE?\n"
    )


@pytest.mark.parametrize(
    "module",
    [
        "api",
        "uvicorn --factory api.main:create_app",
        "modal_jobs.deploy",
        "modal_jobs.deploy.check",
        "modal_jobs.app",
    ],
)
def test_other_programs_say_it_in_one_line_too(tmp_path: Path, module: str) -> None:
    """Whoever starts the server or a deployment without `churn` reads the same."""
    variables = {"CHURN_HOME": str(tmp_path), "CHURN_RISK__MAX_DEPHT": "4"}
    done = subprocess.run(
        [sys.executable, "-m", *module.split()],
        env=clean_environment() | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == (
        "CHURN_RISK__MAX_DEPHT is no setting; did you mean CHURN_RISK__MAX_DEPTH?\n"
    )


@pytest.mark.parametrize(
    "command",
    [["-c", "from churn_assets.cli import app; app()", "releases"], ["-m", "api"]],
    ids=["churn", "api"],
)
def test_who_is_not_logged_in_is_told_so_in_one_line(tmp_path: Path, command: list[str]) -> None:
    """The first thing that is missing on a new machine."""
    variables = {
        "CHURN_HOME": str(tmp_path),
        "CHURN_STORE": "gs://churn-artifacts/x",
        "GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path / "none.json"),
        "STORAGE_EMULATOR_HOST": "",
    }
    done = subprocess.run(
        [sys.executable, *command],
        env=clean_environment() | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith("gs://churn-artifacts/x: ")
    assert line.endswith("`gcloud auth application-default login`")


def test_records_that_cannot_be_opened_are_one_line(churn: Churn, tmp_path: Path) -> None:
    """Dagster's database, not ours: its driver's traceback names no file."""
    (tmp_path / "dagster/history/runs.db").mkdir(parents=True)
    done = churn("materialize", "--job", "score_customers", CHURN_HOME=str(tmp_path))
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert f"{tmp_path}/dagster/dagster.yaml: unable to open database file" in line


def test_a_home_that_cannot_be_made_is_one_line(churn: Churn, tmp_path: Path) -> None:
    """A file where a folder should be."""
    (tmp_path / "file").write_text("")
    done = churn("materialize", CHURN_HOME=str(tmp_path / "file"))
    assert done.returncode == 1
    assert done.stderr.startswith(str(tmp_path / "file"))
    assert len(done.stderr.splitlines()) == 1


def test_make_help_prints_escape_codes_to_a_terminal_only() -> None:
    """A pipe gets plain text; so does who set NO_COLOR."""
    command = ["make", "-s", "help"]
    plain = {k: v for k, v in os.environ.items() if k != "NO_COLOR"}

    def on_terminal(environment: dict[str, str]) -> bytes:
        main, terminal = pty.openpty()
        subprocess.run(command, cwd=PROJECT, env=environment, stdout=terminal, check=True)
        os.close(terminal)
        said = os.read(main, 100_000)
        os.close(main)
        return said

    piped = subprocess.run(command, cwd=PROJECT, env=plain, capture_output=True, check=True)
    assert b"demo" in piped.stdout
    assert b"\x1b" not in piped.stdout
    assert b"\x1b[1m" in on_terminal(plain)
    assert b"\x1b" not in on_terminal(plain | {"NO_COLOR": "1"})
