"""The digest of this product's sources, by which a deployment made from other ones is noticed."""

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

TAG = "sources"
"""The tag of a deployed app that holds the digest of what it was deployed from."""


def sources_digest(root: Path = PROJECT, packages: Sequence[str] = PACKAGES) -> str:
    """32 hex digits that any change of the packages below `root` changes."""
    digest = hashlib.sha256()
    for package in packages:
        for path in sorted((root / package).rglob("*")):
            if path.suffix in SUFFIXES and path.is_file():
                content = hashlib.sha256(path.read_bytes()).hexdigest()
                digest.update(f"{path.relative_to(root).as_posix()} {content}\n".encode())
    return digest.hexdigest()[:32]
