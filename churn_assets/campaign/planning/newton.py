"""Newton's method for a smooth convex function of few numbers that may not be negative."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

RIDGE = 1e-9  # of the Hessian's trace: where the function is flat a step still has a length
SHORTEST = 1e-4  # share of a step below which no shorter one is tried
ENOUGH = 1e-4  # of the decrease that the slope promises (Armijo)
ROUNDING = 1e-12  # of the value: less is no increase


class Point(NamedTuple):
    """The function at one place: value, gradient (n,), Hessian (n, n), and by how much what is
    sought after is missed there (n,), each a share of its goal."""

    value: float
    gradient: Floats
    hessian: Floats
    missed: Floats


def minimized(
    function: Callable[[Floats], Point], x: Floats, *, steps: int, tolerance: float
) -> Floats:
    """Where the function is least among numbers >= 0, as near as `steps` steps come.

    Numbers at 0 that want to be negative stay there; the others make a step together, halved until
    the function falls.

    Args:
        x: (n,) where to begin.
        tolerance: enough of `missed`, where a number isn't held at 0.
    """
    here = function(x)
    for _ in range(steps):
        free = (x > 0) | (here.gradient < 0)
        if not free.any() or np.abs(here.missed[free]).max() <= tolerance:
            break
        curvature = here.hessian[np.ix_(free, free)]
        flat = RIDGE * max(float(np.trace(curvature)), 1e-300) * np.eye(len(curvature))
        step = np.zeros_like(x)
        step[free] = -np.linalg.solve(curvature + flat, here.gradient[free])
        step /= max(1.0, float((np.abs(step) / (1 + x)).max()))
        share = 1.0
        while True:
            to = np.maximum(x + share * step, 0.0)
            there = function(to)
            least = here.value + ENOUGH * float(here.gradient @ (to - x))
            if there.value <= least + ROUNDING * abs(here.value):
                break
            if share < SHORTEST:
                return x
            share /= 2
        x, here = to, there
    return x
