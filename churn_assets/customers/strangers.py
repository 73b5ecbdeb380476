"""Ids in a file that no customer has, nor had: what is told under them reaches nobody."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from churn_assets.domain.splits import SPLITS
from churn_assets.storage.current import asset_pointer, current_artifact
from churn_assets.storage.protocol import ArtifactError, ArtifactStore

SHOWN = 3
ASKED = "are they written as in the customers' own table?"
TABLES = {
    "predictions": ("predictions",),
    "active_customers": SPLITS,
    "customer_history": SPLITS,  # who left, too
}
"""Where customers are -> the asset's tables."""


def strangers_among(ids: Collection[str], store: ArtifactStore) -> list[str]:
    """Those of the ids that neither an active customer has nor one whom the history has, in order;
    none where nobody knows yet who is active. Raises ArtifactError."""
    # Imported here: whoever needs the sentences alone needs no tables.
    from churn_assets.storage.tables import read_parquet

    there = [asset for asset in TABLES if store.read_pointer(asset_pointer(asset)) is not None]
    if not {*there} - {"customer_history"}:
        return []
    unknown = set(ids)
    for asset in there:
        for name in TABLES[asset] if unknown else ():
            file = store.get(current_artifact(store, asset)) / f"{name}.parquet"
            unknown.difference_update(
                read_parquet(file, ["customer_id"])["customer_id"].to_pylist()
            )
    return sorted(unknown)


def named(strangers: Sequence[str], among: int, said: str = ASKED, of: str = "") -> str:
    """A sentence about ids that no customer has, at least one, with the first of them.

    Args:
        among: how many ids there are.
        said: what that means, or is to be asked.
        of: what the ids are in.
    """
    return (
        f"{len(strangers):,} of {among:,} ids{of} are of no customer in the latest predictions or "
        f"the history, as {first_of(strangers)}: {said}"
    )


def first_of(strangers: Sequence[str]) -> str:
    """The first few of the ids, as they are written."""
    return ", ".join(map(repr, strangers[:SHOWN]))


def not_looked_up(error: ArtifactError, of: str = "") -> str:
    """A sentence where nobody can tell whose ids they are."""
    why = " ".join(str(error).split())
    return f"whether the ids{of} are of customers couldn't be looked up: {why}"
