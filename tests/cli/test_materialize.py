"""`churn materialize`: what a person sees of a real run, and where the rest goes."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from rich.console import Console
from rich.progress import Progress

from churn_assets.cli.materialize import SILENT_SECONDS, RunView, only_run_of, verdicts
from churn_assets.orchestration.run_follower import Kind, RunEvent
from churn_assets.release.registry import ReleaseRegistry
from churn_assets.storage.current import asset_pointer
from churn_assets.storage.local import LocalArtifactStore
from tests.cli.conftest import PROJECT, Churn, clean_environment
from tests.processes import wait_until
from tests.release.small_release import write_dataset


@pytest.fixture
def ready(home: Path, tmp_path: Path) -> Path:
    """A home with a release in service and customers to score."""
    store = LocalArtifactStore(home / "store")
    write_dataset(tmp_path / "telco_customers", "telco_customers")
    latest = ReleaseRegistry(store).latest()
    assert latest is not None
    (tmp_path / "risk_model").mkdir()
    (tmp_path / "risk_model" / "model.json").write_text("{}")
    artifacts = {
        "customer_history": store.put("telco_customers", tmp_path / "telco_customers"),
        "risk_model": store.put("risk_model", tmp_path / "risk_model"),
        "release": latest.artifact,
    }
    for name, artifact in artifacts.items():
        store.write_pointer(asset_pointer(name), artifact.model_dump_json().encode())
    return home


def test_the_screen_has_ours_and_the_log_the_rest(churn: Churn, ready: Path) -> None:
    """A relative home and an empty DAGSTER_HOME are no hindrance; the log's path is printed."""
    done = churn(
        *("materialize", "--job", "score_customers"),
        cwd=ready.parent,
        CHURN_HOME=ready.name,
        DAGSTER_HOME="",
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    [log] = (ready / "logs").glob("*-score_customers-*.log")
    *shown, last = [line for line in done.stderr.splitlines() if line.strip()]
    assert last.startswith("score_customers: SUCCESS in ")
    assert last.endswith(f"checks: 2 passed, 0 warned, 0 failed; log: {log}")
    assert any("✓ predictions" in line for line in shown)
    assert len(shown) <= 4  # the assets, and the bar as it ended
    assert (ready / "dagster" / "dagster.yaml").is_file()


def test_whatever_writes_it_goes_to_the_log(tmp_path: Path) -> None:
    """Python, child processes and C libraries alike; afterwards the screen is itself again."""
    program = """
import os, subprocess, sys, warnings
from pathlib import Path
from churn_assets.cli.materialize import output_to
with output_to(Path(sys.argv[1])) as console:
    print("noise of print")
    warnings.warn("noise of a warning")
    subprocess.run(["sh", "-c", "echo noise of a child; echo noise of its stderr >&2"])
    os.write(2, b"noise of C")
    console.print("ours")
print("afterwards")
"""
    log = tmp_path / "log"
    done = subprocess.run(
        [sys.executable, "-c", program, str(log)],
        cwd=PROJECT,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stderr, done.stdout) == ("ours\n", "afterwards\n")
    noise = log.read_text()
    for source in ("print", "a warning", "a child", "its stderr", "C"):
        assert f"noise of {source}" in noise


@contextmanager
def held_run(home: Path, next_step: Path) -> Iterator[subprocess.Popen[str]]:
    """`churn materialize` in a step that never ends; `next_step`: the file of the one behind it."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.cli.held_materialize", str(next_step)],
        cwd=PROJECT,
        env=clean_environment() | {"CHURN_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            logs = home / "logs"
            wait_until(
                lambda: (
                    process.poll() is not None
                    or any("held" in log.read_text() for log in logs.glob("*.log"))
                )
            )
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_ends_the_run_with_one_line(by: signal.Signals, tmp_path: Path) -> None:
    """Whoever stops it, or a machine that shuts down: no other step begins, and none is tried
    again; the exit code says that it isn't done."""
    next_step = tmp_path / "next-step"
    with held_run(tmp_path / "home", next_step) as process:
        process.send_signal(by)
        out, said = process.communicate(timeout=300)
    assert process.returncode == 1, said
    assert not next_step.exists()
    assert out == ""
    *_, last = [line for line in said.splitlines() if line.strip()]
    assert last.startswith("everything: stopped in a_long_step after ")
    assert "Traceback" not in said


def test_while_it_runs_the_report_says_so(tmp_path: Path, churn: Churn) -> None:
    """Why: it asked to mend what was merely under way."""
    home = tmp_path / "home"
    with held_run(home, tmp_path / "next-step") as process:
        told = churn("report", home=home)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=300)
    assert told.returncode == 1
    assert "mend that" not in told.stderr
    assert " ".join(told.stderr.split()).endswith(
        "UTC) hasn't ended; wait for it or, if nothing runs any more, `churn materialize`"
    )


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="there is no core to spare")
def test_a_second_process_begins_with_the_messages(tmp_path: Path) -> None:
    """However that ends, the run goes on; of what it prints nothing is on the screen."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.cli.ahead_materialize"],
        cwd=PROJECT,
        env=clean_environment()
        | {"CHURN_HOME": str(tmp_path / "home"), "CHURN_MESSAGES__THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *shown, last = [line for line in done.stderr.splitlines() if line.strip()]
    assert last.startswith("everything: SUCCESS in ")
    assert not any("made ahead no more" in line for line in shown)


def test_a_job_is_materialized_by_one_process_at_a_time(tmp_path: Path) -> None:
    """A second one would make each asset again, beside the first; a killed one keeps nobody out."""
    home, next_step = tmp_path / "home", tmp_path / "next-step"
    with held_run(home, next_step) as first:
        with held_run(home, next_step) as second:
            out, said = second.communicate(timeout=300)
        first.kill()
        first.wait()
    assert (second.returncode, out) == (1, "")
    [line] = said.splitlines()
    assert line.startswith(f"everything is being materialized already, by process {first.pid} (")
    with only_run_of("everything", home / "dagster"):
        pass


def test_a_folder_that_knows_no_locks_keeps_nobody_from_running(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A lock that cannot be had: another user's file, a disk that can only be read. It is said."""
    (tmp_path / "everything.lock").mkdir()
    with only_run_of("everything", tmp_path):
        pass
    assert "a second run of everything isn't noticed" in capsys.readouterr().err


def test_a_long_step_says_a_line_now_and_then_without_a_terminal() -> None:
    """In a log or a pipe nobody sees a bar; on a terminal the bar is enough."""

    def shown(is_terminal: bool) -> str:
        screen = io.StringIO()
        console = Console(file=screen, force_terminal=is_terminal, width=100, color_system=None)
        progress = Progress(console=console, auto_refresh=False)  # only what the view says
        view = RunView(progress, steps=1)
        moments: list[tuple[Kind, float]] = [("started", 0.0)]
        moments += [("log", seconds) for seconds in range(10, 100, 10)]
        for kind, seconds in moments:
            view(RunEvent(kind, "risk_model", f"at {seconds:.0f}", 1000.0 + seconds))
        return screen.getvalue()

    assert SILENT_SECONDS == 30
    lines = [line.split() for line in shown(is_terminal=False).splitlines() if "…" in line]
    assert lines == [["…", "risk_model", f"{s}", "s", "at", f"{s}"] for s in (30, 60, 90)]
    assert "…" not in shown(is_terminal=True)


def test_a_failed_check_is_found_in_a_log() -> None:
    """Without colours, too; and why a run that succeeded has one. Both kinds began with `!`."""
    screen = io.StringIO()
    console = Console(file=screen, width=100, color_system=None)
    view = RunView(Progress(console=console, auto_refresh=False), steps=1)
    kinds: list[Kind] = ["check_passed", "check_warned", "check_failed"]
    for kind in kinds:
        view(RunEvent(kind, f"risk_model: {kind}", "value 1", 0.0))
    assert "  ! risk_model: check_warned value 1" in screen.getvalue()
    assert "  ✗ risk_model: check_failed value 1" in screen.getvalue()
    assert "isn't made" not in screen.getvalue()
    view(RunEvent("check_failed", "risk_model: it_ranks", "value 1", 0.0, blocks=True))
    view.checks["check_failed"] -= 1
    said = " ".join(screen.getvalue().split())
    assert "✗ risk_model: it_ranks value 1; what depends on it isn't made; the rest is" in said
    told = verdicts(view.checks, succeeded=True)
    assert told.startswith("1 passed, 1 warned, 1 failed and stopped nothing (`churn report`")
    assert verdicts(view.checks, succeeded=False) == "1 passed, 1 warned, 1 failed"
    assert verdicts({**view.checks, "check_failed": 0}, succeeded=True).endswith(" 0 failed")


def test_old_logs_make_room(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Twenty runs' logs are kept, not every one for ever."""
    from churn_assets.cli import materialize
    from churn_assets.settings import Settings

    monkeypatch.setattr(materialize, "load_settings", lambda: Settings(home=tmp_path))
    for _ in range(25):
        log = materialize.new_log("everything")
        log.with_stem(f"{log.stem}-{_}").touch()
    assert len(list((tmp_path / "logs").iterdir())) == materialize.KEPT_LOGS
