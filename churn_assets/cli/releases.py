"""`churn releases`, `rollback`, `promote`: which release serves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from churn_assets.cli.errors import fail
from churn_assets.release.bundle import ReleaseError
from churn_assets.release.history import BY_HAND, Latest, ReleaseRecord
from churn_assets.release.registry import ReleaseRegistry
from churn_assets.settings import load_settings
from churn_assets.storage.opening import open_store
from churn_assets.storage.protocol import ArtifactError, ArtifactStore

NOTHING = (
    "nothing of churn is at {url}: is CHURN_STORE right, is the disk mounted? "
    "(A first installation: run `churn materialize`)"
)


def register(app: typer.Typer) -> None:
    app.command()(releases)
    app.command()(rollback)
    app.command()(promote)


def open_registry() -> ReleaseRegistry:
    """The releases in the artifact store that the settings name."""
    settings = load_settings()
    return ReleaseRegistry(open_store(settings.store_url, cache=settings.home / "cache"))


def begun_store() -> ArtifactStore:
    """The store that the settings name, to whoever switches something there.

    Raises:
        ArtifactError: nothing was ever stored there, so that nobody follows its switches.
    """
    store = open_registry().store
    if not store.is_begun():
        raise ArtifactError(NOTHING.format(url=store.url))
    return store


def releases(
    verify: Annotated[
        bool, typer.Option("--verify", help="Read every file of each, and say what is damaged")
    ] = False,
) -> None:
    """List the kept releases; the arrow points at the one that serves.

    With --verify it exits with 1 where one of them is damaged.
    """
    registry = open_registry()
    if not registry.store.is_begun():
        typer.echo(NOTHING.format(url=registry.store.url), err=True)
    latest, records = registry.latest(), registry.records()
    table = Table("", _whole_ids(records), "created (UTC)", "status", "why")
    for record in records:
        serves = latest is not None and record.release_id == latest.release_id
        status = "withdrawn" if record.withdrawn else "promoted" if record.promoted else "kept"
        if record.set_aside:
            status = "set aside"
        created = f"{record.created:%Y-%m-%d %H:%M}"
        table.add_row("→" if serves else "", record.release_id, created, status, record.reason)
    Console().print(table, crop=False)
    if verify and not _all_sound(registry, records):
        raise typer.Exit(1)


def _whole_ids(records: Sequence[ReleaseRecord]) -> Column:
    """The column of the ids, which are neither cut nor folded however narrow the screen is: they
    are copied into `churn promote`."""
    longest = max((len(record.release_id) for record in records), default=0)
    return Column("release", no_wrap=True, min_width=longest)


def _all_sound(registry: ReleaseRegistry, records: Sequence[ReleaseRecord]) -> bool:
    """Whether every file of each release is what its digest says; tells of each release."""
    sound = True
    for record in records:
        try:
            registry.open(record)
        except (ArtifactError, ReleaseError) as error:
            sound = False
            fail(error)
        else:
            typer.echo(f"{record.release_id}: every file is sound")
    return sound


def rollback() -> None:
    """Let the previous good release serve again."""
    _say(open_registry().rollback())


def promote(
    release_id: Annotated[
        str, typer.Argument(help="an id that `churn releases` lists, or how one begins")
    ],
) -> None:
    """Let a kept release serve, by decision of a person."""
    registry = open_registry()
    _say(registry.promote(_named(registry, release_id), BY_HAND))


def _named(registry: ReleaseRegistry, begins: str) -> str:
    """The only kept release whose id begins so; where there isn't exactly one, what was given."""
    ids = [r.release_id for r in registry.records() if begins and r.release_id.startswith(begins)]
    return ids[0] if len(ids) == 1 else begins


def _say(latest: Latest) -> None:
    """Which release serves now, and that predictions and plans are still of another."""
    typer.echo(
        f"{latest.release_id} serves: {latest.reason}\n"
        "Predictions and plans that another release made stay until you run "
        "`churn materialize --job score_customers`, then plan again."
    )
