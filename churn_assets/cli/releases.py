"""`churn releases`, `rollback`, `promote`: which release serves."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from churn_assets.release.registry import ReleaseRegistry
from churn_assets.settings import load_settings
from churn_assets.storage.opening import open_store


def register(app: typer.Typer) -> None:
    app.command()(releases)
    app.command()(rollback)
    app.command()(promote)


def open_registry() -> ReleaseRegistry:
    """The releases in the artifact store that the settings name."""
    settings = load_settings()
    return ReleaseRegistry(open_store(settings.store_url, cache=settings.home / "cache"))


def releases() -> None:
    """List the kept releases; the arrow points at the one that serves."""
    registry = open_registry()
    latest, records = registry.latest(), registry.records()
    table = Table("", "release", "created (UTC)", "status", "why")
    for record in records:
        serves = latest is not None and record.release_id == latest.release_id
        status = "withdrawn" if record.withdrawn else "promoted" if record.promoted else "kept"
        created = f"{record.created:%Y-%m-%d %H:%M}"
        table.add_row("→" if serves else "", record.release_id, created, status, record.reason)
    Console().print(table)


def rollback() -> None:
    """Let the previous good release serve again."""
    latest = open_registry().rollback()
    typer.echo(f"{latest.release_id} serves: {latest.reason}")


def promote(
    release_id: Annotated[str, typer.Argument(help="an id that `churn releases` lists")],
) -> None:
    """Let a kept release serve, by decision of a person."""
    latest = open_registry().promote(release_id, "promoted by hand")
    typer.echo(f"{latest.release_id} serves: {latest.reason}")
