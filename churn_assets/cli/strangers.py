"""Ids in a file that no customer has, nor had, on the screen."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import typer

from churn_assets.cli.errors import fail
from churn_assets.customers.strangers import ASKED, named, not_looked_up, strangers_among
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
    """Raise typer.Exit, with a sentence, where half of a file's ids or more are nobody's: a
    spreadsheet took the zeros of all of them, say. Recorded, its events would keep their ids, and
    the corrected file be refused. Where it can't be looked up, nothing is refused."""
    try:
        strangers = strangers_among(ids, store)
    except ArtifactError:  # said once the file is read
        return
    if strangers and 2 * len(strangers) >= len(ids):
        raise fail(
            ValueError(
                f"{named(strangers, len(ids))} Nothing of {file} is recorded. If they are right, "
                "as of who left long ago, add --force"
            )
        )
