"""The experiment that shows what contacting brings: who is left alone, so that others are compared
with them, and what is tried now and then, so that other decisions can be judged.

A customer's group is a pure function of the id, the salt and the date, so every process, machine
and release agrees without asking anybody, and nobody has to store a list. So is a day's draw of
what is tried: who asks twice gets the same answer.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

Group = Literal["treated", "control"]
TREATED: Group = "treated"
CONTROL: Group = "control"

DIGEST_BYTES = 8
SALT = "churn"
EXPLORATION = 0.05
"""Share of decisions that take the second choice, unless set otherwise."""


class Draw(NamedTuple):
    """Which customers are left alone: by which draw (`ExperimentConfig.draw`), and of which share.

    Decisions of two draws aren't of one experiment.
    """

    period: str
    control_share: float


class ExperimentConfig(BaseModel):
    """Which customers nobody contacts, so that the effect of contacting can be measured, and how
    often something else than the best is tried.

    Attributes:
        enabled: whether there is a control group, and exploration. Unset: with a company's own
            customers there is, with the built-in data set there is none. `churn experiment on|off`
            overrules it for everything that uses the same artifact store. Needs an id of the
            customers (`identity.id`): without one a row's number is somebody else in every file.
        control_share: share of the customers in the control group. Change it together with a
            rotation date: a larger group holds a smaller one, so without a new draw customers who
            were decided on before aren't compared any more.
        exploration: share of the other customers' decisions that take the policy's second choice
            instead of its first; 0 for none.
        salt: makes the draw yours: with another salt, other customers are left alone. Changing it
            starts a new experiment.
        rotation_dates: days (UTC) from which the control group is drawn anew, so that nobody is
            left alone for ever. Results are reported for one draw at a time.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    enabled: bool | None = None
    control_share: float = Field(default=0.1, ge=0, le=0.5)
    exploration: float = Field(default=EXPLORATION, ge=0, le=0.25)
    salt: str = SALT
    rotation_dates: tuple[date, ...] = ()

    @property
    def explores(self) -> bool:
        """Whether anything is tried at all."""
        return bool(self.enabled) and self.exploration > 0

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

    def draw(self, now: datetime) -> str:
        """What records call the draw that is in force: its period and, where a salt is set, four
        bytes of its digest, since another salt is another draw. Raises what `period` raises."""
        period = self.period(now)
        if self.salt == SALT:
            return period
        return f"{period}-{hashlib.sha256(self.salt.encode()).hexdigest()[:8]}"


def draw_in_force(experiment: ExperimentConfig, now: datetime) -> Draw:
    """The draw that decisions are recorded with at `now`. Raises what `period` raises."""
    return Draw(experiment.draw(now), experiment.control_share)


def group_of(customer_id: str, experiment: ExperimentConfig, now: datetime) -> Group:
    """`control` for whoever is left alone by the draw in force at `now`, else `treated`.

    Everybody is treated unless the experiment is enabled. A larger share keeps the control group
    that a smaller one had, and adds to it: a change of the share alone is no new draw.
    """
    if not experiment.enabled:
        return TREATED
    uniform = _uniform(experiment.salt, experiment.period(now), customer_id)
    return CONTROL if uniform < experiment.control_share else TREATED


def exploration_draw(
    customer_id: str, experiment: ExperimentConfig, now: datetime, release_id: str
) -> float:
    """A number from [0, 1) of a customer's decisions by a release on a day (UTC): what is below the
    share of the exploration is tried. Independent of the customer's group.

    Raises:
        ValueError: `now` has no time zone.
    """
    if now.tzinfo is None:
        raise ValueError("the time of a draw needs a time zone")
    day = now.astimezone(UTC).date().isoformat()
    return _uniform(experiment.salt, "explore", day, release_id, customer_id)


def _uniform(*drawn: str) -> float:
    digest = hashlib.sha256("\0".join(drawn).encode()).digest()[:DIGEST_BYTES]
    return (int.from_bytes(digest) >> 11) / 2**53  # the bits that a float holds: never 1
