"""A terminal's progress bar for downloads."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from churn_assets import stage


@contextmanager
def progress_bar(label: str, console: Console | None = None) -> Iterator[stage.Progress]:
    """A `Progress` that draws a bar while the block runs; without a total it only counts."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bars:
        task = bars.add_task(label, total=None)

        def advance(step: int, total: int, **metrics: float) -> None:
            bars.update(task, completed=step, total=total or None)

        yield advance
