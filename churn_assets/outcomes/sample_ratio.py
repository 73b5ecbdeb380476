"""Whether the groups' sizes fit the share that was drawn, at every look.

If they don't, events or decisions of one group were lost, or the draw is broken, and no effect may
be believed. People look every day, and at an ordinary test of level 1 in 1,000 that is read so 2 to
3 in 100 sound experiments are called broken within a year. So it is Lindon and Malek's test
(Anytime-valid inference for multinomial count data, NeurIPS 2022): the Bayes factor of a Dirichlet
prior around the designed shares against these shares themselves,

    B(a + counts) / B(a) / prod(shares ** counts),  a = CONCENTRATION * shares,

is an e-process where the shares are as designed. That it *ever* reaches 1 / level has a probability
of the level at most (Ville), so 1 / it is a p-value at whichever look one stops.

All customers of a draw have one share, since who was decided on with another is not compared; of
shares that differ by person the Bayes factor would be of each one's own, which isn't needed here.
"""

from __future__ import annotations

import numpy as np
from scipy import special

LEVEL = 0.001
CONCENTRATION = 100.0
"""Customers that the prior is worth. Of 20 to 10,000 it finds a broken log of a few thousand
customers soonest: at 20 customers a day, with control groups of 8 in place of 10 %, on day 171 in
the middle, where one look finds it on day 108."""


def log_evidence(control: int, customers: int, share: float) -> float:
    """Natural logarithm of the Bayes factor against `share` of the customers being in control.

    Args:
        control: of the customers. share: of control, as it was designed, in (0, 1).
    """
    prior = CONCENTRATION * share, CONCENTRATION * (1 - share)
    others = customers - control
    marginal = special.betaln(prior[0] + control, prior[1] + others) - special.betaln(*prior)
    return float(marginal - special.xlogy(control, share) - special.xlog1py(others, -share))


def sample_ratio(control: int, customers: int, share: float) -> dict[str, float | bool]:
    """The check as JSON: `control_expected`, `z` (standard errors beyond it, of one look), `p`
    (valid at every look) and whether it was `found` that the sizes contradict the share; never
    where nobody was to be left alone, or everybody.

    Args:
        control: customers left alone, of so many. share: that was designed, in [0, 1].
    """
    expected = share * customers
    variance = expected * (1 - share)
    if not variance:
        return {"control_expected": expected, "z": 0.0, "p": 1.0, "found": False}
    p = float(np.exp(min(0.0, -log_evidence(control, customers, share))))
    z = float((control - expected) / np.sqrt(variance))
    return {"control_expected": expected, "z": z, "p": p, "found": p <= LEVEL}
