"""What is noted of the releases: one record of each kept one, and which of them serves.

Nothing here reads or writes; `registry.py` does.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, TypeAdapter, model_validator

from churn_assets.release.bundle import artifact_name
from churn_assets.storage.protocol import Artifact

BY_HAND = "promoted by hand"
"""The reason of a release that a person promoted."""


class Stored(BaseModel):
    """A release's id and its files, which name it too."""

    model_config = ConfigDict(frozen=True)

    release_id: str
    artifact: Artifact

    @model_validator(mode="after")
    def _one_release(self) -> Self:
        if self.artifact.name != artifact_name(self.release_id):
            raise ValueError(f"names release {self.release_id} but files of {self.artifact.name}")
        return self


class ReleaseRecord(Stored):
    """One kept release.

    Attributes:
        promoted: it has served at some time.
        withdrawn: it was rolled back; the same content is then not promoted again by itself.
        set_aside: a person promoted another one in its place; the same holds then. None in records
            of versions that didn't note it.
        built_last: no other one was built since, anew or with the same content as before.
        reason: why it was promoted, or why not.
    """

    content: str
    created: datetime
    promoted: bool
    reason: str
    withdrawn: bool = False
    set_aside: bool | None = None
    built_last: bool = False

    def is_kept_out(self, latest: Latest | None) -> bool:
        """Whether a person decided against it, so that only a person lets it serve again.

        Args:
            latest: what serves. Of a release that an earlier version put aside, nothing tells but
                that a person promoted this one.
        """
        unknown = self.set_aside is None and latest is not None and latest.reason == BY_HAND
        return self.withdrawn or bool(self.set_aside) or (unknown and self.promoted)


class Latest(Stored):
    """The pointer's content: which release serves, since when and why; and what a person who moved
    it decided against.

    Attributes:
        withdraws: what was rolled back.
        sets_aside: what this one was promoted in place of.
    """

    since: datetime
    reason: str
    withdraws: str | None = None
    sets_aside: tuple[str, ...] = ()


RECORDS = TypeAdapter(list[ReleaseRecord])
SERVING = TypeAdapter(Latest)


def published_before(records: Sequence[ReleaseRecord], release_id: str) -> list[ReleaseRecord]:
    """What was published before a release; nothing where it isn't listed."""
    ids = [record.release_id for record in records]
    return list(records[: ids.index(release_id)]) if release_id in ids else []


def told_by(records: Sequence[ReleaseRecord], latest: Latest | None) -> list[ReleaseRecord]:
    """The records with what the pointer says of them. It moves before they are written: who moved
    it may have been killed in between."""
    if latest is None:
        return list(records)
    serves = {"promoted": True, "withdrawn": False, "set_aside": False, "reason": latest.reason}
    said: dict[str, dict[str, Any]] = {
        **{release_id: {"set_aside": True} for release_id in latest.sets_aside},
        **({latest.withdraws: {"withdrawn": True}} if latest.withdraws else {}),
        latest.release_id: serves,
    }
    return [record.model_copy(update=said.get(record.release_id, {})) for record in records]


def put_aside(records: Sequence[ReleaseRecord], release_id: str, current: str | None) -> list[str]:
    """What a person decides against who promotes a release: the one that serves, and what has
    served and was published after the promoted one. Those before had given way to it by itself."""
    ids = [record.release_id for record in records]
    later = records[ids.index(release_id) + 1 :]
    served = {r.release_id for r in later if r.promoted} | {current}
    return [i for i in ids if i in served and i != release_id]


def newest_build(records: Sequence[ReleaseRecord]) -> ReleaseRecord:
    """What was built last; in the history of an earlier version, what was published last."""
    return next((r for r in records if r.built_last), records[-1])


def good_ones(records: Sequence[ReleaseRecord], latest: str | None = None) -> list[ReleaseRecord]:
    """What has served and wasn't withdrawn, except `latest`: what was published before that comes
    first, and of two the younger."""
    earlier = published_before(records, latest) if latest else []
    later = [r for r in records if r not in earlier and r.release_id != latest]
    return [r for r in [*reversed(earlier), *reversed(later)] if r.promoted and not r.withdrawn]


def ids_of(records: Sequence[ReleaseRecord]) -> str:
    return ", ".join(record.release_id for record in records) or "none yet"
