"""The decision policy over all presets and three seeds: writes DECISION.json, and DECISION.md.

    python -m benchmarks.decision [--environment FOLDER] [--work FOLDER]

`--environment` is what the asset `retention_environment` makes (the newest one if left out). Its
test customers are drawn anew, see `SPLIT_SEED`. One thread. The stages' folders are kept in the
work folder, so that an interrupted run goes on where it stopped.
"""

import argparse
import json
import platform
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.artifacts import current_folder
from benchmarks.decision_tables import all_tables, replace_section
from churn_assets.decision import world
from churn_assets.decision.config import DEFAULT_PRESET, PRESETS, DecisionConfig
from churn_assets.decision.evaluation import report
from churn_assets.decision.evaluation.diagnostics import (
    STRESSES,
    stressed_customers,
    stressed_params,
)
from churn_assets.decision.exact.comparison import captured_uplift
from churn_assets.decision.exact.pareto import curve_around, pareto_curve
from churn_assets.decision.exact.policy_value import evaluate
from churn_assets.decision.learning import training
from churn_assets.decision.learning.network import single_thread
from churn_assets.decision.mdp.groups import Groups
from churn_assets.decision.policy import load_policy
from churn_assets.stages.spec import StageFunction, silent

HERE = Path(__file__).parent
SEEDS = (0, 1, 2)
SPLIT_SEED = 20261122
"""Of the redraw of the test customers: those of the data's own split were looked at while the
settings were chosen. Fixed before the first run."""


def main() -> None:
    """Run the stages preset by preset; write what there is after each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--environment", type=Path, help="folder of retention_environment")
    parser.add_argument("--work", type=Path, help="folder to keep, to go on after a stop")
    given = parser.parse_args()
    source = given.environment or current_folder("retention_environment")
    work = given.work or Path(tempfile.mkdtemp(prefix="decision-"))
    environment = work / "retention_environment"
    groups = Groups.load(source).redrawn(SPLIT_SEED)
    groups.save(environment)
    single_thread()
    found: dict[str, Any] = {}
    for preset in (DEFAULT_PRESET, *(name for name in PRESETS if name != DEFAULT_PRESET)):
        config = DecisionConfig(preset=preset, seeds=SEEDS)
        found[preset] = run_stages(environment, work / preset, config)
        write(found, len(groups.test), {})
    write(found, len(groups.test), stress_anew(groups, work / "stress"))


def run_stages(environment: Path, work: Path, config: DecisionConfig) -> dict[str, Any]:
    """All stages of one preset; a stage whose report is there already is not run again."""
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
            print(f"{config.preset} {name}: {figures['cpu_seconds']:.0f} CPU s", flush=True)
        folders[name], reports[name] = out, json.loads(done.read_text())
    return reports


def stress_anew(groups: Groups, work: Path) -> dict[str, Any]:
    """The default preset's policy trained anew in each stressed world, multiplier and all."""
    config = DecisionConfig(seeds=SEEDS[:1])
    table = {}
    for name, stress in STRESSES.items():
        done = work / name.replace(" ", "-") / "figures.json"
        if not done.exists():
            params = stressed_params(PRESETS[DEFAULT_PRESET], stress)
            world = groups.mapped(partial(stressed_customers, stress=stress))
            trained = training.train_preset(world, params, config, done.parent, silent)
            policy = load_policy(done.parent / f"seed-{config.seeds[0]}")
            curve = pareto_curve(world.test, params, curve_around(trained["warm_price"]))
            found = evaluate(policy, world.test, params)
            figures = {
                "captured_uplift": captured_uplift(curve, found),
                "spend_ratio": found.mean("spend") / params.budget_limit,
            }
            done.write_text(json.dumps(figures))
            print(name, figures, flush=True)
        table[name] = json.loads(done.read_text())
    return table


def write(found: dict[str, Any], test_customers: int, anew: dict[str, Any]) -> None:
    """DECISION.json with all figures, and the tables in DECISION.md between their marks."""
    presets = {
        preset: reports["policy_report"]["policy"]
        | reports["policy_report"]["presets"][preset]
        | {name: reports["policy_report"][name] for name in ("serving", "learned", "diagnostics")}
        | {"cpu_seconds": {name: stage["cpu_seconds"] for name, stage in reports.items()}}
        for preset, reports in found.items()
    }
    everything = {
        "python": platform.python_version(),
        "split_seed": SPLIT_SEED,
        "test_customers": test_customers,
        "presets": presets,
        "stress_trained_anew": anew,
        "mean_captured_uplift": float(
            np.mean([row["captured_uplift"] for row in presets.values()])
        ),
    }
    (HERE / "DECISION.json").write_text(json.dumps(everything, indent=2) + "\n")
    replace_section(HERE / "DECISION.md", "tables", all_tables(everything))


if __name__ == "__main__":
    main()
