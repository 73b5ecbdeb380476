"""`churn materialize` and `churn dev`: run the asset graph here, or open it in the Dagster UI."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from churn_assets.settings import PROJECT, load_settings

if TYPE_CHECKING:
    import dagster as dg

DAGSTER_YAML = """\
# Written by `churn`. The embedded default: SQLite beside this file. A real deployment's file is
# modal_jobs/deploy/dagster.yaml.
telemetry:
  enabled: false
"""


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
    """Shows a run's events: one bar over the steps, a line for each finished step, bad news in full."""

    def __init__(self, console: Console, progress: Progress, steps: int) -> None:
        self.console = console
        self.progress = progress
        self.task = progress.add_task("starting", total=steps)
        self.started: dict[str, float] = {}
        self.failed_checks: list[str] = []
        self.checks = 0

    def __call__(self, entry: dg.EventLogEntry) -> None:
        step = entry.step_key or ""
        event = entry.dagster_event
        if event is None:  # a log line of a step: a stage's progress
            if step:
                line = entry.user_message.strip().splitlines()[-1:] or [""]
                self.progress.update(self.task, description=f"{step}  {line[0][:70]}")
            return
        if event.is_step_start:
            self.started[step] = entry.timestamp
            self.progress.update(self.task, description=step)
        elif event.is_step_success:
            seconds = entry.timestamp - self.started[step]
            self.progress.console.print(f"  [green]✓[/] {step} [dim]{seconds:.1f} s[/]")
            self.progress.advance(self.task)
        elif event.is_step_failure:
            self._print_failure(step, event)
        elif event.event_type_value == "ASSET_CHECK_EVALUATION":
            self._count_check(event.asset_check_evaluation_data)

    def _count_check(self, check: dg.AssetCheckEvaluation) -> None:
        self.checks += 1
        if not check.passed:
            name = f"{check.asset_key.to_user_string()}: {check.check_name}"
            level = check.severity.value
            self.failed_checks.append(name)
            colour = "red" if level == "ERROR" else "yellow"
            self.console.print(f"  [{colour}]{level}[/] check failed: {name} {check.description or ''}")

    def _print_failure(self, step: str, event: dg.DagsterEvent) -> None:
        error = event.step_failure_data.error
        cause = error
        while cause is not None and cause.cause is not None:
            cause = cause.cause
        message = cause.message.strip() if cause is not None else event.message
        self.console.print(f"  [red]✗ {step}[/]", f"{message}", sep="\n    ", markup=True)


def materialize(
    job: Annotated[
        str, typer.Option(help="everything, predictors, decision, messages or score_customers")
    ] = "everything",
) -> None:
    """Materialize the asset graph with Dagster and follow it here.

    Exits with 1 when the run failed; the release that was serving before keeps serving.
    """
    prepare_dagster_home()
    # Imported here, after DAGSTER_HOME is set: `churn --help` need not load Dagster.
    import dagster as dg

    from churn_assets.automation import jobs, load_job, run_job

    console = Console(stderr=True)
    names = [known.name for known in jobs]
    if job not in names:
        raise typer.BadParameter(f"no job {job!r}; there are {', '.join(names)}", param_hint="--job")
    steps = len(load_job(job).nodes)
    began = time.monotonic()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with dg.DagsterInstance.get() as instance, Progress(*columns, console=console) as progress:
        view = RunView(console, progress, steps)
        run = run_job(job, instance, view)
    seconds = time.monotonic() - began
    console.print(
        f"{job}: {run.status.value} in {seconds:.0f} s, "
        f"{view.checks - len(view.failed_checks)} of {view.checks} checks passed"
    )
    if not run.is_success:
        raise typer.Exit(1)


def dev(port: Annotated[int, typer.Option(help="Port of the Dagster UI")] = 3000) -> None:
    """Open the asset graph in the Dagster UI."""
    prepare_dagster_home()
    workspace = PROJECT / "workspace.yaml"
    command = [sys.executable, "-m", "dagster", "dev", "-w", str(workspace), "-p", str(port)]
    os.chdir(PROJECT)
    os.execv(sys.executable, command)  # noqa: S606 - our own interpreter and arguments
