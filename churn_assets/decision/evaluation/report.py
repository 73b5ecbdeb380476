"""The policy report: every policy on the held-out customers, exactly, with intervals.

Choices (rules' settings, prices, the served seed) were made on training and validation customers;
the test customers are looked at here, once. The best baseline is the one that does best on the
*test* customers: the choice that is least kind to PPO.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
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
from churn_assets.decision.evaluation.selection import (
    Candidate,
    choose_served,
    learned_figures,
    served_figures,
)
from churn_assets.decision.evaluation.spending import period_spend
from churn_assets.decision.exact.comparison import Bootstrap, captured_uplift
from churn_assets.decision.exact.exploring import evaluate_exploring
from churn_assets.decision.exact.pareto import ParetoCurve
from churn_assets.decision.exact.policy_value import Evaluation, evaluate, summarise
from churn_assets.decision.learning.network_numpy import NetworkPolicy
from churn_assets.decision.mdp.actions import Policy
from churn_assets.decision.mdp.customers import Customers, systematic_sample
from churn_assets.decision.mdp.groups import Groups
from churn_assets.decision.mdp.worlds import worlds_of
from churn_assets.decision.policy import load_network, load_rule, save_rule
from churn_assets.decision.rules.families import Rule
from churn_assets.decision.world import load_curve
from churn_assets.domain.experiment import EXPLORATION
from churn_assets.domain.statistics import Estimate
from churn_assets.stages.spec import Progress, silent


@dataclass(frozen=True)
class PresetResult:
    """Everything measured on one preset's test customers."""

    curve: ParetoCurve
    networks: dict[int, NetworkPolicy]
    runs: dict[int, Evaluation]
    best: str
    rules: dict[str, Candidate]
    bootstrap: Bootstrap
    table: dict[str, Any]

    @property
    def rule(self) -> Candidate:
        """The strongest rule."""
        return self.rules[self.best]

    def candidate(self, seed: int) -> Candidate:
        """PPO with one seed."""
        found = self.runs[seed]
        return Candidate(self.networks[seed], found, captured_uplift(self.curve, found))


def run(
    inputs: Mapping[str, Path],
    out: Path,
    config: ReportSettings,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Compare, draw, choose what is served (`policy/`), and report.

    The report's `policy` holds the figures of `churn report`; `presets` every policy's table;
    `served` names the policy in `policy/`: PPO's seed that was best on validation customers; the
    best of rules and planner where PPO falls short of it by more than `gates.NEAR_THE_BEST` or
    missed a gate (`failed_gates`); or what the setting `serve` names. `serving` has this policy's
    own figures, `learned` those that PPO's gates read; `closed_loop` what PPO, the strongest rule
    and what is served bring when they are told only what a caller knows; `period_spend` what a
    period of the whole base costs from clean sheets; `exploration` what it costs to try the served
    policy's runner-up now and then.
    """
    groups = Groups.load(inputs["retention_environment"])
    trained = json.loads((inputs["decision_policy"] / "report.json").read_text())["trained"]
    oracle = json.loads((inputs["oracle_policy"] / "report.json").read_text())["oracle"]
    worlds, results = worlds_of(inputs["retention_environment"], config), {}
    for step, (preset, world) in enumerate(worlds.items()):
        results[preset] = measure_preset(inputs, groups, preset, world, trained[preset], config)
        progress(step + 1, len(config.presets), **results[preset].table["lead"])
    main, params = results[config.preset], worlds[config.preset]
    seed = trained[config.preset]["best_seed"]
    ppo, network = main.candidate(seed), main.networks[seed]
    improvement = [run["improvement"] for run in trained[config.preset]["runs"]]
    learned = learned_figures(ppo, improvement, groups.test, params)
    failed = failed_gates(learned)
    calibration = groups.calibration(config.price_customers)
    planner = planned(calibration, params)
    ahead = evaluate(planner, groups.test, params.clean)
    plan = Candidate(planner, ahead, captured_uplift(main.curve, ahead))
    others = [found for rule, found in main.rules.items() if rule not in UNPRICED]
    served = choose_served(ppo, [*others, plan], failed, config.serve)
    name = served.policy.name
    base = groups.everyone()
    spending = period_spend(served.policy, base, params, len(base), config.loop_episodes)
    if served is ppo:
        shutil.copytree(inputs["decision_policy"] / "policy", out / "policy")
    else:
        save_rule(cast("Rule", served.policy), out / "policy")
    draw(out / "plots", main, trained[config.preset], seed, groups.test)
    headline = headline_figures(results, trained, oracle, config)
    some = systematic_sample(groups.test, config.price_customers)
    few = groups.calibration(config.watched_customers)
    loops = {
        candidate.policy.name: closed_loop(
            candidate, groups.test, params.clean, config.loop_episodes
        )
        for candidate in {id(one): one for one in (ppo, main.rule, served)}.values()
    }
    shown = systematic_sample(groups.test, config.watched_customers)
    even = break_even(served.policy, shown, params)
    plots.break_even(out / "plots" / "break_even.png", even, name)
    return {
        "preset": config.preset,
        "policy": headline
        | {
            "served": name,
            "served_uplift": served.captured_uplift,
            "failed_gates": failed,
            "planner_uplift": plan.captured_uplift,
            "captured_uplift_by_budget": captured_by_budget(network, some, few),
            "changed_worlds": captured_in_worlds(network, config, some, few),
            "spend_clean_sheet": spending["ratio"],
            "p_over_budget": spending["p_over"],
            "break_even": even,
            "closed_loop": {key: loops[name][key] for key in ("z_uplift", "z_spend", "episodes")},
        },
        "served": name,
        "served_seed": seed,
        "failed_gates": failed,
        "closed_loop": loops,
        "period_spend": spending,
        "exploration": exploration_cost(served, groups.test, main.curve, params.clean),
        "learned": learned,
        "serving": served_figures(served, groups, main.bootstrap, params),
        "presets": {preset: result.table for preset, result in results.items()},
        "diagnostics": diagnose(main, groups, trained[config.preset], seed, config)
        | misjudged(network, (main.rule.policy, planner), shown, few),
    }


def measure_preset(
    inputs: Mapping[str, Path],
    groups: Groups,
    preset: str,
    world: EnvironmentParams,
    trained: Mapping[str, Any],
    config: ReportSettings,
) -> PresetResult:
    """Evaluate all policies of one preset on the test customers, in its world."""
    params, test = world.clean, groups.test
    curve = load_curve(inputs["oracle_policy"], preset)
    folder = inputs["baseline_policies"] / preset
    policies = {path.name: load_rule(path) for path in sorted(folder.iterdir())}
    rules = {name: evaluate(policy, test, params) for name, policy in policies.items()}
    networks = {
        seed: load_network(inputs["decision_policy"] / preset / f"seed-{seed}")
        for seed in config.seeds
    }
    runs = {seed: evaluate(network, test, params) for seed, network in networks.items()}
    captured = {name: captured_uplift(curve, found) for name, found in rules.items()}
    best_rule = max((name for name in rules if name not in UNPRICED), key=captured.__getitem__)
    bootstrap = Bootstrap(curve, config.bootstrap, seed=0)
    ppo = float(np.mean([captured_uplift(curve, found) for found in runs.values()]))
    ppo_samples = bootstrap.over_seeds(list(runs.values()))
    lead = Estimate.of(
        ppo - captured[best_rule], ppo_samples - bootstrap.captured(rules[best_rule])
    )
    sampled = [run["history"][-1]["sampled_over_contact_rate"] for run in trained["runs"]]
    figures = {seed: summarise(found) for seed, found in runs.items()}
    table = {
        "ppo": {
            "captured_uplift": asdict(Estimate.of(ppo, ppo_samples)),
            "by_seed": {
                str(seed): figures[seed]
                | {
                    "captured_uplift": captured_uplift(curve, found),
                    "spend_ratio": found.mean("spend") / params.budget_limit,
                }
                for seed, found in runs.items()
            },
            "spend_ratio": asdict(spend_ratio(bootstrap, runs, params.budget_limit)),
            "over_contact_rate": float(np.mean([row["over_cap"] for row in figures.values()])),
            "sampled_over_contact_rate": float(np.mean(sampled)),
        },
        "rules": {
            name: summarise(found)
            | {
                "captured_uplift": asdict(Estimate.of(captured[name], bootstrap.captured(found))),
                "spend_ratio": found.mean("spend") / params.budget_limit,
            }
            for name, found in rules.items()
        },
        "best_rule": best_rule,
        "lead": asdict(lead),
    }
    candidates = {
        name: Candidate(policies[name], found, captured[name]) for name, found in rules.items()
    }
    return PresetResult(curve, networks, runs, best_rule, candidates, bootstrap, table)


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


def spend_ratio(bootstrap: Bootstrap, runs: Mapping[int, Evaluation], limit: float) -> Estimate:
    """Expected spend on the test customers over the limit; the interval is over customers.

    704 customers are a small sample of the base that the budget is for: see `Groups.checking`.
    """
    value = float(np.mean([found.mean("spend") for found in runs.values()]))
    samples = np.mean([bootstrap.spend(found) for found in runs.values()], axis=0)
    return Estimate.of(value / limit, samples / limit)


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
    seed: int,
    config: ReportSettings,
) -> dict[str, Any]:
    """Monotone spend, where the gap lies, stress: for PPO's chosen seed."""
    policy, rule = result.networks[seed], cast("Rule", result.rule.policy)
    params, some = (
        policy.spec.params.clean,
        systematic_sample(groups.test, config.watched_customers),
    )
    price = trained["oracle_price"]
    at_price = int(np.argmin(np.abs(result.curve.prices - price)))
    found, curve = result.runs[seed], result.curve
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
