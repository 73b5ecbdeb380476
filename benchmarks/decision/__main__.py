"""The decision policy over all presets: writes DECISION.json, and the tables in DECISION.md.

    python -m benchmarks.decision [--environment FOLDER] [--work FOLDER] [--seeds 3]
                                  [--preset NAME ...] [--own-split]

`--environment` is what the asset `retention_environment` makes (the newest one if left out). Its
test customers are drawn anew, see `SPLIT_SEED`, or with `--own-split` left as they are. One thread.
The stages' folders are kept in the work folder, so that an interrupted run goes on where it
stopped.
"""

import argparse
import json
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.artifacts import current_folder
from benchmarks.decision.tables import all_tables, replace_section
from churn_assets.decision import world
from churn_assets.decision.config import DEFAULT_PRESET, PRESETS, DecisionConfig
from churn_assets.decision.evaluation import report
from churn_assets.decision.evaluation.conditions import planned, scaled
from churn_assets.decision.evaluation.diagnostics import visit
from churn_assets.decision.learning import training
from churn_assets.decision.learning.calibration import calibrate_policy
from churn_assets.decision.learning.network import single_thread
from churn_assets.decision.learning.network_numpy import NetworkPolicy
from churn_assets.decision.mdp.actions import Policy
from churn_assets.decision.mdp.groups import Groups
from churn_assets.decision.mdp.transitions import fresh_start, observe
from churn_assets.decision.policy import load_network, load_rule
from churn_assets.decision.rules.planner import Planner
from churn_assets.stages.spec import StageFunction

HERE = Path(__file__).parents[1]
SPLIT_SEED = 20261122
"""Of the redraw of the test customers: those of the data's own split were looked at while the
settings were chosen. Fixed before the first run."""
TIMED = ("priced_greedy", "greedy_retry", "look2")
REQUESTS = 2_000


def main() -> None:
    """Run all stages once, for every preset, and write what they found."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.decision", description=__doc__.splitlines()[0] if __doc__ else None
    )
    parser.add_argument("--environment", type=Path, help="folder of retention_environment")
    parser.add_argument("--work", type=Path, help="folder to keep, to go on after a stop")
    parser.add_argument("--seeds", type=int, default=3, help="trainings")
    parser.add_argument("--preset", nargs="*", default=list(PRESETS), choices=list(PRESETS))
    parser.add_argument("--own-split", action="store_true", help="the data's own test customers")
    given = parser.parse_args()
    source = given.environment or current_folder("retention_environment")
    work = given.work or Path(tempfile.mkdtemp(prefix="decision-"))
    environment = work / "retention_environment"
    groups = Groups.load(source)
    if not given.own_split:
        groups = groups.redrawn(SPLIT_SEED)
    groups.save(environment)
    single_thread()
    config = DecisionConfig(seeds=tuple(range(given.seeds)), also_report=tuple(given.preset))
    found = run_stages(environment, work, config)
    reported = found["policy_report"]
    figures = {
        "python": platform.python_version(),
        "split": "the data's own" if given.own_split else f"redrawn with seed {SPLIT_SEED}",
        "test_customers": len(groups.test),
        "cpu_seconds": {name: stage["cpu_seconds"] for name, stage in found.items()},
        "microseconds": latencies(work, groups),
        "side_by_side": side_by_side(work, groups, reported["policy"]),
        "mean_captured_uplift": float(
            np.mean(list(reported["policy"]["captured_uplift_by_preset"].values()))
        ),
        **{name: reported[name] for name in ("policy", "presets", "diagnostics", "closed_loop")},
        **{name: reported[name] for name in ("period_spend", "serving", "learned")},
    }
    (HERE / "DECISION.json").write_text(json.dumps(figures, indent=2) + "\n")
    replace_section(HERE / "DECISION.md", "tables", all_tables(figures))


def run_stages(environment: Path, work: Path, config: DecisionConfig) -> dict[str, Any]:
    """All stages' reports; a stage whose report is there already is not run again."""
    folders, reports = {"retention_environment": environment}, {}
    stages: dict[str, StageFunction] = {
        "oracle_policy": world.run_oracle,
        "baseline_policies": world.run_baselines,
        "decision_policy": training.run,
        "policy_report": report.run,
    }
    for name, run in stages.items():
        out = work / name
        done = out / "report.json"
        if not done.exists():
            out.mkdir(parents=True, exist_ok=True)
            begun = time.process_time()
            figures = run(dict(folders), out, config)
            figures["cpu_seconds"] = time.process_time() - begun
            done.write_text(json.dumps(figures))
            print(f"{name}: {figures['cpu_seconds']:.0f} CPU s", flush=True)
        folders[name], reports[name] = out, json.loads(done.read_text())
    return reports


def latencies(work: Path, groups: Groups) -> dict[str, dict[str, float]]:
    """Microseconds of a single decision, median and p99, of PPO, best rules, planner."""
    network = load_network(work / "decision_policy" / "policy")
    rules = [load_rule(work / "baseline_policies" / DEFAULT_PRESET / name) for name in TIMED]
    states = visit(network, groups.test, network.spec.params).states
    policies: list[Policy] = [network, *rules, as_planner(network)]
    times = {policy.name: microseconds(policy, states) for policy in policies}
    return {
        name: {"median": float(np.median(taken)), "p99": float(np.percentile(taken, 99))}
        for name, taken in times.items()
    }


def as_planner(network: NetworkPolicy) -> Planner:
    """The exact planner of the network's world, at its price."""
    return Planner(params=network.spec.params, price=network.spec.price)


def side_by_side(work: Path, groups: Groups, policy: dict[str, Any]) -> dict[str, dict[str, float]]:
    """What network and planner cost: CPU seconds to make one, to set another budget's price, and
    to decide on the whole base at the start of a period; with what each captures."""
    network = load_network(work / "decision_policy" / "policy")
    params, few = network.spec.params, groups.calibration(DecisionConfig().price_customers)
    half = scaled(params, 0.5)
    base = observe(fresh_start(groups.everyone(), params), params)
    return {
        "ppo": {
            "captured_uplift": policy["captured_uplift"],
            "to_make": policy["train_seconds"],
            "another_budget": seconds(lambda: calibrate_policy(network, few, half)),
            "whole_base": seconds(lambda: network.decide(base)),
        },
        "planner": {
            "captured_uplift": policy["planner_uplift"],
            "to_make": 0.0,
            "another_budget": seconds(lambda: planned(few, half)),
            "whole_base": seconds(lambda: as_planner(network).decide(base)),
        },
    }


def seconds(work: Callable[[], object]) -> float:
    """CPU seconds of one call."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


def microseconds(policy: Policy, states: np.ndarray) -> np.ndarray:
    """(R,) of one state at a time, drawn from those that a policy meets."""
    drawn = np.random.default_rng(0).integers(len(states), size=REQUESTS)
    times = np.empty(REQUESTS)
    for number, row in enumerate(drawn):
        begun = time.perf_counter()
        policy.decide(states[row : row + 1])
        times[number] = time.perf_counter() - begun
    return 1e6 * times


if __name__ == "__main__":
    main()
