"""PPO beside the strongest rules, on every preset: writes the section "rules" of DECISION.md.

    python -m benchmarks.strongest_rules --work FOLDER [--seeds 1]

`--work` is the work folder of `benchmarks.decision` (or one like it): `retention_environment/`, and
for each preset `oracle_policy/`, `baseline_policies/` and `decision_policy/`; a preset that lacks
them is left out. All figures are exact, on the folder's test customers; one thread.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np

from benchmarks.decision_tables import interval, replace_section, table
from churn_assets.decision.config import DEFAULT_PRESET, PRESETS, DecisionConfig
from churn_assets.decision.evaluation.diagnostics import visit
from churn_assets.decision.evaluation.report import measure_preset
from churn_assets.decision.learning.network import single_thread
from churn_assets.decision.mdp.actions import Policy
from churn_assets.decision.mdp.groups import Groups
from churn_assets.decision.policy import load_policy

HERE = Path(__file__).parent
RULES = ("priced_greedy", "greedy_retry", "look2")
STAGES = ("oracle_policy", "baseline_policies", "decision_policy")
REQUESTS = 2_000


def main() -> None:
    """Measure what there is, and write the section."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3, help="how many decision_policy has")
    given = parser.parse_args()
    single_thread()
    groups = Groups.load(given.work / "retention_environment")
    seeds = tuple(range(given.seeds))
    rows = [
        row_of(given.work / preset, groups, preset, seeds)
        for preset in PRESETS
        if (given.work / preset / "decision_policy" / "report.json").exists()
    ]
    head = [
        "preset",
        "PPO, %",
        *(f"{name}, %" for name in RULES),
        "strongest",
        "PPO's lead, points",
    ]
    text = "\n\n".join(
        [
            f"{len(groups.test)} test customers; seeds of PPO: {len(seeds)}.",
            table(head, rows),
            latency(given.work / DEFAULT_PRESET, groups),
        ]
    )
    replace_section(HERE / "DECISION.md", "rules", text)
    print(text)


def row_of(folder: Path, groups: Groups, preset: str, seeds: tuple[int, ...]) -> list[str]:
    """One preset's line."""
    inputs = {name: folder / name for name in STAGES}
    trained = json.loads((inputs["decision_policy"] / "report.json").read_text())["trained"]
    config = DecisionConfig(seeds=seeds)
    found = measure_preset(inputs, groups, preset, trained[preset], config).table
    shown = [found["ppo"], *(found["rules"][name] for name in RULES)]
    return [
        preset,
        *(interval(row["captured_uplift"], digits=2) for row in shown),
        found["best_rule"],
        interval(found["lead"], digits=2),
    ]


def latency(folder: Path, groups: Groups) -> str:
    """Microseconds of a single decision: what a request waits for."""
    rules = folder / "baseline_policies" / DEFAULT_PRESET
    policies = [load_policy(folder / "decision_policy" / "policy")]
    policies += [load_policy(rules / name) for name in RULES]
    states = visit(policies[0], groups.test, PRESETS[DEFAULT_PRESET]).states
    rows = []
    for policy in policies:
        times = microseconds(policy, states)
        rows.append([policy.name, f"{np.median(times):.0f}", f"{np.percentile(times, 99):.0f}"])
    return table(["one decision", "median, µs", "p99, µs"], rows)


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
