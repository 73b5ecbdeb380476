"""Following what the store calls the latest: loaded when it moves, kept when the new is broken."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

from prometheus_client import Counter

from api.metrics import LOOKS_FAILED
from churn_assets.release.bundle import ReleaseError
from churn_assets.resources.artifact_store import Artifact, ArtifactError

log = logging.getLogger("api.following")

RETRY_SECONDS = 30.0  # a broken version may have been a broken network

Loaded = TypeVar("Loaded")


class Version(NamedTuple):
    """What is the latest: its name for people, and its files."""

    name: str
    artifact: Artifact


@dataclass
class Followed(Generic[Loaded]):
    """One thing that comes in versions. Whatever goes wrong is logged, counted and survived: none
    of it may end the following, and with it the way to a better version.

    Attributes:
        what: its name in metrics and logs.
        find: looks up which version is the latest.
        load: makes a version usable; takes as long as it takes.
        loads: counts loads by outcome, `served` or `refused`.
        current: what is in use; None until something is.
        problem: why the latest version is not in use, or None.
    """

    what: str
    find: Callable[[], Version]
    load: Callable[[Version], Loaded]
    loads: Counter
    current: Loaded | None = None
    problem: str | None = None
    _version: Version | None = field(default=None, repr=False)
    _refused: tuple[Version, float] | None = field(default=None, repr=False)

    def refresh(self) -> bool:
        """Look once and take what is new. Returns whether there was something."""
        try:
            latest = self.find()
        except (ArtifactError, ReleaseError) as error:  # these say what is missing and what to do
            self._miss(str(error))
            return False
        except Exception as error:  # noqa: BLE001 - whatever a damaged pointer or a network raises
            self._miss(f"the artifact store can't be read: the latest {self.what}: {error}")
            return False
        if latest == self._version:
            self.problem, self._refused = None, None
            return False
        return not self._refused_lately(latest) and self._take(latest)

    def _take(self, latest: Version) -> bool:
        try:
            loaded = self.load(latest)
        except Exception as error:  # noqa: BLE001 - a missing package, a file format's own error, ...
            self._refused = (latest, time.monotonic())
            self.loads.labels(outcome="refused").inc()
            self._report(f"{latest.name} is refused: {error or type(error).__name__}")
            return False
        self.current, self._version = loaded, latest
        self.problem, self._refused = None, None
        self.loads.labels(outcome="served").inc()
        log.info("serving %s", latest.name)
        return True

    def _refused_lately(self, latest: Version) -> bool:
        if self._refused is None:
            return False
        refused, when = self._refused
        return refused == latest and time.monotonic() - when < RETRY_SECONDS

    def _miss(self, problem: str) -> None:
        LOOKS_FAILED.labels(self.what).inc()
        self._report(problem)

    def _report(self, problem: str) -> None:
        """Called while an exception is handled, whose traceback goes into the log."""
        if problem != self.problem:
            log.exception(problem)
        self.problem = problem
