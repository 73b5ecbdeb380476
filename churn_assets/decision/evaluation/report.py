"""The policy report: every policy on the held-out customers, exactly, with intervals.

Choices (rules' settings, prices, the served seed) were made on training and validation customers;
the test customers are looked at here, once. The best baseline is the one that does best on the
*test* customers: the choice that is least kind to PPO.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from churn_assets.decision.config import EnvironmentParams, ReportSettings
from churn_assets.decision.evaluation import plots
from churn_assets.decision.evaluation.assumptions import (
    break_even,
    pessimism,
    unseen_misestimation,
)
from churn_assets.decision.evaluation.closed_loop import close_the_loop, decide_by
from churn_assets.decision.evaluation.conditions import (
    captured_by_budget,
    captured_in_worlds,
    planned,
)
from churn_assets.decision.evaluation.diagnostics import (
    BY_HEAD,
    BY_STATE,
    captured_with_help,
    gap_by_risk,
    seen_shifts,
)
from churn_assets.decision.evaluation.gates import UNPRICED, failed_gates
from churn_assets.decision.evaluation.presets import PresetResult, measure_preset
from churn_assets.decision.evaluation.selection import (
    Candidate,
    choose_served,
    learned_figures,
    served_figures,
)
from churn_assets.decision.evaluation.spending import period_spend
from churn_assets.decision.exact.comparison import captured_uplift
from churn_assets.decision.exact.exploring import evaluate_exploring
from churn_assets.decision.exact.pareto import ParetoCurve, without_rounding
from churn_assets.decision.exact.policy_value import evaluate
from churn_assets.decision.learning.network_numpy import NetworkPolicy
from churn_assets.decision.mdp.actions import Policy
from churn_assets.decision.mdp.customers import Customers, systematic_sample
from churn_assets.decision.mdp.groups import Groups
from churn_assets.decision.mdp.worlds import worlds_of
from churn_assets.decision.policy import save_rule
from churn_assets.decision.rules.families import Rule
from churn_assets.domain.experiment import EXPLORATION
from churn_assets.stages.spec import Progress, silent


@dataclass(frozen=True)
class Choice:
    """What is served of one preset's policies, and what it was chosen from.

    Attributes:
        seed: PPO's, which was best on validation customers.
        ppo: PPO with it. plan: the look-ahead planner. served: the chosen one.
        learned: the figures that PPO's gates read. failed: the gates that it missed.
    """

    seed: int
    ppo: Candidate
    plan: Candidate
    served: Candidate
    learned: dict[str, Any]
    failed: list[str]

    @property
    def name(self) -> str:
        """The served policy's."""
        return self.served.policy.name


def run(
    inputs: Mapping[str, Path],
    out: Path,
    config: ReportSettings,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Compare, draw, choose what is served (`policy/`), and report.

    The report's `policy` holds the figures of `churn report`; `presets` every policy's table;
    `served` names the policy in `policy/` (`choose`). `serving` has this policy's own figures,
    `learned` those that PPO's gates read; `closed_loop` what PPO, the strongest rule and what is
    served bring when they are told only what a caller knows; `period_spend` what a period of the
    whole base costs from clean sheets; `exploration` what it costs to try the served policy's
    runner-up now and then.
    """
    groups = Groups.load(inputs["retention_environment"])
    trained = json.loads((inputs["decision_policy"] / "report.json").read_text())["trained"]
    oracle = json.loads((inputs["oracle_policy"] / "report.json").read_text())["oracle"]
    worlds, results = worlds_of(inputs["retention_environment"], config), {}
    for step, (preset, world) in enumerate(worlds.items()):
        results[preset] = measure_preset(inputs, groups, preset, world, trained[preset], config)
        progress(step + 1, len(config.presets), **results[preset].table["lead"])
    main, params = results[config.preset], worlds[config.preset]
    choice = choose(main, trained[config.preset], groups, params, config)
    if choice.served is choice.ppo:
        shutil.copytree(inputs["decision_policy"] / "policy", out / "policy")
    else:
        save_rule(cast("Rule", choice.served.policy), out / "policy")
    draw(out / "plots", main, trained[config.preset], choice.seed, groups.test)
    found = measure_served(choice, main, groups, params, config)
    plots.break_even(out / "plots" / "break_even.png", found["break_even"], choice.name)
    return {
        "preset": config.preset,
        "policy": headline_figures(results, trained, oracle, config)
        | policy_figures(choice, main, groups, config, found),
        "served": choice.name,
        "served_seed": choice.seed,
        "failed_gates": choice.failed,
        "closed_loop": found["closed_loop"],
        "period_spend": found["period_spend"],
        "exploration": found["exploration"],
        "learned": choice.learned,
        "serving": found["serving"],
        "presets": {preset: result.table for preset, result in results.items()},
        "diagnostics": diagnose(main, groups, trained[config.preset], choice, config),
    }


def choose(
    result: PresetResult,
    trained: Mapping[str, Any],
    groups: Groups,
    params: EnvironmentParams,
    config: ReportSettings,
) -> Choice:
    """PPO's best seed; the best of rules and planner where PPO falls short of it by more than
    `gates.NEAR_THE_BEST` or missed a gate; or what the setting `serve` names."""
    ppo = result.candidate(trained["best_seed"])
    improvement = [run["improvement"] for run in trained["runs"]]
    learned = learned_figures(ppo, improvement, groups.test, params)
    failed = failed_gates(learned)
    planner = planned(groups.calibration(config.price_customers), params)
    ahead = evaluate(planner, groups.test, params.clean)
    plan = Candidate(planner, ahead, captured_uplift(result.curve, ahead))
    others = [found for rule, found in result.rules.items() if rule not in UNPRICED]
    served = choose_served(ppo, [*others, plan], failed, config.serve)
    return Choice(trained["best_seed"], ppo, plan, served, learned, failed)


def measure_served(
    choice: Choice,
    result: PresetResult,
    groups: Groups,
    params: EnvironmentParams,
    config: ReportSettings,
) -> dict[str, Any]:
    """The served policy's own figures, and in the closed loop PPO's and the strongest rule's."""
    served, test, base = choice.served, groups.test, groups.everyone()
    told_little = {id(one): one for one in (choice.ppo, result.rule, served)}.values()
    shown = systematic_sample(test, config.watched_customers)
    return {
        "closed_loop": {
            one.policy.name: closed_loop(one, test, params.clean, config.loop_episodes)
            for one in told_little
        },
        "period_spend": period_spend(served.policy, base, params, len(base), config.loop_episodes),
        "break_even": break_even(served.policy, shown, params),
        "exploration": exploration_cost(served, test, result.curve, params.clean),
        "serving": served_figures(served, groups, result.bootstrap, params),
    }


def policy_figures(
    choice: Choice,
    result: PresetResult,
    groups: Groups,
    config: ReportSettings,
    found: Mapping[str, Any],
) -> dict[str, Any]:
    """The figures of `churn report --json` below `policy` that speak of what is served, and of how
    PPO bears other budgets and worlds.

    Args:
        found: as `measure_served` returns it.
    """
    network = result.networks[choice.seed]
    some = systematic_sample(groups.test, config.price_customers)
    few = groups.calibration(config.watched_customers)
    loop, spending = found["closed_loop"][choice.name], found["period_spend"]
    return {
        "served": choice.name,
        "served_uplift": choice.served.captured_uplift,
        "failed_gates": choice.failed,
        "planner_uplift": choice.plan.captured_uplift,
        "captured_uplift_by_budget": captured_by_budget(network, some, few),
        "changed_worlds": captured_in_worlds(network, config, some, few),
        "spend_clean_sheet": spending["ratio"],
        "p_over_budget": spending["p_over"],
        "break_even": found["break_even"],
        "closed_loop": {key: loop[key] for key in ("z_uplift", "z_spend", "episodes")},
    }


def exploration_cost(
    candidate: Candidate, test: Customers, curve: ParetoCurve, params: EnvironmentParams
) -> dict[str, float]:
    """What exploring as the experiment does unless set otherwise takes from a candidate: captured
    uplift (shares of the optimum), uplift (of value) and spend (of the budget), with and without.
    """
    found = evaluate_exploring(candidate.policy, test, params, EXPLORATION)
    captured, without = captured_uplift(curve, found), candidate.found
    return {
        "share": EXPLORATION,
        "cost": candidate.captured_uplift - captured,
        "captured_uplift": captured,
        "uplift": found.mean("uplift"),
        "uplift_without": without.mean("uplift"),
        "spend_ratio": found.mean("spend") / params.budget_limit,
        "spend_ratio_without": without.mean("spend") / params.budget_limit,
    }


def closed_loop(
    candidate: Candidate, test: Customers, params: EnvironmentParams, episodes: int
) -> dict[str, float]:
    """What a candidate brings when it is told only what a caller knows (`closed_loop.LoopResult`),
    through the function that builds the service's states."""
    decide = decide_by(candidate.policy, test)
    return close_the_loop(decide, test, candidate.found, params, episodes).figures


def headline_figures(
    results: Mapping[str, PresetResult],
    trained: Mapping[str, Any],
    oracle: Mapping[str, Any],
    config: ReportSettings,
) -> dict[str, Any]:
    """The figures of `churn report --json` below `policy`."""
    main = results[config.preset]
    tables = {preset: result.table for preset, result in results.items()}
    seconds = [run["train_seconds"] for preset in trained.values() for run in preset["runs"]]
    return {
        "captured_uplift": main.table["ppo"]["captured_uplift"]["value"],
        "captured_uplift_by_preset": {
            preset: table["ppo"]["captured_uplift"]["value"] for preset, table in tables.items()
        },
        "best_baseline": main.best,
        "best_baseline_uplift": main.rule.captured_uplift,
        "strongest_rule": main.best,
        "strongest_rule_uplift": main.rule.captured_uplift,
        "lead_over_strongest": main.table["lead"]["value"],
        "lead_by_preset": {preset: table["lead"]["value"] for preset, table in tables.items()},
        "lead_lower_by_preset": {
            preset: table["lead"]["lower"] for preset, table in tables.items()
        },
        "spend_ratio": main.table["ppo"]["spend_ratio"]["value"],
        "over_contact_rate": main.table["ppo"]["over_contact_rate"],
        "train_seconds": float(np.mean(seconds)),
        "oracle_gap": oracle[config.preset]["dual_gap"],
        "optimum_uplift": without_rounding(
            oracle[config.preset]["uplift"] - oracle[config.preset]["never"]
        ),
        "seeds": len(config.seeds),
    }


def misjudged(
    policy: NetworkPolicy, others: Sequence[Policy], test: Customers, calibration: Customers
) -> dict[str, Any]:
    """How PPO, the strongest rule and the planner bear what they aren't told, and what caution
    about annoyance costs."""
    policies = {one.name: one for one in (policy, *others)}
    params = policy.spec.params
    return {
        "unseen_misestimation": unseen_misestimation(policies, test, params, policy.spec.price),
        "pessimism": pessimism(policy, test, calibration),
    }


def diagnose(
    result: PresetResult,
    groups: Groups,
    trained: Mapping[str, Any],
    choice: Choice,
    config: ReportSettings,
) -> dict[str, Any]:
    """Monotone spend, where the gap lies, stress, what isn't told: for PPO's chosen seed."""
    policy, rule = result.networks[choice.seed], cast("Rule", result.rule.policy)
    params = policy.spec.params.clean
    some = systematic_sample(groups.test, config.watched_customers)
    few = groups.calibration(config.watched_customers)
    price = trained["oracle_price"]
    at_price = int(np.argmin(np.abs(result.curve.prices - price)))
    found, curve = result.runs[choice.seed], result.curve
    helped = captured_with_help(policy, groups.test, curve, params, price, BY_HEAD | BY_STATE)
    return {
        "oracle_spend_at_prices": (curve.spend @ curve.weight).tolist(),
        "gap_by_head": {name: helped[name] for name in BY_HEAD},
        "gap_by_state": {name: helped[name] for name in BY_STATE},
        "gap_by_risk": gap_by_risk(
            found.uplift - price * found.spend,
            curve.uplift[at_price] - price * curve.spend[at_price],
            groups.test.risk,
            groups.test.weight,
        ),
        "seen_shifts": seen_shifts(policy, rule, some, groups.calibration(config.price_customers)),
        **misjudged(policy, (rule, choice.plan.policy), some, few),
    }


def draw(
    folder: Path,
    result: PresetResult,
    trained: Mapping[str, Any],
    seed: int,
    test: Customers,
) -> None:
    """All plots of the default preset."""
    policy, curve = result.networks[seed], result.curve
    params = policy.spec.params
    rules = result.table["rules"]
    shown = {
        name: row["captured_uplift"]["value"] for name, row in rules.items() if name not in UNPRICED
    }
    plots.learning_curve(folder / "learning_curve.png", trained["runs"], shown)
    plots.multipliers(folder / "multipliers.png", trained["runs"], params.budget_limit)
    plots.decision_map(folder / "decision_map.png", policy, params, trained["oracle_price"], test)
    points = {name: (row["spend"], row["uplift"]) for name, row in rules.items()}
    points["PPO"] = (result.runs[seed].mean("spend"), result.runs[seed].mean("uplift"))
    points.pop("always_offer")
    plots.pareto(folder / "pareto.png", curve, params.budget_limit, points)
    nearest = int(np.argmin(np.abs(curve.prices - trained["oracle_price"])))
    plots.oracle_against_policy(
        folder / "oracle_against_ppo.png", curve.uplift[nearest], result.runs[seed]
    )
