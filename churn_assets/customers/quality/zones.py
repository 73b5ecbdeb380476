"""Time zones as a company's table writes them: by their names, or by regions of its own."""

from __future__ import annotations

from collections.abc import Iterator
from zoneinfo import available_timezones

import duckdb

from churn_assets.customers.contract.people import People
from churn_assets.customers.quality.columns import one_spaced, text
from churn_assets.customers.quality.judging import USED, Judged
from churn_assets.customers.quality.said import Said, customers_in, levels

SHOWN = 3


def zone_of(people: People, judged: Judged) -> str:
    """SQL of a customer's IANA zone; null where it isn't known."""
    value = judged.value(people.zone or "", "people")
    known = {zone.lower(): zone for zone in available_timezones()}
    known |= {cell.strip().lower(): zone for cell, zone in people.zones.items()}
    said = " ".join(f"WHEN {text(cell)} THEN {text(zone)}" for cell, zone in known.items())
    return f"CASE lower({value}) {said} END"


def unknown_zones(
    connection: duckdb.DuckDBPyConnection, judged: Judged, people: People
) -> Iterator[str]:
    """The problem that cells are neither a zone nor a region that the contract knows."""
    if people.zone is None or one_spaced(people.zone) not in judged.read.columns:
        return
    value = judged.value(people.zone, "people")
    found = connection.execute(
        f"SELECT {value}, count(*), {customers_in(judged)} FROM {judged.name} "
        f"WHERE {USED} AND {value} IS NOT NULL AND {zone_of(people, judged)} IS NULL "
        "GROUP BY 1 ORDER BY 2 DESC, 1"
    ).fetchall()
    if found:
        rows, names = sum(count for _, count, _ in found), [cell for cell, *_ in found[:SHOWN]]
        where = f"{judged.name}: {people.zone}:"
        yield Said(
            f"{where} {', '.join(map(repr, names))} "
            f"{'and others are no time zones' if len(found) > SHOWN else 'is no time zone'} "
            f"({rows:,} rows): say people.zones: {{{names[0]}: Europe/Madrid}} or the like",
            f"{where} no time zone in {rows:,} rows, which have {levels(connection, found)}: say "
            "people.zones: {...: Europe/Madrid} or the like",
        )
