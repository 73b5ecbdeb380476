"""Ids in a file that no customer has, nor had, on the screen."""

from __future__ import annotations

from collections.abc import Collection

import typer

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
