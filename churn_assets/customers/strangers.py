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
IDS = "known/ids.parquet"
"""In an asset made of a company's own table: the ids of all its rows, also of those that no split
holds. Artifacts of before have no such file."""


def strangers_among(ids: Collection[str], store: ArtifactStore) -> list[str]:
    """Those of the ids that neither an active customer has nor one whom the history has, in order;
    none where nobody knows yet who is active. Raises ArtifactError."""
    assets = _assets(store)
    unknown = set(ids) if assets else set()
    for asset in assets:
        if unknown:
            unknown.difference_update(_ids(store, asset))
    return sorted(unknown)


def nearly_customers(strangers: Collection[str], store: ArtifactStore) -> list[str]:
    """Those of ids that nobody has (`strangers_among`) that are nearly a customer's, as 8308 is
    nearly 0008308: they differ from it in capitals, leading zeros and what is neither letter nor
    digit alone. In order. An id in which nothing else is left, as 000, is nearly nobody's. Raises
    ArtifactError."""
    plain = {_plain(each) for each in strangers} - {""}
    near: set[str] = set()
    for asset in _assets(store) if plain else ():
        near.update(plain.intersection(map(_plain, _ids(store, asset))))
    return sorted(each for each in strangers if _plain(each) in near)


def looked_for(
    ids: Collection[str], store: ArtifactStore
) -> dict[str, tuple[bool | None, list[str]]]:
    """Each id -> whether somebody has or had it, as in `strangers_among` (None: nobody knows yet
    who is active), and otherwise which customers' ids are nearly so (`nearly_customers`), in order.
    Raises ArtifactError.
    """
    assets, plain = _assets(store), {_plain(each) for each in ids} - {""}
    known: set[str] = set()
    near: dict[str, set[str]] = {each: set() for each in plain}
    for asset in assets:
        for each in _ids(store, asset):
            known.add(each)
            if (kind := _plain(each)) in near:
                near[kind].add(each)
    unknown = False if assets else None
    return {
        each: (True, []) if each in known else (unknown, sorted(near.get(_plain(each), ())))
        for each in ids
    }


def _plain(customer_id: str) -> str:
    return "".join(filter(str.isalnum, customer_id.casefold())).lstrip("0")


def _assets(store: ArtifactStore) -> list[str]:
    """The assets that have customers; none while nobody knows who is active."""
    there = [asset for asset in TABLES if store.read_pointer(asset_pointer(asset)) is not None]
    return there if {*there} - {"customer_history"} else []


def _ids(store: ArtifactStore, asset: str) -> list[str]:
    # Imported here: whoever needs the sentences alone needs no tables.
    from churn_assets.storage.tables import read_parquet

    folder = store.get(current_artifact(store, asset))
    files = [f"{name}.parquet" for name in TABLES[asset]]
    ids: list[str] = []
    for file in [IDS] if (folder / IDS).exists() else files:
        ids += read_parquet(folder / file, ["customer_id"])["customer_id"].to_pylist()
    return ids


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
