"""What leaves a store, and how a whole store is copied to another."""

from __future__ import annotations

import logging

from churn_assets.storage.protocol import ArtifactStore, DamagedArtifactError, PointerMovedError

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
    """Delete the oldest versions of `name` beyond `keep`, but never `current`.

    Returns:
        The versions deleted.
    """
    versions = store.versions(name)
    doomed = [version for version in versions[: max(0, len(versions) - keep)] if version != current]
    for version in doomed:
        store.delete(name, version)
    return doomed
