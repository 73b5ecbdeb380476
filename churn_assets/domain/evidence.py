"""When a figure misses its bound: only where its statistical error can't be what put it there.

A figure measured on a sample, or of a learned function, differs a little between seeds, machines
and samples. A gate on it therefore fails where the miss is *shown*: where the figure lies beyond
its bound by more than `SHOWN` of its standard errors. The bound itself never moves.
"""

from __future__ import annotations

import math

SHOWN = 4.0
"""Standard errors beyond a bound that show a miss. A figure whose true value lies exactly on its
bound fails by chance once in 31,574 runs; all gates of a release together stay below 1 in 1,000."""


def chance_of_a_false_miss(errors: float = SHOWN) -> float:
    """P(a normal figure lies more than `errors` standard errors beyond its own true value)."""
    return math.erfc(errors / math.sqrt(2)) / 2


def shown_above(value: float, bound: float, error: float) -> bool:
    """Whether a figure with this standard error is shown to lie above `bound`; always for NaN."""
    return not value - SHOWN * error <= bound


def shown_below(value: float, bound: float, error: float) -> bool:
    """Whether a figure with this standard error is shown to lie below `bound`; always for NaN."""
    return not value + SHOWN * error >= bound
