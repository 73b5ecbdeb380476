"""What serves: follows the latest release and predictions and the kill switch in the store."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field

from api.engine import RetentionEngine
from api.golden import check_golden
from api.metrics import BASELINE_FORCED, RELEASE_LOADS, SERVING
from api.predictions import PredictionBook, current_artifact
from churn_assets.release.registry import Latest, ReleaseRegistry
from churn_assets.resources.artifact_store import Artifact, ArtifactStore

log = logging.getLogger("api.hosting")

KILL_SWITCH = "switches/force_baseline"
RETRY_SECONDS = 30.0  # a broken release may have been a broken network
# What a damaged release or an unreachable store raises. Anything else is a defect of ours and ends
# the follower, which /readyz then reports.
LOAD_ERRORS = (RuntimeError, OSError, ValueError, LookupError, TypeError)


@dataclass
class EngineHost:
    """Holds the serving engine and replaces it, whole, when a new one has proved itself.

    A request takes the reference once and keeps its engine to the end, so a swap needs no lock and
    delays nobody.

    Attributes:
        engine: what answers; None until the first release is loaded.
        book: the latest materialised predictions; None until there are some.
        problem: why the latest release is not the serving one, or None.
        forced: settings or environment ask for rules and reviewed templates only.
        switched_off: so does `forced`, or the store's kill switch.
    """

    store: ArtifactStore
    default_time_zone: str
    forced: bool = False
    engine: RetentionEngine | None = None
    book: PredictionBook | None = None
    problem: str | None = None
    switched_off: bool = False
    follower_died: bool = False
    _refused: tuple[Latest, float] | None = field(default=None, repr=False)
    _refused_book: Artifact | None = field(default=None, repr=False)

    def refresh(self) -> None:
        """Look at the store once and take what is new.

        Blocks while loading: run it in a thread. Never raises for a broken release or store.
        """
        try:
            self.switched_off = self.forced or _is_on(self.store.read_pointer(KILL_SWITCH))
            latest = ReleaseRegistry(self.store).latest()
            predictions = current_artifact(self.store)
        except LOAD_ERRORS as error:
            self._report(f"the artifact store can't be read: {error}")
            return
        BASELINE_FORCED.set(self.switched_off)
        if latest is not None:
            self._take_release(latest)
        elif self.engine is None:
            self._report("there is no release yet: run `churn materialize`")
        if predictions is not None:
            self._take_predictions(predictions)

    def __post_init__(self) -> None:
        self.switched_off = self.forced

    async def follow(self, seconds: float) -> None:
        """Refresh now and then every `seconds`, in a thread, until cancelled."""
        try:
            while True:
                await asyncio.to_thread(self.refresh)
                await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            raise
        except BaseException:
            self.follower_died = True
            log.exception("the release follower died; restart the service")
            raise

    def _take_release(self, latest: Latest) -> None:
        """Load, check and swap in a release that is not the serving one."""
        if self.engine is not None and latest.release_id == self.engine.release_id:
            self.problem, self._refused = None, None
            return
        if self._refused_lately(latest):
            return
        try:
            engine = self._load(latest)
        except LOAD_ERRORS as error:
            self._refused = (latest, time.monotonic())
            RELEASE_LOADS.labels(outcome="refused").inc()
            self._report(f"release {latest.release_id} is refused: {error}")
            return
        self.engine, self.problem, self._refused = engine, None, None
        RELEASE_LOADS.labels(outcome="served").inc()
        SERVING.clear()
        SERVING.labels(release_id=engine.release_id).set(1)
        log.info("serving release", extra={"release_id": engine.release_id})

    def _load(self, latest: Latest) -> RetentionEngine:
        folder = self.store.get(latest.artifact)
        engine = RetentionEngine.load(folder, self.default_time_zone)
        check_golden(engine, folder)  # also warms up every code path and cache
        return engine

    def _take_predictions(self, artifact: Artifact) -> None:
        if artifact == self._refused_book or (self.book and self.book.artifact == artifact):
            return
        try:
            self.book = PredictionBook.load(self.store, artifact)
        except LOAD_ERRORS as error:
            self._refused_book = artifact
            log.error("the latest predictions can't be read, the old ones stay: %s", error)
            return
        log.info("predictions loaded", extra={"customers": len(self.book.row_of)})

    def _refused_lately(self, latest: Latest) -> bool:
        if self._refused is None:
            return False
        refused, when = self._refused
        return refused == latest and time.monotonic() - when < RETRY_SECONDS

    def _report(self, problem: str) -> None:
        if problem != self.problem:
            log.error(problem)
        self.problem = problem


def _is_on(switch: bytes | None) -> bool:
    """Any content but an explicit "off" switches the baseline on: who finds the switch in an
    emergency need not know a syntax."""
    return switch is not None and switch.strip().lower() not in (b"", b"off", b"0", b"false")
