"""The decision log in the artifact store: Parquet parts by day, only ever added to.

    decisions/2026-11-26/<time>-<random>.parquet

Works on a local folder and on a bucket alike. Merging writes the whole before it removes the parts,
so who reads at any moment, or after a crash between the two, finds every record at least once;
reading drops what it finds twice, on whatever days. Erasing leaves a digest of the id and the time,
by which later readings and mergings drop whatever a part that was being written meanwhile may still
hold.

The values of a part can't be made again, so its pages have checksums: changed bytes there are
refused. Parquet has none of the pages' headers and of the footer (names, types and places of
columns). Flips in headers are refused, too, or change nothing that is read; of flips in a footer
about one in twenty is not seen, and mostly has a column read as empty. Parts of earlier versions
have no checksums at all.
"""

from __future__ import annotations

import hashlib
import io
import json
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import AwareDatetime, TypeAdapter

from churn_assets.serving.decision_log.records import COLUMNS, Record
from churn_assets.storage.arrow import return_memory
from churn_assets.storage.current import change_pointer, parse_pointer
from churn_assets.storage.protocol import (
    ArtifactError,
    ArtifactStore,
    DamagedArtifactError,
    PointerMovedError,
)
from churn_assets.storage.tables import first_of_each, is_first, ordered, read_parquet

FOLDER = "decisions"
ERASED = "erasures/decisions.json"
ATTEMPTS = 10

TYPES = {
    "time": pa.timestamp("us", "UTC"),
    "baseline": pa.bool_(),
    "control_share": pa.float64(),
    "observation": pa.list_(pa.float64()),
    "budget_price": pa.float64(),
    "contact": pa.bool_(),
    "offer_level": pa.int8(),
    "delay_days": pa.int8(),
    "propensity": pa.float64(),
    "exploration": pa.float64(),
    "preferred": pa.int8(),
    "runner_up": pa.int8(),
    "churn_risk": pa.float64(),
    "customer_value": pa.float64(),
    "expected_value": pa.float64(),
    "expected_cost": pa.float64(),
    "contact_cost": pa.float64(),
    "contact_from": pa.timestamp("us", "UTC"),
    "shield_passed": pa.bool_(),
    "template_probability": pa.float64(),
}
UNREADABLE = (pa.ArrowException, OSError, UnicodeDecodeError)
"""What Arrow says of a damaged file that is in memory: in a page, a header or a name."""
_ERASURES = TypeAdapter(dict[str, AwareDatetime])
SCHEMA = pa.schema([(name, TYPES.get(name, pa.string())) for name in COLUMNS])


def append(store: ArtifactStore, records: Sequence[Record]) -> list[str]:
    """Write the records as a new part of each day that they are of; returns the parts' keys."""
    by_day: dict[date, list[Record]] = defaultdict(list)
    for record in records:
        by_day[record[1].astimezone(UTC).date()].append(record)
    return [_write(store, day, _table(rows)) for day, rows in by_day.items()]


def days(store: ArtifactStore) -> list[date]:
    """The days (UTC) that have records, in order."""
    found = {key.split("/")[1] for key in store.pointers(FOLDER)}
    return sorted(date.fromisoformat(day) for day in found)


def read(store: ArtifactStore, since: date | None = None) -> pa.Table:
    """Every record (columns as `SCHEMA`), in order of time, each once: of a decision that was
    logged on two days (its process was killed before it could remember that, say) the first.

    To find those, it holds about 100 bytes a decision beside the records for a while (the ids once
    more, and their order), whose number it grows with; then a copy of one day's records at a time.

    Args:
        since: leave out earlier days (UTC). Who asks for decisions that can't have been made before
            this day reads the same as everybody else.

    Raises:
        ArtifactError: a part can't be read, or what was erased.
    """
    wanted = [day for day in days(store) if since is None or day >= since]
    tables = [_cleaned(store, _parts_of(store, day)[0]) for day in wanted]
    if len(tables) > 1:
        tables = _once(tables)
    return pa.concat_tables([SCHEMA.empty_table(), *tables])


def compact(store: ArtifactStore, day: date) -> None:
    """Make one part of a day's, and leave nothing in it that was erased."""
    tables, keys = _parts_of(store, day)
    table = _cleaned(store, tables)
    if len(keys) > 1 or len(table) < sum(map(len, tables)):
        _replace(store, day, table, keys)


class Merged(NamedTuple):
    """A part that was made of others: its key, and how many records it holds."""

    key: str
    rows: int


def merge(store: ArtifactStore, day: date, keys: Iterable[str]) -> Merged | None:
    """Make one part of some of a day's; None where somebody else has by now (`compact`)."""
    found = {key: table for key in keys if (table := _read(store, key)) is not None}
    if not found:
        return None
    whole, of = _cleaned(store, [*found.values()]), [*found]
    del found
    merged = Merged(_replace(store, day, whole, of), len(whole))
    del whole
    return_memory()  # a server merges beside serving: 100,000 records take 100 MB
    return merged


def prune(store: ArtifactStore, before: date, needed: Collection[str] = ()) -> int:
    """Remove the decisions of the days before `before`, except those needed (by id); returns of how
    many days any were removed.

    Raises:
        ArtifactError: a part can't be read.
    """
    ids, touched = pa.array(needed, pa.string()), 0
    for day in [day for day in days(store) if day < before]:
        tables, keys = _parts_of(store, day)
        whole = _cleaned(store, tables)
        kept = whole.filter(pc.is_in(whole["decision_id"], ids))
        touched += len(kept) < len(whole)
        if not len(kept):
            for key in keys:
                store.delete_pointer(key)
        elif len(kept) < sum(map(len, tables)):
            _replace(store, day, kept, keys)
    return touched


def erase(store: ArtifactStore, customers: Collection[str], now: datetime) -> dict[str, int]:
    """Remove every record of these customers up to now, in one pass over the log; returns how many
    each of them had.

    Parts that servers write or merge meanwhile are looked through as well, as long as there are new
    ones. What a server still has in memory can't come back (`ERASED`): nobody reads it, and the
    next merging or compaction leaves it out.

    Raises:
        DamagedArtifactError: of some parts nobody knows whom they hold; all others are done.
        ArtifactError: the store, or what was erased, can't be read or written.
    """
    _note_erasures(store, customers, now)
    ids, until = pa.array(customers, pa.string()), pa.scalar(now, TYPES["time"])
    seen: set[str] = set()
    removed: dict[str, set[str]] = {customer: set() for customer in customers}
    damaged: dict[str, DamagedArtifactError] = {}
    for _ in range(ATTEMPTS):
        new = [key for key in store.pointers(FOLDER) if key not in seen]
        if not new:
            break
        seen.update(new)
        for key in new:
            try:
                table = _read(store, key)
            except DamagedArtifactError as error:
                damaged[key] = error
                continue
            if table is None:
                continue
            mine = pc.and_(pc.is_in(table["customer_id"], ids), pc.less_equal(table["time"], until))
            theirs = table.filter(mine).select(["customer_id", "decision_id"])
            for customer, decision in zip(*theirs.to_pydict().values(), strict=True):
                removed[customer].add(decision)
            if len(theirs):
                day = date.fromisoformat(key.split("/")[1])
                seen.add(_replace(store, day, _cleaned(store, [table]), [key]))
    counts = {customer: len(decisions) for customer, decisions in removed.items()}
    if damaged:
        first, *others = damaged
        also = f" (so are {', '.join(others)})" if others else ""
        raise DamagedArtifactError(
            f"{damaged[first]}; then erase again{also}. "
            f"{sum(counts.values()):,} decisions in the other files are erased"
        )
    return counts


def _note_erasures(store: ArtifactStore, customers: Iterable[str], now: datetime) -> None:
    def noted(before: bytes | None) -> bytes:
        known = _erasures(store, before) | dict.fromkeys(map(_digest, customers), now)
        return json.dumps({digest: when.isoformat() for digest, when in known.items()}).encode()

    try:
        change_pointer(store, ERASED, noted)
    except PointerMovedError as error:
        raise ArtifactError(f"{error}; try again") from error


def _erasures(store: ArtifactStore, content: bytes | None) -> dict[str, datetime]:
    """A digest of each erased customer's id -> until when their records are gone."""
    return parse_pointer(_ERASURES, store.url, ERASED, b"{}" if content is None else content)


def _digest(customer_id: str) -> str:
    return hashlib.sha256(customer_id.encode()).hexdigest()


def _parts_of(store: ArtifactStore, day: date) -> tuple[list[pa.Table], list[str]]:
    """The parts of a day, and their keys. One that vanishes between listing and reading was merged
    into another: so the list is read again, and what isn't known yet. All of it again would take as
    long, in which several busy servers merge again."""
    known: dict[str, pa.Table] = {}
    for _ in range(ATTEMPTS):
        keys = store.pointers(f"{FOLDER}/{day}")
        found = {key: known[key] if key in known else _read(store, key) for key in keys}
        known = {key: table for key, table in found.items() if table is not None}
        if len(known) == len(keys):
            return [*known.values()], keys
    raise ArtifactError(f"{store.url}: {FOLDER}/{day} is being rewritten again and again")


def _read(store: ArtifactStore, key: str) -> pa.Table | None:
    content = store.read_pointer(key)
    if content is None:
        return None
    try:
        return read_parquet(io.BytesIO(content), schema=SCHEMA)
    except UNREADABLE as error:
        why = " ".join(str(error).split())
        raise DamagedArtifactError(
            f"{store.url}/pointers/{key} is damaged: {why}; "
            "restore it, or move it away: its decisions are lost"
        ) from error


def _cleaned(store: ArtifactStore, tables: Sequence[pa.Table | None]) -> pa.Table:
    """The tables as one: in order of time, nothing twice, nothing that was erased."""
    whole = pa.concat_tables([SCHEMA.empty_table(), *(t for t in tables if t is not None)])
    whole = first_of_each(whole, "decision_id")
    whole = ordered(whole, [("time", "ascending"), ("decision_id", "ascending")])
    until = _erasures(store, store.read_pointer(ERASED))
    if not until:
        return whole
    for customer in pc.unique(whole["customer_id"]).drop_null().to_pylist():
        erased = until.get(_digest(customer))
        if erased is not None:
            theirs = pc.fill_null(pc.equal(whole["customer_id"], customer), False)
            late = pc.greater(whole["time"], pa.scalar(erased, TYPES["time"]))
            whole = whole.filter(pc.or_(pc.invert(theirs), late))
    return whole


def _once(tables: list[pa.Table]) -> list[pa.Table]:
    """The tables without the records of decisions that an earlier one has. Frees them as it goes:
    the list is emptied."""
    ids = pa.concat_tables([table.select(["decision_id"]) for table in tables])
    together = ids["decision_id"].cast(pa.large_string())  # a `string` ends at 2 GiB of them
    first, found, start = is_first(together), list[pa.Table](), 0
    del ids, together
    tables.reverse()
    while tables:
        table = tables.pop()
        mine = first[start : start + len(table)]
        start += len(table)
        found.append(table if mine.all() else table.filter(pa.array(mine)))
    return found


def _table(records: Sequence[Record]) -> pa.Table:
    columns: list[Any] = [list(column) for column in zip(*records, strict=True)]
    arrays = [pa.array(c, field.type) for c, field in zip(columns, SCHEMA, strict=True)]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


def _write(store: ArtifactStore, day: date, table: pa.Table) -> str:
    key = f"{FOLDER}/{day}/{datetime.now(UTC):%H%M%S}-{uuid.uuid4().hex[:12]}.parquet"
    content = io.BytesIO()
    # zstd finds what repeats, too: with dictionaries it takes half as long again, and more room.
    pq.write_table(
        table, content, compression="zstd", use_dictionary=False, write_page_checksum=True
    )
    store.write_pointer(key, content.getvalue())
    return key


def _replace(store: ArtifactStore, day: date, table: pa.Table, keys: Sequence[str]) -> str:
    """Write the whole, then remove the parts."""
    whole = _write(store, day, table)
    for key in keys:
        store.delete_pointer(key)
    return whole
