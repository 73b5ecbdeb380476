"""Which releases there are, which one serves, and how that changes: publish, promote, roll back.

Everything lives in the artifact store, so a local folder and a bucket behave alike. Two pointers:
`releases/history.json` lists every kept release, oldest first; `releases/latest.json` names the one
that serves. `latest` is the only thing that servers look at; it moves only to files that are there.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter

from churn_assets.release.bundle import (
    Comparison,
    Manifest,
    ReleaseError,
    read_manifest,
    verify,
)
from churn_assets.resources.artifact_store import Artifact, ArtifactStore, PointerMovedError

LATEST = "releases/latest.json"
HISTORY = "releases/history.json"


class ReleaseRecord(BaseModel):
    """One kept release.

    Attributes:
        promoted: it has served at some time.
        withdrawn: it was rolled back; the same content is then not promoted again by itself.
        reason: why it was promoted, or why not.
    """

    model_config = ConfigDict(frozen=True)

    release_id: str
    content: str
    artifact: Artifact
    created: datetime
    promoted: bool
    reason: str
    withdrawn: bool = False


class Latest(BaseModel):
    """The pointer's content: which release serves, since when and why."""

    model_config = ConfigDict(frozen=True)

    release_id: str
    artifact: Artifact
    since: datetime
    reason: str


_HISTORY = TypeAdapter(list[ReleaseRecord])


class ReleaseRegistry:
    """The releases of one artifact store.

    Pointers are compared and swapped: of two who change something at once, one gets a
    PointerMovedError and nothing of what it wanted is done.
    """

    def __init__(self, store: ArtifactStore) -> None:
        self.store = store

    def latest(self) -> Latest | None:
        """The release that serves, or None before the first one."""
        content = self.store.read_pointer(LATEST)
        return None if content is None else Latest.model_validate_json(content)

    def serving_manifest(self) -> Manifest | None:
        """The manifest of the release that serves."""
        latest = self.latest()
        return None if latest is None else read_manifest(self.store.get(latest.artifact))

    def manifest(self, release_id: str) -> Manifest:
        """The manifest of a kept release."""
        return read_manifest(self.folder(release_id))

    def records(self) -> list[ReleaseRecord]:
        """Every kept release, oldest first."""
        content = self.store.read_pointer(HISTORY)
        return [] if content is None else _HISTORY.validate_json(content)

    def record(self, release_id: str) -> ReleaseRecord:
        """One release by id; raises ReleaseError that names the ids there are."""
        records = self.records()
        for record in records:
            if record.release_id == release_id:
                return record
        known = ", ".join(r.release_id for r in records) or "none yet"
        raise ReleaseError(f"no release {release_id!r}; there are: {known}")

    def find_content(self, content: str) -> ReleaseRecord | None:
        """The kept release with exactly these files, if there is one."""
        return next((r for r in reversed(self.records()) if r.content == content), None)

    def folder(self, release_id: str | None = None) -> Path:
        """A verified local folder of a release, by default the serving one.

        Raises:
            ReleaseError: there is no such release yet.
            ArtifactError: it is damaged.
        """
        if release_id is not None:
            return self.store.get(self.record(release_id).artifact)
        latest = self.latest()
        if latest is None:
            raise ReleaseError("there is no release yet: run `churn materialize` first")
        return self.store.get(latest.artifact)

    def publish(self, folder: Path) -> ReleaseRecord:
        """Put a sealed bundle into the store and list it; it serves only once promoted."""
        manifest = verify(folder)
        artifact = self.store.put(f"releases/{manifest.release_id}", folder)
        record = ReleaseRecord(
            release_id=manifest.release_id,
            content=manifest.content,
            artifact=artifact,
            created=manifest.created,
            promoted=False,
            reason=manifest.comparison.reason,
        )
        self._change(
            lambda records: [*(r for r in records if r.release_id != record.release_id), record]
        )
        return record

    def promote(self, release_id: str, reason: str) -> Latest:
        """Let a release serve by decision of a person, whatever serves now."""
        return self._serve(self.record(release_id), reason, self.store.read_pointer(LATEST))

    def promote_winner(self, release_id: str, comparison: Comparison) -> Latest:
        """Let a release serve that a comparison has promoted.

        Raises:
            PointerMovedError: by now another release serves than the champion it was compared with.
        """
        before = self.store.read_pointer(LATEST)
        serving = None if before is None else Latest.model_validate_json(before).release_id
        if serving != comparison.champion:
            raise PointerMovedError(
                f"{release_id} was compared with {comparison.champion}, but {serving} serves by "
                "now: materialize the release again"
            )
        return self._serve(self.record(release_id), comparison.reason, before)

    def _serve(self, record: ReleaseRecord, reason: str, before: bytes | None) -> Latest:
        """Verify the files, move the pointer from `before`, then note it in the history."""
        self.store.get(record.artifact)
        latest = Latest(
            release_id=record.release_id,
            artifact=record.artifact,
            since=datetime.now(UTC).replace(microsecond=0),
            reason=reason,
        )
        self.store.swap_pointer(LATEST, before, latest.model_dump_json(indent=1).encode())
        self._update(
            record.model_copy(update={"promoted": True, "reason": reason, "withdrawn": False})
        )
        return latest

    def rollback(self) -> Latest:
        """Let the last good release before the serving one serve again.

        Raises:
            ReleaseError: there is no earlier release that has served.
        """
        before = self.store.read_pointer(LATEST)
        if before is None:
            raise ReleaseError("there is no release yet, so nothing to roll back")
        current = self.record(Latest.model_validate_json(before).release_id)
        target = _rollback_target(self.records(), current.release_id)
        if target is None:
            raise ReleaseError(f"{current.release_id} is the oldest release that has served")
        moved = self._serve(target, f"rolled back from {current.release_id}", before)
        self._update(current.model_copy(update={"withdrawn": True}))
        return moved

    def retain(self, keep: int) -> list[str]:
        """Remove the oldest releases beyond `keep`, never the serving one nor what to go back to.

        Returns:
            The ids removed.
        """
        doomed: list[ReleaseRecord] = []

        def without_the_oldest(records: list[ReleaseRecord]) -> list[ReleaseRecord]:
            latest = self.latest()
            target = latest and _rollback_target(records, latest.release_id)
            protected = {needed.release_id for needed in (latest, target) if needed}
            removable = [r for r in records if r.release_id not in protected]
            doomed[:] = removable[: max(0, len(records) - keep)]
            return [r for r in records if r not in doomed]

        self._change(without_the_oldest)
        for record in doomed:
            name = record.artifact.name
            for version in self.store.versions(name):
                self.store.delete(name, version)
        return sorted(record.release_id for record in doomed)

    def _update(self, record: ReleaseRecord) -> None:
        self._change(
            lambda records: [record if r.release_id == record.release_id else r for r in records]
        )

    def _change(self, change: Callable[[list[ReleaseRecord]], list[ReleaseRecord]]) -> None:
        before = self.store.read_pointer(HISTORY)
        records = change([] if before is None else _HISTORY.validate_json(before))
        ordered = sorted(records, key=lambda r: (r.created, r.release_id))
        self.store.swap_pointer(HISTORY, before, _HISTORY.dump_json(ordered, indent=1))


def _rollback_target(records: Sequence[ReleaseRecord], serving: str) -> ReleaseRecord | None:
    """The last good release that was made before the serving one and has served itself."""
    earlier = itertools.takewhile(lambda r: r.release_id != serving, records)
    return next((r for r in reversed([*earlier]) if r.promoted and not r.withdrawn), None)
