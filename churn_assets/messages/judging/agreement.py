"""How well the judge and the reward model agree."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def correlation(one: Floats, other: Floats) -> float:
    """Pearson's, in [-1, 1], to nine digits; 0 where one of them never changes."""
    if one.std() == 0 or other.std() == 0:
        return 0.0
    return round(float(np.corrcoef(one, other)[0, 1]), 9)
