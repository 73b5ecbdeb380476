"""The baselines, each tuned: every family's best variant, priced so that spend meets the limit.

Settings are chosen on training and validation customers. A family has variants (timing, offer,
threshold) and one knob that spend falls with; the knob is set by bisection on exact expected spend
for every variant, and the variant with the highest exact uplift is kept.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from churn_assets.decision.config import EnvironmentParams
from churn_assets.decision.exact.calibration import CLOSE, within_limit
from churn_assets.decision.exact.policy_value import evaluate
from churn_assets.decision.mdp.customers import Customers
from churn_assets.decision.mdp.dynamics import Array
from churn_assets.decision.rules.bandit import ACCEPT_EDGES, RISK_EDGES, learn_segments
from churn_assets.decision.rules.families import (
    AlwaysOffer,
    NeverContact,
    PricedGreedy,
    RiskThreshold,
    Rule,
    SegmentTable,
    UpliftRule,
)
from churn_assets.decision.rules.lookahead import RetryGreedy, TwoContacts

Build = Callable[[float], Rule]
NEAR_ENOUGH = 0.02
"""Closeness to the limit at which variants are compared: what they leave unspent is priced."""


KNOBS = {
    "priced_greedy": ("price", 64.0),
    "greedy_retry": ("price", 64.0),
    "look2": ("price", 64.0),
    "risk_threshold": ("threshold", 1.0),
    "uplift": ("threshold", 1.0),
    "thompson": ("price", 64.0),
}
"""Of each kind of rule, the number that spend falls with, from 0, and its highest value."""


@dataclass(frozen=True)
class Family:
    """Variants of a rule of one kind; `build(knob)` spends less as the knob rises."""

    name: str
    variants: list[Build]


def tuned_baselines(
    tuning: Customers,
    calibration: Customers,
    params: EnvironmentParams,
    price: float,
) -> dict[str, Rule]:
    """All baselines by name.

    Args:
        tuning: on whom variants are compared (a few hundred).
        calibration: on whom the kept variant's knob is set finally.
        price: the budget's price, at which Thompson sampling runs its campaign.
    """
    rules: dict[str, Rule] = {
        "never": NeverContact(params=params),
        "always_offer": AlwaysOffer(params=params),
    }
    for family in families(tuning, params, price):
        rules[family.name] = calibrated(
            best_variant(family, tuning, params, price), family.name, calibration, params
        )
    return rules


def best_variant(
    family: Family, customers: Customers, params: EnvironmentParams, price: float
) -> Build:
    """The variant with the highest uplift; unspent budget counts at its price."""
    worth = []
    for build in family.variants:
        rule = calibrated(build, family.name, customers, params, NEAR_ENOUGH)
        found = evaluate(rule, customers, params.clean)
        worth.append(found.mean("uplift") - price * found.mean("spend"))
    return family.variants[int(np.argmax(worth))]


def families(customers: Customers, params: EnvironmentParams, price: float) -> Iterator[Family]:
    """The tunable baselines for one environment."""
    timings = list(timing_variants(params))
    yield Family(
        "priced_greedy",
        [
            _builder(PricedGreedy, "price", params=params, threshold=threshold, **timing)
            for threshold, tried in ((0.0, timings), (0.01, timings[:3]))
            for timing in tried
        ],
    )
    yield Family(
        "greedy_retry",
        [_builder(RetryGreedy, "price", params=params, **timing) for timing in timings[:4]],
    )
    yield Family("look2", [_builder(TwoContacts, "price", params=params)])
    offers = [{**timing, "offer": offer} for timing in timings[:1] for offer in (1, 2)]
    yield Family(
        "risk_threshold",
        [_builder(RiskThreshold, "threshold", params=params, **chosen) for chosen in offers],
    )
    yield Family(
        "uplift",
        [_builder(UpliftRule, "threshold", params=params, **chosen) for chosen in offers],
    )
    gain, cost = learn_segments(customers, params, price, seed=0)
    yield Family(
        "thompson",
        [partial(segment_rule, gain, cost, params, timing) for timing in timings[:3]],
    )


def timing_variants(params: EnvironmentParams) -> Iterator[dict[str, int | bool]]:
    """When to look again after a contact, and whether contacts in the cooldown are allowed.

    Families with many settings try the first few only: a campaign as it is usually run, then what
    was best in trials (looking again at once: whoever refused is asked again tomorrow).
    """
    whole_cooldown = min(params.cooldown_days - 1, 7)
    yield {"delay_after_contact": whole_cooldown, "contact_in_cooldown": False}
    for delay in (0, 2, 1, 4, whole_cooldown):
        yield {"delay_after_contact": delay, "contact_in_cooldown": True}


def segment_rule(
    gain: Array,
    cost: Array,
    params: EnvironmentParams,
    timing: dict[str, int | bool],
    price: float,
) -> SegmentTable:
    """The bandit's table at a price on the discount."""
    return SegmentTable.model_validate(
        {
            **timing,
            "params": params,
            "risk_edges": RISK_EDGES,
            "accept_edges": ACCEPT_EDGES,
            "table": tuple(tuple(row) for row in gain - (1 + price) * cost),
        }
    )


def calibrated(
    build: Build,
    kind: str,
    customers: Customers,
    params: EnvironmentParams,
    close: float = CLOSE,
) -> Rule:
    """The variant with the lowest knob whose expected spend, from clean sheets, is within the
    limit, and this close to it."""

    def spend_ratio(knob: float) -> float:
        return evaluate(build(knob), customers, params.clean).mean("spend") / params.budget_limit

    return build(within_limit(spend_ratio, KNOBS[kind][1], close))


def retuned(rule: Rule, customers: Customers, params: EnvironmentParams) -> Rule | None:
    """The rule with its knob set anew for these customers and this budget, all else as it is; None
    where it has no knob any more: the bandit's table has its price worked in."""
    knob, _ = KNOBS[rule.kind]
    if knob not in type(rule).model_fields:
        return None
    build = _builder(type(rule), knob, **dict(rule))
    return calibrated(build, rule.kind, customers, params)


def _builder(rule: type[Rule], knob: str, **fixed: object) -> Build:
    return lambda value: rule.model_validate({**fixed, knob: value})
