"""Which packages an image installs, each in the version of the lock file.

An image's layer is made anew when the command that makes it changes. So the commands name only what
the image needs: a new version of a development tool doesn't rebuild the layer that holds torch.
"""

from __future__ import annotations

import importlib.metadata
import re
import tomllib
from collections.abc import Callable, Iterable

import modal
from packaging.requirements import Requirement

from churn_assets.orchestration.sources import LOCK
from churn_assets.settings import PROJECT

LEFT_TO_TORCH = ("nvidia", "cuda", "triton")
"""CUDA's libraries: torch itself names the exact ones that it was built with."""

NOT_IN_STAGES = frozenset(
    {
        "dagster",
        "dagster-gcp",
        "dagster-webserver",
        "google-cloud-dataproc",
        "sqlalchemy",
        "uvicorn",
    }
)
"""What only Dagster's own machine and the API need."""


def pinned(packages: Callable[[], Iterable[str]]) -> list[str]:
    """`name==version` of the packages and of all that they require, sorted.

    Nothing in a container: there the image is only named, and the lock file isn't there.

    Args:
        packages: gives the requirements, as in pyproject.toml.

    Raises:
        OSError: there is no lock file to deploy from.
    """
    if not modal.is_local():
        return []
    locked = _locked()
    needed = [name for name in _required(packages()) if not name.startswith(LEFT_TO_TORCH)]
    return sorted(locked[name] for name in needed if name in locked)


def stage_packages() -> list[str]:
    """What pyproject.toml requires, with the extra `gpu`, as far as a stage imports it."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = [*project["dependencies"], *project["optional-dependencies"]["gpu"]]
    return [line for line in lines if normal(Requirement(line).name) not in NOT_IN_STAGES]


def normal(name: str) -> str:
    """A package's name as PyPI compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _locked() -> dict[str, str]:
    lines = (line.strip() for line in LOCK.read_text(encoding="utf-8").splitlines())
    return {normal(line.partition("==")[0]): line for line in lines if re.match(r"\w.*==", line)}


def _required(requirements: Iterable[str]) -> set[str]:
    """The packages and what they require, as far as it is installed here."""
    found: set[tuple[str, str]] = set()  # with an extra, or none
    queue = [Requirement(line) for line in requirements]
    while queue:
        requirement = queue.pop()
        for extra in ("", *requirement.extras):
            package = (normal(requirement.name), extra)
            if package in found:
                continue
            found.add(package)
            queue += _requirements_of(*package)
    return {name for name, _ in found}


def _requirements_of(name: str, extra: str) -> list[Requirement]:
    try:
        lines = importlib.metadata.requires(name) or []
    except importlib.metadata.PackageNotFoundError:
        return []  # bitsandbytes, on a machine without a GPU; all that it needs, others need too
    wanted = [Requirement(line) for line in lines]
    return [r for r in wanted if r.marker is None or r.marker.evaluate({"extra": extra})]
