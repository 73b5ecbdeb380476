"""Now and then the runner-up instead of what the policy prefers, so that later it can be told which
of the two is better: `explore(...) -> Decisions` with their true probabilities.

With probability `share` the best of the other options is taken, otherwise the preferred one. Where
no other option is possible, the preferred one is certain. Nothing that is tried is beyond a limit:
not above the contact cap, not more than the allowance, not in the cooldown, and no discount of
nothing.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from churn_assets.decision.config import EnvironmentParams
from churn_assets.decision.mdp.actions import Decisions, Ranking
from churn_assets.decision.mdp.dynamics import Array, affordable
from churn_assets.decision.mdp.observation import BUDGET, COOLDOWN, FATIGUE
from churn_assets.domain.offers import OFFER_LEVELS

NONE = -1
"""The runner-up where there is none."""


@dataclass(frozen=True)
class Exploration:
    """Between which options N decisions were drawn (0: no contact, 1..4: the offers).

    share: with which probability it is the runner-up, in [0, 1].
    preferred: (N,) what the policy does otherwise.
    runner_up: (N,) `NONE` where there is no other possible option.
    """

    share: float
    preferred: NDArray[np.int64]
    runner_up: NDArray[np.int64]


def possible(states: Array, params: EnvironmentParams) -> NDArray[np.bool_]:
    """(N, 5) options that may be tried: leaving alone always, a contact with an offer that the
    allowance covers outside the cooldown and below the cap."""
    found = np.ones((len(states), 1 + OFFER_LEVELS), dtype=bool)
    contact = (states[:, COOLDOWN] == 0) & (states[:, FATIGUE] < params.contact_cap)
    found[:, 1:] = affordable(states[:, BUDGET], params) & contact[:, None]
    return found


def runners_up(
    preferred: NDArray[np.int64], ranking: Ranking, allowed: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """(N,) the best allowed (N, 5) option but the preferred (N,); `NONE` where there is none."""
    every = np.arange(len(preferred))
    preference = np.where(allowed, ranking.preference, -np.inf)
    preference[every, preferred] = -np.inf
    best = preference.argmax(axis=1)
    return np.where(np.isneginf(preference[every, best]), NONE, best)


def explore(
    decisions: Decisions,
    ranking: Ranking,
    allowed: NDArray[np.bool_],
    share: float,
    uniform: Array,
) -> tuple[Decisions, Exploration]:
    """The decisions, some of them exchanged for the runner-up.

    Args:
        decisions: what the policy prefers in N states, for certain.
        ranking: by the same policy.
        allowed: (N, 5) options that may be tried (`possible`, and whatever else forbids one).
        share: of the decisions that are exchanged, in [0, 1].
        uniform: (N,) a draw from [0, 1) for each decision; below `share` it is exchanged.

    Returns:
        The decisions with the probability of each, and between what they were drawn.
    """
    preferred = decisions.option
    other = runners_up(preferred, ranking, allowed)
    drawn = (other != NONE) & (uniform < share)
    option = np.where(drawn, other, preferred)
    tried = ranking.delay[np.arange(len(option)), option]
    chosen = Decisions(
        contact=option > 0,
        offer=np.maximum(option - 1, 0),
        delay=np.where(drawn, tried, decisions.delay),
        probability=np.where(other == NONE, 1.0, np.where(drawn, share, 1 - share)),
    )
    return chosen, Exploration(share, preferred, other)
