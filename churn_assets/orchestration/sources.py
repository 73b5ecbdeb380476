"""Digests of this product's sources and of its libraries' versions, by which a deployment made from
other ones is noticed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import churn_assets

PROJECT = Path(churn_assets.__file__).parents[1]
PACKAGES = ("churn_assets", "modal_jobs")
"""What a stage on Modal runs."""

SERVING_PACKAGES = (*PACKAGES, "api")
"""What the app of the API runs, which is deployed by itself."""

SUFFIXES = frozenset({".css", ".html", ".js", ".json", ".py", ".yaml"})
"""Code and the data that is packaged with it: the same in a checkout and in an installation."""

LOCK = PROJECT / "constraints.txt"
"""The version of each library that is installed here and in the containers."""

TAG, LIBRARIES = "sources", "libraries"
"""The tags of a deployed app that hold the digests of what it was deployed from."""


def deployed_from(packages: Sequence[str] = PACKAGES, lock: Path = LOCK) -> dict[str, str]:
    """Tag -> digest: what an app that is deployed from here is made of. Other libraries make other
    numbers, so they are another deployment as other sources are.

    Without `libraries` where there is no lock file: in a container, which compares nothing, and
    where the product was installed without its checkout.

    Args:
        packages: those that the app runs.
    """
    digests = {TAG: sources_digest(packages=packages)}
    return digests | ({LIBRARIES: _pins_digest(lock)} if lock.is_file() else {})


def _pins_digest(lock: Path) -> str:
    """Of the pins alone: not of the remarks between them, nor of their order."""
    lines = (line.partition("#")[0].strip() for line in lock.read_text("utf-8").splitlines())
    return hashlib.sha256("\n".join(sorted(filter(None, lines))).encode()).hexdigest()[:32]


def sources_digest(root: Path = PROJECT, packages: Sequence[str] = PACKAGES) -> str:
    """32 hex digits that any change of the packages below `root` changes."""
    digest = hashlib.sha256()
    for package in packages:
        for path in sorted((root / package).rglob("*")):
            if path.suffix in SUFFIXES and path.is_file():
                content = hashlib.sha256(path.read_bytes()).hexdigest()
                digest.update(f"{path.relative_to(root).as_posix()} {content}\n".encode())
    return digest.hexdigest()[:32]
