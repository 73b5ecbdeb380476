"""Time zones that mean the same everywhere."""

from __future__ import annotations

from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

# `localtime` is whatever this server is set to; `Factory` says that nobody has set one.
KNOWN = frozenset(available_timezones()) - {"localtime", "Factory"}


def known_zone(zone: str) -> str:
    """The zone itself; raises ValueError where it is none of IANA's."""
    if zone not in KNOWN:
        raise ValueError("unknown IANA time zone; for example 'Europe/Berlin'")
    return zone


@lru_cache(maxsize=64)
def zone_info(zone: str) -> ZoneInfo:
    """The time zone's rules, read from disk once."""
    return ZoneInfo(zone)
