"""`churn materialize` and `churn dev`: run the asset graph here, or open it in the Dagster UI."""

from __future__ import annotations

import os
import sys
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from churn_assets.settings import PROJECT, load_settings

if TYPE_CHECKING:
    from churn_assets.resources.following import RunEvent

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
    from churn_assets.resources import dead_runs

    for run in dead_runs.fail_dead_runs():
        typer.echo(f"{run} was killed: marked as failed", err=True)


def register(app: typer.Typer) -> None:
    app.command()(materialize)
    app.command()(dev)


def prepare_dagster_home() -> Path:
    """The folder of Dagster's own records, made on first use unless DAGSTER_HOME names one."""
    home = Path(os.environ.setdefault("DAGSTER_HOME", str(load_settings().home / "dagster")))
    home.mkdir(parents=True, exist_ok=True)
    config = home / "dagster.yaml"
    if not config.exists():
        config.write_text(DAGSTER_YAML)
    return home


class RunView:
    """Shows a run: one bar over the steps, a line for each finished step, bad news in full."""

    def __init__(self, progress: Progress, steps: int) -> None:
        self.progress = progress
        self.task = progress.add_task("starting", total=steps)
        self.started: dict[str, float] = {}
        self.checks = {"check_passed": 0, "check_warned": 0, "check_failed": 0}

    def __call__(self, event: RunEvent) -> None:
        say = self.progress.console.print
        name, text = escape(event.subject), escape(event.text)
        if event.kind == "started":
            self.started[event.subject] = event.time
            self.progress.update(self.task, description=name)
        elif event.kind == "log":
            self.progress.update(self.task, description=f"{name}  {text[:70]}")
        elif event.kind == "materialized":
            seconds = event.time - self.started[event.subject]
            say(f"  [green]✓[/] {name} [dim]{seconds:.1f} s[/]")
        elif event.kind == "succeeded":
            self.progress.advance(self.task)
        elif event.kind == "failed":
            say(f"  [red]✗ {name}[/]\n    {text}")
        else:
            self.checks[event.kind] += 1
            if event.kind != "check_passed":
                colour = "red" if event.kind == "check_failed" else "yellow"
                say(f"  [{colour}]! {name}[/] {text}")


def materialize(
    job: Annotated[
        str,
        typer.Option(
            help="everything, predictors, decision, messages, score_customers or follow_release"
        ),
    ] = "everything",
) -> None:
    """Materialize the asset graph with Dagster and follow it here.

    Exits with 1 when the run failed; the release that was serving before keeps serving.
    """
    prepare_dagster_home()
    fail_dead_runs()
    # Dagster Pipes announces a preview feature at every stage; nothing a user could act on.
    warnings.filterwarnings("ignore", message=".*currently in preview.*")
    # Imported here, after DAGSTER_HOME is set: `churn --help` need not load Dagster.
    from churn_assets.automation import jobs
    from churn_assets.resources.following import load_job, run_job

    names = [known.name for known in jobs]
    if job not in names:
        raise typer.BadParameter(
            f"no job {job!r}; there are {', '.join(names)}", param_hint="--job"
        )
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    began = time.monotonic()
    with Progress(*columns, console=console) as progress:
        view = RunView(progress, steps=len(load_job(job).nodes))
        run = run_job(job, view)
    passed, warned, failed = view.checks.values()
    console.print(
        f"{job}: {run.status.value} in {time.monotonic() - began:.0f} s; "
        f"checks: {passed} passed, {warned} warned, {failed} failed"
    )
    if not run.is_success:
        raise typer.Exit(1)


def dev(port: Annotated[int, typer.Option(help="Port of the Dagster UI")] = 3000) -> None:
    """Open the asset graph in the Dagster UI."""
    prepare_dagster_home()
    fail_dead_runs()
    workspace = PROJECT / "workspace.yaml"
    command = [sys.executable, "-m", "dagster", "dev", "-w", str(workspace), "-p", str(port)]
    os.chdir(PROJECT)
    os.execv(sys.executable, command)  # noqa: S606 - our own interpreter and arguments
