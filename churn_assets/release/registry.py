"""Which releases there are, which one serves, and how that changes: publish, promote, roll back.

Everything lives in the artifact store, so a local folder and a bucket behave alike. Two pointers:
`releases/history.json` lists every kept release in the order of publication; `releases/latest.json`
names the one that serves. `latest` is the only thing that servers look at; it moves only to files
that are there. Should they be damaged later, the last good release stands in.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from churn_assets.release.bundle import (
    Comparison,
    Manifest,
    ReleaseError,
    artifact_name,
    read_manifest,
    verify,
)
from churn_assets.release.history import (
    RECORDS,
    SERVING,
    Latest,
    ReleaseRecord,
    Stored,
    good_ones,
    ids_of,
    published_before,
    put_aside,
    told_by,
)
from churn_assets.release.noted_offers import note_offers
from churn_assets.storage.current import change_pointer, parse_pointer
from churn_assets.storage.protocol import (
    ArtifactStore,
    DamagedArtifactError,
    PointerMovedError,
)

LATEST = "releases/latest.json"
HISTORY = "releases/history.json"

log = logging.getLogger(__name__)


class ReleaseRegistry:
    """The releases of one artifact store.

    Pointers are compared and swapped. Of two who move `latest` at once, one gets a
    PointerMovedError and nothing of what it wanted is done. A change of the history that another
    one came before is made again, on what that one left.
    """

    def __init__(self, store: ArtifactStore) -> None:
        self.store = store

    def latest(self) -> Latest | None:
        """The release that is to serve, or None before the first one.

        Raises:
            ReleaseError: the pointer is damaged; says what to do.
        """
        content = self.store.read_pointer(LATEST)
        return None if content is None else self._parse_latest(content)

    def latest_if_known(self) -> Latest | None:
        """The same; None also where the pointer is damaged."""
        try:
            return self.latest()
        except ReleaseError:
            return None

    def serving(self) -> Stored | None:
        """What a server that starts now serves: the latest release or, where that is damaged, the
        last good one (the log says so); None before the first release.

        Raises:
            ReleaseError: releases have served, but none of them can be used any more; says why.
        """
        problems = []
        try:
            latest = self.latest()
            if latest is None:
                return None
            self.open(latest)
            return latest
        except (DamagedArtifactError, ReleaseError) as error:
            problems.append(str(error))
        for record in self.stand_ins():
            try:
                self.open(record)
            except (DamagedArtifactError, ReleaseError) as error:
                problems.append(str(error))
                continue
            log.warning("%s; %s stands in", "; ".join(problems), record.release_id)
            return record
        raise ReleaseError(f"no release can be used: {'; '.join(problems)}")

    def stand_ins(self) -> list[ReleaseRecord]:
        """What may serve while the latest release can't be used, the best choice first: releases
        that have served and weren't withdrawn, those made before the latest one before the others.
        """
        records, latest = self.records(), self.latest_if_known()
        return good_ones(records, latest.release_id if latest else None)

    def serving_manifest(self) -> Manifest | None:
        """The manifest of what serves, with which a new release is compared; None before the first
        release, and where none can be used any more."""
        try:
            serving = self.serving()
        except ReleaseError as error:
            log.warning("nothing to compare with: %s", error)
            return None
        return None if serving is None else read_manifest(self.store.get(serving.artifact))

    def manifest(self, release_id: str) -> Manifest:
        """The manifest of a kept release."""
        return read_manifest(self.folder(release_id))

    def records(self) -> list[ReleaseRecord]:
        """Every kept release in the order of publication.

        Raises:
            ReleaseError: the pointer is damaged; says what to do.
        """
        return self._told(self.store.read_pointer(HISTORY))

    def record(self, release_id: str) -> ReleaseRecord:
        """One release by id; raises ReleaseError that names the ids there are."""
        records = self.records()
        for record in records:
            if record.release_id == release_id:
                return record
        raise ReleaseError(f"no release {release_id!r}; there are: {ids_of(records)}")

    def find_content(self, content: str) -> ReleaseRecord | None:
        """The kept release with exactly these files, if there is one and its copy in the store is
        sound."""
        for record in reversed(self.records()):
            if record.content == content:
                try:
                    self.open(record)
                except (DamagedArtifactError, ReleaseError) as error:
                    log.warning("%s is to be made again: %s", record.release_id, error)
                    continue
                return record
        return None

    def open(self, stored: Stored) -> Path:
        """A local folder with a release's files, every one of them verified.

        Raises:
            DamagedArtifactError, ReleaseError: it is damaged, or another release than its name
                says.
        """
        folder = self.store.get(stored.artifact)
        manifest = verify(folder)
        content = stored.content if isinstance(stored, ReleaseRecord) else manifest.content
        if (manifest.release_id, manifest.content) != (stored.release_id, content):
            raise ReleaseError(
                f"the files of release {stored.release_id} ({folder}) are those of "
                f"{manifest.release_id}; materialize the release again"
            )
        return folder

    def folder(self, release_id: str | None = None) -> Path:
        """A verified local folder of a release, by default of what serves.

        Raises:
            ReleaseError: there is no such release yet, or none that can be used.
            ArtifactError: it is damaged.
        """
        if release_id is not None:
            return self.open(self.record(release_id))
        serving = self.serving()
        if serving is None:
            raise ReleaseError("there is no release yet: run `churn materialize` first")
        return self.store.get(serving.artifact)

    def publish(self, folder: Path) -> ReleaseRecord:
        """Put a sealed bundle into the store and list it; it serves only once promoted.

        It replaces a listed release with the same files, whose stored copy must be damaged then.
        """
        manifest = verify(folder)
        artifact = self.store.put(artifact_name(manifest.release_id), folder)
        record = ReleaseRecord(
            release_id=manifest.release_id,
            content=manifest.content,
            artifact=artifact,
            created=manifest.created,
            promoted=False,
            built_last=True,
            reason=manifest.comparison.reason,
        )

        alike = [r.release_id for r in self.records() if r.content == record.content]
        note_offers(self.store, dict.fromkeys([record.release_id, *alike], artifact))

        def listed(records: list[ReleaseRecord]) -> list[ReleaseRecord]:
            same = [r for r in records if r.content == record.content]
            decided = {
                "withdrawn": any(r.withdrawn for r in same),
                "set_aside": any(r.is_kept_out(self.latest_if_known()) for r in same),
            }
            others = [r.model_copy(update={"built_last": False}) for r in records if r not in same]
            return [*others, record.model_copy(update=decided)]

        self._change(listed)
        return self.record(record.release_id)

    def promote(self, release_id: str, reason: str) -> Latest:
        """Let a release serve by decision of a person, whatever serves now. What has to give way
        doesn't come back by itself."""
        before, current = self.store.read_pointer(LATEST), self.latest_if_known()
        record, serves = self.record(release_id), current.release_id if current else None
        aside = put_aside(self.records(), release_id, serves)
        return self._serve(record, reason, before, sets_aside=aside)

    def promote_winner(self, release_id: str, comparison: Comparison) -> Latest:
        """Let a release serve that a comparison has promoted.

        Raises:
            PointerMovedError: by now another release serves than the champion it was compared with.
        """
        before = self.store.read_pointer(LATEST)
        champion = self.serving_manifest()
        serving = None if champion is None else champion.release_id
        if serving != comparison.champion:
            raise PointerMovedError(
                f"{release_id} was compared with {comparison.champion}, but {serving} serves by "
                "now: materialize the release again"
            )
        return self._serve(self.record(release_id), comparison.reason, before, last=True)

    def _serve(
        self,
        record: ReleaseRecord,
        reason: str,
        before: bytes | None,
        *,
        last: bool = False,
        **decided: Any,
    ) -> Latest:
        """Verify the files, move the pointer from `before`, then note in the history what it says.

        Args:
            last: it is to be the history's last.
            decided: `withdraws` or `sets_aside` of the pointer.
        """
        self.open(record)
        content = self.store.read_pointer(HISTORY)
        if self._told(content) != self._parse_history(content):  # soon no pointer will say it
            self._note({})
        latest = Latest(
            release_id=record.release_id,
            artifact=record.artifact,
            since=datetime.now(UTC).replace(microsecond=0),
            reason=reason,
            **decided,
        )
        self.store.swap_pointer(LATEST, before, latest.model_dump_json(indent=1).encode())
        self._note({}, last=record.release_id if last else "")
        return latest

    def note_build(self, release_id: str) -> None:
        """Note that a kept release is what was built last."""
        self._change(
            lambda records: [
                r.model_copy(update={"built_last": r.release_id == release_id}) for r in records
            ]
        )

    def refuse(self, release_id: str, reason: str) -> None:
        """Note why a comparison didn't let a release serve; what serves stays as it is."""
        self._note({release_id: {"reason": reason}})

    def rollback(self) -> Latest:
        """Let the last good release before the serving one serve again; damaged ones are passed
        over.

        Raises:
            ReleaseError: there is no earlier release that has served, or none that can be used.
        """
        before = self.store.read_pointer(LATEST)
        if before is None:
            raise ReleaseError("there is no release yet, so nothing to roll back")
        current, records = self._parse_latest(before).release_id, self.records()
        passed_over: list[str] = []
        for target in good_ones(published_before(records, current)):
            reason = "; ".join([f"rolled back from {current}", *passed_over])
            try:
                return self._serve(target, reason, before, withdraws=current)
            except (DamagedArtifactError, ReleaseError) as error:
                passed_over.append(str(error))
        if passed_over:
            raise ReleaseError(f"no release before {current} can be used: {'; '.join(passed_over)}")
        raise ReleaseError(f"{current} is the oldest release that has served")

    def stand_in_for_damaged(self) -> Latest | None:
        """Move the pointer to what serves in fact, if it names a release that can't be used.

        Raises:
            ReleaseError: no release can be used.
        """
        before = self.store.read_pointer(LATEST)
        serving = self.serving()
        if before is None or serving is None or isinstance(serving, Latest):
            return None
        return self._serve(self.record(serving.release_id), "the latest one is damaged", before)

    def retain(self, keep: int, built: str | None = None) -> list[str]:
        """Remove the oldest releases beyond `keep`, never the serving one nor what to go back to,
        nor `built`: what was decided about a release is known while it is kept. What they offered
        stays noted: it is asked about when their decisions' outcomes are known. What a process that
        was killed left of a release in no list goes, too.

        Returns:
            The ids removed.
        """
        note_offers(self.store, {r.release_id: r.artifact for r in self.records()})
        doomed: list[ReleaseRecord] = []

        def without_the_oldest(records: list[ReleaseRecord]) -> list[ReleaseRecord]:
            latest = self.latest()
            targets = good_ones(published_before(records, latest.release_id)) if latest else []
            protected = {needed.release_id for needed in (latest, *targets[:1]) if needed}
            protected |= {built} if built else set()
            removable = [r for r in records if r.release_id not in protected]
            doomed[:] = removable[: max(0, len(records) - keep)]
            return [r for r in records if r not in doomed]

        self._change(without_the_oldest)
        for record in doomed:
            name = record.artifact.name
            for version in self.store.versions(name):
                self.store.delete(name, version)
        self.store.remove_unnamed("releases", self._named)
        return sorted(record.release_id for record in doomed)

    def _named(self) -> set[str]:
        """The paths of what the history or the pointer names: all others a killed process left."""
        latest = self.latest()
        return {one.artifact.path for one in (*self.records(), *([latest] if latest else []))}

    def _note(self, changes: Mapping[str, dict[str, Any]], last: str = "") -> None:
        """Put these fields into the records of these releases; the release `last` comes last."""
        self._change(
            lambda records: sorted(
                (r.model_copy(update=changes.get(r.release_id, {})) for r in records),
                key=lambda record: record.release_id == last,
            )
        )

    def _change(self, change: Callable[[list[ReleaseRecord]], list[ReleaseRecord]]) -> None:
        """Put a list of records made of the present one in its place; `change` is asked again where
        somebody else's change came between.

        The list's order is that of publication; what a comparison promotes is its last, so that a
        roll-back goes to what served before. Nothing may sort it by a clock.

        Raises:
            PointerMovedError: that happened too often; the history stays as others left it.
        """
        change_pointer(
            self.store,
            HISTORY,
            lambda before: RECORDS.dump_json(change(self._told(before)), indent=1),
        )

    def _told(self, content: bytes | None) -> list[ReleaseRecord]:
        """The history's records with what the pointer says of them."""
        return told_by(self._parse_history(content), self.latest_if_known())

    def _parse_latest(self, content: bytes) -> Latest:
        try:
            return parse_pointer(SERVING, self.store.url, LATEST, content)
        except DamagedArtifactError as error:
            raise ReleaseError(
                f"{error}; name the release that is to serve with `churn promote ID`"
            ) from error

    def _parse_history(self, content: bytes | None) -> list[ReleaseRecord]:
        if content is None:
            return []
        try:
            return parse_pointer(RECORDS, self.store.url, HISTORY, content)
        except DamagedArtifactError as error:
            raise ReleaseError(
                f"{error}; restore it, or delete it and run `churn materialize` (older releases "
                "can't be rolled back to then)"
            ) from error
