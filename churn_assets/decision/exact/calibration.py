"""The knob of a policy at which its exact expected spend meets the limit."""

from collections.abc import Callable

import numpy as np

SpendRatio = Callable[[float], float]
"""Expected spend over the limit at a knob's setting; falls as that rises, in small jumps."""
CLOSE = 0.004
"""A setting is found when spend is within the limit and this close to it (relative)."""
TRIES = 14


def within_limit(ratio: SpendRatio, highest: float, close: float = CLOSE) -> float:
    """The lowest setting found, of 0 to `highest`, at which spend is within the limit.

    0 where the limit doesn't bind even there; `highest` where nothing below it keeps the limit.
    The bracket is cut where the line through the logarithms of its ends' spend meets the limit, and
    at its geometric middle where that line is not known or has left the same end twice.
    """
    low, at_low = 0.0, ratio(0.0)
    if at_low <= 1:
        return 0.0
    high, at_high, same = highest, 0.0, 0
    for _ in range(TRIES):
        if at_high > 0 and abs(same) < 2:
            fall = np.log(at_low / at_high)
            share = np.log(at_low / (1 - close / 2)) / fall
            middle = low + (high - low) * float(np.clip(share, 0.02, 0.98))
        else:
            middle = float(np.sqrt((low + 0.1) * (high + 0.1)) - 0.1)
            same = 0
        found = ratio(middle)
        if found > 1:
            low, at_low, same = middle, found, min(same, 0) - 1
        else:
            high, at_high, same = middle, found, max(same, 0) + 1
            if found >= 1 - close:
                break
    return high
