"""What of the customers lies apart from what models read: names, zones, languages, opt-outs.

`people/people.parquet` beside the typed tables has it; no prediction, decision or release does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from churn_assets.domain.cells import TRUTHS
from churn_assets.domain.contact_rules import by_channel
from churn_assets.storage.current import asset_pointer, current_artifact
from churn_assets.storage.protocol import ArtifactStore

PEOPLE = "people/people.parquet"
ASSET = "active_customers"
OPTED_OUT = {"opt_out": True}
REFUSING = {"opt_out": True, "consent": False}
"""What a table says of whom nobody may contact: flag -> its value."""


def opts_out(*said: bool | None) -> bool:
    """Whether a customer said no to being contacted: of all channels, or of one."""
    return True in said


def consents(*said: bool | None) -> bool | None:
    """Whether a customer said yes to being contacted, of all channels and of one; None: nobody
    knows."""
    return False if False in said else (True if True in said else None)


class Addressees:
    """The time zone and the language of each customer of whom the contract's table says them, who
    said no to being contacted, and to which channels.

    Immutable; equal only to itself.
    """

    def __init__(
        self,
        zones: Mapping[str, str],
        languages: Mapping[str, str],
        excluded: Mapping[str, str] | None = None,
        channels: Mapping[str, tuple[str, ...]] | None = None,
    ) -> None:
        self._zones = zones
        self._languages = languages
        self._excluded = excluded or {}
        self._channels = channels or {}

    def zone_of(self, customer_id: str) -> str | None:
        """An IANA zone; None where it isn't known."""
        return self._zones.get(customer_id)

    def language_of(self, customer_id: str) -> str | None:
        """A language as the table has it, "es-MX" or "Spanish"; None where it isn't known."""
        return self._languages.get(customer_id)

    def rule_against(self, customer_id: str) -> str | None:
        """The rule (`domain.contact_rules.RULES`) that forbids to contact the customer, who opted
        out or gave no consent; None where the table forbids nothing."""
        return self._excluded.get(customer_id)

    def channels_of(self, customer_id: str) -> tuple[str, ...] | None:
        """The channels by which the table doesn't forbid to contact the customer; None where it
        says nothing of any channel."""
        return self._channels.get(customer_id)

    def without_channels(self) -> Addressees:
        """For customers whose own rows may say otherwise of a channel than the table did."""
        return Addressees(self._zones, self._languages, self._excluded)


NOBODY_KNOWN = Addressees({}, {})
"""Where there is no table; one that says nothing of anybody is another such object."""


def people_file(store: ArtifactStore) -> Path | None:
    """The table of the current active customers; None where there is none.

    Raises:
        ArtifactError: it is damaged, or can't be fetched.
    """
    if store.read_pointer(asset_pointer(ASSET)) is None:
        return None
    return named_people_file(store)


def named_people_file(store: ArtifactStore) -> Path | None:
    """As `people_file`, of active customers that there are; None where nothing is said of them.

    Raises:
        ArtifactError: there are none, too.
    """
    file = store.get(current_artifact(store, ASSET)) / PEOPLE
    return file if file.exists() else None


def read_addressees(file: Path | None, channels: Iterable[str] = ()) -> Addressees:
    """What a table of people says of them; nothing is known where there is no table.

    Args:
        channels: by which the company contacts. Who said no to each of them said no.
    """
    if file is None:
        return Addressees({}, {})
    channels = tuple(channels)
    opted_out = _of_all(file, channels, OPTED_OUT)
    refusing = _of_all(file, channels, REFUSING)
    excluded = {i: "opt_out" if i in opted_out else "consent" for i in refusing}
    left = _channels_left(file, channels)
    return Addressees(_column(file, "zone"), _column(file, "language"), excluded, left)


def rule_of(said: Mapping[str, bool | None], channels: Iterable[str] = ()) -> str | None:
    """The rule (`domain.contact_rules.RULES`) that forbids to contact one customer, by the same
    rules as `read_addressees`; None: nothing does.

    Args:
        said: what the customer's row says, called as columns of the table of people are; None or
            absent: nothing.
        channels: by which the company contacts.
    """

    def refuses(channel: str | None, meant: Mapping[str, bool]) -> bool:
        return any(said.get(by_channel(flag, channel)) is truth for flag, truth in meant.items())

    channels = tuple(channels)
    for rule, meant in (("opt_out", OPTED_OUT), ("consent", REFUSING)):
        of_each = [refuses(channel, meant) for channel in channels]
        if refuses(None, meant) or (of_each and all(of_each)):
            return rule
    return None


def _of_all(file: Path, channels: Iterable[str], meant: Mapping[str, bool]) -> set[str]:
    """Who says one of these of all channels together, or of each of them."""

    def saying(channel: str | None) -> set[str]:
        return {
            customer
            for flag, truth in meant.items()
            for customer, word in _column(file, by_channel(flag, channel)).items()
            if TRUTHS.get(word.lower()) is truth
        }

    of_each = [saying(channel) for channel in channels]
    return saying(None) | (set.intersection(*of_each) if of_each else set())


def _channels_left(file: Path, channels: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Customer id -> the channels that are left, of those who said something of one; one tuple for
    each choice of them, however many customers have it."""

    def said(flag: str, channel: str | None) -> dict[str, bool | None]:
        column = _column(file, by_channel(flag, channel))
        return {customer: TRUTHS.get(word.lower()) for customer, word in column.items()}

    opt_out, consent = said("opt_out", None), said("consent", None)
    refused: dict[str, set[str]] = {}
    asked: set[str] = set()
    for channel in channels:
        out, agreed = said("opt_out", channel), said("consent", channel)
        asked |= out.keys() | agreed.keys()
        refused[channel] = {
            i
            for i in opt_out.keys() | consent.keys() | out.keys() | agreed.keys()
            if opts_out(opt_out.get(i), out.get(i))
            or consents(consent.get(i), agreed.get(i)) is False
        }
    one: dict[tuple[str, ...], tuple[str, ...]] = {}
    found = ((i, tuple(name for name, no in refused.items() if i not in no)) for i in asked)
    return {customer: one.setdefault(left, left) for customer, left in found}


def _column(file: Path, name: str) -> dict[str, str]:
    """Customer id -> text; empty where the table has no such column."""
    import pyarrow.parquet as pq

    from churn_assets.storage.tables import read_parquet

    if name not in pq.read_schema(file).names:
        return {}
    table = read_parquet(file, ["customer_id", name])
    ids, words = (table[column].to_pylist() for column in ("customer_id", name))
    one: dict[str, str] = {}  # one text for each word, however many customers have it
    found = ((i, str(word).strip()) for i, word in zip(ids, words, strict=True) if word is not None)
    return {i: one.setdefault(word, word) for i, word in found if word}
