"""The nine numbers that a decision is made from: `build_states(...) -> (N, 9)` and their check.

Columns, in the specification's order (also `COLUMNS`):

0. `churn_risk`: P(churn within the period) in [0, 1] *after the answers of the period*: an
   acceptance has lowered it, an annoyance raised it (`dynamics.after_answers`), here as in the
   environment.
1-4. `accept_prob_0..3`: P(accept | offer) in [0, 1] *at the present contact history*: cooldown and
   fatigue have already lowered it (`dynamics.reluctance`), here as in the environment.
5. `budget_remaining`: share of the customer's allowance that is left, in [0, 1].
6. `days_since_contact`: 0 .. cooldown_days; a longer time, or never, counts as cooldown_days,
   since nothing depends on the time beyond the cooldown.
7. `cooldown_active`: 1 within the cooldown, else 0.
8. `fatigue_count`: contacts in this period, a whole number >= 0.
"""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from churn_assets.decision.config import EnvironmentParams
from churn_assets.decision.mdp.dynamics import Array, after_answers, reluctance
from churn_assets.domain.statistics import logit, sigmoid

COLUMNS = (
    "churn_risk",
    "accept_prob_0",
    "accept_prob_1",
    "accept_prob_2",
    "accept_prob_3",
    "budget_remaining",
    "days_since_contact",
    "cooldown_active",
    "fatigue_count",
)
RISK, ACCEPT, BUDGET, DAYS, COOLDOWN, FATIGUE = 0, slice(1, 5), 5, 6, 7, 8
PROBABILITIES = slice(0, 5)
_LARGEST = np.finfo(np.float64).max
_UPPER = np.array([1, 1, 1, 1, 1, 1, _LARGEST, 1, _LARGEST])


@dataclass(frozen=True)
class Answers:
    """How N customers have answered the contacts of the running period, as far as is known.

    acceptances, refusals: (N,) whole numbers >= 0; together no more than the contacts.
    acceptances_in_cooldown: (N,) how many of the acceptances answered a contact that was made
        within the cooldown of the one before.
    acceptances_without_discount: (N,) how many of the acceptances answered a contact without a
        discount; 0 if None. They matter where these have an effect of their own.

    Raises ValueError, naming the row and the request's field, for any other numbers.
    """

    acceptances: Array
    refusals: Array
    acceptances_in_cooldown: Array
    acceptances_without_discount: Array | None = None

    def __post_init__(self) -> None:
        if self.acceptances_without_discount is None:
            none = np.zeros_like(self.acceptances)
            object.__setattr__(self, "acceptances_without_discount", none)
        for field in fields(self):
            counts = getattr(self, field.name)
            self._hold(field.name, (counts >= 0) & (counts == np.floor(counts)))
        for part in ("acceptances_in_cooldown", "acceptances_without_discount"):
            self._hold(part, getattr(self, part) <= self.acceptances)

    def risk(self, before: Array, contacts: Array, params: EnvironmentParams) -> Array:
        """(N,) churn risk after the answers, `before` (N,) to the last bit where there are none;
        raises where there are more answers than contacts."""
        self._hold("acceptances", self.acceptances <= contacts)
        self._hold("refusals", self.acceptances + self.refusals <= contacts)
        annoyances = self.refusals + self.acceptances_in_cooldown
        bare = self.bare(params)
        after, _ = after_answers(logit(before), self.acceptances, annoyances, params, bare)
        same: Array = np.where(self.acceptances + annoyances == 0, before, after)
        return same

    def bare(self, params: EnvironmentParams) -> Array:
        """(N,) acceptances that have the effect of a contact without a discount."""
        found = self.acceptances_without_discount
        if found is None or not params.counts_bare_apart:
            return np.zeros_like(self.acceptances)
        return found

    def take(self, rows: NDArray[np.integer[Any]] | NDArray[np.bool_]) -> "Answers":
        """Those of the customers in `rows`."""
        return Answers(*(getattr(self, field.name)[rows] for field in fields(self)))

    def _hold(self, name: str, good: NDArray[np.bool_]) -> None:
        if not good.all():
            row = int(np.argmin(good))
            raise ValueError(
                f"{ANSWER_FIELDS[name]}: {getattr(self, name)[row]} in row {row} is not allowed; "
                "answers are whole numbers >= 0, no more in all than contacts_this_period, and no "
                "more acceptances in the cooldown, or without a discount, than acceptances"
            )


ANSWER_FIELDS = {
    "acceptances": "acceptances_this_period",
    "refusals": "refusals_this_period",
    "acceptances_in_cooldown": "acceptances_in_cooldown",
    "acceptances_without_discount": "acceptances_without_discount",
}
"""Of each column of `Answers`, the request's field."""


def build_states(
    risk: ArrayLike,
    accept: ArrayLike,
    budget_remaining: ArrayLike,
    days_since_contact: ArrayLike,
    contacts_this_period: ArrayLike,
    params: EnvironmentParams | None = None,
    answers: Answers | None = None,
) -> NDArray[np.float64]:
    """Assemble states for N customers: what the environment would show of them.

    Args:
        risk: (N,) P(churn) from the risk model, in [0, 1], before the period's `answers`, which
            shift it here.
        accept: (N, 4) P(accept | offer 0, 5, 10, 15 %) from the accept model, scored as at the
            start of the period (`features.at_start_of_period`): it is lowered here.
        budget_remaining: (N,) share of the customer's allowance left, in [0, 1].
        days_since_contact: (N,) days since the last contact, of an earlier period where there was
            none in this one; NaN for never.
        contacts_this_period: (N,) whole numbers >= 0.
        params: the world, with its cooldown, reluctance and effects; the defaults if None.
        answers: to the contacts of this period; None if there are none yet, or none is known.

    Returns:
        (N, 9) float64 in the order of `COLUMNS`.

    Raises:
        ValueError: wrong shape, NaN or a value outside its range; the message names the column.
    """
    params = params or EnvironmentParams()
    cooldown_days = params.cooldown_days
    days = np.asarray(days_since_contact, dtype=np.float64)
    days = np.minimum(np.where(np.isnan(days), cooldown_days, days), cooldown_days)
    count = np.size(risk)
    columns: dict[str, tuple[int | slice, ArrayLike, tuple[int, ...]]] = {
        "churn_risk": (RISK, risk, (count,)),
        "accept_prob": (ACCEPT, accept, (count, 4)),
        "budget_remaining": (BUDGET, budget_remaining, (count,)),
        "days_since_contact": (DAYS, days, (count,)),
        "cooldown_active": (COOLDOWN, days < cooldown_days, (count,)),
        "fatigue_count": (FATIGUE, contacts_this_period, (count,)),
    }
    states = np.empty((count, len(COLUMNS)))
    for name, (place, values, shape) in columns.items():
        if np.shape(values) != shape:
            raise ValueError(f"{name}: shape {np.shape(values)}, expected {shape}")
        states[:, place] = values
    states = validate_states(states)
    fall = reluctance(states[:, FATIGUE], states[:, DAYS], params)
    states[:, ACCEPT] = sigmoid(logit(states[:, ACCEPT]) - fall[:, None])
    if answers is not None:
        states[:, RISK] = answers.risk(states[:, RISK], states[:, FATIGUE], params)
    return states


def validate_states(states: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return `states` (N, 9) as float64; raise a ValueError that names the first bad column."""
    states = np.asarray(states, dtype=np.float64)
    if states.ndim != 2 or states.shape[1] != len(COLUMNS):
        raise ValueError(f"states: shape {states.shape}, expected (N, {len(COLUMNS)})")
    good = (states >= 0) & (states <= _UPPER)  # false for NaN
    whole = states[:, COOLDOWN:]  # cooldown_active and fatigue_count
    good[:, COOLDOWN:] &= whole == np.floor(whole)
    if not good.all():
        row, column = (int(index) for index in np.argwhere(~good)[0])
        raise ValueError(
            f"{COLUMNS[column]}: {states[row, column]} in row {row} is not allowed; it must be "
            "a finite number >= 0"
            + (" and <= 1" if _UPPER[column] == 1 else "")
            + (", whole" if column in (COOLDOWN, FATIGUE) else "")
        )
    return states
