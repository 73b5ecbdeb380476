"""A command of the release registry that is killed, or waits, at the worst moment.

python -m tests.release.killed STORE MOMENT COMMAND ARGUMENT

MOMENT: `noting`, the pointer has moved and the history doesn't say so yet; `listing`, the files are
in place and in no list; `removing`, a release is off the list and half its files are gone;
`waiting`, as `listing`, but goes on once a line comes in.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from churn_assets.release import registry as registry_module
from churn_assets.release.history import BY_HAND
from churn_assets.release.registry import LATEST, ReleaseRegistry
from churn_assets.storage.local import LocalArtifactStore

SWAP = LocalArtifactStore.swap_pointer


def die(*_: object, **__: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_once_it_serves(
    store: LocalArtifactStore, key: str, expected: bytes | None, content: bytes
) -> None:
    SWAP(store, key, expected, content)
    if key == LATEST:
        die()


def wait(*_: object) -> None:
    print("in place", flush=True)
    sys.stdin.readline()


def half(store: LocalArtifactStore, name: str, version: str) -> None:
    """Remove some of the files, then die."""
    shutil.rmtree(store.root / "objects" / name / version / "risk")
    die()


if __name__ == "__main__":
    place, moment, command, argument = sys.argv[1:]
    at: dict[str, tuple[object, str, Callable[..., None]]] = {
        "noting": (LocalArtifactStore, "swap_pointer", die_once_it_serves),
        "removing": (LocalArtifactStore, "delete", half),
        "listing": (registry_module, "note_offers", die),
        "waiting": (registry_module, "note_offers", wait),
    }
    setattr(*at[moment])
    registry = ReleaseRegistry(LocalArtifactStore(Path(place)))
    if command == "publish":
        registry.publish(Path(argument))
    elif command == "promote":
        registry.promote(argument, BY_HAND)
    elif command == "retain":
        registry.retain(int(argument))
    else:
        registry.rollback()
