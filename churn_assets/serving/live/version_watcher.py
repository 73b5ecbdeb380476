"""Watching what the store calls the latest: loaded when it moves, kept when the new is broken."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Generic, NamedTuple, TypeVar

from prometheus_client import Counter

from churn_assets.release.bundle import ReleaseError
from churn_assets.serving.metrics import LOOKS_FAILED
from churn_assets.storage.protocol import Artifact, ArtifactError

log = logging.getLogger(__name__)

RETRY_SECONDS = 30.0  # a broken version may have been a broken network

Loaded = TypeVar("Loaded")


class Version(NamedTuple):
    """What is the latest: its name for people, and its files."""

    name: str
    artifact: Artifact


@dataclass(frozen=True)
class Held(Generic[Loaded]):
    """What is in use, and what keeps the latest from it. Replaced whole: whoever reads it while
    another thread looks never sees the new version beside the old one's problem.

    Attributes:
        loaded: what is in use; None until something is.
        version: which version that is.
        missed: why the latest version is not in use; None if it is.
        stands_in: taken while the latest could not be.
    """

    loaded: Loaded | None = None
    version: Version | None = None
    missed: str | None = None
    stands_in: bool = False

    @property
    def problem(self) -> str | None:
        """Why the latest version is not in use, and what stands in for it; None if all is well."""
        if self.missed and self.version and self.stands_in:
            return f"{self.missed}; {self.version.name} stands in"
        return self.missed


@dataclass
class VersionWatcher(Generic[Loaded]):
    """One thing that comes in versions. Whatever goes wrong is logged, counted and survived: none
    of it may end the watch, and with it the way to a better version.

    Attributes:
        what: its name in metrics and logs.
        find: looks up which version is the latest.
        load: makes a version usable; takes as long as it takes.
        loads: counts loads by outcome, `served` or `refused`.
        stand_ins: what to start from while the latest can't be used, the best choice first.
        held: what is in use, and what is wrong with it.
    """

    what: str
    find: Callable[[], Version]
    load: Callable[[Version], Loaded]
    loads: Counter
    stand_ins: Callable[[], Iterable[Version]] = tuple
    held: Held[Loaded] = field(default_factory=Held)
    _refused: dict[Version, tuple[str, float]] = field(default_factory=dict, repr=False)

    @property
    def current(self) -> Loaded | None:
        """What is in use; None until something is."""
        return self.held.loaded

    def refresh(self) -> bool:
        """Look once and take what is new, or a stand-in where that can't be used and nothing else
        is in use. Returns whether something was taken."""
        return self._take_latest() or (self.current is None and self._take_stand_in())

    def _take_latest(self) -> bool:
        try:
            latest = self.find()
        except (ArtifactError, ReleaseError) as error:  # these say what is missing and what to do
            return self._miss(str(error))
        except Exception as error:  # noqa: BLE001 - whatever a damaged pointer or a network raises
            return self._miss(f"the artifact store can't be read: the latest {self.what}: {error}")
        if latest == self.held.version:
            self._hold(replace(self.held, missed=None, stands_in=False))
            return False
        loaded = None if self._refused_lately(latest) else self._load(latest)
        if loaded is None:
            self._hold(replace(self.held, missed=self._refused[latest][0]))
            return False
        self._hold(Held(loaded, latest))
        return True

    def _take_stand_in(self) -> bool:
        try:
            versions = [v for v in self.stand_ins() if not self._refused_lately(v)]
        except Exception:  # noqa: BLE001 - as above; why the latest is not in use is said already
            return False
        for version in versions:
            loaded = self._load(version)
            if loaded is not None:
                self._hold(Held(loaded, version, self.held.missed, stands_in=True))
                return True
        return False

    def _hold(self, held: Held[Loaded]) -> None:
        if held.version != self.held.version and held.version:
            self.loads.labels(outcome="served").inc()
            log.info("serving %s", held.version.name)
        self.held = held
        if held.missed is None:
            self._refused.clear()

    def _load(self, version: Version) -> Loaded | None:
        try:
            return self.load(version)
        except Exception as error:  # a missing package, a file format's own error, ...
            problem = f"{version.name} is refused: {error or type(error).__name__}"
            if problem != self._refused.get(version, (None,))[0]:
                log.exception(problem)
            self._refused[version] = (problem, time.monotonic())
            self.loads.labels(outcome="refused").inc()
            return None

    def _refused_lately(self, version: Version) -> bool:
        return (
            version in self._refused
            and time.monotonic() - self._refused[version][1] < RETRY_SECONDS
        )

    def _miss(self, problem: str) -> bool:
        """Called while an exception is handled, whose traceback goes into the log."""
        LOOKS_FAILED.labels(self.what).inc()
        if problem != self.held.missed:
            log.exception(problem)
        self._hold(replace(self.held, missed=problem))
        return False
