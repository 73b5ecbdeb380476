"""Does the graph release on generated tables, whatever the generator's seed, and by what margin?

    python -m benchmarks.synthetic [--seeds 20] [--first 0] [--work FOLDER]
                                   [--no-release | --messages HOME]

For each seed the tables, predictors, policy and release are made anew, each by Dagster
in a process and a home of its own. The message stages don't depend on the tables: they run once, or
are those of a home in which the graph has run. A seed takes about two minutes on two cores. Ends
with 1 if a seed gave no release. Writes synthetic.md and synthetic.json beside this file
after each seed; what the work folder has of an earlier run is not made again. Where
`CHURN_DATA_MIRROR` has the public tables, it also says how well a classifier tells them apart.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
from rich.console import Console

from benchmarks.two_samples import told_apart
from churn_assets.settings import load_settings
from churn_assets.storage.current import current_artifact, read_report
from churn_assets.storage.opening import open_store

HERE = Path(__file__).parent
PRODUCT = ["-c", "from churn_assets.cli import app; app()"]
GRAPH = ["-m", "dagster", "asset", "materialize", "-m", "churn_assets.definitions", "--select"]
TABLES_TO_POLICY = [*PRODUCT, "materialize", "--job", "decision"]
MESSAGE_STAGES = [*PRODUCT, "materialize", "--job", "messages"]
RELEASE = [*GRAPH, "release,predictions"]  # of what is there: no job makes the release alone
MESSAGES = ("oasst1_pairs", "preference_pairs", "reward_model", "message_bank")
Metadata = Mapping[str, Any]

# The figure of each check that isn't a gate with `value` and a bound: what must not be below 0.
MARGINS: dict[str, Callable[[Metadata], float]] = {
    "acceptance_rises_with_the_offer": lambda found: min(
        high - low for curve in found["mean_accept"].values() for low, high in pairwise(curve)
    ),
    "oracle_is_certified_by_its_dual": lambda found: (
        found["bound"] - max(found["dual_gap"].values())
    ),
    "training_improved_on_its_start": lambda found: min(
        run["value"] for run in found["improvement"]
    ),
    "served_policy_is_the_best_measured": lambda found: (
        found["captured_uplift"] + found["may_be_short_by"] - max(found["measured"].values())
    ),
    "expected_spend_is_within_the_budget": lambda found: min(
        found["bound"] - found["spend_ratio"]["value"],
        found["test_bound"] - found["test_spend_ratio"]["value"],
    ),
    "contact_cap_is_kept": lambda found: found["bound"] - found["over_contact_rate"],
    "decisions_depend_on_the_state": lambda found: min(found["changed_share"].values()),
}


def main() -> None:
    """Run seed by seed and write what there is after each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seeds", type=int, default=20, help="how many generator seeds")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--work", type=Path, help="folder to keep, to go on after a stop")
    parser.add_argument("--no-release", action="store_true", help="neither messages nor release")
    parser.add_argument("--messages", type=Path, help="a CHURN_HOME whose messages to take")
    given = parser.parse_args()
    work = (given.work or Path(tempfile.mkdtemp(prefix="synthetic-"))).resolve()
    console = Console(stderr=True)
    console.print(f"work folder: {work}")
    base = None if given.no_release else given.messages or messages(work, console)
    found: list[dict[str, Any]] = []
    for seed in range(given.first, given.first + given.seeds):
        began, done = time.monotonic(), work / f"seed-{seed}.json"
        if not done.exists():
            figures = run_seed(seed, work / f"seed-{seed}", base)
            done.write_text(json.dumps(figures, indent=1))
        found.append(json.loads(done.read_text()))
        outcome = "released" if found[-1]["released"] else "; ".join(found[-1]["problems"])
        console.print(f"seed {seed}: {outcome or 'passed'} ({time.monotonic() - began:.0f} s)")
        write(found)
    if not all(row["released"] or (base is None and not row["problems"]) for row in found):
        raise SystemExit("not every seed released")


def messages(work: Path, console: Console) -> Path:
    """The home in which the messages were made: once, by the first run with this folder."""
    home, done = work / "messages", work / "messages.done"
    if not done.exists():
        console.print("messages: made once, for all seeds")
        if failure := run(home, MESSAGE_STAGES, seed=0):
            raise SystemExit(f"the message stages failed, see {home / 'output.txt'}: {failure}")
        done.touch()
    return home


def run_seed(seed: int, home: Path, base: Path | None) -> dict[str, Any]:
    """Make tables to release with one generator seed; its figures. The home is removed again."""
    shutil.rmtree(home, ignore_errors=True)
    if base is not None:
        shutil.copytree(base, home)
    apart, failure = told_apart_from_public(seed), ""
    for program in (TABLES_TO_POLICY, RELEASE) if base is not None else (TABLES_TO_POLICY,):
        failure = failure or run(home, program, seed)
    figures = collect(home) | {"seed": seed, "released": base is not None and not failure}
    figures["told_apart"] = apart
    figures["problems"] += [failure] if failure and not figures["problems"] else []
    shutil.rmtree(home)
    return figures


def run(home: Path, program: list[str], seed: int) -> str:
    """Run a Python program: empty if it went well, else the last line that it wrote."""
    home.mkdir(parents=True, exist_ok=True)
    environment = {name: value for name, value in os.environ.items() if "CHURN_" not in name}
    environment |= {
        "CHURN_HOME": str(home),
        "DAGSTER_HOME": str(home / "dagster"),
        "CHURN_DATA__SOURCE": "synthetic",
        "CHURN_DATA__SYNTHETIC_SEED": str(seed),
    }
    command = [sys.executable, *program]
    with (home / "output.txt").open("a") as output:
        code = subprocess.run(
            command, env=environment, stdout=output, stderr=subprocess.STDOUT, check=False
        ).returncode
    lines = (home / "output.txt").read_text().strip().splitlines()
    return "" if code == 0 else lines[-1] if lines else f"exit status {code}"


def collect(home: Path) -> dict[str, Any]:
    """Each check's outcome and margin, and the models' headline figures, of a home."""
    checks = {}
    with dg.DagsterInstance.from_config(str(home / "dagster")) as instance:
        storage = instance.event_log_storage
        graph = asset_graph()
        keys = [key for key in graph.asset_check_keys if key.asset_key.path[-1] not in MESSAGES]
        for key, record in storage.get_latest_asset_check_execution_by_key(keys).items():
            evaluation = record.evaluation
            if evaluation is None:
                continue
            metadata = {name: value.value for name, value in evaluation.metadata.items()}
            checks[key.name] = {
                "asset": key.asset_key.to_user_string(),
                "passed": evaluation.passed,
                "blocks": graph.get(key).blocking
                and evaluation.severity == dg.AssetCheckSeverity.ERROR,
                "margin": margin(key.name, metadata),
            }
    return {
        "checks": checks,
        "problems": [
            f"{name} failed"
            for name, check in checks.items()
            if check["blocks"] and not check["passed"]
        ],
        **headline(home),
    }


def asset_graph() -> Any:
    """All assets and checks of the product."""
    # Imported here: the definitions load every stage.
    from churn_assets.definitions import definitions

    return definitions().resolve_asset_graph()


def margin(name: str, metadata: Metadata) -> float | None:
    """How far a check's figure is from its bound, negative beyond it; None if it has no figure."""
    if name in MARGINS:
        return float(MARGINS[name](metadata))
    bounds = [
        sign * (metadata["value"] - metadata[bound])
        for bound, sign in (("at_least", 1), ("at_most", -1))
        if "value" in metadata and bound in metadata
    ]
    return float(min(bounds)) if bounds else None


def headline(home: Path) -> dict[str, Any]:
    """The figures of the three models' reports; empty for one that was not made."""
    store = open_store(str(home / "store"), cache=home / "cache")

    def report(asset: str) -> dict[str, Any]:
        return read_report(store, current_artifact(store, asset))

    risk, accept = report("risk_model")["risk"], report("accept_model")["accept"]
    policy = report("policy_report")
    return {
        "risk_auc": risk["auc_oof"],
        "risk_auc_of_logistic_regression": risk["baselines_oof"]["logistic_regression"]["auc"],
        "accept_auc": accept["auc"],
        "support_share": accept["support_share"],
        "served": policy["served"],
        "captured_uplift": policy["serving"]["captured_uplift"],
        "ppo_uplift": policy["policy"]["captured_uplift"],
        "best_baseline_uplift": policy["policy"]["best_baseline_uplift"],
        "spend_ratio": policy["serving"]["spend_ratio"]["value"],
    }


def told_apart_from_public(seed: int) -> dict[str, dict[str, float]]:
    """AUC of telling each generated table from the public one; empty without a mirror."""
    mirror = load_settings().data.mirror
    return {} if mirror is None else told_apart(mirror, seed)


def write(found: list[dict[str, Any]]) -> None:
    """All figures as JSON, and three tables."""
    (HERE / "synthetic.json").write_text(json.dumps(found, indent=1) + "\n")
    (HERE / "synthetic.md").write_text(page(found))


def page(found: list[dict[str, Any]]) -> str:
    """The figures as Markdown."""
    released = sum(row["released"] for row in found)
    seeds = pd.DataFrame([_row(figures) for figures in found])
    names = {name: check for row in found for name, check in row["checks"].items()}
    margins = pd.DataFrame([_margins(name, check, found) for name, check in names.items()])
    return f"""# The graph on generated tables

`python -m benchmarks.synthetic` made everything from the tables to the release anew for each of
{len(found)} seeds of the generator: {released} released.

{seeds.to_markdown(index=False, floatfmt=".4g", missingval="")}

"apart" is the AUC of a cross-validated XGBoost at telling the generated table's rows from the
public one's (0.5: not at all), where the public tables were there.

## Margins

How far each check's figure was from its bound, over the seeds; negative is beyond it. "pass/fail"
has no figure. A check that does not block only warns.

{margins.to_markdown(index=False, disable_numparse=True)}
"""


def _row(figures: Mapping[str, Any]) -> dict[str, Any]:
    apart = figures["told_apart"]
    return {
        "seed": figures["seed"],
        "released": "yes" if figures["released"] else "; ".join(figures["problems"]) or "not tried",
        "risk AUC": figures["risk_auc"],
        "logistic": figures["risk_auc_of_logistic_regression"],
        "accept AUC": figures["accept_auc"],
        "support": figures["support_share"],
        "served": figures["served"],
        "uplift": figures["captured_uplift"],
        "PPO": figures["ppo_uplift"],
        "best rule": figures["best_baseline_uplift"],
        "spend": figures["spend_ratio"],
        **{f"apart: {name}": auc["xgboost"] for name, auc in apart.items()},
    }


def _margins(name: str, check: Metadata, found: list[dict[str, Any]]) -> dict[str, Any]:
    rows = [row["checks"][name] for row in found if name in row["checks"]]
    values = [row["margin"] for row in rows if row["margin"] is not None]
    return {
        "check": name,
        "blocks": "yes" if check["blocks"] else "warns",
        "passed": f"{sum(row['passed'] for row in rows)} of {len(rows)}",
        "least margin": f"{min(values):.3g}" if values else "pass/fail",
        "mean margin": f"{sum(values) / len(values):.3g}" if values else "",
    }


if __name__ == "__main__":
    main()
