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
        state: 1 for every policy that doesn't explore, a network's most probable action too.
    """

    contact: NDArray[np.bool_]
    offer: NDArray[np.int64]
    delay: NDArray[np.int64]
    probability: NDArray[np.float64]

    @property
    def actions(self) -> NDArray[np.int64]:
        """(N, 3) contact, offer and delay, as the environment takes them."""
        return np.column_stack([self.contact, self.offer, self.delay]).astype(np.int64)


class Policy(Protocol):
    """Maps states to decisions; deterministic."""

    @property
    def name(self) -> str: ...

    def decide(self, states: NDArray[np.float64]) -> Decisions:
        """Decide for states (N, 9); raises ValueError naming the column of a bad number."""
        ...
