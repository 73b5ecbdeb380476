"""Train, calibrate and save the decision policy: the stage `decision_policy`.

For every seed one constrained PPO, which learns every price and world; for every preset the price
at which the deployed (argmax) policy meets the budget, on training and validation customers. The
seed with the best captured uplift on validation customers is the one that can be served.
"""

import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from churn_assets.decision.config import EnvironmentParams, TrainingSettings
from churn_assets.decision.exact.comparison import Bootstrap, captured_uplift
from churn_assets.decision.exact.pareto import ParetoCurve, curve_around, pareto_curve, solve_budget
from churn_assets.decision.exact.policy_value import Evaluation, evaluate, summarise
from churn_assets.decision.learning.calibration import calibrate_policy
from churn_assets.decision.learning.network import PolicyNetwork, save_network, single_thread
from churn_assets.decision.learning.ppo import Trainer
from churn_assets.decision.mdp.customers import Customers, systematic_sample
from churn_assets.decision.mdp.groups import Groups
from churn_assets.domain.statistics import Estimate
from churn_assets.stages.spec import Progress, silent


def run(
    inputs: Mapping[str, Path],
    out: Path,
    config: TrainingSettings,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Train with every seed, and find every preset's price.

    Writes `<preset>/seed-<n>/` (policy.json, network.safetensors; the presets of one seed share
    their weights) and `policy/`, the default preset's best seed on validation customers. Returns
    seconds, learning curves and prices.
    """
    single_thread()
    groups = Groups.load(inputs["retention_environment"])
    calibration = groups.calibration(config.calibration_customers)
    yardsticks = {
        preset: Yardstick.of(groups, config.world(preset), config) for preset in config.presets
    }
    runs: dict[str, list[dict[str, Any]]] = {preset: [] for preset in config.presets}
    for seed in config.seeds:
        trainer = Trainer(groups.train, config.environment, config.ppo, seed)
        own = yardsticks[config.preset]
        watch = watch_training(trainer, own, config.curve_points, progress)
        network = trainer.network.deployed(trainer.spec)
        for preset, yardstick in yardsticks.items():
            policy = calibrate_policy(network, calibration, config.world(preset))
            save_network(policy, out / preset / f"seed-{seed}")
            found = evaluate(policy, yardstick.customers, config.world(preset).clean)
            runs[preset].append(
                {
                    "seed": seed,
                    "train_seconds": watch.seconds,
                    "price": policy.spec.price,
                    "multiplier": trainer.budget.value,
                    "valid_captured_uplift": captured_uplift(yardstick.curve, found),
                    "history": watch.history,
                }
            )
            if preset == config.preset:
                gained = improvement(yardstick.bootstrap, watch.first, found)
                runs[preset][-1]["improvement"] = asdict(gained)
    trained = {
        preset: {
            "oracle_price": yardsticks[preset].price,
            "runs": of_preset,
            "best_seed": max(of_preset, key=lambda item: item["valid_captured_uplift"])["seed"],
        }
        for preset, of_preset in runs.items()
    }
    best = trained[config.preset]["best_seed"]
    shutil.copytree(out / config.preset / f"seed-{best}", out / "policy")
    return {"preset": config.preset, "seeds": list(config.seeds), "trained": trained}


@dataclass(frozen=True)
class Yardstick:
    """The optimum on the validation customers that a training is watched on.

    price: the optimum's at the budget, on training customers. Training itself never sees it.
    """

    price: float
    customers: Customers
    curve: ParetoCurve
    bootstrap: Bootstrap

    @classmethod
    def of(cls, groups: Groups, params: EnvironmentParams, config: TrainingSettings) -> "Yardstick":
        """Of one preset, from clean sheets."""
        some = systematic_sample(groups.train, config.price_customers)
        price = solve_budget(some, params.clean, 1e-2).price
        watched = systematic_sample(groups.valid, config.watched_customers)
        curve = pareto_curve(watched, params.clean, curve_around(price))
        return cls(price, watched, curve, Bootstrap(curve, config.bootstrap, seed=0))


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
    trainer: Trainer, yardstick: Yardstick, points: int, progress: Progress
) -> Watched:
    """Train, measuring the policy at the multiplier of the moment at so many points."""
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
        policy = network.deployed(trainer.spec.at(trainer.budget.value))
        found = evaluate(policy, yardstick.customers, trainer.params.clean)
        evaluations.append(found)
        figures = summarise(found) | statistics
        figures["captured_uplift"] = captured_uplift(yardstick.curve, found)
        figures["steps"] = update * trainer.config.customers * trainer.config.horizon
        history.append(figures)
        shown = ("captured_uplift", "spend", "budget_multiplier", "approx_kl", "entropy")
        progress(update, total, **{name: figures[name] for name in shown})
        measuring += time.process_time() - begun

    begun = time.process_time()
    trainer.train(report)
    return Watched(history, evaluations[0], time.process_time() - begun - measuring)
