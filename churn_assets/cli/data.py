"""`churn data`: fetch the public sources, move a store to the bucket."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from churn_assets.datasets.config import SOURCE_NAMES
from churn_assets.settings import load_settings

if TYPE_CHECKING:
    from churn_assets.campaign.contacts.ledger import Ledger
    from churn_assets.campaign.contacts.opening import LateLedger
    from churn_assets.settings import Settings
    from churn_assets.storage.protocol import ArtifactStore

NOTHING_HERE = (
    "nothing of churn is at {url}, so there is nothing to upload: is CHURN_HOME right, is the disk "
    "mounted?"
)

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
    """Copy this machine's artifacts, pointers and feedback to the bucket that CHURN_STORE names.

    The contact ledger goes to the database that CHURN_CAMPAIGN__LEDGER names, if that is empty.

    Refuses to change what a bucket in use has in service, and to put a release into production that
    learnt from generated data, unless forced.
    """
    from churn_assets.campaign.contacts.opening import LateLedger
    from churn_assets.storage.opening import open_store
    from churn_assets.storage.protocol import ArtifactError
    from churn_assets.storage.retention import copy_store

    settings = load_settings()
    if not settings.store.startswith("gs://"):
        raise typer.BadParameter("set CHURN_STORE=gs://bucket/prefix: where to upload to")
    source = open_store(str(settings.home / "store"))
    if not source.is_begun():
        raise ArtifactError(NOTHING_HERE.format(url=source.url))
    target = open_store(settings.store, cache=settings.home / "cache")
    if not (settings.data.allow_synthetic or force):
        _refuse_generated(source)
    # Opened first: a wrong setting is said before anything is copied.
    with closing(LateLedger(settings.campaign.ledger.get_secret_value(), settings.home)) as ledger:
        copied = copy_store(source, target, replace=force)
        _say(f"{copied} artifacts are now in {target.url}")
        # The ledger before the feedback, which tells it: two ledgers are not mixed.
        _move_ledger(settings, ledger)
        _move_feedback(settings, target, ledger)
        _tell_missing(settings, ledger)


def _say(line: str) -> None:
    Console(stderr=True, soft_wrap=True).print(line, markup=False, highlight=False)


@contextmanager
def _left_behind(settings: Settings, late: LateLedger) -> Iterator[tuple[Ledger, Ledger] | None]:
    """The home folder's ledger and the one in force; None where that is the same, or none there."""
    if not settings.campaign.ledger.get_secret_value():
        yield None
        return
    from churn_assets.campaign.contacts.moving import ledger_left_behind

    source = ledger_left_behind(settings.home, late.opened())
    if source is None:
        yield None
        return
    with closing(source):
        yield source, late.opened()


def _move_ledger(settings: Settings, late: LateLedger) -> None:
    """Copy the home folder's ledger to the one in force, where that is another and empty."""
    from churn_assets.campaign.contacts.moving import move_ledger

    with _left_behind(settings, late) as ledgers:
        if ledgers is not None and any((rows := move_ledger(*ledgers)).values()):
            counts = ", ".join(f"{count:,} {name}" for name, count in rows.items())
            _say(f"contact ledger: copied to {ledgers[1].shown}: {counts}")


def _tell_missing(settings: Settings, late: LateLedger) -> None:
    """End with one line where the ledger in force lacks contacts of the home folder's."""
    from churn_assets.campaign.contacts.moving import missing_events
    from churn_assets.campaign.errors import LedgerError

    with _left_behind(settings, late) as ledgers:
        if ledgers is not None and (missing := missing_events(*ledgers)):
            raise LedgerError(
                f"both {ledgers[0].shown} and {ledgers[1].shown} have contacts, so the ledger was "
                f"not copied: {missing:,} events of the file, opt-outs perhaps, are not in the "
                "database. `churn campaign import` those that count, then move the file away "
                "(docs/operations.md, Move a store)"
            )


def _move_feedback(settings: Settings, target: ArtifactStore, ledger: LateLedger) -> None:
    """Copy the home folder's feedback into the log that goes with a store, where there is any."""
    from churn_assets.serving.feedback import FILE, SqliteFeedbackLog, open_feedback_log

    file = settings.home / FILE
    if not file.exists():
        return
    from churn_assets.campaign.contacts.feed import LedgerFeed
    from churn_assets.campaign.contacts.moving import move_feedback

    feed = LedgerFeed(open_feedback_log(target, settings.home), ledger)
    with closing(SqliteFeedbackLog(file)) as log, closing(feed):
        moved = move_feedback(log, feed)
    line = f"feedback: {moved.stored:,} events copied to {target.url}, {moved.known:,} were there"
    if moved.conflicting:
        line += f", {moved.conflicting:,} left out: another event has their id there"
    if moved.erased:
        line += f", {moved.erased:,} left out: their customers were erased since"
    _say(line)


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
