"""The decision policy over all presets and three seeds: writes benchmarks/DECISION.md and .json.

    python -m benchmarks.decision [<retention_environment folder> [<work folder>]]

The first folder is what the asset `retention_environment` makes. One thread; the stages' folders
are kept in the work folder, so that an interrupted run goes on where it stopped.
"""

import json
import platform
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.artifacts import current_folder
from churn_assets.decision import report, training, world
from churn_assets.decision.config import DEFAULT_PRESET, PRESETS, DecisionConfig
from churn_assets.decision.environment import VectorRetention
from churn_assets.decision.groups import Groups

HERE = Path(__file__).parent
SEEDS = (0, 1, 2)


def main() -> None:
    """Run the stages preset by preset, then write the tables."""
    given = len(sys.argv) > 1
    environment = Path(sys.argv[1]) if given else current_folder("retention_environment")
    work = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(tempfile.mkdtemp(prefix="decision-"))
    reports = {}
    order = (DEFAULT_PRESET, *(preset for preset in PRESETS if preset != DEFAULT_PRESET))
    for preset in order:
        config = DecisionConfig(preset=preset, seeds=SEEDS)
        reports[preset] = run_stages(environment, work / preset, config)
        write(reports, speeds(environment))
        print(json.dumps({preset: reports[preset]["policy_report"]["policy"]}), flush=True)


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
        folders[name], reports[name] = out, json.loads(done.read_text())
    return reports


def speeds(environment: Path) -> dict[str, float]:
    """Environment steps per second with random actions, one thread."""
    customers = Groups.load(environment).train
    rng, found = np.random.default_rng(0), {}
    for count in (512, 4096):
        envs = VectorRetention(customers, PRESETS["moderate"], count)
        actions = rng.integers(0, (2, 4, 8), size=(count, 3))
        begun = time.process_time()
        for _ in range(100):
            envs.step(actions)
        found[str(count)] = 100 * count / (time.process_time() - begun)
    return found


def write(reports: dict[str, dict[str, Any]], steps: dict[str, float]) -> None:
    """DECISION.json with the headline figures, DECISION.md with the tables."""
    policies = {preset: found["policy_report"]["policy"] for preset, found in reports.items()}
    (HERE / "DECISION.json").write_text(json.dumps(policies, indent=2) + "\n")
    parts = [
        "# Decision policy: last results",
        "Made by `python benchmarks/decision.py`: "
        f"{len(SEEDS)} seeds a preset, one thread, Python {platform.python_version()}. Exact "
        "figures on the held-out test customers; intervals are 95 %, bootstrapped over customers "
        "and seeds. Rules were tuned and priced on training and validation customers; the best "
        "rule is the one that does best on the *test* customers.",
        "## Captured uplift",
        captured_table(reports),
        "## Every policy",
        rules_table(reports),
        "## Where the gap to the optimum lies",
        gap_table(reports),
        "## Stress: the policy of the first seed by validation, fixed and with its price re-tuned",
        stress_table(reports),
        "## Speed",
        "\n".join(f"- {count} customers: {rate:,.0f} steps/s" for count, rate in steps.items()),
    ]
    notes = HERE / "DECISION_NOTES.md"
    if notes.exists():
        parts.append(notes.read_text().strip())
    (HERE / "DECISION.md").write_text("\n\n".join(parts) + "\n")


def captured_table(reports: dict[str, dict[str, Any]]) -> str:
    """PPO beside the best rule, preset by preset."""
    rows = [
        "| preset | PPO | by seed | best rule | lead, points | spend / limit (test) "
        "| (base) | over cap | dual gap | s / seed |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for preset, found in reports.items():
        table = found["policy_report"]["presets"][preset]
        headline, ppo, lead = found["policy_report"]["policy"], table["ppo"], table["lead"]
        seeds = " ".join(f"{100 * run['captured_uplift']:.1f}" for run in ppo["by_seed"].values())
        rows.append(
            f"| {preset} | {interval(ppo['captured_uplift'])} | {seeds} "
            f"| {table['best_rule']} {100 * headline['best_baseline_uplift']:.1f} "
            f"| {interval(lead)} | {interval(ppo['spend_ratio'])} "
            f"| {100 * ppo['base_spend_ratio']:.1f} % | {100 * ppo['over_contact_rate']:.3f} % "
            f"| {100 * headline['oracle_gap']:.3f} % | {headline['train_seconds']:.0f} |"
        )
    return "\n".join(rows)


def rules_table(reports: dict[str, dict[str, Any]]) -> str:
    """Captured uplift and spend of all baselines."""
    preset, found = next(iter(reports.items()))
    names = list(found["policy_report"]["presets"][preset]["rules"])
    rows = ["| preset | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for preset, found in reports.items():
        rules = found["policy_report"]["presets"][preset]["rules"]
        cells = [
            f"{100 * row['captured_uplift']['value']:.1f} % at {100 * row['spend_ratio']:.0f} %"
            for row in rules.values()
        ]
        rows.append(f"| {preset} | " + " | ".join(cells) + " |")
    return "Captured uplift, at spend / limit.\n\n" + "\n".join(rows)


def gap_table(reports: dict[str, dict[str, Any]]) -> str:
    """Captured uplift with one head's decisions replaced by the optimum's; gap by risk."""
    diagnostics = {name: found["policy_report"]["diagnostics"] for name, found in reports.items()}
    heads = list(next(iter(diagnostics.values()))["gap_by_head"])
    fifths = list(next(iter(diagnostics.values()))["gap_by_risk"])
    rows = ["| preset | " + " | ".join(heads + fifths) + " |"]
    rows.append("|---" * (len(heads) + len(fifths) + 1) + "|")
    for preset, found in diagnostics.items():
        cells = [f"{100 * found['gap_by_head'][head]:.1f}" for head in heads]
        cells += [f"{100 * found['gap_by_risk'][fifth]:.0f} %" for fifth in fifths]
        rows.append(f"| {preset} | " + " | ".join(cells) + " |")
    return (
        "Captured uplift (%) with that head's decisions replaced by the optimum's everywhere, and "
        "each risk group's share of the lost uplift.\n\n" + "\n".join(rows)
    )


def stress_table(reports: dict[str, dict[str, Any]]) -> str:
    """Captured uplift and spend under each stress."""
    rows = ["| preset | stress | fixed | re-tuned | best rule, fixed |", "|---|---|---|---|---|"]
    for preset, found in reports.items():
        for name, row in found["policy_report"]["diagnostics"]["stress"].items():
            cells = [
                f"{100 * cell['captured_uplift']:.1f} % at {100 * cell['spend_ratio']:.0f} %"
                for cell in row.values()
            ]
            rows.append(f"| {preset} | {name} | " + " | ".join(cells) + " |")
    return "Captured uplift, at spend / limit.\n\n" + "\n".join(rows)


def interval(figure: dict[str, float]) -> str:
    """value [lower, upper] in per cent."""
    low, high = 100 * figure["lower"], 100 * figure["upper"]
    return f"**{100 * figure['value']:.1f}** [{low:.1f}, {high:.1f}]"


if __name__ == "__main__":
    main()
