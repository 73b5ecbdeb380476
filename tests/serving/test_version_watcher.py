"""What a reader in another thread may see of a watched thing: one state, never parts of two."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, Counter

from churn_assets.serving.live.version_watcher import Version, VersionWatcher
from churn_assets.storage.protocol import Artifact

FIRST, SECOND, THIRD = (
    Version(f"thing {n}", Artifact(name="things", sha256=str(n) * 64)) for n in (1, 2, 3)
)


class Fleet:
    """Versions of which the second is broken, and what is seen of them at every word logged."""

    def __init__(self) -> None:
        self.latest = SECOND
        self.seen: set[tuple[str | None, str | None]] = set()
        counter = Counter("loads", "Loads.", ["outcome"], registry=CollectorRegistry())
        self.watcher = VersionWatcher(
            "thing", lambda: self.latest, self.load, counter, stand_ins=lambda: [FIRST]
        )

    def load(self, version: Version) -> str:
        self.look()
        if version == SECOND:
            raise ValueError("broken")
        return version.name

    def look(self) -> None:
        held = self.watcher.held
        self.seen.add((held.loaded, held.problem))


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    fleet = Fleet()

    class Looking(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            fleet.look()

    logger = logging.getLogger("churn_assets.serving.live.version_watcher")
    handler, level = Looking(), logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield fleet
    logger.removeHandler(handler)
    logger.setLevel(level)


def test_the_new_is_never_seen_beside_the_old_problem(fleet: Fleet) -> None:
    refused = "thing 2 is refused: broken"
    assert fleet.watcher.refresh()
    stood_in = ("thing 1", f"{refused}; thing 1 stands in")
    assert (fleet.watcher.current, fleet.watcher.held.problem) == stood_in
    assert not fleet.watcher.refresh()
    fleet.latest = THIRD
    assert fleet.watcher.refresh()
    fleet.look()
    assert fleet.seen == {(None, None), (None, refused), stood_in, ("thing 3", None)}


def test_a_stand_in_that_becomes_the_latest_is_no_stand_in(fleet: Fleet) -> None:
    fleet.watcher.refresh()
    fleet.latest = FIRST
    assert not fleet.watcher.refresh()  # it is in use already
    assert (fleet.watcher.current, fleet.watcher.held.problem) == ("thing 1", None)
