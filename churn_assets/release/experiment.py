"""Whether the experiment runs: the settings say so, unless `churn experiment on|off` was called.

The command writes the pointer `switches/experiment` of the artifact store, so that the API, the
nightly predictions and the campaign change together and without a restart.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from churn_assets.domain.experiment import CONTROL, ExperimentConfig, group_of
from churn_assets.storage.protocol import ArtifactError, ArtifactStore

POINTER = "switches/experiment"
STATES = {b"on": True, b"off": False}
LOOK_AGAIN = timedelta(seconds=1)


def switched(store: ArtifactStore) -> bool | None:
    """What `churn experiment on|off` said last; None where nobody has called it.

    Raises:
        ArtifactError: the store can't be read, or the pointer says neither.
    """
    content = store.read_pointer(POINTER)
    if content is None:
        return None
    try:
        return STATES[content.strip().lower()]
    except KeyError:
        raise ArtifactError(
            f"{store.url}: the pointer {POINTER} says neither on nor off: run `churn experiment on`"
            " or `churn experiment off`"
        ) from None


def switch(store: ArtifactStore, *, on: bool) -> None:
    """Start or end the experiment for whoever uses this store."""
    store.write_pointer(POINTER, b"on" if on else b"off")


def in_force(store: ArtifactStore, settings: ExperimentConfig) -> ExperimentConfig:
    """The settings with `enabled` as it holds now; raises what `switched` raises."""
    said = switched(store)
    enabled = bool(settings.enabled) if said is None else said
    return settings.model_copy(update={"enabled": enabled})


class ControlGroup:
    """Whether a customer is left alone now: `in_control("C1")`. The switch is read again after a
    second, so a process that runs on follows it.

    Raises, when asked, what `in_force` raises: who can't know must contact nobody.
    """

    def __init__(self, store: ArtifactStore, settings: ExperimentConfig) -> None:
        self._store = store
        self._settings = settings
        self._running: tuple[datetime, ExperimentConfig] | None = None

    def running(self) -> ExperimentConfig:
        """The experiment as it is in force."""
        now = datetime.now(UTC)
        if self._running is None or now - self._running[0] > LOOK_AGAIN:
            self._running = now, in_force(self._store, self._settings)
        return self._running[1]

    def __call__(self, customer_id: str) -> bool:
        return group_of(customer_id, self.running(), datetime.now(UTC)) == CONTROL
