"""How many steps an update of the decision policy takes: the default's 2,048, and 16,384.

    python -m benchmarks.decision.update_size [--environment FOLDER] [--seeds 2]

Each is judged as the report judges the served policy: exact captured uplift on held-out customers
when the network is told other budgets and other worlds. Writes the section `update size` of
DECISION.md and `update_size.json`. One thread.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.artifacts import current_folder
from benchmarks.decision.tables import replace_section, table
from churn_assets.decision.config import DecisionConfig, PpoConfig
from churn_assets.decision.evaluation.conditions import captured_by_budget, captured_in_worlds
from churn_assets.decision.learning.calibration import calibrate_policy
from churn_assets.decision.learning.network import single_thread
from churn_assets.decision.learning.ppo import Trainer
from churn_assets.decision.mdp.customers import systematic_sample
from churn_assets.decision.mdp.groups import Groups
from churn_assets.decision.mdp.worlds import worlds_of

HERE = Path(__file__).parents[1]
DEFAULT = PpoConfig()
EIGHT = {"worlds": 8, "own_worlds": 2}
SIZES: Mapping[str, PpoConfig] = {
    "2,048 steps (default)": DEFAULT,
    "2,048 steps, of eight worlds": DEFAULT.model_copy(update=EIGHT),
    "the same, twice as many updates": DEFAULT.model_copy(
        update=EIGHT | {"updates": 1_120, "dual_every": 32}
    ),
    "16,384 steps, of eight worlds": DEFAULT.model_copy(
        update=EIGHT | {"customers": 1_024, "minibatch": 2_048, "updates": 140, "dual_every": 4}
    ),
}


def main() -> None:
    """Train every size with every seed, and write what was captured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--environment", type=Path, help="of retention_environment")
    parser.add_argument("--seeds", type=int, default=2, help="trainings of each")
    given = parser.parse_args()
    single_thread()
    environment = given.environment or current_folder("retention_environment")
    found = []
    for row in trainings(environment, given.seeds):
        print(json.dumps(row), flush=True)
        found.append(row)
    (HERE / "update_size.json").write_text(json.dumps(found, indent=1) + "\n")
    replace_section(HERE / "DECISION.md", "update size", page(found))


def trainings(environment: Path, seeds: int) -> Iterator[dict[str, Any]]:
    """One row for each size and seed."""
    config = DecisionConfig()
    groups = Groups.load(environment)
    world = worlds_of(environment, config)[config.preset]
    calibration = groups.calibration(config.calibration_customers)
    few = groups.calibration(config.watched_customers)
    some = systematic_sample(groups.test, config.price_customers)
    for seed in range(seeds):
        for size, ppo in SIZES.items():
            begun = time.process_time()
            trainer = Trainer(groups.train, world, ppo, seed)
            trainer.train(lambda *_: None)
            spent = time.process_time() - begun
            network = trainer.network.deployed(trainer.spec)
            network = calibrate_policy(network, calibration, world)
            yield {
                "size": size,
                "steps": ppo.customers * ppo.horizon * ppo.updates,
                "seed": seed,
                "cpu_seconds": spent,
                "by_budget": captured_by_budget(network, some, few),
                "worlds": captured_in_worlds(network, config, some, few),
            }


def page(rows: list[dict[str, Any]]) -> str:
    """The rows as one table, in per cent."""
    first = rows[0]
    header = [
        "an update",
        "steps, millions",
        "seed",
        "CPU s",
        *first["by_budget"],
        *first["worlds"],
    ]
    cells = [
        [
            row["size"],
            f"{row['steps'] / 1e6:.1f}",
            str(row["seed"]),
            f"{row['cpu_seconds']:.0f}",
            *(f"{100 * share:.2f}" for share in row["by_budget"].values()),
            *(f"{100 * share:.2f}" for share in row["worlds"].values()),
        ]
        for row in rows
    ]
    return table(header, cells)


if __name__ == "__main__":
    main()
