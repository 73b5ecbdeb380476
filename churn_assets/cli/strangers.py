"""Ids in a file that no customer has, nor had, on the screen."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import typer

from churn_assets.cli.errors import fail
from churn_assets.customers.strangers import (
    ASKED,
    first_of,
    named,
    nearly_customers,
    not_looked_up,
    strangers_among,
)
from churn_assets.storage.protocol import ArtifactError, ArtifactStore


def tell_strangers(ids: Collection[str], store: ArtifactStore, said: str = ASKED) -> None:
    """Name ids that no customer has, if there are any: an opt-out under a misspelt id reaches
    nobody. What was said of them is kept, as they may be customers of tomorrow. Where it can't be
    looked up, that is said: what comes before this is done, and must not seem to have failed.

    Args:
        ids: each once.
        said: what that means, or is to be asked.
    """
    try:
        strangers = strangers_among(ids, store)
    except ArtifactError as error:
        typer.echo(not_looked_up(error), err=True)
        return
    if strangers:
        typer.echo(named(strangers, len(ids), said), err=True)


def refuse_strangers(ids: Collection[str], store: ArtifactStore, file: Path) -> None:
    """Raise typer.Exit, with a sentence, where half of a file's ids or more are nobody's, and half
    of those or more are nearly a customer's: a spreadsheet took the zeros of all of them, say.
    Recorded, its events would keep their ids, and the corrected file be refused. New customers, or
    who left long ago, are no reason: what the file says of the others would be lost. Where it can't
    be looked up, nothing is refused."""
    try:
        strangers = strangers_among(ids, store)
        if not strangers or 2 * len(strangers) < len(ids):
            return
        near = nearly_customers(strangers, store)
    except ArtifactError:  # said once the file is read
        return
    if 2 * len(near) >= len(strangers):
        raise fail(
            ValueError(
                f"{named(strangers, len(ids))} {len(near):,} of them are customers' ids but for "
                f"zeros, capitals or punctuation, as {first_of(near)}. Nothing of {file} is "
                "recorded. If they are right, add --force"
            )
        )
