"""How the command line says that something went wrong: one line on stderr, exit code 1."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console

from churn_assets.release.bundle import ReleaseError
from churn_assets.resources.artifact_store import ArtifactError


def fail(error: Exception) -> typer.Exit:
    """Say what is wrong on stderr; the caller raises the result."""
    Console(stderr=True).print(f"[red]{error}[/]", highlight=False)
    return typer.Exit(1)


@contextmanager
def plain_errors() -> Iterator[None]:
    """Within it, what store and releases report is shown without a traceback."""
    try:
        yield
    except (ArtifactError, ReleaseError) as error:
        raise fail(error) from error
