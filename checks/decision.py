"""Checks of the decision area. All read the policy report; all but one block the release.

`ppo_captures_at_least_the_best_baseline` only warns: where it fails, the best baseline is served
instead, and `served_policy_is_the_best_measured` holds that choice to account.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import dagster as dg

from churn_assets.decision.assets import (
    decision_policy,
    oracle_policy,
    policy_report,
    retention_environment,
)
from churn_assets.decision.state import COLUMNS
from churn_assets.resources.artifact_store import Artifact
from churn_assets.resources.bindings import StoreResource

Report = dict[str, Any]
OVERSPEND = 1.02
OVER_CAP = 0.001
DUAL_GAP = 0.005
RISING = 1e-9


def check_on(
    asset: dg.AssetsDefinition, blocking: bool = True
) -> Callable[[Callable[[Report], dg.AssetCheckResult]], dg.AssetChecksDefinition]:
    """An asset check with the function's name and docstring, on the asset's report."""

    def decorate(finding: Callable[[Report], dg.AssetCheckResult]) -> dg.AssetChecksDefinition:
        @dg.asset_check(
            asset=asset, name=finding.__name__, description=finding.__doc__, blocking=blocking
        )
        def check(artifact: Artifact, store: StoreResource) -> dg.AssetCheckResult:
            return finding(store.report(artifact))

        return check

    return decorate


def main_table(report: Report) -> Report:
    """The default preset's table."""
    table: Report = report["presets"][report["preset"]]
    return table


@check_on(retention_environment)
def acceptance_rises_with_the_offer(report: Report) -> dg.AssetCheckResult:
    """Mean acceptance rises strictly with the discount in every split."""
    means = {split: report[split]["mean_accept"] for split in ("train", "valid", "test")}
    rising = all(low < high for curve in means.values() for low, high in pairwise(curve))
    return dg.AssetCheckResult(passed=rising, metadata={"mean_accept": means})


@check_on(oracle_policy)
def oracle_is_certified_by_its_dual(report: Report) -> dg.AssetCheckResult:
    """The oracle's feasible value is within 0.5 % of its upper bound on every preset."""
    gaps = {preset: row["dual_gap"] for preset, row in report["oracle"].items()}
    return dg.AssetCheckResult(
        passed=all(-RISING <= gap <= DUAL_GAP for gap in gaps.values()),
        metadata={"dual_gap": gaps, "bound": DUAL_GAP},
    )


@check_on(decision_policy)
def training_improved_on_its_start(report: Report) -> dg.AssetCheckResult:
    """Every run ends with more captured uplift on validation customers than at its first point."""
    runs = [run for preset in report["trained"].values() for run in preset["runs"]]
    first = [run["history"][0]["captured_uplift"] for run in runs]
    last = [run["valid_captured_uplift"] for run in runs]
    return dg.AssetCheckResult(
        passed=all(end > start for start, end in zip(first, last, strict=True)),
        metadata={"first": first, "last": last},
    )


@check_on(policy_report, blocking=False)
def ppo_captures_at_least_the_best_baseline(report: Report) -> dg.AssetCheckResult:
    """PPO's captured uplift is at least the best baseline's; else the baseline is served."""
    figures = report["policy"]
    return dg.AssetCheckResult(
        passed=figures["captured_uplift"] >= figures["best_baseline_uplift"],
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "ppo": figures["captured_uplift"],
            "best_baseline": figures["best_baseline"],
            "best_baseline_uplift": figures["best_baseline_uplift"],
            "lead": main_table(report)["lead"],
            "served": report["served"],
        },
    )


@check_on(policy_report)
def served_policy_is_the_best_measured(report: Report) -> dg.AssetCheckResult:
    """What `policy/` holds captures at least as much as PPO and every priced baseline."""
    table, served = main_table(report), report["served"]
    ppo = table["ppo"]["by_seed"][str(report["served_seed"])]["captured_uplift"]
    found = ppo if served == "ppo" else table["rules"][served]["captured_uplift"]["value"]
    best = report["policy"]["best_baseline_uplift"]
    return dg.AssetCheckResult(
        passed=found >= best,
        metadata={"served": served, "captured_uplift": found, "best_baseline_uplift": best},
    )


@check_on(policy_report)
def expected_spend_is_within_the_budget(report: Report) -> dg.AssetCheckResult:
    """Expected spend is at most 1.02 x the limit, on the customer base and on the test customers.

    The test customers are a few hundred: there the interval over customers must reach the bound.
    """
    table = main_table(report)["ppo"]
    test, base = table["spend_ratio"], table["base_spend_ratio"]
    return dg.AssetCheckResult(
        passed=base <= OVERSPEND and test["lower"] <= OVERSPEND,
        metadata={"base_spend_ratio": base, "test_spend_ratio": test, "bound": OVERSPEND},
    )


@check_on(policy_report)
def contact_cap_is_kept(report: Report) -> dg.AssetCheckResult:
    """Fewer than 0.1 % of the customers are contacted more often than the cap."""
    rate = report["policy"]["over_contact_rate"]
    return dg.AssetCheckResult(
        passed=rate < OVER_CAP, metadata={"over_contact_rate": rate, "bound": OVER_CAP}
    )


@check_on(policy_report)
def decisions_depend_on_the_state(report: Report) -> dg.AssetCheckResult:
    """Permuting an input among customers changes decisions; inputs that don't matter are named."""
    changed = report["diagnostics"]["sensitivity"]
    unused = [name for name in COLUMNS if changed[name] == 0]
    return dg.AssetCheckResult(
        passed=not unused,
        metadata={"changed_share": changed, "inputs_without_effect": ", ".join(unused) or "none"},
    )


@check_on(policy_report)
def dearer_offers_never_raise_spend(report: Report) -> dg.AssetCheckResult:
    """As discounts get dearer, neither the policy's nor the oracle's expected spend rises."""
    spends = {
        name: report["diagnostics"][name]
        for name in ("spend_at_offer_prices", "oracle_spend_at_prices")
    }
    falling = all(
        later <= sooner + RISING for series in spends.values() for sooner, later in pairwise(series)
    )
    return dg.AssetCheckResult(passed=falling, metadata={"expected_spend": spends})
