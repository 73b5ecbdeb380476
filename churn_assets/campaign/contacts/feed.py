"""What callers report to `POST /feedback`, kept in the contact ledger as well."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from churn_assets.campaign.contacts.event import KINDS, Event
from churn_assets.campaign.contacts.opening import LateLedger
from churn_assets.serving.event_text import CONFLICT, Known, read_event
from churn_assets.serving.feedback import ERASED, FeedbackLog
from churn_assets.storage.protocol import DamagedArtifactError

PREFIX = "feedback:"  # begins the keys of reported events
DELIVERED = "delivered"
"""Tells the ledger of the contact of the decision that it names, as `sent` does: a customer was
reached, whether or not its sending was reported. Where it names none, it may be of a contact that
is known, which would count twice: the ledger isn't told."""
SETTLING_SECONDS = 2.0
"""How long what the log has and the ledger hasn't may be on its way from a server that has just
stored it: that takes milliseconds, and a busy machine's writers wait for each other."""
LOOK_SECONDS = 0.05  # between looks whether it has arrived


class LedgerFeed:
    """A `FeedbackLog` whose events the contact ledger is told of.

    An event is acknowledged once both have it. Both keep one that is sent again once, so a failure
    between the two is mended by sending it again.

    Args:
        settling: how many seconds `retell` gives events to arrive that others are just telling.
    """

    def __init__(
        self, log: FeedbackLog, ledger: LateLedger, settling: float = SETTLING_SECONDS
    ) -> None:
        self._log = log
        self._ledger = ledger
        self._settling = settling

    def record(self, event_id: str, content: str) -> str:
        """As `FeedbackLog.record`; raises LedgerError, too."""
        outcome = self._log.record(event_id, content)
        self._tell([(event_id, content)], [outcome])
        return outcome

    def record_many(self, events: Sequence[tuple[str, str]]) -> list[str]:
        """As `FeedbackLog.record_many`, for files; raises LedgerError, too.

        What was before its customer's erasure is left out (`erased`): a file that grows would bring
        them back every night. A "no" to being contacted holds all the same.
        """
        gone = self._before_erasure(events)
        if any(gone):
            left_out = [event for event, is_gone in zip(events, gone, strict=True) if is_gone]
            self._ledger.opened().keep_objections(_all_told(left_out))
        kept = [event for event, is_gone in zip(events, gone, strict=True) if not is_gone]
        outcomes = self._log.record_many(kept)
        self._tell(kept, outcomes)
        told = iter(outcomes)
        return [ERASED if is_gone else next(told) for is_gone in gone]

    def _before_erasure(self, events: Sequence[tuple[str, str]]) -> list[bool]:
        """Which events were before the ledger was told to forget their customer."""
        if self._ledger.is_absent():
            return [False] * len(events)
        read = [read_event(*event) for event in events]
        erased = self._ledger.opened().erased({event["customer_id"] for event in read})
        return [
            event["customer_id"] in erased
            and erased[event["customer_id"]].covers(datetime.fromisoformat(event["occurred_at"]))
            for event in read
        ]

    def _tell(self, events: Sequence[tuple[str, str]], outcomes: Sequence[str]) -> None:
        kept = [
            event for event, outcome in zip(events, outcomes, strict=True) if outcome != CONFLICT
        ]
        if told := _all_told(kept):
            self._ledger.opened().record(told)

    def check(self) -> None:
        """Returns if events can be kept."""
        self._log.check()
        if not self._ledger.is_absent():
            ledger = self._ledger.opened()
            ledger.is_empty()  # reads, or raises
            if ledger.file is not None:  # on a server others would wait, and it tells nothing
                # Imported here: where nobody was ever contacted, nothing speaks to a database.
                from churn_assets.campaign.contacts.files import refuse_unwritable

                with ledger.writing() as connection:
                    refuse_unwritable(connection)

    def events(self) -> list[str]:
        """The content of every event."""
        return self._log.events()

    def unknown(self, known: Known) -> Iterator[list[tuple[str, str]]]:
        """As `FeedbackLog.unknown`."""
        return self._log.unknown(known)

    def retell(self) -> int:
        """Tell the ledger what the log has and it hasn't, as one that was restored from an older
        copy; returns how many events that were. What is there is only compared, and what a server
        has stored just now arrives by itself.

        Raises:
            OSError, ArtifactError, LedgerError: the log or the ledger can't be used; what was told
                before stays.
        """
        told, waited = 0, False
        for found in self._log.unknown(self._known):
            part = found
            if not waited and self._lacks(part):  # once: after a restore every part lacks some
                part, waited = self._settled(part), True
            events = _all_told(part)
            if events:
                told += self._ledger.opened().record_again(events)
            said = {event.event_key for event in events}
            rest = {key for event_id, _ in part if (key := f"{PREFIX}{event_id}") not in said}
            if rest:  # a bucket would be asked for each of them every time
                self._ledger.opened().pass_over(rest)
        return told

    def _settled(self, part: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
        """Which of these events the ledger still hasn't once others had time to tell it."""
        deadline = time.monotonic() + self._settling
        while True:
            there = self._known([event_id for event_id, _ in part])
            part = [event for event in part if event[0] not in there]
            if time.monotonic() >= deadline or not self._lacks(part):
                return part
            time.sleep(LOOK_SECONDS)

    def _lacks(self, part: Sequence[tuple[str, str]]) -> bool:
        """Whether the ledger would keep any of these events, none of which it has."""
        events = _all_told(part)
        if not events or self._ledger.is_absent():
            return bool(events)
        erased = self._ledger.opened().erased({event.customer_id for event in events})
        return any(
            event.customer_id not in erased
            or not erased[event.customer_id].covers(event.occurred_at)
            for event in events
        )

    def _known(self, ids: Sequence[str]) -> set[str]:
        """Which of these events the ledger was told of, or has nothing to be told of."""
        if self._ledger.is_absent():
            return set()
        ledger, keys = self._ledger.opened(), {f"{PREFIX}{event_id}" for event_id in ids}
        there = ledger.known(keys)
        there |= ledger.passed_over(keys - there)
        return {key.removeprefix(PREFIX) for key in there}

    def erase(self, customer_id: str) -> int:
        """Remove every event of a customer from both; returns how many callers had reported. The
        ledger notes it though it be empty: a file with them may be read later."""
        return self.erase_each([customer_id])[customer_id]

    def erase_each(self, customer_ids: Collection[str]) -> dict[str, int]:
        """`erase` of many, whose events one reading of the log finds."""
        found = self.erase_in_both(dict.fromkeys(customer_ids, True))
        return {each: events for each, (_, events) in found.items()}

    def erase_in_both(self, customers: Mapping[str, bool]) -> dict[str, tuple[int, int]]:
        """As `erase_each`; returns how many events the ledger had of each, and how many callers
        had reported.

        Args:
            customers: id -> whether the ledger notes it though neither has any.
        """
        ledger = self._ledger.opened()
        contacts = {each: ledger.erase(each, though_unknown=n) for each, n in customers.items()}
        events = self._log.erase_each(customers)
        for each, noted in customers.items():
            if events[each] and not contacts[each] and not noted:
                ledger.erase(each)  # there was something, so it is noted
        return {each: (contacts[each], events[each]) for each in customers}

    def was_erased(self, customer_id: str) -> bool:
        """Whether the ledger was ever told to forget this customer."""
        if self._ledger.is_absent():
            return False
        return bool(self._ledger.opened().erased([customer_id]))

    def close(self) -> None:
        """Let go of files; the ledger is its owner's to close."""
        self._log.close()


def _all_told(events: Sequence[tuple[str, str]]) -> list[Event]:
    """Those that say something to the ledger, in its own words.

    Raises:
        DamagedArtifactError: one is no event.
    """
    told = []
    for event_id, content in events:
        event = read_event(event_id, content)
        if event["kind"] == DELIVERED and event.get("decision_id") is None:
            continue
        try:
            told.append(_told(event_id, event))
        except (ValueError, TypeError) as error:
            raise DamagedArtifactError(
                f"the feedback log's event {event_id} is damaged: restore it, or move it away"
            ) from error
    return told


def _told(event_id: str, event: dict[str, Any]) -> Event:
    kind = "sent" if event["kind"] == DELIVERED else event["kind"]
    return Event(
        event_key=f"{PREFIX}{event_id}",
        customer_id=event["customer_id"],
        kind=KINDS.get(kind, kind),
        occurred_at=event["occurred_at"],
        channel=event.get("channel"),  # earlier versions didn't write what nobody had said
        offer_percentage=event.get("offer_percentage"),
        decision_id=event.get("decision_id"),
        delivered=event["kind"] == DELIVERED or None,
    )
