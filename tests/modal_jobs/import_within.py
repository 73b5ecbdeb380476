"""Import modules as in an image that holds only the given packages and what they require.

python -m tests.modal_jobs.import_within <package>[,<package>...] <module>...
"""

from __future__ import annotations

import importlib
import importlib.metadata as metadata
import re
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

from packaging.requirements import Requirement


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def requirements(packages: Sequence[str]) -> set[str]:
    """The packages and everything that they require here, without extras."""
    found: set[str] = set()
    queue = list(packages)
    while queue:
        name = normal(queue.pop())
        if name in found:
            continue
        found.add(name)
        for line in metadata.requires(name) or []:
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                queue.append(requirement.name)
    return found


class InImage(PathFinder):
    """Finds of the installed packages only those in the image; the others aren't there."""

    allowed: frozenset[str] = frozenset()
    owners = metadata.packages_distributions()

    @classmethod
    def find_spec(
        cls, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        owners = {normal(owner) for owner in cls.owners.get(name.split(".")[0], [])}
        if owners and not owners & cls.allowed:
            return None
        return super().find_spec(name, path, target)


if __name__ == "__main__":
    InImage.allowed = frozenset(requirements(sys.argv[1].split(","))) | {"churn-retention"}
    sys.meta_path[sys.meta_path.index(PathFinder)] = InImage
    for module in sys.argv[2:]:
        importlib.import_module(module)
