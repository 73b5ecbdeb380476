"""The gates of a decision policy: two kinds, each a function of figures of the policy report.

*Facts of money and safety* hold of whatever policy is served, rule or network: its spend and its
contacts. A miss stops the release.

*Gates of the learned policy* (`GATES`) decide whether it may be served at all. A network that
misses one is never served: the policy report takes the best rule, the release the champion's
policy where that still holds. They also stand as asset checks, which fail without stopping
anything else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

from churn_assets.domain.evidence import SHOWN, shown_below

OVERSPEND = 1.02
SAME_SPEND = OVERSPEND - 1
"""Share by which two expected spends may differ and count as the same: the budget's own."""
OVER_CAP = 0.001
NEAR_THE_BEST = 0.005
"""Captured uplift by which PPO may fall short of the best policy and still be served."""
ROUNDING = 1e-9
UNPRICED = ("never", "always_offer")
"""Baselines that ignore the budget: shown, but never the best rule to beat."""

Figures = Mapping[str, Any]
Gate = Callable[[Figures], bool]


def most_spend(error: float) -> float:
    """The largest expected spend over the limit that is within the budget, for a figure with this
    standard error: 1.02, or where the customers are too few to show that little, what would show
    that the limit itself is exceeded."""
    return max(OVERSPEND, 1 + SHOWN * error)


def spend_is_within_the_budget(serving: Figures) -> bool:
    """Expected spend keeps the limit, both on customers who took no part in the calibration and on
    the test customers."""
    ratios = (serving["spend_ratio"], serving["test_spend_ratio"])
    return all(bool(ratio["value"] <= most_spend(ratio["error"])) for ratio in ratios)


def contact_cap_is_kept(serving: Figures) -> bool:
    """Fewer than 0.1 % of the customers are contacted more often than the cap."""
    return bool(serving["over_contact_rate"] < OVER_CAP)


def sees_the_customer(serving: Figures) -> bool:
    """Permuting at least one input among customers changes decisions."""
    return any(share > 0 for share in serving["sensitivity"].values())


def training_improved_on_its_start(learned: Figures) -> bool:
    """Every run ends with more captured uplift on validation customers than at its first point."""
    return all(bool(run["value"] > 0) for run in learned["improvement"])


def decisions_depend_on_the_state(learned: Figures) -> bool:
    """Permuting any input among customers changes the learned policy's decisions."""
    return all(share > 0 for share in learned["sensitivity"].values())


def a_cheaper_world_never_spends_less(learned: Figures) -> bool:
    """The learned policy is not shown to spend less where more of the allowance is left.

    What falls by no more than `SAME_SPEND` of the spend with the whole allowance is the same spend:
    a network's answer bends by a per cent or three from seed to seed.
    """
    bound = -SAME_SPEND * learned["spend_by_allowance"][-1]
    return not any(
        shown_below(step["value"], bound, step["error"]) for step in learned["spend_steps"]
    )


def largest_fall(learned: Figures) -> tuple[float, float]:
    """By how much spend falls from an allowance to the next larger one, where that is nearest to a
    miss of `a_cheaper_world_never_spends_less`, and its standard error: shares of the spend with
    the whole allowance. Below 0 where it rises everywhere; in the spend's own unit where that is 0.
    """
    whole = learned["spend_by_allowance"][-1] or 1.0
    step = min(learned["spend_steps"], key=lambda step: step["value"] + SHOWN * step["error"])
    return -step["value"] / whole, step["error"] / whole


GATES: dict[str, tuple[Gate, ...]] = {
    "decision_policy": (training_improved_on_its_start,),
    "policy_report": (decisions_depend_on_the_state, a_cheaper_world_never_spends_less),
}
"""The learned policy's gates, by the asset whose check shows them."""


def failed_gates(learned: Figures) -> list[str]:
    """Names of the learned policy's gates that don't hold."""
    return [gate.__name__ for of_asset in GATES.values() for gate in of_asset if not gate(learned)]


def never_rises(series: list[float]) -> bool:
    """Whether a series falls or stays, apart from rounding."""
    return all(later <= former + ROUNDING for former, later in pairwise(series))
