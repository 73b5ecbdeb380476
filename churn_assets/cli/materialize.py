"""`churn materialize` and `churn dev`: run the asset graph here, or open it in the Dagster UI."""

from __future__ import annotations

import fcntl
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from churn_assets.cli.errors import fail
from churn_assets.domain.paths import absolute
from churn_assets.environment import absolute_paths
from churn_assets.settings import PROJECT, load_settings

if TYPE_CHECKING:
    from churn_assets.orchestration.run_follower import RunEvent

DAGSTER_YAML = """\
# Written by `churn`. The embedded default: SQLite beside this file. A real deployment's file is
# modal_jobs/deploy/dagster.yaml.
telemetry:
  enabled: false
nux:
  enabled: false
"""


def fail_dead_runs() -> None:
    """Say so of runs that a killed process left under way; they would count as running for ever."""
    # Imported here, after DAGSTER_HOME is set: `churn --help` need not load Dagster.
    from churn_assets.orchestration import dead_runs

    for run in dead_runs.fail_dead_runs():
        typer.echo(f"{run} was killed: marked as failed", err=True)


@contextmanager
def records_in(home: Path) -> Iterator[None]:
    """Within it, records of Dagster's that can't be read or written end the command in one line."""
    from sqlalchemy.exc import DBAPIError

    try:
        yield
    except DBAPIError as error:
        why = " ".join(str(error.orig).split())
        raise fail(
            RuntimeError(f"Dagster's records, by {home / 'dagster.yaml'}: {why}; mend that")
        ) from error


@contextmanager
def only_run_of(job: str, home: Path) -> Iterator[None]:
    """Within it no other `churn materialize` of this machine runs the job on the same records: two
    would make each asset twice, and either would find parts of the other's. The system lets go of
    the lock for a process that was killed. A folder that can't be written to, or knows no locks,
    keeps nobody from running: that is said."""
    path = home / f"{job}.lock"
    with ExitStack() as held:
        try:
            lock = held.enter_context(path.open("a+"))
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
        except BlockingIOError:
            by = path.read_text() or "?"
            raise fail(
                RuntimeError(
                    f"{job} is being materialized already, by process {by} "
                    f"(Dagster's records are in {home}): wait for it, or stop it (Ctrl-C)"
                )
            ) from None
        except OSError as error:
            typer.echo(f"{path}: {error.strerror}; a second run of {job} isn't noticed", err=True)
        yield


EVERYTHING = "everything"
KEPT_LOGS = 20
GATES = "docs/gates.md"
SILENT_SECONDS = 30.0
"""How long a step may take without a line, where no bar shows that it goes on."""


def register(app: typer.Typer) -> None:
    app.command()(materialize)
    app.command()(dev)


def prepare_dagster_home() -> Path:
    """The folder of Dagster's own records, made on first use unless DAGSTER_HOME names one."""
    home = absolute(Path(os.environ.get("DAGSTER_HOME") or load_settings().home / "dagster"))
    os.environ["DAGSTER_HOME"] = str(home)  # Dagster itself takes absolute paths only
    home.mkdir(parents=True, exist_ok=True)
    config = home / "dagster.yaml"
    if not config.exists():
        config.write_text(DAGSTER_YAML)
    return home


class RunView:
    """Shows a run: one bar over the steps, a line for each finished step, bad news in full; without
    a terminal, where no bar is drawn, a line now and then of a step that takes long.

    Attributes:
        stopped: the step in which somebody stopped the run; empty otherwise.
    """

    def __init__(self, progress: Progress, steps: int) -> None:
        self.progress = progress
        self.task = progress.add_task("starting", total=steps)
        self.started: dict[str, float] = {}
        self.checks = {"check_passed": 0, "check_warned": 0, "check_failed": 0}
        self.stopped = ""
        self.said = 0.0

    def __call__(self, event: RunEvent) -> None:
        say = self.progress.console.print
        name, text = escape(event.subject), escape(event.text)
        if event.kind == "started":
            self.started[event.subject] = self.said = event.time
            self.progress.update(self.task, description=name)
        elif event.kind == "log":
            self.progress.update(self.task, description=f"{name}  {text[:70]}")
            if not self.progress.console.is_terminal and event.time >= self.said + SILENT_SECONDS:
                self.said = event.time
                seconds = event.time - self.started.get(event.subject, event.time)
                say(f"  … {name} [dim]{seconds:.0f} s[/]  {text}")
        elif event.kind == "materialized":
            seconds = event.time - self.started[event.subject]
            why = f"  {text}" if text else ""
            say(f"  [green]✓[/] {name} [dim]{seconds:.1f} s{why}[/]")
        elif event.kind == "succeeded":
            self.progress.advance(self.task)
        elif event.kind == "stopped":
            self.stopped = event.subject
        elif event.kind == "failed":
            say(f"  [red]✗ {name}[/]\n    {text}")
        else:
            self.checks[event.kind] += 1
            if event.kind == "check_warned":
                say(f"  [yellow]! {name}[/] {text}")
            elif event.kind == "check_failed":
                say(f"  [red]✗ {name}[/] {text}{GOES_ON if event.blocks else ''}")


GOES_ON = (
    "; what depends on it isn't made; the rest is, and isn't made again by the next run, so that "
    "you may stop this one (Ctrl-C)"
)
"""Said of a blocking check that failed: the messages, say, need no customers, and take minutes."""


def verdicts(checks: Mapping[str, int], *, succeeded: bool) -> str:
    """How many checks passed, warned and failed; of a run that succeeded although some failed, what
    that means."""
    passed, warned, failed = checks.values()
    meant = " and stopped nothing (`churn report` says what is served)"
    return (
        f"{passed} passed, {warned} warned, {failed} failed{meant if failed and succeeded else ''}"
    )


def new_log(job: str) -> Path:
    """The file for what libraries and stages print during a run; the oldest beyond 20 go."""
    folder = load_settings().home / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    kept = sorted(folder.glob("*.log"), key=lambda file: file.stat().st_mtime)
    for old in kept[: 1 - KEPT_LOGS]:
        old.unlink(missing_ok=True)
    return folder / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{job}-{os.getpid()}.log"


@contextmanager
def output_to(log: Path) -> Iterator[Console]:
    """Within it this process and its children write to `log`; the console is still the terminal.

    The descriptors themselves are moved, since child processes and C libraries know nothing else.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    out, err = os.dup(1), os.dup(2)
    with log.open("ab") as file, os.fdopen(err, "w", encoding="utf-8", closefd=False) as screen:
        try:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
            yield Console(file=screen, soft_wrap=True)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os.dup2(out, 1)
            os.dup2(err, 2)
            os.close(out)
            screen.flush()
            os.close(err)


def materialize(
    job: Annotated[
        str,
        typer.Option(
            help="everything, predictors, decision, messages, score_customers, follow_release, "
            "measure_outcomes, plan_campaign or deliver_campaign"
        ),
    ] = EVERYTHING,
) -> None:
    """Materialize the asset graph with Dagster and follow it here.

    What libraries and stages print goes to a log file. Exits with 1 when the run failed or was
    stopped (Ctrl-C, SIGTERM); the release that was serving before keeps serving.
    """
    home = prepare_dagster_home()
    with records_in(home):
        _materialize(job, home)


def _materialize(job: str, home: Path) -> None:
    """Run the job and follow it; Dagster's records are in `home`."""
    fail_dead_runs()
    # Imported here, after DAGSTER_HOME is set: `churn --help` need not load Dagster.
    from churn_assets.definitions import job_names

    names = job_names()
    if job not in names:
        raise typer.BadParameter(
            f"no job {job!r}; there are {', '.join(names)}", param_hint="--job"
        )
    with only_run_of(job, home):
        _follow(job, home)


def _follow(job: str, home: Path) -> None:
    """Run the job, show it, and exit with 1 where it doesn't succeed."""
    from churn_assets.definitions import load_job
    from churn_assets.orchestration.ahead import leaves_a_core, made_ahead
    from churn_assets.orchestration.records import quick_records
    from churn_assets.orchestration.run_follower import run_job

    settings = load_settings()
    local = settings.compute.backend == "local" and settings.compute.local.ahead
    beside = job == EVERYTHING and local and leaves_a_core(settings.messages.threads)

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    began, log = time.monotonic(), new_log(job)
    with output_to(log) as console:
        # Not redirected by the display: what libraries print belongs to the log.
        progress = Progress(*columns, console=console, redirect_stdout=False, redirect_stderr=False)
        with progress, made_ahead() if beside else nullcontext() as ahead, quick_records(home):
            view = RunView(progress, steps=len(load_job(job).nodes))
            told, tags = (view, {}) if ahead is None else (_both(view, ahead), ahead.tags)
            run = run_job(job, told, log, tags=tags)
    failed = view.checks["check_failed"]
    seconds = time.monotonic() - began
    Console(stderr=True, soft_wrap=True).print(
        f"{job}: stopped in {view.stopped} after {seconds:.0f} s; what was finished is kept, and "
        f"not made again by the next run; log: {log}"
        if view.stopped
        else f"{job}: {run.status.value} in {seconds:.0f} s; "
        f"checks: {verdicts(view.checks, succeeded=run.is_success)}; log: {log}",
        highlight=False,
    )
    if failed:
        typer.echo(f"what each check asks for: {GATES}", err=True)
    if not run.is_success:
        raise typer.Exit(1)


def _both(
    first: Callable[[RunEvent], None], second: Callable[[RunEvent], None]
) -> Callable[[RunEvent], None]:
    """Tells both of each event."""

    def tell(event: RunEvent) -> None:
        first(event)
        second(event)

    return tell


def dev(port: Annotated[int, typer.Option(help="Port of the Dagster UI")] = 3000) -> None:
    """Open the asset graph in the Dagster UI."""
    with records_in(prepare_dagster_home()):
        fail_dead_runs()
    workspace = PROJECT / "workspace.yaml"
    command = [sys.executable, "-m", "dagster", "dev", "-w", str(workspace), "-p", str(port)]
    os.environ.update(absolute_paths(load_settings()))
    os.chdir(PROJECT)
    os.execv(sys.executable, command)  # noqa: S606 - our own interpreter and arguments
