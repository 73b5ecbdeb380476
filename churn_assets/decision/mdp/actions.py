"""What a policy answers. Kept apart from `policy.py`, so that rules and network can import it."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

DELAYS = 8
LONGEST_DELAY = DELAYS - 1


@dataclass(frozen=True)
class Decisions:
    """N decisions.

    contact: (N,) bool.
    offer: (N,) int 0..3, the offer's index (0, 5, 10, 15 %); 0 where there is no contact.
    delay: (N,) int 0..7: days skipped before the next decision (0 = look again tomorrow).
    probability: (N,) float in (0, 1]: the propensity, with which this decision is taken in this
        state: 1 for what a policy prefers, as long as nothing explores (`exploration.py`).
    """

    contact: NDArray[np.bool_]
    offer: NDArray[np.int64]
    delay: NDArray[np.int64]
    probability: NDArray[np.float64]

    @property
    def actions(self) -> NDArray[np.int64]:
        """(N, 3) contact, offer and delay, as the environment takes them."""
        return np.column_stack([self.contact, self.offer, self.delay]).astype(np.int64)

    @property
    def option(self) -> NDArray[np.int64]:
        """(N,) 0 where there is no contact, 1..4 where one is made with that offer."""
        return np.where(self.contact, self.offer + 1, 0)


@dataclass(frozen=True)
class Ranking:
    """How a policy ranks the options of N states: no contact, then a contact with each offer.

    preference: (N, 5) the larger the better; -inf for what the policy never does. Limits (caps,
        allowance, cooldown) need not be heeded in it.
    delay: (N, 5) int 0..7: the delay that would go with each option.
    """

    preference: NDArray[np.float64]
    delay: NDArray[np.int64]


class Policy(Protocol):
    """Maps states to decisions; deterministic."""

    @property
    def name(self) -> str:
        """What answers, logs and reports call it."""
        ...

    def decide(self, states: NDArray[np.float64]) -> Decisions:
        """Decide for states (N, 9); raises ValueError naming the column of a bad number."""
        ...

    def ranking(self, states: NDArray[np.float64]) -> Ranking:
        """What else it might have done in states (N, 9); raises as `decide`."""
        ...
