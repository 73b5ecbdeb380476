"""Import modules as in an image that holds only the given packages and what they require.

python -m tests.modal_jobs.import_within <package>[,<package>...] <module>...
"""

from __future__ import annotations

import importlib
import importlib.metadata as metadata
import re
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
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


class NotInImage(MetaPathFinder):
    """Hides every installed package but the allowed ones."""

    def __init__(self, allowed: set[str]) -> None:
        self.allowed = allowed | {"churn-retention"}
        self.owners = metadata.packages_distributions()

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> None:
        owners = {normal(owner) for owner in self.owners.get(name.split(".")[0], [])}
        if owners and not owners & self.allowed:
            raise ModuleNotFoundError(f"{name} is not in the image", name=name)


if __name__ == "__main__":
    sys.meta_path.insert(0, NotInImage(requirements(sys.argv[1].split(","))))
    for module in sys.argv[2:]:
        importlib.import_module(module)
