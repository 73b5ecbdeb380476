"""Ids in a file that no customer has, nor had: what is told under them reaches nobody."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from churn_assets.storage.protocol import ArtifactStore

SHOWN = 3
ASKED = "are they written as in the customers' own table?"


def tell_strangers(
    ids: Collection[str], store: ArtifactStore, said: str = ASKED, of: str = ""
) -> None:
    """Name ids that no customer has, if there are any: an opt-out under a misspelt id reaches
    nobody. What was said of them is kept, as they may be customers of tomorrow. Where it can't be
    looked up, that is said: what comes before this is done, and must not seem to have failed.

    Args:
        ids: each once.
        said: what that means, or is to be asked.
        of: what the ids are in.
    """
    from churn_assets.storage.protocol import ArtifactError

    try:
        strangers = strangers_among(ids, store)
    except ArtifactError as error:
        why = " ".join(str(error).split())
        typer.echo(f"whether the ids{of} are of customers couldn't be looked up: {why}", err=True)
        return
    if strangers:
        first = ", ".join(map(repr, strangers[:SHOWN]))
        typer.echo(
            f"{len(strangers):,} of {len(ids):,} ids{of} are of no customer in the latest "
            f"predictions or the history, as {first}: {said}",
            err=True,
        )


def strangers_among(ids: Collection[str], store: ArtifactStore) -> list[str]:
    """Those of the ids that neither an active customer has nor one whom the history has, in order;
    none where nobody knows yet who is active."""
    from churn_assets.domain.splits import SPLITS
    from churn_assets.storage.current import asset_pointer, current_artifact
    from churn_assets.storage.tables import read_parquet

    tables = {
        asset: names
        for asset, names in (
            ("predictions", ("predictions",)),
            ("active_customers", SPLITS),
            ("customer_history", SPLITS),  # who left, too
        )
        if store.read_pointer(asset_pointer(asset)) is not None
    }
    if not tables.keys() - {"customer_history"}:
        return []
    unknown = set(ids)
    for asset, names in tables.items():
        for name in names if unknown else ():
            file = store.get(current_artifact(store, asset)) / f"{name}.parquet"
            unknown.difference_update(
                read_parquet(file, ["customer_id"])["customer_id"].to_pylist()
            )
    return sorted(unknown)
