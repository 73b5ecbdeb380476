"""The feedback log in a bucket: an object an event, and copies of many in one, to read quickly.

    feedback/<event id>.json           what was reported; whether it is there is said here alone
    feedback-folded/<random>.json      id -> content of up to `FULL` events, once more

A request an event took hours of every night after a year. The copies change nothing of what is
true: an event counts if its object is there, and never changes, so that a copy is as good where
there is one. So no crash loses or doubles any; two processes that fold at once only fold some
twice.
"""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter

from churn_assets.serving.event_text import (
    CONFLICT,
    PART,
    STORED,
    Known,
    compared,
    customer_of,
    is_over,
    is_sound,
    refuse_nobodys,
    when_as_written,
)
from churn_assets.storage.current import parse_pointer
from churn_assets.storage.protocol import (
    ArtifactError,
    ArtifactStore,
    DamagedArtifactError,
    PointerMovedError,
)

FOLDER = "feedback"  # of the pointers that hold events
FOLDED = "feedback-folded"  # and of those that hold copies of many
FULL = 20_000  # events in a copy that isn't written again for new ones; about 5 MB
FEW = 100  # events that are quicker read one by one than with all copies
REQUESTS = 8  # to a bucket at once: as many connections as its client keeps
ATTEMPTS = 10

Contents = Mapping[str, str]
"""Id -> content of events."""
Answer = TypeVar("Answer")
_FOLD = TypeAdapter(dict[str, str])
log = logging.getLogger(__name__)


class StoreFeedbackLog:
    """Events as small objects of the artifact store, one each, named by their id.

    Writing is conditional on there being no such object yet, so that several containers agree.
    """

    def __init__(self, store: ArtifactStore) -> None:
        self._store = store
        self._folds = _Folds(store)

    def record(self, event_id: str, content: str) -> str:
        key, body = _key(event_id), content.encode()
        try:
            self._store.swap_pointer(key, None, body)
        except PointerMovedError:
            kept = self._store.read_pointer(key)
            return CONFLICT if kept is None else compared(kept.decode(), content)
        return STORED

    def record_many(self, events: Sequence[tuple[str, str]]) -> list[str]:
        ids = [event_id for event_id, _ in events]
        if len({*ids}) < len(ids):  # which of two is the first must not be a matter of chance
            return [self.record(*event) for event in events]
        with ThreadPoolExecutor(REQUESTS) as requests:
            return list(requests.map(lambda event: self.record(*event), events))

    def check(self) -> None:
        self._store.read_pointer(_key("check"))

    def events(self) -> list[str]:
        return [content for part in self.unknown(lambda ids: ()) for _, content in part]

    def unknown(self, known: Known) -> Iterator[list[tuple[str, str]]]:
        ids, folded = self._ids(), None
        for start in range(0, len(ids), PART):
            part = ids[start : start + PART]
            there = known(part)
            lacking = [event_id for event_id in part if event_id not in there]
            if folded is None and len(lacking) > FEW:
                folded = _together(self._folds.read())
            if found := self._read(lacking, folded or {}):
                yield found

    def tidy(self, before: datetime) -> int:
        """Remove events of before `before` that hold for no time after them, and fold the others;
        returns how many were removed.

        An event of an erasure meanwhile is left in no copy: whoever erases looks through the copies
        once its objects are gone, and this looks for objects that are gone once the copies are
        written.

        Raises:
            ArtifactError: the store can't be used; what was done stays, and is right.
        """
        removed = 0
        for _ in range(ATTEMPTS):
            folds = self._folds.read()
            events = self._read(self._ids(), _together(folds))
            over = {event_id for event_id, content in events if is_over(content, before)}
            sound = (each for each in events if each[0] not in over and is_sound(*each))
            # In order of time: those of one night, which are over in one night, are in few copies.
            kept = dict(sorted(sound, key=lambda event: when_as_written(event[1])))
            renewed = self._folds.renew(folds, kept)
            # After their copies: whose id comes again, as another event, isn't taken for the old.
            _in_parallel(lambda event_id: self._store.delete_pointer(_key(event_id)), [*over])
            removed += len(over)
            if not renewed or kept.keys() <= {*self._ids()}:
                return removed
        raise ArtifactError(f"{self._store.url}: events are being erased again and again")

    def erase(self, customer_id: str) -> int:
        return self.erase_each([customer_id])[customer_id]

    def erase_each(self, customer_ids: Collection[str]) -> dict[str, int]:
        erased, torn = dict.fromkeys(customer_ids, 0), []
        for event_id, content in self._read(self._ids(), _together(self._folds.read())):
            whose = customer_of(content)
            if whose is None:
                torn.append((event_id, content))
            elif isinstance(whose, str) and whose in erased:
                self._store.delete_pointer(_key(event_id))
                erased[whose] += 1
        self._folds.drop(erased.keys())
        refuse_nobodys(torn, sum(erased.values()))
        return erased

    def _ids(self) -> list[str]:
        return [Path(key).stem for key in self._store.pointers(FOLDER)]

    def _read(self, ids: Sequence[str], folded: Contents) -> list[tuple[str, str]]:
        """Id and content of these events, of those that are still there; many requests at once, as
        each takes its time."""
        loose = [event_id for event_id in ids if event_id not in folded]
        found = _in_parallel(lambda event_id: self._store.read_pointer(_key(event_id)), loose)
        # Torn bytes stay such, for whoever reads the event to refuse it by its name.
        told = {
            event_id: content.decode(errors="surrogateescape")
            for event_id, content in zip(loose, found, strict=True)
            if content is not None
        }
        every = ((i, told.get(i, folded.get(i))) for i in ids)
        return [(event_id, content) for event_id, content in every if content is not None]

    def close(self) -> None:
        """Nothing is held open."""


class _Folds:
    """The copies of many events in one object."""

    def __init__(self, store: ArtifactStore) -> None:
        self._store = store

    def read(self) -> dict[str, Contents]:
        """Key -> events of each copy. One that is gone meanwhile lacks: its events are read one by
        one; so does a damaged one, which `renew` replaces."""
        keys = self._store.pointers(FOLDED)
        found = zip(keys, _in_parallel(self._store.read_pointer, keys), strict=True)
        return {key: self._parsed(key, content) for key, content in found if content is not None}

    def _parsed(self, key: str, content: bytes) -> Contents:
        try:
            return parse_pointer(_FOLD, self._store.url, key, content)
        except DamagedArtifactError as error:
            log.warning("events are read one by one: %s", error)
            return {}

    def renew(self, folds: Mapping[str, Contents], kept: Contents) -> bool:
        """Have the copies hold these events and no others; returns whether one was written.

        Full ones stay as they are where all of theirs are among them.
        """
        loose, doomed = dict(kept), []
        for key, fold in folds.items():
            if len(fold) >= FULL and fold.keys() <= loose.keys():
                for event_id in fold:
                    del loose[event_id]
            else:
                doomed.append(key)
        if [folds[key] for key in doomed] == ([loose] if loose else []):
            return False
        self._replace(doomed, loose)
        return True

    def drop(self, customer_ids: Collection[str]) -> None:
        """Leave nothing of these customers in any copy, and no copy that can't be read."""

        def is_theirs(told: str) -> bool:
            whose = customer_of(told)
            return isinstance(whose, str) and whose in customer_ids

        for key, fold in self.read().items():
            others = {i: told for i, told in fold.items() if not is_theirs(told)}
            if len(others) < len(fold) or not fold:
                self._replace([key], others)

    def _replace(self, keys: Collection[str], events: Contents) -> None:
        """Write the new copies, then remove the old ones."""
        rest = iter(events.items())
        while part := dict(islice(rest, FULL)):
            key = f"{FOLDED}/{uuid.uuid4().hex}.json"
            self._store.write_pointer(key, json.dumps(part).encode())
        for key in keys:
            self._store.delete_pointer(key)


def _in_parallel(ask: Callable[[str], Answer], names: Sequence[str]) -> list[Answer]:
    """What `ask` says of each, in their order; raises its first error."""
    with ThreadPoolExecutor(REQUESTS) as requests:
        return list(requests.map(ask, names))


def _key(event_id: str) -> str:
    return f"{FOLDER}/{event_id}.json"


def _together(folds: Mapping[str, Contents]) -> Contents:
    return {event_id: content for fold in folds.values() for event_id, content in fold.items()}
