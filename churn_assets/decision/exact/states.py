"""Which states a customer's period can come to: the grid of oracle and exact evaluation.

A state is (contacts, acceptances, annoyances, spend units, days since the last contact). From a
clean sheet a third of all combinations can come about, and only those are looked at.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from churn_assets.decision.config import EnvironmentParams
from churn_assets.decision.mdp.actions import DELAYS
from churn_assets.decision.mdp.dynamics import offer_units, spend_levels, start_histories

Index = NDArray[np.int64]


@dataclass(frozen=True)
class Level:
    """The K states with the same number of contacts, in order of their days.

    yes, annoyed, spent, days: (K,) acceptances, annoyances, spend units, days since contact.
    place: (n + 1, n + 1, S, D) index of each state among the K, -1 where it can't come about.
    """

    contacts: int
    yes: Index
    annoyed: Index
    spent: Index
    days: Index
    place: Index

    @classmethod
    def of(cls, contacts: int, reached: NDArray[np.bool_]) -> "Level":
        """From (n + 1, n + 1, S, D) whether each state can come about."""
        days, yes, annoyed, spent = np.nonzero(np.moveaxis(reached, -1, 0))
        place = np.full(reached.shape, -1)
        place[yes, annoyed, spent, days] = np.arange(len(days))
        return cls(contacts, yes, annoyed, spent, days, place)

    def __len__(self) -> int:
        return len(self.days)

    def on(self, day: int) -> slice:
        """The states `day` days after the last contact."""
        first, last = np.searchsorted(self.days, [day, day + 1])
        return slice(int(first), int(last))


@lru_cache(maxsize=64)
def levels(params: EnvironmentParams) -> tuple[Level, ...]:
    """The states that episodes can come to from their start histories, for n = 0 .. contact_stop
    contacts: any offer that fits, any delay and either answer, above the contact cap too."""
    cooldown, spends = params.cooldown_days, spend_levels(params)
    reached = [
        np.zeros((n + 1, n + 1, spends, cooldown + 1), dtype=bool)
        for n in range(params.contact_stop + 1)
    ]
    histories, weights = start_histories(params)
    for contacts, spent, days in histories[weights > 0]:
        reached[contacts][0, 0, spent, days] = True
    after = np.minimum(np.arange(DELAYS) + 1, cooldown)
    for n, here in enumerate(reached):
        for day in range(cooldown):
            later = np.minimum(day + after, cooldown)
            here[..., later] |= here[..., day, None]
        if n == params.contact_stop:
            break
        yes, annoyed, spent, days = np.nonzero(here)
        inside, following = (days < cooldown).astype(np.int64), reached[n + 1]
        for units in offer_units(params):
            fits = spent + units < spends
            a, b, s, soon = (column[fits] for column in (yes, annoyed, spent, inside))
            for day in after:
                following[a + 1, b + soon, s + units, day] = True
                following[a, b + 1, s, day] = True
    return tuple(Level.of(n, states) for n, states in enumerate(reached))
