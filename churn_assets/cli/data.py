"""`churn data`: fetch the public sources, copy artifacts to the bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from churn_assets.datasets.config import SOURCE_NAMES
from churn_assets.settings import load_settings

if TYPE_CHECKING:
    from churn_assets.storage.protocol import ArtifactStore

app = typer.Typer(help="Fetch the public data; upload artifacts.", no_args_is_help=True)


class Bar:
    """A download's progress as one bar of a display."""

    def __init__(self, bars: Progress, name: str) -> None:
        self.bars = bars
        self.task = bars.add_task(name, total=None)

    def __call__(self, step: int, total: int, **metrics: float) -> None:
        self.bars.update(self.task, completed=step, total=total)


@app.command()
def pull(
    names: Annotated[
        list[str] | None, typer.Argument(help=f"some of {', '.join(SOURCE_NAMES)}; default: all")
    ] = None,
) -> None:
    """Fetch raw data: from the mirror, else the public host, else the synthetic generator."""
    # Imported here: the hub library costs seconds that other commands need not pay.
    from churn_assets.datasets.errors import DataError, SourceUnavailableError
    from churn_assets.datasets.pull import pull as fetch

    wanted = names or list(SOURCE_NAMES)
    if unknown := sorted(set(wanted) - set(SOURCE_NAMES)):
        known = ", ".join(SOURCE_NAMES)
        raise typer.BadParameter(f"no data set {unknown[0]!r}; there are {known}")
    settings = load_settings()
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bars:
        for name in wanted:
            show = Bar(bars, name)
            try:
                raw = fetch(SOURCE_NAMES[name], settings.data, settings.home / "raw", show)
            except (DataError, SourceUnavailableError) as error:
                console.print(f"[red]✗ {name}[/]: {error}", highlight=False)
                raise typer.Exit(1) from error
            colour = "yellow" if raw.source == "synthetic" else "green"
            console.print(f"[{colour}]✓ {name}[/] {raw.source} {raw.sha256[:16]} {raw.path}")


@app.command()
def upload(
    force: Annotated[
        bool, typer.Option("--force", help="Replace what the bucket has in service")
    ] = False,
) -> None:
    """Copy this machine's artifacts and pointers to the bucket that CHURN_STORE names.

    Refuses to change what a bucket in use has in service, and to put a release into production that
    learnt from generated data, unless forced.
    """
    from churn_assets.storage.opening import open_store
    from churn_assets.storage.retention import copy_store

    settings = load_settings()
    if not settings.store.startswith("gs://"):
        raise typer.BadParameter("set CHURN_STORE=gs://bucket/prefix: where to upload to")
    source = open_store(str(settings.home / "store"))
    target = open_store(settings.store, cache=settings.home / "cache")
    if not (settings.data.allow_synthetic or force):
        _refuse_generated(source)
    copied = copy_store(source, target, replace=force)
    Console(stderr=True).print(f"{copied} artifacts are now in {target.url}")


def _refuse_generated(source: ArtifactStore) -> None:
    """End with one line where the release in service learnt from the generator's tables."""
    from churn_assets.release.registry import ReleaseRegistry

    serving = ReleaseRegistry(source).serving_manifest()
    if serving is not None and serving.generated:
        raise typer.BadParameter(
            f"{serving.release_id} learnt from generated data ({', '.join(serving.generated)}), "
            "which CHURN_PROFILE=production doesn't allow: build a release of real data (README, "
            "Data), or --force"
        )
