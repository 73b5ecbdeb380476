"""Independent random streams from one seed, one for each use.

Two generators made from the same seed give the same numbers: a discount drawn with one and a
price pressure drawn with the other would be correlated. Each use therefore has a stream of its own.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

Use = Literal[
    "masking",
    "masked_view",
    "bootstrap",
    "price_pressure",
    "offers",
    "responses",
    "placebo",
    "propensity",
    "search",
    "calibrated",
]
USES: tuple[Use, ...] = get_args(Use)  # a new use goes to the end: the others keep their numbers


def stream(seed: int, use: Use) -> np.random.Generator:
    """The generator of one use of `seed`, independent of every other use's (SeedSequence.spawn)."""
    return np.random.default_rng(np.random.SeedSequence(seed).spawn(len(USES))[USES.index(use)])
