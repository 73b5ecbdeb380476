"""What is noted of the releases: one record of each kept one, and which of them serves.

Nothing here reads or writes; `registry.py` does.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Self

from pydantic import BaseModel, ConfigDict, TypeAdapter, model_validator

from churn_assets.release.bundle import artifact_name
from churn_assets.storage.protocol import Artifact


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
        reason: why it was promoted, or why not.
    """

    content: str
    created: datetime
    promoted: bool
    reason: str
    withdrawn: bool = False


class Latest(Stored):
    """The pointer's content: which release serves, since when and why."""

    since: datetime
    reason: str


RECORDS = TypeAdapter(list[ReleaseRecord])
SERVING = TypeAdapter(Latest)


def published_before(records: Sequence[ReleaseRecord], release_id: str) -> list[ReleaseRecord]:
    """What was published before a release; nothing where it isn't listed."""
    ids = [record.release_id for record in records]
    return list(records[: ids.index(release_id)]) if release_id in ids else []


def good_ones(records: Sequence[ReleaseRecord], latest: str | None = None) -> list[ReleaseRecord]:
    """What has served and wasn't withdrawn, except `latest`: what was published before that comes
    first, and of two the younger."""
    earlier = published_before(records, latest) if latest else []
    later = [r for r in records if r not in earlier and r.release_id != latest]
    return [r for r in [*reversed(earlier), *reversed(later)] if r.promoted and not r.withdrawn]


def ids_of(records: Sequence[ReleaseRecord]) -> str:
    return ", ".join(record.release_id for record in records) or "none yet"
