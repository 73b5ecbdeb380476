"""Checks of the decision area.

Those of money and safety (spend, contact cap), of the environment and of the yardstick stop the
release; they read the *served* policy's figures, whichever policy that is. The gates of the
learned policy (`churn_assets.decision.evaluation.gates`) don't: the release waits for them
(Dagster's "blocking"), but a failure is a warning, and the release goes on without the policy.
`ppo_captures_at_least_the_best_baseline` only warns: where PPO falls short by more than
`gates.NEAR_THE_BEST`, the best baseline is served instead.
"""

from itertools import pairwise

import dagster as dg

from checks.attach import on_report
from churn_assets.decision.evaluation import gates
from churn_assets.domain.evidence import SHOWN
from churn_assets.domain.measured import ENOUGH
from churn_assets.domain.splits import SPLITS
from churn_assets.stages.spec import Report

LEARNED = "ppo"
DUAL_GAP = 0.005


def main_table(report: Report) -> Report:
    """The default preset's table."""
    table: Report = report["presets"][report["preset"]]
    return table


def ppo_seed_uplift(report: Report) -> float:
    """Captured uplift of PPO's seed that could be served."""
    seed = str(report["served_seed"])
    return float(main_table(report)["ppo"]["by_seed"][seed]["captured_uplift"])


@on_report("retention_environment")
def acceptance_rises_with_the_offer(report: Report) -> dg.AssetCheckResult:
    """Mean acceptance never falls with the discount in any split; where it is simulated it rises
    strictly, while a company's customers may well accept two offers equally often."""
    means = {split: report[split]["mean_accept"] for split in SPLITS}
    steps = [high - low for curve in means.values() for low, high in pairwise(curve)]
    rising = min(steps) >= 0 if report["responses_observed"] else min(steps) > 0
    return dg.AssetCheckResult(passed=rising, metadata={"mean_accept": means})


@on_report("retention_environment", blocking=False)
def a_contact_pays_for_enough_customers(report: Report) -> dg.AssetCheckResult:
    """For one customer in twenty one contact brings more than it costs, in the world that the
    policy is made for; where it does for fewer even as assumed, the policy may contact nobody."""
    paying = report["paying"]
    return dg.AssetCheckResult(
        passed=paying["in_training"] >= ENOUGH,
        severity=dg.AssetCheckSeverity.WARN,
        metadata=paying | {"bound": ENOUGH, "measured and assumed": report["measured"]},
    )


@on_report("oracle_policy")
def oracle_is_certified_by_its_dual(report: Report) -> dg.AssetCheckResult:
    """The oracle's feasible value is within 0.5 % of its upper bound on every preset, or as near
    as one kind of customers alike, who all jump at the budget's price, lets it be."""
    gaps = {preset: row["dual_gap"] for preset, row in report["oracle"].items()}
    jumps = {preset: row["dual_jump"] for preset, row in report["oracle"].items()}
    return dg.AssetCheckResult(
        passed=all(
            -gates.ROUNDING <= gap <= max(DUAL_GAP, jumps[preset] + gates.ROUNDING)
            for preset, gap in gaps.items()
        ),
        metadata={"dual_gap": gaps, "dual_jump": jumps, "bound": DUAL_GAP},
    )


@on_report("decision_policy")
def training_improved_on_its_start(report: Report) -> dg.AssetCheckResult:
    """Every run ends with more captured uplift on validation customers than at its first point."""
    runs = [run["improvement"] for preset in report["trained"].values() for run in preset["runs"]]
    return dg.AssetCheckResult(
        passed=gates.training_improved_on_its_start({"improvement": runs}),
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"improvement": runs, "bound": 0.0},
    )


@on_report("policy_report", blocking=False)
def ppo_captures_at_least_the_best_baseline(report: Report) -> dg.AssetCheckResult:
    """PPO's chosen seed captures at least as much as the strongest rule; where it falls short by
    more than half a point, that one is served."""
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


@on_report("policy_report")
def served_policy_is_the_best_measured(report: Report) -> dg.AssetCheckResult:
    """What `policy/` holds captures at least as much as every priced rule and the exact planner,
    and as PPO's chosen seed unless that missed a gate; PPO may be half a point short of the best.
    Another policy that the setting `serve` names is a warning here."""
    rules = main_table(report)["rules"].items()
    others = {
        name: row["captured_uplift"]["value"] for name, row in rules if name not in gates.UNPRICED
    }
    others["planner"] = report["policy"]["planner_uplift"]
    if not report["failed_gates"]:
        others[LEARNED] = ppo_seed_uplift(report)
    found = report["serving"]["captured_uplift"]
    short = gates.NEAR_THE_BEST if report["served"] == LEARNED else 0.0
    return dg.AssetCheckResult(
        passed=found >= max(others.values()) - short,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "served": report["served"],
            "captured_uplift": found,
            "measured": others,
            "may_be_short_by": short,
        },
    )


@on_report("policy_report")
def no_policy_that_failed_is_served(report: Report) -> dg.AssetCheckResult:
    """Either the learned policy passed all its gates, or a rule is served."""
    failed = report["failed_gates"]
    return dg.AssetCheckResult(
        passed=not failed or report["served"] != LEARNED,
        metadata={"failed_gates": failed, "served": report["served"]},
    )


@on_report("policy_report")
def expected_spend_is_within_the_budget(report: Report) -> dg.AssetCheckResult:
    """The served policy's expected spend is at most 1.02 x the limit, on other customers than it
    was calibrated on: half of training and validation (standard error 0.5 %), and the test
    customers, who are so few that a larger share must show that the limit is exceeded."""
    spend, test = report["serving"]["spend_ratio"], report["serving"]["test_spend_ratio"]
    return dg.AssetCheckResult(
        passed=gates.spend_is_within_the_budget(report["serving"]),
        metadata={
            "spend_ratio": spend,
            "bound": gates.most_spend(spend["error"]),
            "test_spend_ratio": test,
            "test_bound": gates.most_spend(test["error"]),
        },
    )


@on_report("policy_report")
def contact_cap_is_kept(report: Report) -> dg.AssetCheckResult:
    """The served policy contacts fewer than 0.1 % of the customers more often than the cap."""
    return dg.AssetCheckResult(
        passed=gates.contact_cap_is_kept(report["serving"]),
        metadata={
            "over_contact_rate": report["serving"]["over_contact_rate"],
            "bound": gates.OVER_CAP,
        },
    )


@on_report("policy_report")
def served_policy_sees_the_customer(report: Report) -> dg.AssetCheckResult:
    """Permuting inputs among customers changes the served policy's decisions: of at least one
    input; those that a rule leaves aside are named."""
    return dg.AssetCheckResult(
        passed=gates.sees_the_customer(report["serving"]),
        metadata=_inputs(report["serving"]["sensitivity"]),
    )


@on_report("policy_report")
def decisions_depend_on_the_state(report: Report) -> dg.AssetCheckResult:
    """Permuting any input among customers changes the learned policy's decisions."""
    return dg.AssetCheckResult(
        passed=gates.decisions_depend_on_the_state(report["learned"]),
        severity=dg.AssetCheckSeverity.WARN,
        metadata=_inputs(report["learned"]["sensitivity"]),
    )


def _inputs(changed: Report) -> Report:
    unused = [name for name, share in changed.items() if share == 0]
    return {"changed_share": changed, "inputs_without_effect": ", ".join(unused) or "none"}


@on_report("policy_report")
def a_cheaper_world_never_spends_less(report: Report) -> dg.AssetCheckResult:
    """The learned policy is not shown to spend less where more of the allowance is left."""
    learned = report["learned"]
    fall, error = gates.largest_fall(learned)
    return dg.AssetCheckResult(
        passed=gates.a_cheaper_world_never_spends_less(learned),
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "fall_of_spend": fall,
            "standard_error": error,
            "shown_by": SHOWN,
            "bound": gates.SAME_SPEND,
            "expected_spend": learned["spend_by_allowance"],
            "steps": learned["spend_steps"],
        },
    )


@on_report("policy_report")
def optimum_never_spends_more_at_a_higher_price(report: Report) -> dg.AssetCheckResult:
    """The optimum's expected spend falls or stays as the budget's price rises."""
    spends = report["diagnostics"]["oracle_spend_at_prices"]
    return dg.AssetCheckResult(
        passed=gates.never_rises(spends), metadata={"expected_spend": spends}
    )
