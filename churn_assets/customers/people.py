"""What of the customers lies apart from what models read: names, zones, languages, opt-outs.

`people/people.parquet` beside the typed tables has it; no prediction, decision or release does.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from churn_assets.storage.current import asset_pointer, current_artifact
from churn_assets.storage.protocol import ArtifactStore

PEOPLE = "people/people.parquet"
ASSET = "active_customers"


class CustomerZones:
    """In which time zone each customer lives, of whom the contract's table says it.

    Immutable; equal only to itself.
    """

    def __init__(self, zones: Mapping[str, str]) -> None:
        self._zones = zones

    def __len__(self) -> int:
        return len(self._zones)

    def of(self, customer_id: str) -> str | None:
        """An IANA zone; None where it isn't known."""
        return self._zones.get(customer_id)


UNKNOWN_ZONES = CustomerZones({})


def people_file(store: ArtifactStore) -> Path | None:
    """The table of the current active customers; None where there is none.

    Raises:
        ArtifactError: it is damaged, or can't be fetched.
    """
    if store.read_pointer(asset_pointer(ASSET)) is None:
        return None
    file = store.get(current_artifact(store, ASSET)) / PEOPLE
    return file if file.exists() else None


def read_zones(file: Path | None) -> CustomerZones:
    """The zones in a table of people; none are known where there is no table, or no such column."""
    import pyarrow.parquet as pq

    if file is None or "zone" not in pq.read_schema(file).names:
        return UNKNOWN_ZONES
    table = pq.read_table(file, columns=["customer_id", "zone"])
    ids, zones = (table[name].to_pylist() for name in ("customer_id", "zone"))
    one: dict[str, str] = {}  # one text for each zone, however many live in it
    found = zip(ids, zones, strict=True)
    return CustomerZones({i: one.setdefault(zone, zone) for i, zone in found if zone})
