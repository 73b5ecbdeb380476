"""How many customers the tables had lately: what a table that was exported by half is told by.

A table whose export broke off looks like any other one. Who is missing from it is not scored and
not contacted, and nothing else would say so. So each time that a company's tables are read, their
rows are counted into the pointer `counted/ASSET` of the store, and held against the most that they
had within the days before: not against the last count alone, since a table that broke off stays as
it is until somebody mends it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from pydantic import AwareDatetime, BaseModel, ConfigDict, NonNegativeInt, TypeAdapter

from churn_assets.storage.current import change_pointer, parse_pointer
from churn_assets.storage.protocol import ArtifactStore

ACTIVE, HISTORY = "active_customers", "customer_history"
LATELY = timedelta(days=30)
"""How old counts may be that the newest is held against; where all are older, the latest is."""
SHARE_FEWER, FEW = 0.1, 20
"""Fewer by less than a tenth, or than 20 rows, is nothing to look at: in a month of a bad year a
twentieth of all may leave. An export that breaks off is as likely to do so anywhere."""
FEWER = {
    ACTIVE: "Only {now:,} customers are active, and {most:,} were on {day}. Is that table whole? "
    "Who is missing isn't scored and not contacted; they don't count as having left",
    HISTORY: "The history has only {now:,} rows that can be used, and had {most:,} on {day}. Is "
    "that table whole? Models learn from what is there",
}
ANEW = "remove it: the next `churn materialize` writes it anew"


class Count(BaseModel):
    """Rows, at a time."""

    model_config = ConfigDict(frozen=True)

    at: AwareDatetime
    rows: NonNegativeInt


class Counts(BaseModel):
    """What a pointer says: a contract's name, and the counts of its table, the newest last."""

    model_config = ConfigDict(frozen=True)

    contract: str
    counts: tuple[Count, ...]


class Fall(NamedTuple):
    """A table's rows now, the most that it had lately, and the day (UTC) of those."""

    now: int
    most: int
    day: str


_COUNTS = TypeAdapter(Counts)


def note(store: ArtifactStore, asset: str, contract: str, rows: int, at: datetime) -> None:
    """Remember how many rows the table of an asset (`ACTIVE`, `HISTORY`) has at a time.

    Another contract's counts begin anew.

    Raises:
        ArtifactError: the store can't be read or written, or holds something else there.
    """

    def with_this(content: bytes | None) -> bytes:
        before = None if content is None else _parsed(store, asset, content)
        known = before.counts if before and before.contract == contract else ()
        counts = (*_of_use(known, at), Count(at=at, rows=rows))
        return Counts(contract=contract, counts=counts).model_dump_json().encode()

    change_pointer(store, _pointer(asset), with_this)


def can_be_compared(store: ArtifactStore, asset: str) -> bool:
    """Whether an asset's table was counted twice. Raises what `note` raises."""
    content = store.read_pointer(_pointer(asset))
    return content is not None and len(_parsed(store, asset, content).counts) > 1


def fall_of(store: ArtifactStore, asset: str) -> Fall | None:
    """By how much the newest count of an asset's table is below the most that it had lately; None
    where that is little, or nothing was counted before. Raises what `note` raises."""
    content = store.read_pointer(_pointer(asset))
    if content is None:
        return None
    *before, newest = _parsed(store, asset, content).counts
    if not before:
        return None
    most = max(before, key=lambda count: count.rows)
    return fallen(newest.rows, most)


def fallen(now: int, most: Count) -> Fall | None:
    """The fall from one count to so many rows, where it is to be looked at."""
    if most.rows - now < max(FEW, SHARE_FEWER * most.rows):
        return None
    return Fall(now, most.rows, f"{most.at:%Y-%m-%d}")


def most_lately(store: ArtifactStore, asset: str, contract: str, now: datetime) -> Count | None:
    """The most rows that a contract's table is known to have had lately; None: nothing is known.
    Raises what `note` raises."""
    content = store.read_pointer(_pointer(asset))
    known = None if content is None else _parsed(store, asset, content)
    if known is None or known.contract != contract:
        return None
    return max(_of_use(known.counts, now), key=lambda count: count.rows, default=None)


def fewer(store: ArtifactStore, asset: str) -> str | None:
    """`fall_of` as a sentence without its full stop."""
    found = fall_of(store, asset)
    return None if found is None else said_of(found, asset)


def said_of(fall: Fall, asset: str) -> str:
    """A fall of an asset's table as a sentence without its full stop."""
    return FEWER[asset].format(**fall._asdict())


def _of_use(counts: tuple[Count, ...], at: datetime) -> tuple[Count, ...]:
    """Those of the days before a time; where there are none, the latest of all."""
    return tuple(count for count in counts if at - count.at <= LATELY) or counts[-1:]


def _pointer(asset: str) -> str:
    return f"counted/{asset}"


def _parsed(store: ArtifactStore, asset: str, content: bytes) -> Counts:
    return parse_pointer(_COUNTS, store.url, _pointer(asset), content, ANEW)
