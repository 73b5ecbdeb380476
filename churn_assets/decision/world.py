"""The customers and the yardsticks that a policy is trained and judged with, as three stages.

`retention_environment` scores the customers with both predictors, `oracle_policy` computes the best
that any policy could reach on them, and `baseline_policies` tunes the rules to compare with.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from churn_assets.customers.schema import load_schema
from churn_assets.decision.config import RuleSettings, WorldSettings
from churn_assets.decision.exact.pareto import ParetoCurve, curve_around, pareto_curve, solve_budget
from churn_assets.decision.exact.policy_value import evaluate, summarise
from churn_assets.decision.mdp.customers import Customers
from churn_assets.decision.mdp.groups import Groups
from churn_assets.decision.mdp.horizon import risk_of_a_period
from churn_assets.decision.mdp.paying import deciding
from churn_assets.decision.mdp.worlds import save_offers, served_world, worlds_of
from churn_assets.decision.policy import save_rule
from churn_assets.decision.rules.tuning import tuned_baselines
from churn_assets.domain.measured import Measured
from churn_assets.domain.splits import SPLITS
from churn_assets.domain.value import MONTHS_OF_VALUE
from churn_assets.predictors.scoring.features import encode
from churn_assets.predictors.scoring.scorers import AcceptScorer, RiskScorer
from churn_assets.stages.spec import Progress, silent

CURVE_FILE = "curve.safetensors"
OWN_ANSWERS = ("own", "campaign_log")
"""Sources of an accept model whose responses to discounts were observed, as its report says."""


def run_environment(
    inputs: Mapping[str, Path],
    out: Path,
    config: WorldSettings,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Score the active customers and write `train|valid|test.safetensors` (risk, accept, value),
    and what outcomes have measured of the world (`measured.json`), with the world near it that the
    policy is made for.

    The accept model is asked as at the start of a period, like in serving: the environment lowers
    acceptance itself (`observation.build_states` does the same).
    """
    # Imported here: only this function reads tables, and the serving side imports this package.
    import pandas as pd

    risk = RiskScorer.load(inputs["risk_model"])
    accept = AcceptScorer.load(inputs["accept_model"])
    schema = load_schema(inputs["active_customers"])
    save_offers(schema.offers if schema else None, out)
    assumed = served_world(out, config.environment)  # nothing measured is in the folder yet
    horizon, period = schema.horizon_days if schema else None, assumed.period_days
    report: dict[str, Any] = {
        "preset": config.preset,
        "responses_observed": _observed(inputs["accept_model"]),
    }
    for split in SPLITS:
        table = pd.read_parquet(inputs["active_customers"] / f"{split}.parquet")
        bills = table["monthly_charges"].to_numpy(dtype=np.float64)
        value = MONTHS_OF_VALUE * bills
        records = table.drop(columns=["churn"], errors="ignore").to_dict(orient="records")
        rows = [{str(name): cell for name, cell in record.items()} for record in records]
        ids = [row.get("customer_id") for row in rows]
        matrix = encode(rows, risk.model.features)
        scored, _ = risk.of_customers(ids, matrix, risk.model.probabilities(matrix))
        scored = risk_of_a_period(scored, horizon, period)
        accepted = accept.acceptances(accept.start_matrix(rows), scored, bills)
        worth = value > 0  # who pays nothing has nothing that could be retained
        customers = Customers(scored[worth], accepted[worth], value[worth])
        customers.save(out / f"{split}.safetensors")
        report[split] = {
            "customers": len(customers),
            "mean_risk": float(customers.risk.mean()),
            "mean_accept": customers.accept.mean(axis=0).tolist(),
            "mean_value": float(customers.value.mean()),
        }
    measured = Measured.load(inputs["measured_world"]) if "measured_world" in inputs else Measured()
    measured, paying = deciding(measured, Groups.load(out).everyone(), assumed)
    measured.save(out)
    return report | {
        "params": served_world(out, config.environment).model_dump(),
        "measured": measured.sentences,
        "paying": paying.model_dump(),
    }


def _observed(accept_model: Path) -> bool:
    """Whether the model learnt from answers that customers gave, not from simulated ones."""
    report = json.loads((accept_model / "report.json").read_text(encoding="utf-8"))
    return report["accept"]["source"] in OWN_ANSWERS


def run_oracle(
    inputs: Mapping[str, Path],
    out: Path,
    config: WorldSettings,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Solve the exact optimum on the test customers, and write its Pareto curve per preset."""
    test = Groups.load(inputs["retention_environment"]).test
    worlds = worlds_of(inputs["retention_environment"], config)
    report: dict[str, Any] = {}
    for step, preset in enumerate(config.presets):
        params = worlds[preset].clean
        solution = solve_budget(test, params)
        curve = pareto_curve(test, params, curve_around(solution.price))
        save_curve(curve, out / f"{preset}.{CURVE_FILE}")
        report[preset] = {
            "price": solution.price,
            "uplift": solution.uplift,
            "spend": solution.spend,
            "upper_bound": solution.bound,
            "dual_gap": solution.gap,
            "dual_jump": solution.jump,
            "never": float(curve.never @ curve.weight),
            "customers": len(test),
        }
        progress(step + 1, len(config.presets), dual_gap=solution.gap)
    return {"preset": config.preset, "oracle": report}


def run_baselines(
    inputs: Mapping[str, Path],
    out: Path,
    config: RuleSettings,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Tune every baseline per preset; writes `<preset>/<name>/policy.json`."""
    groups = Groups.load(inputs["retention_environment"])
    tuning = groups.calibration(config.tuning_customers)
    calibration = groups.calibration(config.calibration_customers)
    worlds = worlds_of(inputs["retention_environment"], config)
    report: dict[str, Any] = {}
    for step, preset in enumerate(config.presets):
        params = worlds[preset]
        price = solve_budget(tuning, params.clean, 1e-2).price
        rules = tuned_baselines(tuning, calibration, params, price)
        report[preset] = {}
        for name, rule in rules.items():
            save_rule(rule, out / preset / name)
            settings = rule.model_dump(exclude={"params", "table", "risk_edges", "accept_edges"})
            report[preset][name] = settings | summarise(evaluate(rule, tuning, params.clean))
        progress(step + 1, len(config.presets), rules=len(rules))
    return {"preset": config.preset, "baselines": report}


def save_curve(curve: ParetoCurve, path: Path) -> None:
    """Write a Pareto curve as safetensors."""
    names = ("prices", "uplift", "spend", "never", "weight")
    save_file({name: np.ascontiguousarray(getattr(curve, name)) for name in names}, path)


def load_curve(folder: Path, preset: str) -> ParetoCurve:
    """The Pareto curve of a preset in the oracle's folder."""
    return ParetoCurve(**load_file(folder / f"{preset}.{CURVE_FILE}"))
