"""What `churn outcomes import` and `churn campaign import` have in common."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import typer

from churn_assets.cli.errors import fail

SHOWN = 20


def fields_named(column: Sequence[str] | None) -> dict[str, str]:
    """Field -> the file's name of it, from FIELD=NAME; raises typer.BadParameter for others."""
    names = dict(pair.split("=", 1) for pair in column or () if "=" in pair)
    if len(names) != len(column or ()):
        raise typer.BadParameter("write --column FIELD=NAME")
    return names


def report_import(
    file: Path, what: str, stored: int, known: int, refused: Sequence[tuple[int, str]]
) -> None:
    """Say what became of a file's rows; exits with 1 where some are refused."""
    typer.echo(f"{stored:,} {what} added, {known:,} were there already")
    for number, why in refused[:SHOWN]:
        typer.echo(f"row {number}: {why}", err=True)
    if refused:
        raise fail(ValueError(f"{len(refused):,} rows of {file} are refused"))
