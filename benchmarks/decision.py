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
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.artifacts import current_folder
from benchmarks.decision_tables import all_tables, replace_section
from churn_assets.decision import report, training, world
from churn_assets.decision.config import DEFAULT_PRESET, PRESETS, DecisionConfig
from churn_assets.decision.groups import Groups

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
    found = {}
    for preset in (DEFAULT_PRESET, *(name for name in PRESETS if name != DEFAULT_PRESET)):
        config = DecisionConfig(preset=preset, seeds=SEEDS)
        found[preset] = run_stages(environment, work / preset, config)
        write(found, len(groups.test))


def run_stages(environment: Path, work: Path, config: DecisionConfig) -> dict[str, Any]:
    """All stages of one preset; a stage whose report is there already is not run again."""
    folders, reports = {"retention_environment": environment}, {}
    stages = {
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


def write(found: dict[str, Any], test_customers: int) -> None:
    """DECISION.json with all figures, and the tables in DECISION.md between their marks."""
    presets = {
        preset: reports["policy_report"]["policy"]
        | reports["policy_report"]["presets"][preset]
        | {"diagnostics": reports["policy_report"]["diagnostics"]}
        | {"cpu_seconds": {name: stage["cpu_seconds"] for name, stage in reports.items()}}
        for preset, reports in found.items()
    }
    everything = {
        "python": platform.python_version(),
        "split_seed": SPLIT_SEED,
        "test_customers": test_customers,
        "presets": presets,
        "mean_captured_uplift": float(
            np.mean([row["captured_uplift"] for row in presets.values()])
        ),
    }
    (HERE / "DECISION.json").write_text(json.dumps(everything, indent=2) + "\n")
    replace_section(HERE / "DECISION.md", "tables", all_tables(everything))


if __name__ == "__main__":
    main()
