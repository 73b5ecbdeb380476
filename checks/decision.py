"""Checks of the decision area; all but one block the release.

Those on the policy report read the *served* policy's figures, whichever policy that is.
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
from churn_assets.decision.report import UNPRICED
from churn_assets.decision.state import COLUMNS
from churn_assets.resources.artifact_store import Artifact
from churn_assets.resources.bindings import StoreResource

Report = dict[str, Any]
LEARNED = "ppo"
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


def ppo_seed_uplift(report: Report) -> float:
    """Captured uplift of PPO's seed that could be served."""
    seed = str(report["served_seed"])
    return float(main_table(report)["ppo"]["by_seed"][seed]["captured_uplift"])


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
    """PPO's chosen seed captures at least as much as the best baseline; else that one is served."""
    figures, found = report["policy"], ppo_seed_uplift(report)
    return dg.AssetCheckResult(
        passed=found >= figures["best_baseline_uplift"],
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "ppo": found,
            "ppo_mean_of_seeds": figures["captured_uplift"],
            "best_baseline": figures["best_baseline"],
            "best_baseline_uplift": figures["best_baseline_uplift"],
            "lead": main_table(report)["lead"],
            "served": report["served"],
        },
    )


@check_on(policy_report)
def served_policy_is_the_best_measured(report: Report) -> dg.AssetCheckResult:
    """What `policy/` holds captures at least as much as PPO's chosen seed and every priced rule."""
    rules = main_table(report)["rules"].items()
    others = {
        name: row["captured_uplift"]["value"] for name, row in rules if name not in UNPRICED
    } | {LEARNED: ppo_seed_uplift(report)}
    found = report["serving"]["captured_uplift"]
    return dg.AssetCheckResult(
        passed=found >= max(others.values()),
        metadata={"served": report["served"], "captured_uplift": found, "measured": others},
    )


@check_on(policy_report)
def expected_spend_is_within_the_budget(report: Report) -> dg.AssetCheckResult:
    """The served policy's expected spend is at most 1.02 x the limit, on other customers than it
    was calibrated on: half of training and validation (standard error 0.5 %), and the test
    customers, who are so few that only their interval must reach the bound."""
    spend, test = report["serving"]["spend_ratio"], report["serving"]["test_spend_ratio"]
    return dg.AssetCheckResult(
        passed=spend["value"] <= OVERSPEND and test["lower"] <= OVERSPEND,
        metadata={"spend_ratio": spend, "test_spend_ratio": test, "bound": OVERSPEND},
    )


@check_on(policy_report)
def contact_cap_is_kept(report: Report) -> dg.AssetCheckResult:
    """The served policy contacts fewer than 0.1 % of the customers more often than the cap."""
    rate = report["serving"]["over_contact_rate"]
    return dg.AssetCheckResult(
        passed=rate < OVER_CAP, metadata={"over_contact_rate": rate, "bound": OVER_CAP}
    )


@check_on(policy_report)
def decisions_depend_on_the_state(report: Report) -> dg.AssetCheckResult:
    """Permuting an input among customers changes the served policy's decisions: each input of a
    network's; of a rule's at least one, and those that it leaves aside are named."""
    changed = report["serving"]["sensitivity"]
    unused = [name for name in COLUMNS if changed[name] == 0]
    allowed = 0 if report["served"] == LEARNED else len(COLUMNS) - 1
    return dg.AssetCheckResult(
        passed=len(unused) <= allowed,
        metadata={"changed_share": changed, "inputs_without_effect": ", ".join(unused) or "none"},
    )


@check_on(policy_report)
def a_cheaper_world_never_spends_less(report: Report) -> dg.AssetCheckResult:
    """The served policy's decisions never spend less where more of the allowance is left, nor the
    optimum where the budget's price is lower."""
    spends = {
        "served_by_allowance_left": report["serving"]["spend_by_allowance"],
        "optimum_by_falling_price": report["diagnostics"]["oracle_spend_at_prices"][::-1],
    }
    rising = all(
        more >= less - RISING for series in spends.values() for less, more in pairwise(series)
    )
    return dg.AssetCheckResult(passed=rising, metadata={"expected_spend": spends})
