"""The experiment that shows what contacting brings: who is left alone, so that others are compared
with them.

A customer's group is a pure function of the id, the salt and the date, so every process, machine
and release agrees without asking anybody, and nobody has to store a list.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Group = Literal["treated", "control"]
TREATED: Group = "treated"
CONTROL: Group = "control"

DIGEST_BYTES = 8


class ExperimentConfig(BaseModel):
    """Which customers nobody contacts, so that the effect of contacting can be measured.

    Attributes:
        enabled: whether there is a control group. Unset: with a company's own customers there is,
            with the built-in data set there is none. `churn experiment on|off` overrules it for
            everything that uses the same artifact store.
        control_share: share of the customers in the control group.
        salt: makes the draw yours: with another salt, other customers are left alone. Changing it
            starts a new experiment.
        rotation_dates: days (UTC) from which the control group is drawn anew, so that nobody is
            left alone for ever. Results are reported for one draw at a time.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    enabled: bool | None = None
    control_share: float = Field(default=0.1, ge=0, le=0.5)
    salt: str = "churn"
    rotation_dates: tuple[date, ...] = ()

    def period(self, now: datetime) -> str:
        """The draw that is in force: the last rotation date that has come (ISO 8601), or `start`.

        Raises:
            ValueError: `now` has no time zone.
        """
        if now.tzinfo is None:
            raise ValueError("the time of a draw needs a time zone")
        today = now.astimezone(UTC).date()
        past = [day for day in self.rotation_dates if day <= today]
        return max(past).isoformat() if past else "start"


def group_of(customer_id: str, experiment: ExperimentConfig, now: datetime) -> Group:
    """`control` for whoever is left alone by the draw in force at `now`, else `treated`.

    Everybody is treated unless the experiment is enabled. A larger share keeps the control group
    that a smaller one had, and adds to it.
    """
    if not experiment.enabled:
        return TREATED
    drawn = f"{experiment.salt}\0{experiment.period(now)}\0{customer_id}"
    digest = hashlib.sha256(drawn.encode()).digest()[:DIGEST_BYTES]
    uniform = int.from_bytes(digest) / 2 ** (8 * DIGEST_BYTES)
    return CONTROL if uniform < experiment.control_share else TREATED
