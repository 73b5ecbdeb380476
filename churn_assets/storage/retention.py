"""What leaves a store, and how a whole store is copied to another."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from pydantic import TypeAdapter

from churn_assets.storage.current import parse_pointer
from churn_assets.storage.protocol import (
    Artifact,
    ArtifactStore,
    DamagedArtifactError,
    PointerMovedError,
)

SPARED = "spared.json"
_SPARED = TypeAdapter(dict[str, tuple[Artifact, ...]])

log = logging.getLogger(__name__)


def copy_store(source: ArtifactStore, target: ArtifactStore, *, replace: bool = False) -> int:
    """Copy every artifact, then every pointer, so that no pointer comes before what it names.

    Args:
        replace: move pointers of `target` that say something else; what serves there then changes.

    Returns:
        The number of artifacts copied or found there already; damaged ones are left out, which the
        log says.

    Raises:
        PointerMovedError: without `replace`, pointers of `target` say something else (names them),
            and nothing was copied; or somebody moved one meanwhile.
    """
    wanted = {key: source.read_pointer(key) for key in source.pointers()}
    there = {key: target.read_pointer(key) for key in wanted}
    differing = [key for key in wanted if there[key] not in (None, wanted[key])]
    if differing and not replace:
        raise PointerMovedError(
            f"{target.url} is in use with other content ({', '.join(differing)}): nothing was "
            "copied; `churn data upload --force` replaces what it has"
        )
    copied = 0
    for artifact in source.artifacts():
        try:
            target.put(artifact.name, source.get(artifact))
        except DamagedArtifactError as error:  # an old version must not hold up all the others
            log.warning("not copied: %s", error)
            continue
        copied += 1
    for key, content in wanted.items():
        if content is not None:
            target.swap_pointer(key, there[key], content)
    return copied


def prune(store: ArtifactStore, name: str, keep: int, current: str) -> list[str]:
    """Delete the oldest versions of `name` beyond `keep`, but never `current`, nor what somebody
    needs (`spare`).

    Returns:
        The versions deleted.

    Raises:
        DamagedArtifactError: what is needed can't be read.
    """
    versions = store.versions(name)
    oldest = versions[: max(0, len(versions) - keep)]
    if not oldest:
        return []
    needed = {current}
    for artifacts in spared(store).values():
        needed.update(artifact.version for artifact in artifacts if artifact.name == name)
    doomed = [version for version in oldest if version not in needed]
    for version in doomed:
        store.delete(name, version)
    return doomed


def spare(store: ArtifactStore, needed: Mapping[str, tuple[Artifact, ...]]) -> None:
    """Note which artifacts `prune` is to leave alone, by who needs them, in place of what was
    noted."""
    store.write_pointer(SPARED, _SPARED.dump_json(dict(needed), indent=1))


def spared(store: ArtifactStore) -> dict[str, tuple[Artifact, ...]]:
    """What `prune` leaves alone, by who needs it.

    Raises:
        DamagedArtifactError: the note can't be read; says what to do.
    """
    try:
        return parse_pointer(_SPARED, store.url, SPARED, store.read_pointer(SPARED) or b"{}")
    except DamagedArtifactError as error:
        raise DamagedArtifactError(f"{error}; delete it: the next release notes it anew") from error
