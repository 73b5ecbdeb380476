"""The kill switch: rules and reviewed templates only, for everybody, at once.

Three ways to throw it: the environment variable FORCE_BASELINE, the setting `api.force_baseline`,
and the pointer `switches/force_baseline` of the artifact store, which needs no restart. Whoever
decides asks here: the API, the command line, the nightly predictions.
"""

from __future__ import annotations

import logging
import os

from churn_assets.storage.protocol import ArtifactError, ArtifactStore

log = logging.getLogger(__name__)

POINTER = "switches/force_baseline"
VARIABLE = "FORCE_BASELINE"
UNREADABLE = "the kill switch can't be read and counts as on"


def forced_by_environment() -> bool:
    """Whether FORCE_BASELINE is set to anything but empty, 0, false, no or off."""
    return os.environ.get(VARIABLE, "").strip().lower() not in ("", "0", "false", "no", "off")


def is_on(store: ArtifactStore) -> bool:
    """Whether the store's switch is on.

    Any content but an explicit "off" counts, and none as well (`touch`): who finds the switch in an
    emergency need not know a syntax. The product itself has always written on or off.

    Raises:
        ArtifactError: it can't be read. Whoever decides must then take it to be on: somebody may
            have thrown it.
    """
    content = store.read_pointer(POINTER)
    return content is not None and content.strip().lower() not in (b"off", b"0", b"false")


def set_switch(store: ArtifactStore, *, on: bool) -> None:
    """Switch the store's switch on or off."""
    store.write_pointer(POINTER, b"on" if on else b"off")


def baseline_forced(store: ArtifactStore, setting: bool) -> bool:
    """Whether any of the three ways is on, or can't be read; `setting` is what the settings say."""
    if setting or forced_by_environment():
        return True
    try:
        return is_on(store)
    except ArtifactError as error:
        log.warning("%s: %s", UNREADABLE, error)
        return True
