"""What one preset's policies bring on the test customers: the optimum's curve, rules and PPO."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from churn_assets.decision.config import EnvironmentParams, ReportSettings
from churn_assets.decision.evaluation.gates import UNPRICED
from churn_assets.decision.evaluation.selection import Candidate
from churn_assets.decision.exact.comparison import Bootstrap, captured_uplift
from churn_assets.decision.exact.pareto import ParetoCurve
from churn_assets.decision.exact.policy_value import Evaluation, evaluate, summarise
from churn_assets.decision.learning.network_numpy import NetworkPolicy
from churn_assets.decision.mdp.groups import Groups
from churn_assets.decision.policy import load_network, load_rule
from churn_assets.decision.world import load_curve
from churn_assets.domain.statistics import Estimate


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
    limit = params.budget_limit
    table = {
        "ppo": {
            "captured_uplift": asdict(Estimate.of(ppo, ppo_samples)),
            "by_seed": {
                str(seed): _figures(found, captured_uplift(curve, found), limit)
                for seed, found in runs.items()
            },
            "spend_ratio": asdict(spend_ratio(bootstrap, runs, limit)),
            "over_contact_rate": float(np.mean([r.mean("over_cap") for r in runs.values()])),
            "sampled_over_contact_rate": float(np.mean(sampled)),
        },
        "rules": _by_rule(rules, captured, bootstrap, limit),
        "best_rule": best_rule,
        "lead": asdict(lead),
    }
    candidates = {
        name: Candidate(policies[name], found, captured[name]) for name, found in rules.items()
    }
    return PresetResult(curve, networks, runs, best_rule, candidates, bootstrap, table)


def _by_rule(
    rules: Mapping[str, Evaluation],
    captured: Mapping[str, float],
    bootstrap: Bootstrap,
    limit: float,
) -> dict[str, Any]:
    """Each rule's figures."""
    found = {}
    for name, rule in rules.items():
        estimate = Estimate.of(captured[name], bootstrap.captured(rule))
        found[name] = _figures(rule, asdict(estimate), limit)
    return found


def _figures(found: Evaluation, captured: Any, limit: float) -> dict[str, Any]:
    """A policy's mean figures, captured uplift (a share, with its interval where it has one) and
    what it spends, over the limit."""
    return summarise(found) | {
        "captured_uplift": captured,
        "spend_ratio": found.mean("spend") / limit,
    }


def spend_ratio(bootstrap: Bootstrap, runs: Mapping[int, Evaluation], limit: float) -> Estimate:
    """Expected spend on the test customers over the limit; the interval is over customers.

    704 customers are a small sample of the base that the budget is for: see `Groups.checking`.
    """
    value = float(np.mean([found.mean("spend") for found in runs.values()]))
    samples = np.mean([bootstrap.spend(found) for found in runs.values()], axis=0)
    return Estimate.of(value / limit, samples / limit)
