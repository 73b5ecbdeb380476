"""The nine numbers that a decision is made from: `build_states(...) -> (N, 9)` and their check.

Columns, in the specification's order (also `COLUMNS`):

0. `churn_risk`: P(churn within the period) in [0, 1].
1-4. `accept_prob_0..3`: P(accept | offer) in [0, 1] *at the present contact history*: cooldown and
   fatigue have already lowered it (`dynamics.reluctance`), here as in the environment.
5. `budget_remaining`: share of the customer's allowance that is left, in [0, 1].
6. `days_since_contact`: 0 .. cooldown_days; a longer time, or never, counts as cooldown_days,
   since nothing depends on the time beyond the cooldown.
7. `cooldown_active`: 1 within the cooldown, else 0.
8. `fatigue_count`: contacts in this period, a whole number >= 0.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from churn_assets.decision.config import EnvironmentParams
from churn_assets.decision.mdp.dynamics import reluctance
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


def build_states(
    risk: ArrayLike,
    accept: ArrayLike,
    budget_remaining: ArrayLike,
    days_since_contact: ArrayLike,
    contacts_this_period: ArrayLike,
    params: EnvironmentParams | None = None,
) -> NDArray[np.float64]:
    """Assemble states for N customers: what the environment would show of them.

    Args:
        risk: (N,) P(churn) from the risk model, in [0, 1].
        accept: (N, 4) P(accept | offer 0, 5, 10, 15 %) from the accept model, scored as at the
            start of the period (`features.at_start_of_period`): it is lowered here.
        budget_remaining: (N,) share of the customer's allowance left, in [0, 1].
        days_since_contact: (N,) days since the last contact, of an earlier period where there was
            none in this one; NaN for never.
        contacts_this_period: (N,) whole numbers >= 0.
        params: the world, with its cooldown and reluctance; the defaults if None.

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
