"""Train, calibrate and save the decision policy: the stage `decision_policy`.

For every preset and seed: constrained PPO, then the calibration of the deployed (argmax) policy to
the budget on training and validation customers. The seed with the best captured uplift on
validation customers is the one that can be served.
"""

import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from churn_assets.decision.config import PRESETS, EnvironmentParams, TrainingSettings
from churn_assets.decision.exact.comparison import Bootstrap, captured_uplift
from churn_assets.decision.exact.pareto import ParetoCurve, curve_around, pareto_curve, solve_budget
from churn_assets.decision.exact.policy_value import Evaluation, evaluate, summarise
from churn_assets.decision.learning.calibration import calibrate_policy
from churn_assets.decision.learning.network import PolicyNetwork, save_network, single_thread
from churn_assets.decision.learning.ppo import Trainer
from churn_assets.decision.mdp.customers import Customers, representative
from churn_assets.decision.mdp.groups import Groups
from churn_assets.domain.statistics import Estimate
from churn_assets.stages.spec import Progress, silent


def run(
    inputs: Mapping[str, Path],
    out: Path,
    config: TrainingSettings,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Train on every preset of `config.presets` and every seed.

    Writes `<preset>/seed-<n>/` (policy.json, network.safetensors) and `policy/`, the default
    preset's best seed on validation customers. Returns seconds, learning curves and multipliers.
    """
    single_thread()
    groups = Groups.load(inputs["retention_environment"])
    trained: dict[str, Any] = {}
    for preset in config.presets:
        trained[preset] = train_preset(groups, PRESETS[preset], config, out / preset, progress)
    best = trained[config.preset]["best_seed"]
    shutil.copytree(out / config.preset / f"seed-{best}", out / "policy")
    return {"preset": config.preset, "seeds": list(config.seeds), "trained": trained}


def train_preset(
    groups: Groups,
    params: EnvironmentParams,
    config: TrainingSettings,
    out: Path,
    progress: Progress,
) -> dict[str, Any]:
    """All seeds on one preset."""
    warm = solve_budget(representative(groups.train, config.price_customers), params, 1e-2)
    watched = representative(groups.valid, config.watched_customers)
    curve = pareto_curve(watched, params, curve_around(warm.price))
    calibration = groups.calibration(config.calibration_customers)
    bootstrap = Bootstrap(curve, config.bootstrap, seed=0)
    runs: list[dict[str, Any]] = []
    for seed in config.seeds:
        trainer = Trainer(groups.train, params, config.ppo, warm.price, seed)
        watch = watch_training(trainer, watched, curve, config.curve_points, progress)
        policy = calibrate_policy(trainer.network.deployed(trainer.spec), calibration)
        save_network(policy, out / f"seed-{seed}")
        found = evaluate(policy, watched, params)
        runs.append(
            {
                "seed": seed,
                "train_seconds": watch.seconds,
                "offer_price": policy.spec.offer_price,
                "valid_captured_uplift": captured_uplift(curve, found),
                "improvement": asdict(improvement(bootstrap, watch.first, found)),
                "history": watch.history,
            }
        )
    best = max(runs, key=lambda item: item["valid_captured_uplift"])
    return {"warm_price": warm.price, "runs": runs, "best_seed": best["seed"]}


def improvement(bootstrap: Bootstrap, first: Evaluation, last: Evaluation) -> Estimate:
    """Captured uplift gained from `first` to `last`, paired by customer."""
    value = captured_uplift(bootstrap.curve, last) - captured_uplift(bootstrap.curve, first)
    return Estimate.of(value, bootstrap.captured(last) - bootstrap.captured(first))


@dataclass(frozen=True)
class Watched:
    """A training as it was watched.

    history: the learning curve. first: the figures at its first point.
    seconds: CPU seconds of the one thread used, without measuring: the wall clock of an otherwise
        idle core.
    """

    history: list[dict[str, float]]
    first: Evaluation
    seconds: float


def watch_training(
    trainer: Trainer, watched: Customers, curve: ParetoCurve, points: int, progress: Progress
) -> Watched:
    """Train, measuring the policy on `watched` at so many points."""
    history: list[dict[str, float]] = []
    evaluations: list[Evaluation] = []
    measuring = 0.0
    total = trainer.config.updates
    every = max(1, total // points)

    def report(update: int, network: PolicyNetwork, statistics: dict[str, float]) -> None:
        nonlocal measuring
        if update % every and update != total:
            return
        begun = time.process_time()
        found = evaluate(network.deployed(trainer.spec), watched, trainer.params)
        evaluations.append(found)
        figures = summarise(found) | statistics
        figures["captured_uplift"] = captured_uplift(curve, found)
        figures["steps"] = update * trainer.config.customers * trainer.config.horizon
        history.append(figures)
        shown = ("captured_uplift", "spend", "budget_multiplier", "approx_kl", "entropy")
        progress(update, total, **{name: figures[name] for name in shown})
        measuring += time.process_time() - begun

    begun = time.process_time()
    trainer.train(report)
    return Watched(history, evaluations[0], time.process_time() - begun - measuring)
